"""What the rules remember, across restarts: snapshots in T2, and replay of the rows after the newest one, output suppressed.

A snapshot holds journal positions and numbers, no bodies. Replaying a horizon instead would not be exact: where a window began
depends on all that came before it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

import orjson
import pydantic
from loguru import logger

from healer import config, store, telemetry
from healer.decide import evaluating
from healer.store import cycles, deciding

BATCH: Final = 2_000
FREED: Final = 10
FREEING_S: Final = 0.002
VERSION: Final = 1
SLICE_S: Final = 0.005
TIME_MAX_US: Final = 253_402_300_799_000_000
"""The end of the year 9999: a later one is no time that could be shown."""
RulesOf = Callable[[str], Awaitable[evaluating.Evaluator | None]]
"""The evaluator for a revision's id, None when its files are gone."""


_Text = Annotated[str, pydantic.Strict()]
_Number = Annotated[int, pydantic.Strict(), pydantic.Field(ge=-(2**63), lt=2**63)]
_Row = Annotated[int, pydantic.Strict(), pydantic.Field(ge=0, lt=2**63)]
_Time = Annotated[int, pydantic.Strict(), pydantic.Field(ge=0, le=TIME_MAX_US)]


class _Counters(pydantic.BaseModel):
    windows_evicted: _Number
    events_evicted: _Number
    matches_cut: _Number
    facts_refused: _Number
    comparisons_broken: _Number


_Places = list[_Row]
_Chain = tuple[_Places, list[tuple[_Number, list[_Places], list[tuple[_Number, _Row]], _Places]], _Places]


_OnceAfter = tuple[_Time, list[tuple[_Row, _Row]]]
_NotAll = tuple[_Time, list[_Row | None], list[_Places]]


class _Session(pydantic.BaseModel):
    """What `engine.Session.snapshot` gives."""

    format: _Number
    now_us: _Time
    ready: list[tuple[_Text, _Text]]
    entries: list[tuple[_Row, _Time, Annotated[int, pydantic.Strict(), pydantic.Field(ge=0, le=1)]]]
    facts: list[_Row]
    chains: list[tuple[_Text, _Text, _Chain]]
    timers: list[tuple[_Text, _Text, _OnceAfter | _NotAll]]
    windows: list[tuple[_Text, _Text, list[tuple[_Row, _Time, _Row]]]]
    counters: _Counters


class _Held(pydantic.BaseModel):
    """What `take` writes."""

    ended: dict[_Text, _Row]
    sessions: dict[_Text, _Session]


def take(evaluator: evaluating.Evaluator, position: int) -> deciding.Snapshot:
    """A snapshot of all rulesets; `oldest` is the oldest row that one of them refers to."""
    sessions = {name: one.session.snapshot(bodies=False) for name, one in sorted(evaluator.running.items())}
    refs = [ref for state in sessions.values() for ref in refs_of(state)]
    data = {"version": VERSION, "ended": evaluator.ended, "sessions": sessions}
    return deciding.Snapshot(min([position, *refs]), orjson.dumps(data).decode())


def refs_of(state: dict[str, Any]) -> list[int]:
    """The journal rows that a session's snapshot refers to."""
    return [
        *(entry[0] for entry in state["entries"]),
        *(ref for _, _, windows in state["windows"] for ref, _, _ in windows),
    ]


async def restore(opened: store.Store, evaluator: evaluating.Evaluator, data: str) -> None:
    """Put a snapshot's state into the rulesets that it names; a rule that means something else now starts empty.

    Raises ValueError for what `take` does not write.
    """
    held = _checked(data)
    evaluator.ended = dict(held["ended"])
    for name, state in held["sessions"].items():
        one = evaluator.running.get(name)
        if one is not None:
            await _put_back(opened, evaluator, one, state)


