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
from healer.decide import ceilings, evaluating, poison, recovery, stumbles, tail, tries
from healer.store import asking, deciding, journal, letters, notes

__all__ = ["Decider", "Used", "evaluating", "recovery"]

BATCH_ROWS: Final = 500
SLICE_S: Final = 0.002
LAG_ROWS: Final = 2_000
LAG_S: Final = 1.0
CEILINGS_US: Final = 1_000_000
SNAPSHOT_ROWS: Final = 4_000
SNAPSHOT_S: Final = 60.0
SNAPSHOT_SHARE: Final = 100
"""A snapshot of much takes long: the next comes after so many times as long at the earliest."""
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

    `use` gives the rules of a revision when its row comes, also of one that a crash left undecided; `rules_of` them without any memory,
    for what is to be replayed; `on_decided` hears of each commit
    that led to something, `on_ended` which activations have ended when that changes; `tick()` appends a
    tick row. Times for pacing are the monotonic clock's; times that decide are the rows'.
    """

    def __init__(
        self, opened: store.Store, evaluator: evaluating.Evaluator, revision: int, standing_of: asking.StandingOf, *, position: int,
        on_decided: Heard, tick: Tick, clock: Callable[[], int], use: Use | None = None, monotonic: Callable[[], float] = time.monotonic,
        on_ended: Callable[[frozenset[str]], None] = lambda _: None, rules_of: recovery.RulesOf | None = None,
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
        self._untaken_us: int | None = None
        self._use = use
        self._on_ended = on_ended
        self._told_ended: frozenset[str] = frozenset()
        self._tries = tries.Tries(opened, rules_of)
        self._stumbles = stumbles.Stumbles(opened, LAG_ROWS + BATCH_ROWS)
        self._look_us: int | None = None
        self._ceilings = ceilings.Ceilings(self._counters())
        self._looked_us = 0
        self._ticked = 0
        self._letting_go: asyncio.Task[None] | None = None
        self._stopping = False
        self.turns = 0
        """How often `run` has looked for rows: it goes on."""
        self.last_at_us = 0

    def forget_alerts(self, names: list[tuple[str, str, int]]) -> None:
        """Alerts that were trimmed, each of a source, with its key and cycle."""
        self.evaluator.alerts.forget(names)

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
            await self._begin()
            while not self._stopping:
                self.turns += 1
                if timer.done():
                    timer.result()
                if await self.next_rows():
                    continue
                if self._lags():
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
        await self._stumbles.stop()

    async def _wait(self, timeout_s: float | None) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self.tail.wait(self.position)
        except TimeoutError:
            return

    def _lags(self) -> bool:
        return self.committed_position < self.position

    async def next_rows(self) -> bool:
        """Decide the rows behind the position, as many as are done at once; whether there were any."""
        careful = self._stumbles.careful(self.position)
        rows = await self.tail.after(self.position, 1 if careful else BATCH_ROWS)
        if rows and careful:
            await self._alone(rows[0])
        elif rows:
            await self._batch(rows)
        return bool(rows)

    async def _begin(self) -> None:
        """Set aside the row of which the processes before this one died, if one did so often enough."""
        row = await self._stumbles.begin(self.position)
        if row is None:
            return
        unit = deciding.Decide(self.position, row.seq, row.at_us, self._revision, [], self._standing_of)
        killed = deciding.Outcome(row.seq, row.at_us, source=row.source)
        await poison.set_aside(self._store, unit, killed, stumbles.SAID)
        self.position = self.committed_position = row.seq
        self.last_at_us = row.at_us
        await self._stumbles.past()

    async def _alone(self, row: journal.Row) -> None:
        """Decide one row with a commit of its own; who dies meanwhile has said of what."""
        await self._stumbles.before(row)
        await self._batch([row])
        if self._lags():
            await self._commit([], self.position, self.last_at_us)
        if not self._stumbles.careful(self.position) or self.tail.committed <= self.position:
            await self._stumbles.past()

    async def _batch(self, rows: list[journal.Row]) -> None:
        outcomes: list[deciding.Outcome] = []
        started = self._monotonic()
        position = self.position
        for row in rows:
            if row.kind == "revision":
                if outcomes or position > self.committed_position:
                    if not await self._commit(outcomes, position, self.last_at_us):
                        return
                    outcomes = []
                await self._switch(row)
            outcome = self.evaluator.evaluate(row)
            if outcome is not None and outcome.quarantined and not letters.unread(row.meta):
                if self._tries.changed(self.evaluator, row, outcome):
                    if not await self._commit(outcomes, position, self.last_at_us, kept=False):
                        return
                    outcomes = []
                await self._tries.again(self.evaluator, row, outcome)
            position = row.seq
            self.last_at_us = row.at_us
            if outcome is not None:
                outcome.source = row.source
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

    async def _commit(
        self, outcomes: list[deciding.Outcome], to: int, at_us: int, *, snapshot: bool = False, kept: bool = True
    ) -> bool:
        """Whether all of it is committed; else the memory is that of the position, and what lies behind it is to be read again.

        `kept`: the memory is that of `to`, so that a snapshot of it can be.
        """
        since_s = self._monotonic() - self._last_snapshot
        due = to - self._snapshot_position >= SNAPSHOT_ROWS or since_s > SNAPSHOT_S
        taken = None
        due = kept and due and since_s >= SNAPSHOT_SHARE * self._snapshot_took_s
        if (snapshot or due) and to > self._snapshot_position:
            began = self._monotonic()
            taken = await self._taken(to)
            self._snapshot_position, self._last_snapshot = to, self._monotonic()
            self._snapshot_took_s = self._last_snapshot - began
        unit = deciding.Decide(self.committed_position, to, at_us, self._revision, outcomes, self._standing_of, taken)
        committed = await poison.submit(self._store, unit)
        whole = committed.aside is None
        if committed.aside is not None:
            to = committed.aside.seq
            await self._go_back(committed.aside)
        self.committed_position = to
        self._last_commit = self._monotonic()
        self._look_us = committed.decided.next_look_us
        for outcome in outcomes:
            for ruleset, error in outcome.quarantined if whole or outcome.seq < to else ():
                poison.tell(outcome, ruleset, error)
        if outcomes:
            self._on_decided(committed.decided)
        self._tell_ended()
        return whole

    async def _taken(self, position: int) -> deciding.Snapshot | None:
        """A snapshot, or None after saying why there is none: a start then replays from the one before."""
        try:
            return await recovery.take(self.evaluator, position)
        except Exception as error:  # a mistake of ours: no snapshot is worth the end of the daemon
            logger.error("no snapshot of what the rules remember can be made: {}", evaluating.told(error))
            now_us = self._clock()
            if self._untaken_us is None or now_us - self._untaken_us >= ceilings.AGAIN_US:
                self._untaken_us = now_us
                note = notes.Note("snapshot_failed", "daemon", error=evaluating.told(error), position=position)
                await self._store.insist(note)
            return None

    async def _go_back(self, aside: deciding.Outcome) -> None:
        """A row was set aside after its rules had heard of it: what they remember is void, and what was decided since."""
        await self._tries.everything(self.evaluator, aside.seq)
        self.position, self.last_at_us = aside.seq, aside.at_us
        self._snapshot_position = min(self._snapshot_position, aside.seq)

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
