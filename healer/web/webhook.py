"""`POST /webhook`: one event for the action that the catalog maps its type to. Checked before it is taken, so that a program that
calls hears at once what is wrong; `?wait=30s` answers with what came of it.
"""

from __future__ import annotations

import difflib
from typing import Annotated, Any, Final

import pydantic
from aiohttp import web

from healer import access, errors
from healer.web import bodies, orders
from healer.web.services import Revision, Services

SOURCE: Final = "healer.events"

Word = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=256)]
Name = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=1024)]


class Asked(pydantic.BaseModel):
    """The body."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    event_type: Word
    target: Name | None = None
    parameters: dict[str, Any] = {}
    controller_override: Word | None = None
    dry_run: bool = False


def event_of(asked: Asked) -> dict[str, Any]:
    """The event that a request makes."""
    event: dict[str, Any] = {"event_type": asked.event_type, "target": asked.target, "parameters": asked.parameters}
    if asked.controller_override is not None:
        event["controller_override"] = asked.controller_override
    return event | ({"dry_run": True} if asked.dry_run else {})


class Webhook:
    """The handler; it counts who waits."""

    def __init__(self) -> None:
        self._orders = orders.Orders()

    async def answer(self, request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
        """202 after the commit, or 200 with the runs after `?wait`."""
        wait = orders.wait_of(request)
        asked = await bodies.document(request, Asked)
        order = _checked(services.revision(), asked, caller)
        return await self._orders.take(request, services, caller, order, wait)


def _checked(revision: Revision, asked: Asked, caller: access.Principal) -> orders.Order:
    """The order. Raises what is wrong with the request, before anything is kept."""
    catalog = revision.catalog
    action = catalog.by_event.get(asked.event_type)
    if action is None:
        near = difflib.get_close_matches(asked.event_type, list(catalog.by_event), n=3, cutoff=0.6)
        try_ = f"did you mean {near[0]!r}?" if near else "list it under events: of an action"
        raise errors.UnknownEventType(try_, event_type=asked.event_type, near=near)
    entry = catalog.entries[action]
    if asked.controller_override == (entry.controller or revision.default_controller):  # its own, which is no other
        asked = asked.model_copy(update={"controller_override": None})
    order = orders.Order(
        SOURCE, event_of(asked), action, () if asked.target is None else (asked.target,), asked.controller_override, asked.dry_run,
        asked.event_type,
    )  # fmt: skip
    orders.may(revision, order, caller, "events.write")
    orders.check(entry, entry.payload_of(asked.parameters), asked.target)
    return order
