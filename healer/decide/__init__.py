"""Decide: reads the journal in order, lets the rules see each row, commits what it leads to (T2).

A worker on the daemon's loop that never holds it longer than a slice. It meets the others through the store only: intake fills
the journal, dispatch claims what is queued here. Its memory is void when a commit fails: then the process ends and starts anew.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from loguru import logger

from healer import store, telemetry
from healer.decide import ceilings, evaluating, poison, recovery, tail
from healer.store import asking, deciding, journal, notes

__all__ = ["Decider", "Used", "evaluating", "recovery"]

BATCH_ROWS: Final = 500
SLICE_S: Final = 0.002
LAG_ROWS: Final = 2_000
LAG_S: Final = 1.0
CEILINGS_US: Final = 1_000_000
SNAPSHOT_ROWS: Final = 10_000
SNAPSHOT_S: Final = 60.0
SNAPSHOT_SHARE: Final = 100
"""A snapshot of much takes long, and holds the loop: the next comes after so many times as long at the earliest."""
REPLAY_BATCH: Final = 2_000
_NEVER: Final = 1 << 62

Heard = Callable[[deciding.Decided], None]
Tick = Callable[[], Awaitable[Any]]
Use = Callable[[str, evaluating.Evaluator], Awaitable["Used | None"]]
"""(id of a revision, the evaluator until now) → what holds from its row on; None when its files are gone: all stays as it is."""


@dataclasses.dataclass(frozen=True, slots=True)
class Used:
    """The rules of a revision with the memory that they keep, its number, and what holds for its runs."""

    evaluator: evaluating.Evaluator
    revision: int
    standing_of: asking.StandingOf


class Decider:
    """One worker over one part of the journal.

    `use` gives the rules of a revision when its row comes, also of one that a crash left undecided; `on_decided` hears of each commit
    that led to something, `on_ended` which activations have ended when that changes; `tick()` appends a
    tick row. Times for pacing are the monotonic clock's; times that decide are the rows'.
    """

    def __init__(
        self, opened: store.Store, evaluator: evaluating.Evaluator, revision: int, standing_of: asking.StandingOf, *, position: int,
        on_decided: Heard, tick: Tick, clock: Callable[[], int], use: Use | None = None, monotonic: Callable[[], float] = time.monotonic,
        on_ended: Callable[[frozenset[str]], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self._store = opened
        self.evaluator = evaluator
        self._revision = revision
        self._standing_of = standing_of
        self.position = position
        self.committed_position = position
        self.tail = tail.Tail(opened, position)
        self._on_decided = on_decided
        self._tick = tick
        self._clock = clock
        self._monotonic = monotonic
        self._last_commit = self._last_snapshot = monotonic()
        self._snapshot_position = position
        self._snapshot_took_s = 0.0
        self._use = use
        self._on_ended = on_ended
        self._told_ended: frozenset[str] = frozenset()
        self._look_us: int | None = None
        self._ceilings = ceilings.Ceilings(self._counters())
        self._looked_us = 0
        self._ticked = 0
        self._letting_go: asyncio.Task[None] | None = None
        self._stopping = False
        self.last_at_us = 0

    @property
    def backlog(self) -> int:
        """How many committed rows wait to be decided."""
        return max(0, self.tail.committed - self.position)

    def look_at(self, when_us: int | None) -> None:
        """A deferred run (of another worker's making) is to be looked at then."""
        if when_us is not None and (self._look_us is None or when_us < self._look_us):
            self._look_us = when_us
            self.tail.wake()

    async def run(self) -> None:
        """Until `stop`: batches as they come, ticks as they are due."""
        timer = asyncio.create_task(self._ticks(), name="ticks")
        timer.add_done_callback(lambda _: self.tail.wake())
        try:
            while not self._stopping:
                if timer.done():
                    timer.result()
                rows = await self.tail.after(self.position, BATCH_ROWS)
                if rows:
                    await self._batch(rows)
                elif self._lags():
                    await self._wait(LAG_S)
                    late = self._monotonic() - self._last_commit >= LAG_S
                    if late and self.tail.committed <= self.position:
                        await self._commit([], self.position, self.last_at_us)
                else:
                    await self._wait(None)
        finally:
            timer.cancel()

    async def stop(self) -> None:
        """End `run` after its batch; a snapshot then spares the next start the replay."""
        self._stopping = True
        self.tail.wake()

    async def drain_snapshot(self) -> None:
        """Commit the position with a snapshot; call after `run` has returned."""
        await self._commit([], self.position, self.last_at_us, snapshot=True)

    async def _wait(self, timeout_s: float | None) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self.tail.wait(self.position)
        except TimeoutError:
            return

    def _lags(self) -> bool:
        return self.committed_position < self.position

    async def _batch(self, rows: list[journal.Row]) -> None:
        outcomes: list[deciding.Outcome] = []
        started = self._monotonic()
        position = self.position
        for row in rows:
            if row.kind == "revision":
                if outcomes or position > self.committed_position:
                    await self._commit(outcomes, position, self.last_at_us)
                    outcomes = []
                await self._switch(row)
            outcome = self.evaluator.evaluate(row)
            position = row.seq
            self.last_at_us = row.at_us
            if outcome is not None:
                outcomes.append(outcome)
            if self._monotonic() - started > SLICE_S:
                await asyncio.sleep(0)
                started = self._monotonic()
        telemetry.count("rows_decided", len(rows))
        self.position = position
        behind = position - self.committed_position
        if outcomes or behind >= LAG_ROWS or self._monotonic() - self._last_commit > LAG_S:
            await self._commit(outcomes, position, self.last_at_us)

    async def _switch(self, row: journal.Row) -> None:
        """From this row on other rules hold."""
        used = await self._use(deciding.revision_of(row.body or b""), self.evaluator) if self._use else None
        if used is None:
            telemetry.count("revisions_not_found")
            return
        old = self.evaluator
        self.evaluator, self._revision, self._standing_of = used.evaluator, used.revision, used.standing_of
        if old is not used.evaluator:
            self._letting_go = asyncio.create_task(recovery.let_go(old))
        self._tell_ended()

    @property
    def ended(self) -> frozenset[str]:
        """The activations that rules have ended, once that is committed and told."""
        return self._told_ended

    def _tell_ended(self) -> None:
        if self.evaluator.ended.keys() != self._told_ended:
            self._told_ended = frozenset(self.evaluator.ended)
            self._on_ended(self._told_ended)

    async def _commit(self, outcomes: list[deciding.Outcome], to: int, at_us: int, *, snapshot: bool = False) -> None:
        since_s = self._monotonic() - self._last_snapshot
        due = to - self._snapshot_position >= SNAPSHOT_ROWS or since_s > SNAPSHOT_S
        taken = None
        if (snapshot or (due and since_s >= SNAPSHOT_SHARE * self._snapshot_took_s)) and to > self._snapshot_position:
            began = self._monotonic()
            taken = recovery.take(self.evaluator, to)
            self._snapshot_position, self._last_snapshot = to, self._monotonic()
            self._snapshot_took_s = self._last_snapshot - began
        unit = deciding.Decide(self.committed_position, to, at_us, self._revision, outcomes, self._standing_of, taken)
        decided = await poison.submit(self._store, unit)
        self.committed_position = to
        self._last_commit = self._monotonic()
        self._look_us = decided.next_look_us
        for outcome in outcomes:
            for ruleset, error in outcome.quarantined:
                logger.bind(event=outcome.seq, ruleset=ruleset).error("event quarantined: {}", error)
        if outcomes:
            self._on_decided(decided)
        self._tell_ended()

    async def _ticks(self) -> None:
        """Append a tick row when something is due: a deferred run's look, an alert's ttl, a rule's deadline."""
        while True:
            await self._tell_ceilings()
            due_us = min(self._look_us or _NEVER, self.evaluator.alerts.next_expiry_us() or _NEVER, self._deadline_us())
            wait_s = min(max((due_us - self._clock()) / 1_000_000, 0.0), 1.0)
            if due_us <= self._clock() and self.position >= self._ticked:
                self._look_us = None
                await self._tick()
                self._ticked = self.tail.committed
            else:
                await asyncio.sleep(wait_s or 0.01)

    async def _tell_ceilings(self) -> None:
        """A record where rules begin to forget since too much is to be remembered."""
        now_us = self._clock()
        if now_us - self._looked_us < CEILINGS_US:
            return
        self._looked_us = now_us
        for name, grown in self._ceilings.found(self._counters(), now_us).items():
            logger.bind(ruleset=name).warning("{} reached the limit of what it may remember: {}", name, grown)
            await self._store.insist(notes.Note("memory_full", "daemon", ruleset=name, **grown))

    def _counters(self) -> dict[str, dict[str, int]]:
        return {name: one.session.counters for name, one in self.evaluator.running.items()}

    def _deadline_us(self) -> int:
        ended = self.evaluator.ended
        deadlines = [
            one.session.next_deadline() for one in self.evaluator.running.values() if one.activation not in ended
        ]
        return min((round(at * 1_000_000) for at in deadlines if at is not None), default=_NEVER)