def _checked(data: str) -> dict[str, Any]:
    """The snapshot, if it has the shape of one: half of it put back would fail much later, at each event."""
    held = orjson.loads(data)
    if not isinstance(held, dict):
        raise ValueError(f"the snapshot is no object but {config.shown(held)}")  # noqa: TRY004 - junk is one error, whatever it is
    if held.get("version") != VERSION:
        raise ValueError(f"the snapshot has version {config.shown(held.get('version'))}, this program reads {VERSION}")
    try:
        _Held.model_validate(held)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"{config.shown(where)}: {first['msg']}, got {config.shown(first['input'])}") from None
    return held


async def _put_back(
    opened: store.Store, evaluator: evaluating.Evaluator, one: evaluating.Running, state: dict[str, Any]
) -> None:
    bodies: dict[int, dict[str, Any]] = {}
    wanted = sorted(set(refs_of(state)))
    for row in await opened.rows_at(wanted):
        body = orjson.loads(row.body or b"{}")
        if not isinstance(body, dict):
            raise ValueError(f"the row {row.seq} is no event")  # noqa: TRY004 - as in `_checked`
        said = cycles.lifecycle(body.get("alert")) if row.kind == "event" else None
        if said is not None:
            openings = cycles.Openings(await opened.reader.all("openings_of", row.source, said[0]))
            evaluator.alerts.recall(row.source, body["alert"], row.seq, openings)
        bodies[row.seq] = {**body, "meta": evaluator.meta(row, body)} if one.uses_meta else body
    if gone := [seq for seq in wanted if seq not in bodies]:
        raise ValueError(f"the row {gone[0]} is not there")
    one.session.restore(state, bodies.__getitem__)


async def recover(opened: store.Store, position: int, rules_of: RulesOf) -> evaluating.Evaluator | None:
    """The evaluator as it stood at `position`: newest snapshot, then replay, changing rules where the journal says so.

    None when no rules ever held here (a new data directory).
    """
    after, evaluator = 0, None
    for kept in await opened.reader.all("snapshot_newest", 0, position):
        evaluator = await rules_of(kept["id"])
        if evaluator is None:
            continue
        try:
            await restore(opened, evaluator, kept["data"])
        except ValueError as error:  # nothing else: that would be a mistake of ours, not junk
            logger.error("the snapshot at {} cannot be read, an older one is tried: {}", kept["seq"], error)
            evaluator = None
            continue
        after = kept["seq"]
        break
    started = time.monotonic()
    while after < position:
        rows = await opened.rows_after(after, min(BATCH, position - after))
        if not rows:
            break
        openings = cycles.Openings(await opened.reader.all("openings_between", after, position))
        for row in rows:
            if row.kind == "revision":
                evaluator = await carry_over(
                    opened, evaluator, await rules_of(orjson.loads(row.body or b"{}")["revision"])
                )
            elif evaluator is not None:
                evaluator.evaluate(row, replay=openings)
            after = row.seq
            if time.monotonic() - started > SLICE_S:
                await asyncio.sleep(0)
                started = time.monotonic()
        telemetry.count("rows_replayed", len(rows))
    return evaluator


async def carry_over(
    opened: store.Store, old: evaluating.Evaluator | None, new: evaluating.Evaluator | None
) -> evaluating.Evaluator | None:
    """The new rules with the memory of the old ones, ruleset by ruleset where the meaning is unchanged."""
    if old is None or new is None:
        return new or old
    for name, one in new.running.items():
        before = old.running.get(name)
        if before is None:
            continue
        if before.session.compiled.digest == one.session.compiled.digest:
            one.session, before.session = before.session, one.session
        else:
            await _put_back(opened, new, one, before.session.snapshot(bodies=False))
    new.alerts = old.alerts
    return new


async def let_go(old: evaluating.Evaluator) -> None:
    """Free what nobody uses any more in slices as `project.child` has them: thousands of rules at once would hold the loop."""
    rules = [made for one in old.running.values() for made in one.session.compiled.live]
    old.clear()
    started = time.monotonic()
    while rules:
        del rules[-FREED:]
        if time.monotonic() - started > FREEING_S:
            await asyncio.sleep(0)
            started = time.monotonic()
