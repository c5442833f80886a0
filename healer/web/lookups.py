"""`/alerts`, `/events/{id}`, `/audit`, `/explain/{id}`: what happened, and why."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import orjson
from aiohttp import web

from healer import access, errors, model, store
from healer import explain as explains
from healer.audit import records
from healer.store import letters, reads
from healer.web import answers, hooks, queries, shapes, small
from healer.web.services import Services

ALERT_STATUSES: Final = ("firing", "resolved")


async def alerts(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """The list, the newest opening first."""
    query = queries.Query(request, "status", "source", "name", "limit", "after")
    limit = query.limit()
    wanted = reads.AlertFilter(query.word("status", ALERT_STATUSES), query.text("source"), query.text("name"))
    after = query.after(int, str, str)
    place = (after[0], after[1], after[2]) if after else None
    found = await reads.alerts(services.store.reader, wanted, place, limit)
    last = found.rows[-1] if found.more else None
    following = queries.cursor(last["opened_us"], last["source"], last["key"]) if last else None
    return answers.page([shapes.alert(row) for row in found.rows], following)


async def event(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """One journal row and what was decided on it."""
    read = services.store.reader
    seq = reads.event_position(request.match_info["id"])
    found = await read.all("journal_one", seq)
    if not found:
        raise errors.NotFound(what=f"the event e-{seq}")
    row = found[0]
    again = letters.noted(row["ordinal"], row["meta"])
    return answers.json({
        "id": f"e-{seq}",
        "kind": row["kind"],
        "source": row["source"],
        "received_at": queries.iso(row["at_us"]),
        "actor": row["actor"],
        "depth": row["depth"],
        "cause": None if row["cause"] is None else f"e-{row['cause']}",
        "only": again.ruleset if again is not None and again.alone else None,
        "event": await _body(services.store, row),
        "meta": letters.brought(row["meta"]) or None,
        "raw": row["raw_hash"] if row["raw"] is None else hashlib.sha256(row["raw"]).hexdigest(),
        "decided": await decided(services, seq),
        "decisions": [shapes.decision(one) for one in await read.all("decisions_of_event", seq)],
        "quarantined": [shapes.letter(one) for one in await read.all("quarantined_of_event", seq)],
    })  # fmt: skip


async def raw(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """The request that brought an event, byte for byte; of what no webhook brought the event. 404 where it was trimmed."""
    seq = reads.event_position(request.match_info["id"])
    found = await services.store.reader.all("journal_one", seq)
    row = found[0] if found else {"raw": None, "raw_hash": None, "body": None, "body_hash": None}
    beside = row["raw"] is not None or row["raw_hash"] is not None
    kept, name = (row["raw"], row["raw_hash"]) if beside else (row["body"], row["body_hash"])
    if kept is None and name:
        kept = await services.store.blob(name)
    if kept is None:
        raise errors.NotFound(what=f"the request of e-{seq}")
    spec = services.revision().sources.get(str(row.get("source")))
    if not beside and spec is not None and spec.type == hooks.TYPE:
        kept = small.body_in(bytes(kept))
    return web.Response(body=bytes(kept), headers={**answers.JSON_HEADERS, "Content-Type": "application/octet-stream"})


async def decided(services: Services, seq: int) -> bool:
    """Whether it is decided; to be asked before its decisions are read.

    The store is told of rows that led to nothing up to a second late: until then the decider's own word counts.
    """
    if await reads.decided_to(services.store.reader) >= seq:
        return True
    told = await services.explain(f"e-{seq}", explains.NO_RULE)
    return bool(told["event"]["decided"])


async def _body(opened: store.Store, row: dict[str, Any]) -> Any:
    """The event; None where its content was trimmed."""
    body = row["body"]
    if body is None and row["body_hash"]:
        body = await opened.blob(row["body_hash"])
    return None if body is None else orjson.loads(body)


async def audit(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """The records, oldest first (`order=desc`: newest first): `at`, and behind it the very text that the hashes cover."""
    query = queries.Query(request, "from", "to", "actor", "action", "kind", "run", "after", "limit", "order")
    now_us, limit, read = services.clock(), query.limit(), services.store.reader
    run = query.text("run")
    if run and not reads.RUN_ID_WHOLE.fullmatch(run):  # a whole id may be of a run that was trimmed: its records stay
        run = await reads.find_run(read, run)
    wanted = reads.AuditFilter(
        actor=query.text("actor"), action=query.text("action"), kind=query.word("kind", records.KINDS),
        run=run, from_us=query.time_us("from", now_us), to_us=query.time_us("to", now_us),
    )  # fmt: skip
    newest_first = query.word("order", ("asc", "desc")) == "desc"
    after = query.number("after", 0, 10**17)
    found = await reads.audit(read, wanted, after, limit, newest_first=newest_first)
    following = str(found.rows[-1]["seq"]) if found.more else None
    return answers.page([_record(row["record"], row["at_us"]) for row in found.rows], following)


def _record(text: str, at_us: object) -> orjson.Fragment:
    """A record with its time for people in front; its own text stays as it is, since that is what the hashes cover.

    One that was tampered with may say no time, or one that cannot be: it is shown all the same.
    """
    try:
        at = model.iso(at_us) if isinstance(at_us, int) else None
    except OverflowError:
        at = None
    return orjson.Fragment(text if at is None else f'{{"at":"{at}",{text[1:]}')


async def audit_head(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """How large the audit is, its tree hash and the end of its chain, hex."""
    queries.Query(request)
    head = await reads.audit_head(services.store.reader)
    return answers.json({"size": head["size"], "root": bytes(head["root"]).hex(), "chain": bytes(head["chain"]).hex()})


async def explain(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """Why an event led to what it did, or did not."""
    rule = queries.Query(request, "rule").text("rule")
    given = request.match_info["id"]
    if given != "latest":
        if given.startswith("e-"):
            reads.event_position(given)
        else:
            given = await reads.find_run(services.store.reader, given)
    return answers.json(await services.explain(given, rule or None))
