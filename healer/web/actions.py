"""`/actions`: what the catalog has, and starting one of it by hand, which goes the way of every event: journal, match, gates, run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final

import pydantic
from aiohttp import web

from healer import access, errors
from healer.web import answers, bodies, orders, queries, webhook
from healer.web.services import Revision, Services

SOURCE: Final = "healer.actions"
TARGETS_MAX: Final = 1000
GROUP: Final = "group:"
RUN: Final = "actions.run"

Targets = Annotated[list[webhook.Name], pydantic.Field(min_length=1, max_length=TARGETS_MAX)]


class Asked(pydantic.BaseModel):
    """The body of `POST /actions/{name}/run`. `target`: one or several; `group:NAME` stands for the hosts of a group."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    target: webhook.Name | Targets | None = None
    parameters: dict[str, Any] = {}
    controller_override: webhook.Word | None = None
    dry_run: bool = False
    reason: Annotated[str, pydantic.StringConstraints(strip_whitespace=True, max_length=500)] = ""


async def index(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """All actions by name."""
    queries.Query(request)
    revision = services.revision()
    return answers.page([_shown(revision, entry) for _, entry in sorted(revision.catalog.entries.items())], None)


async def show(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """One in full, with the gates' values that hold for it, whatever its target."""
    queries.Query(request)
    revision = services.revision()
    entry = _entry(revision, request.match_info["name"])
    return answers.json(
        _shown(revision, entry)
        | {
            "parameters": dict(entry.parameters), "required": list(entry.required), "payload_parameters": list(entry.payload_parameters),
            "verify": entry.verify, "escalate": list(entry.escalate), "retries": entry.retries, "ramp": dict(entry.ramp),
            "max_errors": entry.max_errors, "gates": await services.limits_of(entry.name),
        }
    )  # fmt: skip


class Run:
    """The handler of `POST /actions/{name}/run`; it counts who waits."""

    def __init__(self) -> None:
        self._orders = orders.Orders()

    async def answer(self, request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
        """As `POST /webhook`: 202 after the commit, or 200 with the runs after `?wait`."""
        wait = orders.wait_of(request)
        asked = await bodies.document(request, Asked)
        order = _ordered(services.revision(), request.match_info["name"], asked, caller)
        return await self._orders.take(request, services, caller, order, wait)


def event_of(action: str, asked: Asked) -> dict[str, Any]:
    """The event that a request makes."""
    event: dict[str, Any] = {"action": action, "target": asked.target, "parameters": asked.parameters}
    for name in ("controller_override", "dry_run", "reason"):
        if value := getattr(asked, name):
            event[name] = value
    return event


def _ordered(revision: Revision, action: str, asked: Asked, caller: access.Principal) -> orders.Order:
    """The order. Raises what is wrong with the request, before anything is kept."""
    entry = _entry(revision, action)
    own = entry.controller or revision.default_controller
    override = None if asked.controller_override == own else asked.controller_override
    given = () if asked.target is None else (asked.target,) if isinstance(asked.target, str) else tuple(asked.target)
    order = orders.Order(SOURCE, {}, action, given, override, asked.dry_run, "", asked.reason)
    if override is None or override in revision.controllers:
        order = dataclasses.replace(order, targets=tuple(_expanded(revision, override or own, given)))
    orders.may(revision, order, caller, RUN)
    orders.check(entry, entry.parameters_of(asked.parameters), asked.target)
    if len(order.targets) > TARGETS_MAX:
        detail = f"an action takes {TARGETS_MAX} targets, and these groups have {len(order.targets)} together"
        raise errors.InvalidField("name fewer", field="target", detail=detail)
    meant = order.targets[0] if len(order.targets) == 1 else list(order.targets) or None
    said = asked.model_copy(update={"target": meant, "controller_override": override})
    return dataclasses.replace(order, event=event_of(action, said))


def _expanded(revision: Revision, controller: str, given: Sequence[str]) -> Iterator[str]:
    """Each target once, with the hosts of groups in the place of these. Raises `errors.UnknownTarget` for a group that is none."""
    known: dict[str, None] = {}
    for one in given:
        name = one.removeprefix(GROUP)
        if name == one:
            known[one] = None
            continue
        groups = revision.hosts(controller).groups
        if name not in groups:
            where = revision.inventory_name(controller)
            raise errors.UnknownTarget(errors.nearest(name, groups), target=one[:200], inventory=where)
        found, missing = revision.expand_hosts(controller, [name])
        if missing or not found:
            detail = f"{one[:200]} has no host" if not groups[name] else f"not every host of {one[:200]} can be named"
            raise errors.InvalidField("name its hosts one by one", field="target", detail=detail)
        known |= dict.fromkeys(map(str, found))
    yield from known


def _entry(revision: Revision, name: str) -> Any:
    entry = revision.catalog.entries.get(name)
    if entry is None:
        near = errors.nearest(name, revision.catalog.entries)
        raise errors.UnknownAction(near or "healer actions", action=name[:200])
    return entry


def _shown(revision: Revision, entry: Any) -> dict[str, Any]:
    """An action as lists show it. `timeout_s`: of its own, None where the gates' defaults have it."""
    return {
        "name": entry.name, "kind": entry.kind, "subject": entry.subject, "description": entry.description,
        "place": str(dataclasses.replace(entry.place, column=0)), "target": entry.target,
        "controller": entry.controller or revision.default_controller, "chosen": "action" if entry.controller else "default",
        "impact": entry.impact, "impact_declared": entry.impact_declared, "idempotent": entry.idempotent, "dry_run": entry.dry_run,
        "timeout_s": entry.gates.get("timeout"), "tags": list(entry.tags), "events": list(entry.events),
    }  # fmt: skip
