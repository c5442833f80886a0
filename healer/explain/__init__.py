"""Why: for an event, each rule that could have seen it, with each condition's value and each gate's verdict.

Conditions of the past are evaluated again on the stored event under the revision that decided it, in the memory that its rules had then
(a snapshot and the rows behind it, replayed); verdicts of gates are those that were stored, for a run those of its last look. Used by
`web` and the command line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson

from healer import engine, errors, model, project, store
from healer.engine import conditions
from healer.explain import later, looks, plans, shutdowns, trees
from healer.policy import reasons
from healer.store import cycles, journal, letters, reads

RevisionOf = Callable[[int], Awaitable[project.Revision | None]]
DecidedTo = Callable[[], Awaitable[int]]
"""The journal position up to which all is decided and its decisions can be read."""
MemoryOf = Callable[[int, project.Revision, Collection[str]], Awaitable[Mapping[str, engine.Session]]]
"""(row, revision, rulesets) → copies of those as they were just before the row; one of which that cannot be told is not there."""
RULES_MAX: Final = 2_000
HEARD: Final = (*later.REASONS, "complete", "fires", "taken")
"""What a fresh session says of an event that its rule heard: where none did, something else was the reason."""
PLANS_MAX: Final = 50
"""So many runs are told with their plans."""
NO_RULE: Final = ""
"""As the rule that is asked for: only the event, and whether it is decided."""


async def explain(
    opened: store.Store, revision_of: RevisionOf, decided_to: DecidedTo, asked: str, rule: str | None,
    ended: Mapping[str, int] = MappingProxyType({}), memory: MemoryOf | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Explain an event (`e-12`), a run (`r-…`) or `latest`. `rule`: only that one (its identity, or its last part), or `NO_RULE`.

    `decided_to` is the decider's own word: the store is told of rows that led to nothing up to a second late. `ended`: activation →
    the row at which a rule ended it. Raises `errors.NotFound`.
    """
    seq = await _position(opened, asked)
    decided = await decided_to() >= seq  # before the decisions are read: they are there by then
    rows = await opened.reader.all("journal_one", seq)
    if not rows:
        raise errors.NotFound(what=f"the event e-{seq}")
    row = await opened.row_of(rows[0])
    data = orjson.loads(row.body or b"null")
    told = {} if rule == NO_RULE else await _rules(opened, revision_of, asked, row, data, decided, ended, memory)
    for one in [one for some in told.values() for one in some if one["run"]][:PLANS_MAX]:
        one["plan"] = await plans.of(opened, one["run"])
    shown = [
        one for name, some in told.items() if rule is None or rule in (name, name.rpartition("/")[2]) for one in some
    ]
    event = {
        "id": f"e-{seq}",
        "kind": row.kind,
        "source": row.source,
        "received_at_us": row.at_us,
        "received_at": model.iso(row.at_us),
        "actor": row.actor,
        "decided": decided,
        "event": data,
    }
    return {"event": event, "rules": shown[:RULES_MAX]}


async def _rules(
    opened: store.Store, revision_of: RevisionOf, asked: str, row: journal.Row, data: Any, decided: bool, ended: Mapping[str, int],
    memory: MemoryOf | None,
) -> dict[str, list[dict[str, Any]]]:  # fmt: skip
    """Rule → what is said of it; of a run only the rule that it is of. The event gets the cycle that its rules saw."""
    seq = row.seq
    decisions = await opened.reader.all("decisions_of", seq)
    number = decisions[0]["revision"] if decisions else (await opened.reader.all("revision_at", seq))[0]["n"]
    told: dict[str, list[dict[str, Any]]] = {}  # a rule has an entry for each of its actions
    for decision in decisions:
        if not asked.startswith("r-") or decision["run"] == asked:
            told.setdefault(decision["rule"], []).append(fired(decision, seq))
    revision = await revision_of(number or 0) if told or isinstance(data, dict) else None
    if isinstance(data, dict) and not asked.startswith("r-"):
        await _with_cycle(opened, row, data)
        sessions: Mapping[str, engine.Session] = {}
        if memory is not None and decided and revision is not None:
            sessions = await memory(seq, revision, _listening(revision, row))
        held = await _not_fired(opened, seq, decided, await shutdowns.before(opened, revision, seq, ended))
        # Thousands of rules are compiled for it: not on the loop.
        await asyncio.to_thread(_others, revision, row, _with_meta(opened.uid, row, data), held, told, sessions)
        await later.add(opened, seq, told)
    await asyncio.to_thread(trees.add, revision, [one for some in told.values() for one in some])
    return told


