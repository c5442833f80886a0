"""An order: a request that an action of the catalog be done. Checked before anything is kept, journaled as one event, waited for.

Callers: `webhook` (of an event type that the catalog maps to an action) and `actions` (of the action itself). What it leads to is decided
as of any event: journal, match, gates, run.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, get_args

from aiohttp import web
from loguru import logger

from healer import access, errors, model, units
from healer.explain import plans
from healer.store import reads, transaction
from healer.web import answers, deliveries, queries, shapes, within
from healer.web.services import Revision, Services

WAIT_MAX_S: Final = 300.0
WAITERS_MAX: Final = 64
LOOK_FIRST_S: Final = 0.02
LOOK_MAX_S: Final = 0.5

Until = Literal["decided", "planned", "ended"]
UNTIL: Final = ("decided", "planned", "ended")


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants done. `event`: what is journaled of it, to `source`; `controller_override`: another controller than the
    mapping's; `event_type`: the one that stands for the action, '' where the action itself is named."""

    source: str
    event: Mapping[str, Any]
    action: str
    targets: tuple[str, ...] = ()
    controller_override: str | None = None
    dry_run: bool = False
    event_type: str = ""
    reason: str = ""


class Override:
    """The audit's record that a request chose another controller than its mapping; written before the event is."""

    weight = 1

    def __init__(self, actor: str, order: Order) -> None:
        self.actor = actor
        self.order = order

    def apply(self, tx: transaction.Transaction) -> None:
        """Append the record."""
        asked, several = self.order, len(self.order.targets) > 1
        tx.audit(
            "override", actor=self.actor, event_type=asked.event_type or None, action=asked.action, controller=asked.controller_override,
            target=", ".join(asked.targets) or None if not several else None, targets=list(asked.targets) if several else None,
            dry_run=asked.dry_run or None, detail=asked.reason or None,
        )  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Wait:
    """How long a request waits for what comes of it (None: not at all), and for what."""

    seconds: float | None
    until: Until = "ended"


def wait_of(request: web.Request) -> Wait:
    """`?wait=30s`, `?wait=5s&until=decided`. Raises `errors.InvalidField`."""
    query = queries.Query(request, "wait", "until")
    text, until = query.text("wait"), query.word("until", UNTIL)
    if not query.has("wait"):
        if query.has("until"):
            raise errors.InvalidField(field="until", detail="it says what ?wait waits for, and that is not there")
        return Wait(None)
    if query.has("until") and not until:  # as an empty `wait`: what a variable that is not set leaves
        raise errors.InvalidField(field="until", detail=f"one of {', '.join(UNTIL)} is wanted, got ''")
    try:
        wait_s = units.duration_s(text)
    except ValueError as error:
        raise errors.InvalidField(field="wait", detail=str(error)) from None
    if wait_s > WAIT_MAX_S:
        detail = f"at most {WAIT_MAX_S / 60:g} minutes are wanted, got {text[:80]!r}"
        raise errors.InvalidField(field="wait", detail=detail)
    return Wait(wait_s, next((one for one in get_args(Until) if one == until), "ended"))


class Orders:
    """Takes orders; it counts who waits."""

    def __init__(self) -> None:
        self.waiting = 0

    async def take(
        self, request: web.Request, services: Services, caller: access.Principal, order: Order, wait: Wait
    ) -> web.StreamResponse:
        """202 after the commit, or 200 with the runs after `?wait`."""
        if wait.seconds is not None and self.waiting >= WAITERS_MAX:
            raise errors.Unavailable("send it without ?wait", reason=f"{WAITERS_MAX} requests wait already")
        if order.controller_override is not None:
            await _note_override(services, order, caller)
        delivery = deliveries.of_caller(request, caller.actor)
        taken = await services.intake.take(
            order.source, [(dict(order.event), None)], actor=caller.actor, delivery=delivery
        )
        deliveries.checked(taken, delivery)
        services.tally.took(order.source, taken.accepted, taken.duplicates)
        services.heard(order.source, 1)
        made: dict[str, Any] = {"accepted": taken.accepted, "duplicates": taken.duplicates, "ids": taken.ids}
        made |= ({"event_type": order.event_type} if order.event_type else {}) | {"action": order.action}
        if wait.seconds is None:
            return answers.json(made, 202)
        self.waiting += 1
        try:
            runs, pending = await _outcome(services, order, reads.event_position(taken.ids[0]), wait)
        finally:
            self.waiting -= 1
        return answers.json(made | {"results": runs} | ({"pending": True} if pending else {}))


