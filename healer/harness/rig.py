"""One case at work: the production's store, intake, decider, gates, dispatcher and switch on a clock of their own.

Wired as in `daemon.running`, but that nothing is on disk, that no port, source, plan or process is there, and that controllers are faked.
What the daemon looks at again and again while time passes (what is due, pauses that end) is looked at when it is due, so that a day of a
test takes as long as what happens in it. Caller: `playing`.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import pathlib
import sqlite3
from collections.abc import Callable, Coroutine
from typing import Any, Final, cast

from healer import decide, dispatch, engine, intake, store
from healer.daemon import switching
from healer.dispatch import wishes
from healer.harness import fakes, stage, virtual
from healer.notify import routing
from healer.store import deciding, journal, outbox

AGAIN_US: Final = 10_000
"""What is still due after a tick is asked for again so much later, as the daemon does."""
ROWS_MAX: Final = 100_000
"""Journal rows of one case."""
FED_MAX: Final = 5_000
"""Rows that rules and actions append between two steps of a test while no time passes."""
_NEVER: Final = 1 << 62
Watch = Callable[[str, engine.Compiled], engine.Session]
"""Gives the memory of a ruleset (by its name) that is looked at while it works."""


class _Decider(decide.Decider):
    """The daemon's, without snapshots of what rules remember: no case is started again."""

    async def _taken(self, position: int) -> None:
        """None is taken."""


@dataclasses.dataclass(frozen=True, slots=True)
class Due:
    """What is next: at a moment of journal time."""

    at_us: int
    is_pause: bool = False


