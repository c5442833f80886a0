"""Stored events and the quarantine, read for lists: newest first, page by page. Caller: `web`.

The journal has no index by source or kind, which every event would pay for: a list with such a filter looks through so many rows at
a time, in short statements, and goes on with the next page where it stopped.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

from healer.store import reader, reads
from healer.store.transaction import placeholders

LOOKED_THROUGH: Final = 50_000
"""Rows of one statement."""
STATEMENTS_MAX: Final = 20
BEGINNING: Final = 200
_LAST: Final = 1 << 62


@dataclasses.dataclass(frozen=True, slots=True)
class EventFilter:
    """Which rows; an empty field asks for nothing."""

    source: str = ""
    kinds: Sequence[str] = ()
    since_us: int | None = None
    until_us: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """Rows of a list, and the position before which the next page begins; None at the end."""

    rows: list[reads.Row]
    before: int | None


async def events(read: reader.Reader, wanted: EventFilter, before: int | None, limit: int) -> Page:
    """Journal rows before a position, newest first: columns, the beginning of the body, how many decisions and runs each led to."""
    low, high = await _bounds(read, wanted, before)
    rows: list[reads.Row] = []
    for _ in range(STATEMENTS_MAX):
        floor = max(low, high - 1 - LOOKED_THROUGH)
        rows += await _between(read, wanted, floor, high, limit + 1 - len(rows))
        if len(rows) > limit:
            return Page(await _with_decisions(read, rows[:limit]), int(rows[limit - 1]["seq"]))
        high = floor + 1
        if floor <= low:
            return Page(await _with_decisions(read, rows), None)
    return Page(await _with_decisions(read, rows), high)


async def _bounds(read: reader.Reader, wanted: EventFilter, before: int | None) -> tuple[int, int]:
    """(the last row that is too old, the first that is too new)"""
    low, high = 0, before if before is not None else _LAST
    if wanted.since_us is not None:
        low = int((await read.all("journal_before", wanted.since_us))[0]["seq"])
    if wanted.until_us is not None:
        high = min(high, int((await read.all("journal_before", wanted.until_us))[0]["seq"]) + 1)
    return low, min(high, int((await read.all("journal_end"))[0]["seq"]) + 1)


async def _between(
    read: reader.Reader, wanted: EventFilter, low: int, high: int, limit: int
) -> list[reads.Row]:  # fmt: skip
    conditions, values = "j.seq > ? AND j.seq < ?", list[Any]([low, high])
    if wanted.source:
        conditions, values = f"{conditions} AND j.source = ?", [*values, wanted.source]
    if wanted.kinds:
        conditions, values = f"{conditions} AND j.kind IN ({placeholders(wanted.kinds)})", [*values, *wanted.kinds]
    sql = (
        "SELECT j.seq, j.kind, j.source, j.at_us, j.depth, j.cause, j.actor, coalesce(length(j.body), b.size) AS bytes,"
        f" substr(CAST(j.body AS TEXT), 1, {BEGINNING}) AS begins"
        f" FROM journal j LEFT JOIN blob b ON b.hash = j.body_hash WHERE {conditions} ORDER BY j.seq DESC LIMIT ?"
    )
    return await read.select(sql, [*values, limit])


async def _with_decisions(read: reader.Reader, rows: list[reads.Row]) -> list[reads.Row]:
    """Each row with `decisions` and `runs` (how many), and `held` (for how many rulesets it is in quarantine)."""
    made = {row["seq"]: row | {"decisions": 0, "runs": 0, "held": 0} for row in rows}
    if made:
        marks, seqs = placeholders(rows), list(made)
        sql = (
            "SELECT seq, count(*) AS decisions, count(DISTINCT run) AS runs FROM decision"
            f" WHERE seq IN ({marks}) GROUP BY seq"
        )
        held = f"SELECT seq, count(*) AS held FROM quarantine WHERE state = 'held' AND seq IN ({marks}) GROUP BY seq"
        for found in await read.select(sql, seqs) + await read.select(held, seqs):
            made[found["seq"]].update(found)
    return list(made.values())


async def quarantine(
    read: reader.Reader, source: str, ruleset: str, after: tuple[int, str] | None, limit: int
) -> reads.Page:  # fmt: skip
    """What is held, the newest event first; `after`: (position, ruleset) of the last one of the page before."""
    conditions, values = "q.state = 'held'", list[Any]()
    for column, value in (("j.source", source), ("q.ruleset", ruleset)):
        if value:
            conditions, values = f"{conditions} AND {column} = ?", [*values, value]
    if after is not None:
        conditions += " AND (q.seq < ? OR (q.seq = ? AND q.ruleset > ?))"
        values += [after[0], after[0], after[1]]
    sql = (
        "SELECT q.seq, q.ruleset, q.error, q.tries, q.at_us, j.source, j.kind, j.at_us AS received_us, j.cause"
        f" FROM quarantine q LEFT JOIN journal j ON j.seq = q.seq WHERE {conditions} ORDER BY q.seq DESC, q.ruleset LIMIT ?"
    )
    found = await read.select(sql, [*values, limit + 1])
    return reads.Page(found[:limit], len(found) > limit)