async def _position(opened: store.Store, asked: str) -> int:
    if asked.startswith("e-"):
        return reads.event_position(asked)
    if asked == "latest":
        rows = await opened.reader.all("event_latest")
        if not rows:
            raise errors.NotFound(what="an event", try_="healer send FILE")
        return int(rows[0]["seq"])
    rows = await opened.reader.select("SELECT seq FROM run WHERE id = ?", [asked])
    if not rows:
        raise errors.NotFound(what=f"the run {asked}")
    return int(rows[0]["seq"])


def fired(decision: dict[str, Any], seq: int) -> dict[str, Any]:
    """A rule that fired, with what was stored: of its run, at the last look, where this decision is the one that the run stands on.

    A repeat that found a run there, and a decision that a later event has taken the place of, keep what they said then.
    """
    repeat = decision["reason"] in ("duplicate", "attempts")
    ours = decision["run_seq"] == seq and not repeat
    text, reason = (decision[f"run_{name}" if ours else name] for name in ("explanation", "reason"))
    held = orjson.loads(text) if text else {}
    gates = [_gate(verdict) for verdict in held.get("gates", [])]
    fields: dict[str, Any] = next((gate["fields"] for gate in gates if gate.get("code") == reason), {})
    if ours:
        fields = orjson.loads(decision["run_detail"])
    later = decision["run_seq"] if not (ours or repeat) else None
    since_us = decision["deferred_us"] if ours and decision["state"] == "deferred" else None
    return {
        "rule": decision["rule"], "fired": True, "action": decision["action"], "outcome": decision["outcome"], "reason": reason,
        "sentence": _sentence(reason, fields) if ours else reasons.sentence(reason, fields),
        "next_step": reasons.next_step(reason, fields), "would": held.get("would") or None,
        "conditions": held.get("conditions", []), "gates": gates, "run": decision["run"], "state": decision["state"],
        "since": None if since_us is None else model.iso(since_us), "decided_again": later and f"e-{later}", **looks.shown(held),
    }  # fmt: skip


def _sentence(reason: str, detail: Mapping[str, Any]) -> str:
    """Why a run is in its state: what was said of its end, or of what it waits for."""
    if "summary" in detail:
        return str(detail["summary"])
    return reasons.sentence(reason, detail) if reason in reasons.REASONS else ""


def _gate(verdict: dict[str, Any]) -> dict[str, Any]:
    code, fields = verdict.get("code", ""), verdict.get("fields", {})
    return verdict | {
        "fields": fields,
        "sentence": reasons.sentence(code, fields) if code else "",
        "next_step": reasons.next_step(code, fields) if code else "",
    }


async def _not_fired(opened: store.Store, seq: int, decided: bool, ended: Collection[str]) -> Callable[[str, str], str]:
    """(activation, ruleset of it) → why no rule of it heard of the row, '' where they did as far as is known."""
    poisoned = {one["ruleset"] for one in await opened.reader.all("quarantined_of_event", seq)}

    def why(activation: str, ruleset: str) -> str:
        if not decided:
            return "not-decided-yet"
        if activation in ended:
            return "ended"
        return "quarantined" if poisoned & {f"{activation}/{ruleset}", "*"} else ""

    return why


async def _with_cycle(opened: store.Store, row: journal.Row, data: dict[str, Any]) -> None:
    """Put the cycle that its rules saw into an event that speaks of an alert."""
    said = cycles.lifecycle(data.get("alert")) if row.kind == "event" else None
    if said is None:
        return
    again = letters.released(row)
    if again is not None and again.alone:
        data["alert"]["cycle"] = again.cycle or 0
        return
    today = await opened.reader.all("alert_cycle", row.source, said[0])
    openings = cycles.Openings(await opened.reader.all("openings_of", row.source, said[0]))
    data["alert"]["cycle"] = openings.cycle(row.source, said[0], row.seq, today[0]["cycle"] if today else 0)


