"""A source of the project's own."""

from healer import plugins


class Source(plugins.Source):
    """Tells nothing."""

    class Options(plugins.Options):
        """None."""


SOURCE = Source
