"""Time and loop of a test: nothing waits, no clock of the machine is read, and what is due comes in its order.

The loop is asyncio's own; its selector does not block but moves the time to whatever comes next. Caller: `rig`, which is told once all
that comes by a moment has come and is still. Where that never is, `errors` of the test say so instead of going on without an end.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
from collections.abc import Callable
from typing import Any, Final

US: Final = 1_000_000
ROUNDS_AT_ONCE_MAX: Final = 20_000
"""Of the loop while no time passes: an event takes about ten."""
ROUNDS_MAX: Final = 2_000_000
"""Of a whole test."""


class Unsettled(Exception):
    """it goes on and on"""


class Clock:
    """Journal time in microseconds, and the wall clock, which is never apart from it."""

    def __init__(self, start_us: int) -> None:
        self.start_us = start_us
        self.now_us = 0
        """Since the test began."""

    def __call__(self) -> int:
        return self.start_us + self.now_us

    @staticmethod
    def ahead_us() -> int:
        """As `daemon.clock.JournalClock.ahead_us`."""
        return 0


class Selector(selectors.BaseSelector):
    """Knows files by name only; waiting is moving time: `idle` is told how long the loop would wait (None: for ever)."""

    def __init__(self, idle: Callable[[float | None], None]) -> None:
        self._idle = idle
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """The loop's own pipe, which nobody writes to."""
        key = selectors.SelectorKey(fileobj, fileobj.fileno() if hasattr(fileobj, "fileno") else fileobj, events, data)
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Forget it."""
        return self._keys.pop(fileobj)

    def get_map(self) -> Any:
        """What is registered."""
        return self._keys

    def select(self, timeout: float | None = None) -> list[Any]:
        """Nothing is ever read; where the loop would wait time moves on."""
        if timeout is None or timeout > 0:
            self._idle(timeout)
        return []


class Loop(asyncio.SelectorEventLoop):
    """The loop of one test."""

    def __init__(self, clock: Clock) -> None:
        self._moments = clock
        self._until: tuple[int, asyncio.Future[None]] | None = None
        self._rounds = self._rounds_at_once = 0
        self._seen_us = -1
        self._made: list[asyncio.Task[Any]] = []
        super().__init__(Selector(self._idle))
        self._clock_resolution = 0.5e-6

    def time(self) -> float:
        """Seconds since the test began."""
        return self._moments.now_us / US

    def still(self, at_us: int) -> asyncio.Future[None]:
        """Done at that moment of the test, once all that comes by then has come and nothing more is to be done."""
        future = self.create_future()
        self._until = (at_us, future)
        self._rounds_at_once = 0
        return future

    def create_task(self, coro: Any, **named: Any) -> Any:
        """As asyncio's; who is left at the end is known without looking through the tasks of all loops that there were."""
        made = super().create_task(coro, **named)
        self._made.append(made)
        return made

    def run_in_executor(self, executor: Any, func: Any, *arguments: Any) -> Any:  # type: ignore[override]
        """At once: there are no threads."""
        future = self.create_future()
        try:
            future.set_result(func(*arguments))
        except Exception as error:  # noqa: BLE001 - it is the submitter's
            future.set_exception(error)
        return future

    def _idle(self, timeout: float | None) -> None:
        now_us = self._moments.now_us
        timer_us = None if timeout is None else now_us + max(1, round(timeout * US))
        if self._until is not None and (timer_us is None or self._until[0] < timer_us):
            at_us, future = self._until
            self._until = None
            self._moments.now_us = max(now_us, at_us)
            if not future.done():
                future.set_result(None)
        elif timer_us is None:
            raise Unsettled("nothing will ever happen any more")
        else:
            self._moments.now_us = timer_us

    def _run_once(self) -> None:
        self._rounds += 1
        self._rounds_at_once += 1
        if self._moments.now_us != self._seen_us:
            self._seen_us, self._rounds_at_once = self._moments.now_us, 0
        elif self._rounds_at_once > ROUNDS_AT_ONCE_MAX:
            raise Unsettled("something sets itself going again and again while no time passes")
        if self._rounds > ROUNDS_MAX:
            raise Unsettled("too much happens")
        super()._run_once()  # type: ignore[misc]

    def bury(self) -> None:
        """End all that waits, without letting any of it go on."""
        for task in self._made:
            if task.done():
                continue
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            coroutine: Any = task.get_coro()
            with contextlib.suppress(BaseException):
                coroutine.close()
        self._ready.clear()  # type: ignore[attr-defined]
        self._scheduled.clear()  # type: ignore[attr-defined]
        self.call_soon = _nothing  # type: ignore[method-assign,assignment]
        self.close()


def _nothing(*_: Any, **__: Any) -> None:
    """What a loop does that is over."""
