"""Checkers of what is written: every delivery that was answered with 2xx is in the journal once, every change of a run is in the audit."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from typing import Any, Final

import orjson
import simulating

from healer.audit import verify


def accepted_survives(seen: simulating.Seen) -> Iterator[str]:
    """2xx survives kill -9 · stored bytes are the authenticated bytes · accepted + refused = sent."""
    journal = {
        seq: (source, body)
        for seq, source, body in seen.rows("SELECT seq, source, body FROM journal WHERE kind = 'event' AND depth = 0")
    }
    taken: dict[int, int] = {}
    for one in seen.crowd.sent:
        if one.answer == "accepted":
            (position,) = one.positions
            if journal.get(position) != (one.source, one.body):
                yield f"delivery {one.number} was accepted as e-{position}, where something else is: {journal.get(position)}"
            if position in taken:
                yield f"deliveries {taken[position]} and {one.number} were both accepted as e-{position}"
            taken[position] = one.number
        elif one.answer == "refused" and one.error not in (
            "unavailable",
            "store-full",
            "disk-full",
            "backlog-full",
            "store",
        ):
            yield f"delivery {one.number} was refused with {one.error}"
    unanswered = collections.Counter((one.source, one.body) for one in seen.crowd.sent if one.answer == "none")
    strangers = collections.Counter(found for seq, found in journal.items() if seq not in taken)
    for found, count in (strangers - unanswered).items():
        yield f"{count} rows that nobody sent: {found[0]} {found[1]!r}"


def duplicates_start_nothing(seen: simulating.Seen) -> Iterator[str]:
    """Duplicates answer 2xx and start nothing."""
    known = {(source, name): seq for source, name, seq in seen.rows("SELECT source, id, seq FROM delivery")}
    rows: dict[bytes, list[int]] = collections.defaultdict(list)
    for seq, body in seen.rows(
        "SELECT seq, body FROM journal WHERE kind = 'event' AND depth = 0 AND source = 'healer.api'"
    ):
        rows[body].append(seq)
    ids: dict[bytes, set[str]] = collections.defaultdict(set)
    for one in seen.crowd.sent:
        if one.delivery:
            ids[one.body].add(one.delivery)
            if one.answer in ("accepted", "duplicate") and (one.source, one.delivery) not in known:
                yield f"the delivery {one.delivery} was answered and is not known"
    for body, names in ids.items():
        if len(rows[body]) > len(names):
            yield f"{len(rows[body])} rows of the deliveries {sorted(names)}"


EXPLAINS: Final = {
    "decision": ("state",), "transition": ("state",), "resolved": ("state",), "intent": (), "outcome": (), "cancel": ("state",),
}  # fmt: skip
"""Kind of record → whether it names the new state itself."""
ENDS: Final = ("succeeded", "failed", "timed_out", "cancelled", "unknown")


def every_change_is_recorded(seen: simulating.Seen) -> Iterator[str]:
    """One record per state change in its transaction."""
    records = {seq: orjson.loads(text) for seq, text in seen.rows("SELECT seq, record FROM audit")}
    units: dict[int, list[Any]] = collections.defaultdict(list)
    for unit, what, name, old, new, audit in seen.rows("SELECT unit, what, id, old, new, audit FROM change ORDER BY n"):
        units[unit].append((what, name, old, new, audit))
    for unit, changes in units.items():
        told = [records[audit] for what, _, _, _, audit in changes if what == "audit"]
        known = [record for record in told if record.get("run") and record["kind"] in EXPLAINS]
        left = known.copy()
        for what, name, old, new, _ in changes:
            if what in ("audit", "ramp", "alert") or (what == "attempt" and (old, new) == ("queued", "withdrawn")):
                continue
            found = next(
                (one for one in (left if what == "run" else known) if _explains(one, what, name, old, new)), None
            )
            if found is None:
                yield f"{what} {name}: {old or 'nothing'} → {new} without a record (unit {unit})"
            elif what == "run":
                left.remove(found)
        states = {name for what, name, *_ in changes if what in ("run", "attempt")}
        for one in left:
            if one["kind"] == "transition" and one["run"] not in states and one.get("old") != one["state"]:
                yield f"a record {one['kind']} of {one['run']} ({one.get('state')}) without a change (unit {unit})"


def _explains(record: dict[str, Any], what: str, name: str, old: str, new: str) -> bool:
    kind, state = record["kind"], record.get("state")
    if what == "attempt":
        if name.rpartition("-")[0] != record["run"]:
            return False
        return {"running": kind == "intent"}.get(new, kind in ("outcome", "resolved", "transition", "cancel"))
    if name != record["run"]:
        return False
    if new == "running":
        return kind == "intent"
    if kind == "outcome":
        return old == "running" and new in ENDS
    return kind in ("decision", "transition", "resolved", "cancel") and state == new


def audit_is_whole(seen: simulating.Seen) -> Iterator[str]:
    """Gapless · tampering located."""
    verifier = verify.Verifier()
    verifier.feed(seen.rows("SELECT seq, record, chain FROM audit ORDER BY seq"))
    report = verifier.finish(*seen.rows("SELECT size, root, chain, frontier FROM audit_head")[0])
    if not report.ok:
        yield f"the audit does not hold: {report}"
    numbers = [seq for (seq,) in seen.rows("SELECT seq FROM audit ORDER BY seq")]
    if numbers != list(range(len(numbers))):
        yield "the audit has gaps"
    for (run,) in seen.rows(
        "SELECT run FROM audit WHERE kind = 'outcome' AND json_extract(record, '$.late') IS NULL GROUP BY json_extract(record, '$.token') HAVING count(*) > 1"
    ):
        yield f"{run} has two outcomes of one attempt"


CHECKS: Final = (accepted_survives, duplicates_start_nothing, every_change_is_recorded, audit_is_whole)
