"""`POST /simulate`: what an event would lead to if it came now. Nothing is written, started or told to anybody.

The event is given as its source would deliver it, or is one that is stored. A body of a webhook may hold several: each is looked at as
if it came alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any, Final

import orjson
import pydantic
from aiohttp import web

from healer import access, errors, plugins, redacting
from healer.store import journal, letters, reads
from healer.web import actions, answers, bodies, hooks, ingest, queries, tally, webhook
from healer.web.services import Revision, Services, Simulation

EVENTS_MAX: Final = 20
"""So many events of one body."""
LATEST: Final = "latest"
MAY_PLAN: Final = "events.write"
"""Whoever may have an action started may have its controller asked what it would do."""


class NoEvent(errors.RequestError):
    """{event} is a row of the kind {got}, and only events are simulated"""

    code = "not-an-event"
    status = 422


class Asked(pydantic.BaseModel):
    """The body: `event` (an object as `source` delivers it) or `id` (`e-12`, `latest`)."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    event: dict[str, Any] | None = None
    id: webhook.Word | None = None
    source: webhook.Word | None = None
    rule: webhook.Name | None = None
    why: bool = False
    plan: bool = False


async def simulate(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    """200 `{"items": […], "more": n, "unread": […]}`: of each event its rules, how many events were not looked at, and why parts of the
    body cannot be read."""
    queries.Query(request)
    asked = await bodies.document(request, Asked)
    if (asked.event is None) == (asked.id is None):
        raise errors.InvalidField(field="event", detail="either an event or the id of one is wanted")
    if asked.plan:
        access.demand(caller, MAY_PLAN, access.EVERYTHING)
    unread: list[str] = []
    wanted = [one async for one in _wanted(services, asked, caller, unread)]
    items = [await services.simulate(one) for one in wanted[:EVENTS_MAX]]
    if asked.rule and not any(one["rules"] for one in items):
        known = [*_rules(services.revision())]
        last = {name.rpartition("/")[2]: name for name in known}
        near = errors.nearest(asked.rule, [*last, *known])
        raise errors.NotFound(near, what=f"a rule {asked.rule[:200]!r} that would hear of it")
    return answers.json({"items": items, "more": max(0, len(wanted) - EVENTS_MAX), "unread": unread[:EVENTS_MAX]})


async def _wanted(
    services: Services, asked: Asked, caller: access.Principal, unread: list[str]
) -> AsyncIterator[Simulation]:
    shown: dict[str, Any] = {"rule": asked.rule or "", "why": asked.why, "plans": asked.plan}
    if asked.id is not None:
        if asked.source is not None:
            raise errors.InvalidField(field="source", detail="a stored event has its own")
        row = await _stored(services, asked.id)
        brought = letters.brought(row.meta)
        yield Simulation(
            source=row.source, body=row.body or b"{}", actor=row.actor, meta=orjson.dumps(brought).decode() if brought else None,
            depth=row.depth, event=f"e-{row.seq}", **shown,
        )  # fmt: skip
        return
    name = _source(services.revision(), asked.source)
    actor, meta = caller.actor, None
    spec = services.revision().sources[name]
    if spec.type == hooks.TYPE:
        actor, meta = f"source:{name}", orjson.dumps({"endpoint": spec.options.path, "headers": {}}).decode()
    for event in _events(spec, asked.event or {}, unread):
        yield Simulation(source=name, body=orjson.dumps(event), actor=actor, meta=meta, **shown)


def _events(spec: Any, given: dict[str, Any], unread: list[str]) -> Iterable[Mapping[str, Any]]:
    """The events that a source of this kind makes of what it gets. `unread` takes why others cannot be made; raises it where none can."""
    if spec.type == hooks.TYPE:
        made: list[Mapping[str, Any]] = []
        wanted = redacting.paths(spec.options.redact)
        elements, _ = redacting.read(hooks.reader_of(spec.options).read, given, plugins.NO_HEADERS, wanted)
        for one in elements:
            if isinstance(one, plugins.Wrong):
                unread.append(tally.one_line(one.error.message))
            else:
                made.append(one.event)
        if elements and not made:
            raise elements[0].error
        return made
    if spec.type == ingest.SOURCE:
        return [ingest.event_of(given, "")]
    if spec.type == webhook.SOURCE:
        return [webhook.event_of(bodies.shaped(given, webhook.Asked))]
    if spec.type == actions.SOURCE:
        action = given.get("action")
        asked = bodies.shaped({key: value for key, value in given.items() if key != "action"}, actions.Asked)
        return [actions.event_of(action if isinstance(action, str) else "", asked)]
    return [given]


def _source(revision: Revision, wanted: str | None) -> str:
    """Whose event it would be: the source that is named, else the daemon's own API, else the only one."""
    known = [name for name, spec in revision.sources.items() if spec.subscribers]
    if wanted is not None:
        if wanted not in known:
            raise errors.NotFound(errors.nearest(wanted, known) or _among(known), what=f"the source {wanted[:200]!r}")
        return wanted
    if ingest.SOURCE in known:
        return ingest.SOURCE
    others = [name for name in known if name not in (webhook.SOURCE, actions.SOURCE)]
    if len(others) == 1 or (not others and webhook.SOURCE in known):
        return others[0] if others else webhook.SOURCE
    raise errors.InvalidField(_among(known), field="source", detail="several sources have events, and none is named")


def _among(known: list[str]) -> str:
    return f"one of: {', '.join(known[:10])}" if known else "no rule listens to any source"


async def _stored(services: Services, asked: str) -> journal.Row:
    if asked == LATEST:
        rows = await services.store.reader.all("event_latest")
        if not rows:
            raise errors.NotFound("healer send FILE", what="an event")
        seq = int(rows[0]["seq"])
    else:
        seq = reads.event_position(asked)
    found = await services.store.reader.all("journal_one", seq)
    if not found:
        raise errors.NotFound(what=f"the event e-{seq}")
    row = await services.store.row_of(found[0])
    if row.kind != "event":
        raise NoEvent(event=f"e-{seq}", got=row.kind)
    if row.body is None:
        raise letters.BodyGone(event=f"e-{seq}")
    return row


def _rules(revision: Revision) -> Iterator[str]:
    for activation, ruleset in revision.rulesets():
        for rule in ruleset.rules:
            yield f"{activation.name}/{ruleset.name}/{rule.name}"