async def _note_override(services: Services, order: Order, caller: access.Principal) -> None:
    """The audit knows of it before there is anything that it could be missing for; the log too."""
    await services.store.submit(Override(caller.actor, order))
    logger.bind(actor=caller.actor, action=order.action, controller=order.controller_override).info(
        "{} sends {} to {} in the place of its own controller", caller.actor, order.action, order.controller_override
    )


async def _outcome(services: Services, order: Order, seq: int, wait: Wait) -> tuple[list[dict[str, Any]], bool]:
    """(the runs that the event led to, whether something of it is still open)"""
    entry = services.revision().catalog.entries.get(order.action)
    # What nobody knows the end of is done again by itself, or waits for a person.
    over = (*model.ENDED_STATES, *(() if entry is not None and entry.idempotent else ("unknown",)))
    loop, ended = asyncio.get_running_loop(), wait.until == "ended"
    end = loop.time() + (wait.seconds or 0.0)
    pause_s = LOOK_FIRST_S
    read = services.store.reader
    while True:
        decided = await reads.decided_to(read) >= seq
        runs = await reads.runs_by_id(read, await reads.runs_of_event(read, seq)) if decided else []
        pending = not decided or any(run["state"] not in model.ENDED_STATES for run in runs)
        planned = await _plans(services, runs) if wait.until == "planned" or (ended and order.dry_run) else {}
        enough = decided and all(plan["state"] != "wanted" for plan in planned.values())
        enough = enough and (not ended or all(run["state"] in over for run in runs))
        if enough or loop.time() >= end or services.state() == "stopping":
            said = {
                run: {"plan": {name: plan[name] for name in ("state", "sentence", "fails")}}
                for run, plan in planned.items()
            }
            return [_with_plan(shapes.run(run), said.get(run["id"], {})) for run in runs], pending
        await asyncio.sleep(max(0.001, min(pause_s, end - loop.time())))
        pause_s = min(pause_s * 1.5, LOOK_MAX_S)


def _with_plan(run: dict[str, Any], said: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A run as it is shown with its plan. That it would have run is not said of one of which that plan knows that it would fail."""
    fails = said["plan"]["fails"] if said and run["state"] == "simulated" else ""
    told = {"sentence": f"Its gates would have let it run, and it would fail: {fails}"} if fails else {}
    return run | said | told


async def _plans(services: Services, runs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The plans of those that have one."""
    found = {run["id"]: await plans.of(services.store, run["id"]) for run in runs}
    return {run: plan for run, plan in found.items() if plan is not None}


# --- what is checked before anything is kept --------------------------------------------------------------------------------


def may(revision: Revision, order: Order, caller: access.Principal, permission: str) -> None:
    """Raises `errors.Forbidden`, `errors.UnknownController`. Who may not name another controller does not hear which there are."""
    wanted = (permission,) if order.controller_override is None else ("controllers.override", permission)
    own = revision.catalog.entries[order.action].controller or revision.default_controller
    controller = order.controller_override or own
    for one in wanted:
        if not access.allows(caller, one):
            limited = one in caller.permissions
            about = (
                within.of_event(revision, order.source, order.action, controller, order.targets)
                if limited
                else access.EVERYTHING
            )
            access.demand(caller, one, about)
    if order.controller_override is not None and order.controller_override not in revision.controllers:
        try_ = errors.nearest(order.controller_override, revision.controllers)
        raise errors.UnknownController(try_, controller=order.controller_override)


def check(entry: Any, parameters: Mapping[str, Any] | Sequence[str], target: str | Sequence[str] | None) -> None:
    """Raises what is wrong with parameters (`parameters`: as `catalog.Entry.parameters_of` gives them) and with a target that is given,
    or is not."""
    if isinstance(parameters, list):
        raise errors.InvalidParameters(
            action=entry.name,
            detail="; ".join(parameters),
            problems=[{"field": "parameters", "detail": text} for text in parameters],
        )
    if detail := entry.unwanted_target(target):
        raise errors.InvalidParameters(
            action=entry.name, detail=detail, problems=[{"field": "target", "detail": detail.removeprefix("target: ")}]
        )
    if entry.target == "required" and not target:
        raise errors.InvalidField(
            field="target", detail=f"the action {entry.name} works on a target, and none is given"
        )