class Rig:
    """Made for one case; `start`, then acts and `still` in turn, then `end`."""

    def __init__(self, on: stage.Stage, start_us: int, watch: Watch | None = None) -> None:
        self.stage = on
        self.revision = on.revision
        self.clock = virtual.Clock(start_us)
        self.loop = virtual.Loop(self.clock)
        self.script = fakes.Script()
        self.failed: BaseException | None = None
        self.failed_us = 0
        """When, in µs since the case began."""
        self._watch = watch
        self._look_us: int | None = None
        self._fed, self._fed_us = 0, -1
        self._not_before_us = 0
        self._dispatching = False

    def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Play the case to its end. Raises what it raises, and `virtual.Unsettled`."""
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self._whole(work))
        finally:
            asyncio.set_event_loop(None)
            self.loop.bury()
            self.stage.rules.started.begin_anew()
            self.stage.pause.rows = ()

    async def _whole(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._start()
        await work()

    def _start(self) -> None:
        on = self.stage
        raw = cast(sqlite3.Connection, on.rules.started)
        self.store = store.Store.open(
            None, self.clock, loop=None, environment=self.revision.settings.environment, on_rows=self._on_rows, memory=raw
        )  # fmt: skip
        self.store.writer.tx.rules.use(on.standing.names)
        self._tell()
        evaluator = on.evaluator()
        if self._watch is not None:
            for one in evaluator.running.values():
                one.session = self._watch(one.name, one.session.compiled)
        self.decider: decide.Decider = _Decider(
            self.store, evaluator, on.rules.number, on.standing.of_run, position=on.rules.position, clock=self.clock,
            on_decided=self._on_decided, tick=self._tick, monotonic=self.loop.time,
        )  # fmt: skip
        settings = self.revision.settings
        self.intake = intake.Intake(
            self.store, self.clock, lambda: self.decider.backlog, backlog_max=settings.backlog_max, heard=evaluator.alerts.heard
        )  # fmt: skip
        controllers = {name: fakes.Controller(name, self.script) for name in self.revision.controllers}
        self.dispatcher = dispatch.Dispatcher(
            self.store, on.standing.of_run, controllers=lambda: controllers, revision_dir=_nowhere, work_dir=stage.NOWHERE,
            clock=self.clock, secret_values=list, on_changed=lambda _, look_us: self._look_at(look_us),
        )  # fmt: skip
        self.switch = switching.Switch(
            self.store, self.dispatcher, wishes.Wishes(self.store, self.dispatcher), on.pause, revision=lambda: self.revision,
            evaluator=lambda: self.decider.evaluator, standing_of=on.standing.of_run, clock=self.clock, look_again=self.look_again,
        )  # fmt: skip
        self._work(self._deciding())

    def _tell(self) -> None:
        """Messages are made behind each commit, as by the daemon's own worker; none is delivered."""
        routes = routing.of(self.revision.settings.notifications)
        if routes.is_empty:
            return
        unit, writer = outbox.Follow(routes), self.store.writer

        def follow() -> None:
            while writer.now(unit):
                continue

        follow()
        writer.on_records = follow

    def _work(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(work)
        task.add_done_callback(self._ended)

    def _wake(self) -> None:
        """There may be something to claim. The dispatcher begins its work with the first time that there is."""
        if not self._dispatching:
            self._dispatching = True
            self._work(self.dispatcher.run())
        self.dispatcher.wake()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    @property
    def ended_us(self) -> int:
        """When the case ended, or a worker of it."""
        return self.clock.now_us if self.failed is None else self.failed_us

    def _fail(self, error: BaseException) -> None:
        if self.failed is None:
            self.failed, self.failed_us = error, self.clock.now_us

    async def still(self, at_us: int) -> None:
        """Time has come to that moment of the case, and all that comes by then is done. Raises what ended a worker."""
        self._fed = 0
        await self.loop.still(at_us)
        if self.failed is not None:
            raise self.failed

    # --- what the daemon does by itself -----------------------------------------------------------------------------------

    async def _deciding(self) -> None:
        """As `Decider.run` with its ticks, and as `daemon.watching` for pauses that end by themselves."""
        while True:
            if await self.decider.next_rows():
                continue
            due = self._due()
            if due.at_us <= self.clock():
                if due.is_pause:
                    await self.switch.look()
                else:
                    await self._tick()
                continue
            wait_s = None if due.at_us >= _NEVER else (due.at_us - self.clock()) / virtual.US
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self.decider.tail.wait(self.decider.position)

    def _due(self) -> Due:
        evaluator = self.decider.evaluator
        deadlines = [
            one.session.next_deadline() for one in evaluator.running.values() if one.activation not in evaluator.ended
        ]
        at_us = min(
            self._look_us if self._look_us is not None else _NEVER,
            evaluator.alerts.next_expiry_us() or _NEVER,
            *(round(at * virtual.US) for at in deadlines if at is not None),
            _NEVER,
        )
        pauses = [row["until_us"] for row in self.stage.pause.rows if row["until_us"] is not None]
        if pauses and min(pauses) <= at_us:
            return Due(min(pauses), is_pause=True)
        return Due(max(at_us, self._not_before_us))

    async def _tick(self) -> None:
        self._look_us, self._not_before_us = None, self.clock() + AGAIN_US
        await self.intake.tick()

    def _look_at(self, look_us: int | None) -> None:
        if look_us is not None and (self._look_us is None or look_us < self._look_us):
            self._look_us = look_us
            self.decider.tail.wake()

    async def look_again(self) -> None:
        """Runs that wait may go on."""
        await self.intake.tick()
        self._wake()

    def _on_rows(self, rows: list[journal.Row]) -> None:
        if self.clock.now_us != self._fed_us:
            self._fed_us, self._fed = self.clock.now_us, 0
        self._fed += sum(row.cause is not None for row in rows)
        if rows[-1].seq > ROWS_MAX or self._fed > FED_MAX:
            many = (
                f"{ROWS_MAX:,} events and ticks"
                if rows[-1].seq > ROWS_MAX
                else f"{FED_MAX:,} events of rules at one moment"
            )
            self._fail(error := virtual.Unsettled(f"more than {many}"))
            raise error
        self.decider.tail.feed(rows)

    def _on_decided(self, decided: deciding.Decided) -> None:
        self._look_us = decided.next_look_us
        if decided.queued:
            self._wake()


async def _nowhere(_number: int) -> pathlib.Path:
    return stage.NOWHERE
