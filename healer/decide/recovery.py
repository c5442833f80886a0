"""What the rules remember, across restarts: snapshots in T2, and replay of the rows after the newest one, output suppressed.

A snapshot holds journal positions and numbers, no bodies. Replaying a horizon instead would not be exact: where a window began
depends on all that came before it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson
from loguru import logger

from healer import store, telemetry
from healer.decide import evaluating
from healer.store import cycles, deciding

BATCH: Final = 2_000
FREED: Final = 10
FREEING_S: Final = 0.002
VERSION: Final = 1
SLICE_S: Final = 0.005
RulesOf = Callable[[str], Awaitable[evaluating.Evaluator | None]]
"""The evaluator for a revision's id, None when its files are gone."""


def take(evaluator: evaluating.Evaluator, position: int) -> deciding.Snapshot:
    """A snapshot of all rulesets; `oldest` is the oldest row that one of them refers to."""
    sessions = {name: one.session.snapshot() for name, one in sorted(evaluator.running.items())}
    refs = [ref for state in sessions.values() for ref in refs_of(state)]
    data = {"version": VERSION, "ended": evaluator.ended, "sessions": sessions}
    return deciding.Snapshot(min([position, *refs]), orjson.dumps(data).decode())


def refs_of(state: dict[str, Any]) -> list[int]:
    """The journal rows that a session's snapshot refers to."""
    return [*state["facts"], *(ref for _, _, windows in state["windows"] for ref, _ in windows)]


async def restore(opened: store.Store, evaluator: evaluating.Evaluator, data: str) -> None:
    """Put a snapshot's state into the rulesets that it names; a rule that means something else now starts empty."""
    held: dict[str, Any] = orjson.loads(data)
    if held["version"] != VERSION:
        raise ValueError(f"the snapshot has version {held['version']}, this program reads {VERSION}")
    evaluator.ended = dict(held["ended"])
    for name, state in held["sessions"].items():
        one = evaluator.running.get(name)
        if one is not None:
            await _put_back(opened, evaluator, one, state)


async def _put_back(
    opened: store.Store, evaluator: evaluating.Evaluator, one: evaluating.Running, state: dict[str, Any]
) -> None:
    bodies: dict[int, dict[str, Any]] = {}
    for row in await opened.rows_at(sorted(set(refs_of(state)))):
        body = orjson.loads(row.body or b"{}")
        said = cycles.lifecycle(body.get("alert")) if row.kind == "event" else None
        if said is not None:
            openings = cycles.Openings(await opened.reader.all("openings_of", row.source, said[0]))
            evaluator.alerts.recall(row.source, body["alert"], row.seq, openings)
        bodies[row.seq] = {**body, "meta": evaluator.meta(row, body)} if one.uses_meta else body
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
        except (ValueError, LookupError, TypeError, AttributeError) as error:  # whatever shape it has
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
            await _put_back(opened, new, one, before.session.snapshot())
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
