"""A source of the project's own."""

import requets  # noqa: F401 - misspelt on purpose

from healer import plugins


class Source(plugins.Source):
    """Tells nothing."""


SOURCE = Source
