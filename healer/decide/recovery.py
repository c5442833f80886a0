"""What the rules remember, across restarts: snapshots in T2, and replay of the rows after the newest one, output suppressed.

A snapshot holds journal positions and numbers, no bodies. Replaying a horizon instead would not be exact: where a window began
depends on all that came before it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import Any, Final, TypeVar

import orjson
from loguru import logger

from healer import engine, errors, store, telemetry
from healer.decide import alerts, evaluating, texts
from healer.engine import slices
from healer.store import cycles, deciding, letters, notes

BATCH: Final = 2_000
FREED: Final = 10
FREEING_S: Final = 0.002
TAKING_S: Final = 0.002
PAST_REPLAY_MAX: Final = 200_000
"""So many rows are replayed for an explanation at most."""
SLICE_S: Final = 0.002
RulesOf = Callable[[str], Awaitable[evaluating.Evaluator | None]]
"""The evaluator for a revision's id, None when its files are gone."""


_T = TypeVar("_T")


async def take(evaluator: evaluating.Evaluator, position: int) -> deciding.Snapshot:
    """A snapshot of all rulesets; `oldest` is the oldest row that one of them refers to.

    It is made in slices, between which the loop is free: nobody but the caller lets anything happen to sessions.
    """
    with _not_collecting():
        return await _taken(evaluator, position)


@contextlib.contextmanager
def _not_collecting() -> Iterator[None]:
    """Much is made at once; looking through all of it in between would hold the loop longer than any slice."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


async def _taken(evaluator: evaluating.Evaluator, position: int) -> deciding.Snapshot:
    sessions, oldest = {}, position
    for name, one in sorted(evaluator.running.items()):
        state = sessions[name] = await in_slices(one.session.snapshot_steps(bodies=False))
        oldest = min(oldest, await in_slices(_oldest(state, position)))
    data = {"version": texts.VERSION, "ended": evaluator.ended, "sessions": sessions}
    pieces: list[bytes] = []
    await in_slices(texts.written(data, pieces))
    return deciding.Snapshot(oldest, b"".join(pieces).decode())


async def in_slices(steps: slices.Steps[_T]) -> _T:
    """What comes of the steps; the loop is free after each `TAKING_S`."""
    started = time.monotonic()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        if time.monotonic() - started > TAKING_S:
            await asyncio.sleep(0)
            started = time.monotonic()


def _oldest(state: dict[str, Any], position: int) -> slices.Steps[int]:
    """The oldest row that a session's snapshot refers to, or the position."""
    refs = yield from slices.mapped(_refs(state), int)
    return min(
        (min(refs[start : start + slices.CHUNK]) for start in range(0, len(refs), slices.CHUNK)), default=position
    )


def refs_of(state: dict[str, Any]) -> list[int]:
    """The journal rows that a session's snapshot refers to."""
    return list(_refs(state))


def _refs(state: dict[str, Any]) -> Iterator[int]:
    yield from (entry[0] for entry in state["entries"])
    yield from (ref for _, _, windows in state["windows"] for ref, _, _ in windows)


async def restore(opened: store.Store, evaluator: evaluating.Evaluator, data: str) -> None:
    """Put a snapshot's state into the rulesets that it names; a rule that means something else now starts empty.

    Raises ValueError for what `take` does not write.
    """
    with _not_collecting():
        held = await in_slices(texts.checked(await in_slices(texts.read(data))))
    evaluator.ended = dict(held["ended"])
    for name, state in held["sessions"].items():
        one = evaluator.running.get(name)
        if one is not None:
            await _put_back(opened, evaluator, one, state)


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
        again = letters.released(row)
        if said is not None and again is not None and again.alone:
            body["alert"]["cycle"] = again.cycle or 0
        elif said is not None:
            openings = cycles.Openings(await opened.reader.all("openings_of", row.source, said[0]))
            evaluator.alerts.recall(row.source, body["alert"], row.seq, openings)
        bodies[row.seq] = {**body, "meta": evaluator.meta(row, body)} if one.uses_meta else body
    if gone := [seq for seq in wanted if seq not in bodies]:
        raise ValueError(f"the row {gone[0]} is not there")
    with _not_collecting():
        await in_slices(one.session.restore_steps(state, bodies.__getitem__))


async def recover(opened: store.Store, position: int, rules_of: RulesOf) -> evaluating.Evaluator | None:
    """The evaluator as it stood at `position`: newest snapshot, then replay, changing rules where the journal says so.

    None when no rules ever held here (a new data directory).
    """
    after, evaluator = 0, None
    for kept in await opened.reader.all("snapshot_newest", 0, position, 0, position):
        evaluator = await rules_of(kept["id"])
        if evaluator is None:
            continue
        try:
            await restore(opened, evaluator, kept["data"])
        except errors.HealerError:
            raise
        except Exception as error:  # junk, or a mistake of ours: without it there is a start all the same
            logger.error(
                "the snapshot at {} cannot be read, an older one is tried: {}", kept["seq"], evaluating.told(error)
            )
            evaluator = None
            continue
        after = kept["seq"]
        break
    return await replay(opened, evaluator, after, position, rules_of)


