"""`healer.source: {name: NAME}`: a source that `healer.yaml` shares under `sources`, with its authentication.

A rulebook names it, operations own it. `project` puts the shared one in its place, so it never runs itself.
"""

from __future__ import annotations

from typing import Annotated

import pydantic

from healer import plugins

Name = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"),
    plugins.Wanted("the name of a source"),
]


class SourceOptions(plugins.Options):
    """The options of `healer.source`."""

    name: Name = pydantic.Field(description="a name under `sources` of healer.yaml")


class Source(plugins.Push):
    """The reference itself."""

    Options = SourceOptions


SOURCE = Source