def _with_meta(uid: str, row: journal.Row, data: dict[str, Any]) -> dict[str, Any]:
    """The event with the `meta` that its rules saw: what it and its delivery brought, and the position's own values."""
    own = data.get("meta")
    brought = letters.brought(row.meta)
    uuid = f"{uid[:8]}-{uid[8:12]}-8{uid[13:16]}-8{uid[17:20]}-{row.seq:012x}"
    made = {"uuid": uuid, "received_at": model.iso(row.at_us), "source": {"name": row.source, "type": "internal"}}
    if "source" in brought:  # made by an action
        made["source"] = brought["source"]
    return {**data, "meta": {**(own if isinstance(own, dict) else {}), **brought, **made}}


def _others(
    revision: project.Revision | None, row: journal.Row, data: dict[str, Any], held: Callable[[str, str], str],
    told: dict[str, list[dict[str, Any]]], sessions: Mapping[str, engine.Session],
) -> None:  # fmt: skip
    """The rules of every ruleset that heard of the event; those that fired get their conditions where none were stored."""
    if revision is None:
        return
    listening = _listening(revision, row)
    source = revision.sources.get(row.source)
    if source is not None:
        data["meta"]["source"] = {"name": source.shown or source.name, "type": source.type}
    for activation, ruleset in revision.rulesets():
        name = f"{activation.name}/{ruleset.name}"
        if name not in listening:
            continue
        session, now = sessions.get(name), row.at_us / 1_000_000
        if session is not None:
            session.advance(now)
        explained = (session or engine.Session(ruleset)).explain(data, now)
        for rule, entry in zip(ruleset.rules, explained, strict=True):
            identity = f"{name}/{rule.name}"
            tests = _tests(rule, entry)
            if identity in told:
                for one in told[identity]:
                    one["conditions"] = one["conditions"] or tests
                continue
            reason = _reason(rule, entry, held(activation.name, ruleset.name), exact=session is not None)
            made = {
                "rule": identity, "fired": False, "reason": reason, "taken_by": entry["taken_by"], "place": entry["place"],
                "conditions": tests, "gates": [], "run": None, "state": None, "exact": session is not None,
            }  # fmt: skip
            told[identity] = [made | named(rule, reason)]


def _tests(rule: engine.Rule, entry: dict[str, Any]) -> list[dict[str, Any]]:
    """The rule's tests. `not (event.a is not defined)` alone looks at no field: it holds for the first event, whatever that has."""
    tests: list[dict[str, Any]] = entry["tests"]
    if conditions.absence(rule.condition) is None or not tests[0]["negated"]:
        return tests
    return [test | {"holds": True, "seen": []} for test in tests]


def _listening(revision: project.Revision, row: journal.Row) -> set[str]:
    """The rulesets that heard of a row."""
    again = letters.released(row)
    if again is not None and again.alone:
        return {again.ruleset}
    return {*revision.routes().get(row.source, []), row.source.removeprefix("ruleset:")}


def _reason(rule: engine.Rule, entry: dict[str, Any], held: str, *, exact: bool) -> str:
    """Why a rule did not fire; `held`: what kept the event from all rules of its ruleset; `exact`: it is asked in the memory of then."""
    reason = str(entry["reason"])
    if held and reason in HEARD:
        return held
    if reason != "fires":
        return reason
    if conditions.absence(rule.condition) is not None:
        return "absence-over"
    if exact:
        return "not-heard"
    # A fresh session has no windows: of an event that a rule would fire for, only one that was closed can have kept it.
    return "throttled" if entry["throttle"] and entry["throttle"]["grouped"] else "not-heard"


def named(rule: engine.Rule, reason: str) -> dict[str, Any]:
    """The throttle or the time that a reason is about, in the words of the rulebook."""
    throttle, timeout_us = rule.throttle, rule.condition.timeout_us
    if reason in ("throttled", "counted", "uncounted", "gathered") and throttle is not None:
        count = f", threshold: {throttle.threshold}" if throttle.kind == "accumulate_within" else ""
        return {"throttle": f"{throttle.kind}: {throttle.shown.lower()}{count}"}
    if reason in ("waits", "alone") and timeout_us is not None:
        return {"within": reasons.span(timeout_us / 1_000_000)}
    return {}