async def replay(
    opened: store.Store, evaluator: evaluating.Evaluator | None, after: int, position: int, rules_of: RulesOf
) -> evaluating.Evaluator | None:
    """Let the rows (after, position] pass, output suppressed. Who could not digest one of them does not hear it: nor was it heard."""
    aside: dict[int, set[str]] = {}
    for one in await opened.reader.all("quarantine_between", after, position):
        aside.setdefault(one["seq"], set()).add(one["ruleset"])
    started = time.monotonic()
    while after < position:
        rows = await opened.rows_after(after, min(BATCH, position - after))
        if not rows:
            break
        openings = cycles.Openings(await opened.reader.all("openings_between", after, position))
        for row in rows:
            without = aside.get(row.seq, ())
            if row.kind == "revision":
                evaluator = await carry_over(
                    opened, evaluator, await rules_of(orjson.loads(row.body or b"{}")["revision"])
                )
            elif evaluator is not None and letters.EVERY_RULESET not in without:
                evaluator.evaluate(row, replay=openings, without=without)
            after = row.seq
            if time.monotonic() - started > SLICE_S:
                await asyncio.sleep(0)
                started = time.monotonic()
        telemetry.count("rows_replayed", len(rows))
    return evaluator


async def rebuilt(
    opened: store.Store, of: evaluating.Evaluator, names: Collection[str], position: int, rules_of: RulesOf | None
) -> evaluating.Evaluator | None:
    """Some rulesets of an evaluator as a start would find them at a committed position, apart from it; None: they cannot be told.

    `rules_of`: for rows that other rules decided since the last snapshot; without it those are left out.
    """
    rows = await opened.reader.all("journal_last_revision", position)
    held = deciding.revision_of(rows[0]["body"]) if rows else ""
    known = alerts.Alerts(await opened.reader.all("alerts_state"))

    async def rules(revision_id: str) -> evaluating.Evaluator | None:
        if revision_id == held:
            made: evaluating.Evaluator | None = of.alone(names)
        else:
            made = await rules_of(revision_id) if rules_of is not None else None
        if made is not None:
            made.alerts = known
        return made

    return await recover(opened, position, rules)


async def past(
    opened: store.Store, names: Collection[str], position: int, rules_of: RulesOf, known: alerts.Alerts
) -> evaluating.Evaluator | None:
    """Some rulesets as they were at a position of the past, apart from all others; None: it is too far from any snapshot.

    `known`: a copy of the alerts, which the replay may change.
    """
    near = await opened.reader.all("snapshot_newest", 0, position, 0, position)
    first = await opened.reader.all("journal_first")
    after = near[0]["seq"] if near else 0
    is_whole = bool(near) or all(one["seq"] == one["before"] + 1 for one in first)
    if position - after > PAST_REPLAY_MAX or not is_whole:
        return None

    async def rules(revision_id: str) -> evaluating.Evaluator | None:
        made = await rules_of(revision_id)
        made = made.alone(names) if made is not None else None
        if made is not None:
            made.alerts = known
        return made

    return await recover(opened, position, rules)


async def carry_over(
    opened: store.Store, old: evaluating.Evaluator | None, new: evaluating.Evaluator | None, *, noted: bool = False
) -> evaluating.Evaluator | None:
    """The new rules with the memory of the old ones, ruleset by ruleset where the meaning is unchanged.

    A ruleset whose memory cannot be carried over begins empty; `noted`: the audit hears of it.
    """
    if old is None or new is None:
        return new or old
    for name, one in new.running.items():
        before = old.running.get(name)
        if before is None:
            continue
        if before.session.compiled.digest == one.session.compiled.digest:
            one.session, before.session = before.session, one.session
            one.session.facts.limit = before.session.facts.limit
        else:
            await _carried(opened, new, one, before.session, noted=noted)
    new.alerts = old.alerts
    return new


async def _carried(
    opened: store.Store, new: evaluating.Evaluator, one: evaluating.Running, before: engine.Session, *, noted: bool
) -> None:
    try:
        await _put_back(opened, new, one, await in_slices(before.snapshot_steps(bodies=False)))
    except errors.HealerError:
        raise
    except Exception as error:  # a mistake of ours: a reload that ends the daemon would do so again at each start
        one.session = engine.Session(one.session.compiled)
        name = one.session.compiled.ruleset.name
        said = "what {} remembered cannot be carried over to its new rules, which begin empty: {}"
        logger.bind(ruleset=name).error(said, name, evaluating.told(error))
        if noted:
            await opened.insist(notes.Note("memory_lost", "daemon", ruleset=name, error=evaluating.told(error)))


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
