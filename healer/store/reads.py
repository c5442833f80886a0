"""What people and programs read: lists with filters, pages and cursors, and ids given by their beginning.

`web` (and `explain`) call it with the store's reader. Each call is one or two short statements, so that no reader holds up
the log. Rows come back as columns; the shapes of the API are made above.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson

from healer import errors
from healer.store import reader
from healer.store.transaction import placeholders

Row = dict[str, Any]

CANDIDATES_MAX: Final = 10
ACTORS_MAX: Final = 1_000
"""Of so many actors (keys, accounts) of one person the audit is looked through at most."""
FAILED_STATES: Final = ("failed", "timed_out", "unknown")
_RUN_ID: Final = re.compile(r"(?:r-)?([0-9a-z]{1,26})")
RUN_ID_WHOLE: Final = re.compile(r"r-[0-9a-z]{26}")
_EVENT_ID: Final = re.compile(r"e-([0-9]{1,18})")
_RUN_COLUMNS: Final = (
    "id, state, reason, detail, seq, rule, action, controller, parameters, dry_run, actor, created_us, changed_us, ended_us,"
    " deferred_us"
)


@dataclasses.dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs; an empty field asks for nothing. `rule` and `target` may be given without what stands before their last part."""

    states: Sequence[str] = ()
    rule: str = ""
    action: str = ""
    target: str = ""
    since_us: int | None = None
    until_us: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts; an empty field asks for nothing."""

    status: str = ""
    source: str = ""
    name: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which audit records; times in microseconds: from `from_us` on, before `to_us`. `actor`: all of it,
    or of `key:laptop = ana` one part."""

    actor: str = ""
    action: str = ""
    kind: str = ""
    run: str = ""
    from_us: int | None = None
    to_us: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """Rows of a list, and whether there are more behind them."""

    rows: list[Row]
    more: bool


