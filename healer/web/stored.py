"""`GET /events`, `POST /events/{id}/resend`, `/quarantine…`: events as they are kept, and what people let in once more."""

from __future__ import annotations

import shlex
from typing import Annotated, Final, get_args

import pydantic
from aiohttp import web

from healer import access, errors, model
from healer.store import events, journal, letters, reads
from healer.web import actions, answers, bodies, lookups, queries, shapes, webhook
from healer.web.services import Revision, Services

KINDS: Final[tuple[str, ...]] = get_args(model.JournalKind)
WITHOUT_TICKS: Final = tuple(kind for kind in KINDS if kind != "tick")
INNER: Final = "ruleset:"
"""How sources of rows begin that actions of rules make for a ruleset."""


class NobodyListens(errors.NoListener):
    """no ruleset lists the source {source} any more, so nobody would read the event"""


class RulesetGone(errors.NoListener):
    """there is no ruleset {ruleset} any more, or its activation has ended, so nobody would read the event"""


class Chosen(pydantic.BaseModel):
    """The body of `POST /quarantine/release` and `/quarantine/drop`. `ruleset`: '' for all that hold the event."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    event: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=64)]
    ruleset: Annotated[str, pydantic.StringConstraints(max_length=1024)] = ""
    reason: Annotated[str, pydantic.StringConstraints(max_length=1024)] = ""


async def index(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """The list, newest first; without `kind` all but ticks."""
    query = queries.Query(request, "source", "kind", "since", "until", "limit", "after")
    now_us, read = services.clock(), services.store.reader
    kinds = query.words("kind", KINDS) or WITHOUT_TICKS
    wanted = events.EventFilter(
        query.text("source"), kinds, query.time_us("since", now_us), query.time_us("until", now_us)
    )
    after = query.after(int)
    found = await events.events(read, wanted, after[0] if after else None, query.limit())
    decided_to = await reads.decided_to(read)
    newest = found.rows[0]["seq"] if found.rows else 0
    if newest > decided_to and await lookups.decided(services, newest):
        decided_to = newest
    following = queries.cursor(found.before) if found.before is not None else None
    return answers.page([shapes.event(row, decided_to) for row in found.rows], following)


async def resend(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    """202 with the id of the new row. Who listens is asked first: nobody is told 2xx for what nobody hears."""
    queries.Query(request)
    row = await _row(services, reads.event_position(request.match_info["id"]))
    if row.kind == "event":
        _heard(services.revision(), row.source)
        _may_choose(row, caller)
    services.intake.admit()
    seq = await services.store.submit(letters.Resend(row, caller.actor))
    return answers.json({"event": f"e-{row.seq}", "id": f"e-{seq}"}, 202)


async def quarantine(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """What is held."""
    query = queries.Query(request, "source", "ruleset", "limit", "after")
    after = query.after(int, str)
    place = (after[0], after[1]) if after else None
    source, ruleset = query.text("source"), query.text("ruleset")
    found = await events.quarantine(services.store.reader, source, ruleset, place, query.limit())
    last = found.rows[-1] if found.more else None
    following = queries.cursor(last["seq"], last["ruleset"]) if last else None
    return answers.page([shapes.held(row) for row in found.rows], following)


async def release(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    """202 with the new row of each ruleset that hears the event again."""
    queries.Query(request)
    chosen = await bodies.document(request, Chosen)
    row = await _row(services, reads.event_position(chosen.event))
    revision = services.revision()
    held = await services.store.reader.all("quarantine_held", row.seq)
    for name in (one["ruleset"] for one in held if chosen.ruleset in ("", one["ruleset"])):
        if name == letters.EVERY_RULESET:
            if row.kind != "tick":
                _heard(revision, row.source)
        elif name not in _rulesets(revision):
            try_ = f"healer events quarantine drop e-{row.seq} --ruleset {shlex.quote(name)}"
            raise RulesetGone(try_, ruleset=name)
    services.intake.admit()
    unit = letters.Release(row, chosen.ruleset, actor=caller.actor, reason=chosen.reason)
    made = await services.store.submit(unit)
    released = [{"ruleset": name, "id": f"e-{seq}"} for name, seq in made]
    return answers.json({"event": f"e-{row.seq}", "released": released}, 202)


async def drop(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    """200 with the rulesets for which the event is held no longer."""
    queries.Query(request)
    chosen = await bodies.document(request, Chosen)
    seq = reads.event_position(chosen.event)
    unit = letters.Drop(seq, chosen.ruleset, actor=caller.actor, reason=chosen.reason)
    return answers.json({"event": f"e-{seq}", "dropped": await services.store.submit(unit)})


async def _row(services: Services, seq: int) -> journal.Row:
    """The row with its body. Raises `errors.NotFound`."""
    found = await services.store.reader.all("journal_one", seq)
    if not found:
        raise errors.NotFound(what=f"the event e-{seq}")
    return await services.store.row_of(found[0])


def _heard(revision: Revision, source: str) -> None:
    """Raises `NobodyListens`."""
    if source.startswith(INNER):
        if source.removeprefix(INNER) in _rulesets(revision):
            return
    elif (spec := revision.sources.get(source)) is not None and spec.subscribers:
        return
    raise NobodyListens("add it to the sources of a ruleset", source=source)


def _rulesets(revision: Revision) -> set[str]:
    """The rulesets that hear something, `activation/ruleset`: of an activation that a rule has ended nobody does."""
    alive = {name for source in revision.sources.values() for name, _ in source.subscribers}
    return {f"{one.name}/{found.name}" for one, found in revision.rulesets() if one.name in alive}


def _may_choose(row: journal.Row, caller: access.Principal) -> None:
    """An order that names another controller than its mapping wants that permission again."""
    if row.source not in (webhook.SOURCE, actions.SOURCE) or b'"controller_override"' not in (row.body or b""):
        return
    access.demand(caller, "controllers.override")
