"""The heartbeat: a sign of life to somebody who misses it, sent only while the daemon's work goes on.

A daemon that is dead, or hangs, cannot say so; who hears nothing for a while knows. So a beat is sent only after, within the timeout,

- nothing stands in the way: the store has not failed, the disk is not full, the daemon is neither starting nor stopping;
- a commit of its own has gone to the disk;
- the dispatcher's loop has turned once more (it has asked for what may start);
- the decider's loop has turned once more, and its position has moved since the beat before, or no row waits for it.

A paused daemon does all that, and beats: it decides and records. Nothing waits for a beat, and none that fails is sent again.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from healer import errors, plugins, telemetry
from healer.supervise import outgoing

OFF_S: Final = 5.0
"""So often it is looked whether a reload has named a heartbeat."""
LOOK_S: Final = 0.02


class Wanted(Protocol):
    """What `healer.yaml` says of it."""

    url: str | plugins.SecretRef
    every: float
    method: Any
    timeout: float


@dataclasses.dataclass(frozen=True, slots=True)
class Loop:
    """A worker's loop: `turns` counts, `wake` has it turn once more where it has nothing to do."""

    turns: Callable[[], int]
    wake: Callable[[], None]


@dataclasses.dataclass(frozen=True, slots=True)
class Works:
    """The daemon's work, as far as it can be seen to go on. `trouble`: what stands in the way of all of it, '' for nothing; `commit` writes
    something of no meaning; `position` and `backlog` are the decider's."""

    trouble: Callable[[], str]
    commit: Callable[[], Awaitable[Any]]
    decider: Loop
    dispatcher: Loop
    position: Callable[[], int]
    backlog: Callable[[], int]


@dataclasses.dataclass(frozen=True, slots=True)
class Beats:
    """How it goes, for `status`: when one was sent, and why none is now ('': it is)."""

    last_us: int | None = None
    why: str = ""


class Heart:
    """One a daemon. `wanted()` is what holds now, None: no heartbeat; `address` resolves a secret; `clock` in microseconds."""

    def __init__(
        self, works: Works, wanted: Callable[[], Wanted | None], address: Callable[[plugins.SecretRef], str], clock: Callable[[], int],
        log: Callable[[str, str], None],
    ) -> None:  # fmt: skip
        self._works = works
        self._wanted = wanted
        self._address = address
        self._clock = clock
        self._log = log
        self._position = -1
        self.beats = Beats()

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            wanted, started = self._wanted(), loop.time()
            if wanted is not None:
                await self.beat(wanted)
            pause_s = OFF_S if wanted is None else max(0.0, wanted.every - (loop.time() - started))
            await asyncio.sleep(pause_s)

    async def beat(self, wanted: Wanted) -> None:
        """Send one, if the work goes on. Nothing is raised."""
        why = await self.progress(wanted.timeout)
        why = f"none is sent: {why}" if why else await self._send(wanted)
        if why:
            telemetry.count("heartbeats_missed")
            if why != self.beats.why:
                self._log("WARNING", f"heartbeat: {why}")
        else:
            telemetry.count("heartbeats_sent")
            if self.beats.why:
                self._log("INFO", "heartbeat: sent again")
        self.beats = Beats(self.beats.last_us if why else self._clock(), why)

    async def _send(self, wanted: Wanted) -> str:
        try:
            url = wanted.url if isinstance(wanted.url, str) else self._address(wanted.url)
            await outgoing.request(wanted.method, url.strip(), timeout_s=wanted.timeout)
        except errors.HealerError as error:
            return f"it does not arrive: {error.message}"
        return ""

    async def progress(self, limit_s: float) -> str:
        """Why the work does not go on; '' where it does."""
        works, before = self._works, self._position
        if why := works.trouble():
            return why
        what = "no commit has gone through"
        turned = works.dispatcher.turns(), works.decider.turns()
        try:
            async with asyncio.timeout(limit_s):
                await works.commit()
                what = "the dispatcher's loop has not turned"
                await _until(works.dispatcher, lambda: works.dispatcher.turns() > turned[0])
                what = "the decider's loop has not turned"
                await _until(works.decider, lambda: works.decider.turns() > turned[1])
                what = f"{works.backlog()} events wait, and the decider has not moved"
                await _until(works.decider, lambda: works.backlog() == 0 or works.position() != before)
        except TimeoutError:
            return works.trouble() or f"{what} within {limit_s:g} s"
        except errors.HealerError as error:
            return works.trouble() or error.message
        self._position = works.position()
        return works.trouble()


async def _until(loop: Loop, holds: Callable[[], bool]) -> None:
    while not holds():
        loop.wake()
        await asyncio.sleep(LOOK_S)
