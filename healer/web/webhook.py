"""`POST /webhook`: one event for the action that the catalog maps its type to. Checked before it is taken, so that a program that
calls hears at once what is wrong; `?wait=30s` answers with what came of it.
"""

from __future__ import annotations

import asyncio
import difflib
from typing import Annotated, Any, Final

import pydantic
from aiohttp import web
from loguru import logger

from healer import access, errors, model, units
from healer.store import reads, transaction
from healer.web import answers, bodies, deliveries, queries, shapes, within
from healer.web.services import Revision, Services

SOURCE: Final = "healer.events"
WAIT_MAX_S: Final = 300.0
WAITERS_MAX: Final = 64
LOOK_FIRST_S: Final = 0.02
LOOK_MAX_S: Final = 0.5

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


class Override:
    """The audit's record that a request chose another controller than its mapping; written before the event is."""

    weight = 1

    def __init__(
        self, actor: str, event_type: str, action: str, controller: str, target: str | None = None, *, dry_run: bool = False
    ) -> None:  # fmt: skip
        self.actor = actor
        self.event_type = event_type
        self.action = action
        self.controller = controller
        self.target = target
        self.dry_run = dry_run

    def apply(self, tx: transaction.Transaction) -> None:
        """Append the record."""
        tx.audit(
            "override", actor=self.actor, event_type=self.event_type, action=self.action, controller=self.controller, target=self.target,
            dry_run=self.dry_run or None,
        )  # fmt: skip


class Webhook:
    """The handler; it counts who waits."""

    def __init__(self) -> None:
        self.waiting = 0

    async def answer(self, request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
        """202 after the commit, or 200 with the runs after `?wait`."""
        wait_s = _wait_s(request)
        asked = await bodies.document(request, Asked)
        action = _check(services.revision(), asked, caller)
        if wait_s is not None and self.waiting >= WAITERS_MAX:
            raise errors.Unavailable("send it without ?wait", reason=f"{WAITERS_MAX} requests wait already")
        if asked.controller_override is not None:
            await _note_override(services, asked, action, caller)
        event = event_of(asked)
        delivery = deliveries.of_caller(request, caller.actor)
        taken = await services.intake.take(SOURCE, [(event, None)], actor=caller.actor, delivery=delivery)
        deliveries.checked(taken, delivery)
        services.tally.took(SOURCE, taken.accepted, taken.duplicates)
        services.heard(SOURCE, 1)
        made = {
            "accepted": taken.accepted, "duplicates": taken.duplicates, "ids": taken.ids, "event_type": asked.event_type,
            "action": action,
        }  # fmt: skip
        if wait_s is None:
            return answers.json(made, 202)
        self.waiting += 1
        try:
            runs, pending = await _outcome(services, reads.event_position(taken.ids[0]), wait_s)
        finally:
            self.waiting -= 1
        return answers.json(made | {"results": runs} | ({"pending": True} if pending else {}))


async def _note_override(services: Services, asked: Asked, action: str, caller: access.Principal) -> None:
    """The audit knows of it before there is anything that it could be missing for; the log too."""
    controller = str(asked.controller_override)
    await services.store.submit(
        Override(caller.actor, asked.event_type, action, controller, asked.target, dry_run=asked.dry_run)
    )
    logger.bind(actor=caller.actor, action=action, controller=controller).info(
        "{} sends {} to {} in the place of its own controller", caller.actor, action, controller
    )


def _wait_s(request: web.Request) -> float | None:
    text = queries.Query(request, "wait").text("wait")
    if not text:
        return None
    try:
        wait_s = units.duration_s(text)
    except ValueError as error:
        raise errors.InvalidField(field="wait", detail=str(error)) from None
    if wait_s > WAIT_MAX_S:
        detail = f"at most {WAIT_MAX_S / 60:g} minutes are wanted, got {text[:80]!r}"
        raise errors.InvalidField(field="wait", detail=detail)
    return wait_s


def _check(revision: Revision, asked: Asked, caller: access.Principal) -> str:
    """The action's name. Raises what is wrong with the request, before anything is kept."""
    catalog = revision.catalog
    action = catalog.by_event.get(asked.event_type)
    if action is None:
        near = difflib.get_close_matches(asked.event_type, list(catalog.by_event), n=3, cutoff=0.6)
        try_ = f"did you mean {near[0]!r}?" if near else "list it under events: of an action"
        raise errors.UnknownEventType(try_, event_type=asked.event_type, near=near)
    entry = catalog.entries[action]
    _may(revision, asked, entry, caller)
    problems = entry.payload_of(asked.parameters)
    if isinstance(problems, list):
        raise errors.InvalidParameters(
            action=action,
            detail="; ".join(problems),
            problems=[{"field": "parameters", "detail": text} for text in problems],
        )
    if detail := entry.unwanted_target(asked.target):
        raise errors.InvalidParameters(
            action=action, detail=detail, problems=[{"field": "target", "detail": detail.removeprefix("target: ")}]
        )
    if entry.target == "required" and asked.target is None:
        raise errors.InvalidField(field="target", detail=f"the action {action} works on a target, and none is given")
    return str(action)


def _may(revision: Revision, asked: Asked, entry: Any, caller: access.Principal) -> None:
    """Raises `errors.Forbidden`, `errors.UnknownController`. Who may not name another controller does not hear which there are."""
    wanted = ("events.write",) if asked.controller_override is None else ("controllers.override", "events.write")
    controller = asked.controller_override or entry.controller or revision.default_controller
    for permission in wanted:
        if not access.allows(caller, permission):
            limited = permission in caller.permissions
            about = (
                within.of_event(revision, SOURCE, entry.name, controller, asked.target)
                if limited
                else access.EVERYTHING
            )
            access.demand(caller, permission, about)
    if asked.controller_override is not None and asked.controller_override not in revision.controllers:
        try_ = errors.nearest(asked.controller_override, revision.controllers)
        raise errors.UnknownController(try_, controller=asked.controller_override)


async def _outcome(services: Services, seq: int, wait_s: float) -> tuple[list[dict[str, Any]], bool]:
    """(the runs that the event led to, whether something of it is still open)"""
    loop = asyncio.get_running_loop()
    end = loop.time() + wait_s
    pause_s = LOOK_FIRST_S
    read = services.store.reader
    while True:
        decided = await reads.decided_to(read) >= seq
        runs = await reads.runs_by_id(read, await reads.runs_of_event(read, seq)) if decided else []
        pending = not decided or any(run["state"] not in model.ENDED_STATES for run in runs)
        if not pending or loop.time() >= end or services.state() == "stopping":
            return [shapes.run(run) for run in runs], pending
        await asyncio.sleep(max(0.001, min(pause_s, end - loop.time())))
        pause_s = min(pause_s * 1.5, LOOK_MAX_S)
