"""`healer.api: {}`: takes the events of `POST /events` into a ruleset. It has no options and no task.

Without a ruleset that lists it nobody would read those events, so they are refused with `no_listener`.
"""

from __future__ import annotations

from healer import plugins


class ApiOptions(plugins.Options):
    """`healer.api` has no options."""


class Api(plugins.Push):
    """The source itself: `web` looks for it."""

    Options = ApiOptions


SOURCE = Api
