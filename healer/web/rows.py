"""What a row of the table of routes is. Caller: `routes`, which has the table."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Final, Literal

from aiohttp import web

from healer import access, errors
from healer.web.services import Services

PUBLIC: Final = "public"
"""No key is needed."""
SOURCE: Final = "the source's own"
"""The source's `auth` decides."""
SLACK: Final = "Slack's signature"
"""Requests are signed with the secret of the app."""
PROVED: Final = (SOURCE, SLACK)
"""Others deliver there, and find them under one path."""
VERSIONED: Final = "/api/v1"

Handler = Callable[[web.Request, Services, access.Principal], Awaitable[web.StreamResponse]]
Body = Literal["", "json", "events", "source", "form"]


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """One row. `permission`: one of `access.PERMISSIONS`, `PUBLIC`, `SOURCE` or `SLACK`. `body`: what a request carries.

    `within`: the handler itself asks whether what a request is about lies within the scope of a role (`within`). Where it does not, only
    roles without a scope will do, but for what only reads.
    """

    method: Literal["GET", "POST", "DELETE", "OPTIONS"]
    path: str
    permission: str
    handler: Handler
    summary: str
    body: Body = ""
    within: bool = False

    @property
    def paths(self) -> tuple[str, ...]:
        """Where it is answered."""
        return (self.path,) if self.permission in PROVED else (self.path, VERSIONED + self.path)

    def refusal(self, caller: access.Principal) -> errors.Forbidden | None:
        """Why somebody may not ask for it at all; None: they may, or the handler looks at what it is about."""
        may = caller.permissions if self.within else caller.everywhere
        return None if self.permission in may else access.refusal(caller, self.permission)