class _Where:
    """Conditions and their values; every text here is fixed, values are bound."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.values: list[Any] = []

    def add(self, condition: str, *values: Any) -> None:
        self.parts.append(condition)
        self.values += values

    def __str__(self) -> str:
        return "WHERE " + " AND ".join(self.parts) if self.parts else ""


async def _page(read: reader.Reader, sql: str, where: _Where, limit: int) -> Page:
    """Up to `limit` rows. One more is asked for: only that it comes says that there are more."""
    found = await read.select(f"{sql} LIMIT ?", [*where.values, limit + 1])
    return Page(found[:limit], len(found) > limit)


# --- runs -----------------------------------------------------------------------------------------------------------------


async def runs(read: reader.Reader, wanted: RunFilter, after: tuple[int, str] | None, limit: int) -> Page:
    """Runs, newest first; `after` is (created_us, id) of the last one of the page before."""
    where = _Where()
    if wanted.states:
        where.add(f"r.state IN ({placeholders(wanted.states)})", *wanted.states)
    if wanted.rule:
        tail = "/" + wanted.rule
        where.add("(r.rule = ? OR substr(r.rule, -length(?)) = ?)", wanted.rule, tail, tail)
    if wanted.action:
        where.add("r.action = ?", wanted.action)
    if wanted.target:
        where.add(
            "EXISTS (SELECT 1 FROM run_target t WHERE t.run = r.id"
            " AND (t.target = ? OR substr(t.target, instr(t.target, ':') + 1) = ?))",
            wanted.target, wanted.target,
        )  # fmt: skip
    if wanted.since_us is not None:
        where.add("r.created_us >= ?", wanted.since_us)
    if wanted.until_us is not None:
        where.add("r.created_us < ?", wanted.until_us)
    if after is not None:
        where.add("(r.created_us < ? OR (r.created_us = ? AND r.id > ?))", after[0], after[0], after[1])
    sql = f"SELECT {_RUN_COLUMNS} FROM run r {where} ORDER BY r.created_us DESC, r.id"
    page = await _page(read, sql, where, limit)
    return Page(await _with_parts(read, page.rows), page.more)


async def runs_by_id(read: reader.Reader, ids: Sequence[str]) -> list[Row]:
    """The runs of these ids, oldest first."""
    if not ids:
        return []
    sql = f"SELECT {_RUN_COLUMNS} FROM run r WHERE r.id IN ({placeholders(ids)}) ORDER BY r.created_us, r.id"
    return await _with_parts(read, await read.select(sql, list(ids)))


async def _with_parts(read: reader.Reader, found: list[Row]) -> list[Row]:
    """Each row with `targets` (names), `attempts` (how many) and `last` (the last attempt's columns, or None)."""
    ids = [row["id"] for row in found]
    by_id: dict[str, Row] = {row["id"]: row | {"targets": [], "attempts": 0, "last": None} for row in found}
    if ids:
        marks = placeholders(ids)
        sql = f"SELECT run, target FROM run_target WHERE run IN ({marks}) AND state <> 'left_out' ORDER BY run, target LIMIT 50000"
        for row in await read.select(sql, ids):
            by_id[row["run"]]["targets"].append(row["target"])
        sql = (
            "SELECT a.run, a.number, a.state, a.outcome, a.held, a.started_us, n.made FROM attempt a JOIN"
            f" (SELECT run, max(number) AS number, count(*) AS made FROM attempt WHERE run IN ({marks}) GROUP BY run) n"
            " ON n.run = a.run AND n.number = a.number"
        )
        for row in await read.select(sql, ids):
            by_id[row["run"]] |= {"attempts": row["made"], "last": row}
    return list(by_id.values())


async def find_run(read: reader.Reader, given: str) -> str:
    """The id of the one run whose id begins so, with or without `r-`. Raises `errors.NotFound`, `errors.Ambiguous`."""
    match = _RUN_ID.fullmatch(given)
    if match is None:
        raise errors.NotFound("healer runs", what=f"the run {given[:80]!r}")
    low = "r-" + match[1]
    found = await read.all("run_by_prefix", low, low + "\x7f")
    if not found:
        raise errors.NotFound("healer runs", what=f"the run {given[:80]!r}")
    if len(found) > 1 and found[0]["id"] != low:
        raise several(given, [row["id"] for row in found])
    return str(found[0]["id"])


def several(prefix: str, ids: Sequence[str]) -> errors.Ambiguous:
    """That more than one id begins so, and which. `ids`: one more than are named will do."""
    names = list(ids[:CANDIDATES_MAX])
    count = str(len(ids)) if len(ids) <= CANDIDATES_MAX else f"more than {CANDIDATES_MAX}"
    return errors.Ambiguous(f"one of: {', '.join(names)}", prefix=prefix[:80], count=count, near=names)


async def run(read: reader.Reader, run_id: str) -> Row:
    """All columns of one run, with `targets`, `attempts`, `last`, and `revision_id`. Raises `errors.NotFound`."""
    found = await read.all("run_full", run_id)
    if not found:
        raise errors.NotFound("healer runs", what=f"the run {run_id[:80]!r}")
    return (await _with_parts(read, found))[0]


async def attempt(read: reader.Reader, run_id: str, number: int | None) -> Row | None:
    """One attempt of a run, the last one where no number is given; None where there is none."""
    if number is not None:
        found = await read.all("attempt_of_run", run_id, number)
    else:
        found = (await read.all("attempts_of_run", run_id))[-1:]
    return found[0] if found else None


async def runs_of_event(read: reader.Reader, seq: int) -> list[str]:
    """The ids of the runs that matches of this row led to."""
    return [row["run"] for row in await read.all("runs_of_event", seq)]


async def decided_to(read: reader.Reader) -> int:
    """The last journal position that is decided."""
    return int((await read.all("decided_to"))[0]["seq"])


# --- events ---------------------------------------------------------------------------------------------------------------


def event_position(given: str) -> int:
    """The journal position of an event id (`e-12`). Raises `errors.NotFound` for what is no such id."""
    match = _EVENT_ID.fullmatch(given)
    if match is None:
        raise errors.NotFound("an id looks like e-12", what=f"the event {given[:80]!r}")
    return int(match[1])


# --- alerts ---------------------------------------------------------------------------------------------------------------


async def alerts(read: reader.Reader, wanted: AlertFilter, after: tuple[int, str, str] | None, limit: int) -> Page:
    """Alerts, the newest opening first, each with `runs` ({id, state} of its present cycle). `after`: (opened_us, source, key)."""
    where = _Where()
    for column, value in (("status", wanted.status), ("source", wanted.source), ("name", wanted.name)):
        if value:
            where.add(f"a.{column} = ?", value)
    if after is not None:
        where.add("(a.opened_us < ? OR (a.opened_us = ? AND (a.source, a.key) > (?, ?)))", after[0], *after)
    page = await _page(
        read, f"SELECT a.* FROM alert a {where} ORDER BY a.opened_us DESC, a.source, a.key", where, limit
    )
    for row in page.rows:
        row["runs"] = []
    by_cycle = {(row["source"], row["key"], row["cycle"]): row for row in page.rows}
    for piece in _pieces(list(by_cycle), 100):
        values = f"VALUES {','.join(['(?,?,?)'] * len(piece))}"
        sql = (
            f"SELECT ra.source, ra.key, ra.cycle, r.id, r.state FROM run_alert ra JOIN run r ON r.id = ra.run"
            f" WHERE (ra.source, ra.key, ra.cycle) IN ({values}) ORDER BY r.created_us, r.id LIMIT 10000"
        )
        for row in await read.select(sql, [value for cycle in piece for value in cycle]):
            by_cycle[(row["source"], row["key"], row["cycle"])]["runs"].append({"id": row["id"], "state": row["state"]})
    return page


def _pieces(values: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    return (values[at : at + size] for at in range(0, len(values), size))


# --- audit ----------------------------------------------------------------------------------------------------------------


async def audit(
    read: reader.Reader, wanted: AuditFilter, after: int | None, limit: int, *, newest_first: bool = False
) -> Page:
    """Audit rows ({seq, record}): `record` is the stored text itself. `after`: the number of the last one of the page before."""
    where = _Where()
    for column, value in (("action", wanted.action), ("kind", wanted.kind), ("run", wanted.run)):
        if value:
            where.add(f"{column} = ?", value)
    if wanted.from_us is not None:
        where.add("seq >= ?", await _audit_position(read, wanted.from_us))
    if wanted.to_us is not None:
        where.add("seq < ?", await _audit_position(read, wanted.to_us))
    if after is not None:
        where.add("seq < ?" if newest_first else "seq > ?", after)
    order = f"ORDER BY seq {'DESC' if newest_first else ''}"
    if not wanted.actor:
        return await _page(read, f"SELECT seq, record, at_us FROM audit {where} {order}", where, limit)
    # Of each actor no more than a page: what is looked at does not grow with what they have done.
    found = await read.all("audit_actors", wanted.actor, ACTORS_MAX)
    actors = sorted({wanted.actor, *(row["actor"] for row in found)})
    where.parts.insert(0, "actor = name.value")
    by = "" if wanted.run else "INDEXED BY audit_actor"
    inner = f"SELECT seq FROM audit {by} {where} {order} LIMIT ?"
    where.values = [orjson.dumps(actors).decode(), *where.values, limit + 1]
    sql = f"SELECT a.seq, a.record, a.at_us FROM json_each(?) name CROSS JOIN audit a WHERE a.seq IN ({inner}) {order}"
    return await _page(read, sql, where, limit)


async def audit_head(read: reader.Reader) -> Row:
    """{size, root, chain}: bytes."""
    return (await read.all("audit_head"))[0]


async def _audit_position(read: reader.Reader, at_us: int) -> int:
    """The number of the first record not before a time: by halves, since times never decrease and numbers have no gaps."""
    low, high = 0, int((await audit_head(read))["size"])
    while low < high:
        middle = (low + high) // 2
        found = await read.all("audit_time", middle)
        if not found or found[0]["at_us"] < at_us:
            low = middle + 1
        else:
            high = middle
    return low
