"""Time, loop and database of a simulation: nothing waits, nothing is read from the machine, and each step can be the last one.

The loop is asyncio's own; its selector does not block but moves the world's time to whatever comes next, be it a timer of the daemon or
something of the world outside of it. A crash is an exception that no code of the daemon can catch, at a step of the loop or at a
statement of a transaction.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import heapq
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from healer.harness import virtual as harness

US: Final = 1_000_000
START_US: Final = 1_781_000_000 * US
STEPS_AT_ONCE_MAX: Final = 200_000
_NEVER: Final = float("inf")


class Crashed(SystemExit):
    """The process is gone at this point, as with kill -9."""


class Stuck(AssertionError):
    """The daemon goes round and round while no time passes."""


class Clock:
    """The world's time, what is to happen in it, and the wall clock, which may be set to anything."""

    def __init__(self) -> None:
        self.now_us = 0
        self.wall_ahead_us = 0
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._number = 0

    def at(self, when_us: int, act: Callable[[], None]) -> None:
        """Something of the world happens then, whether a daemon lives or not."""
        self._number += 1
        heapq.heappush(self._agenda, (max(when_us, self.now_us), self._number, act))

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """As `at`."""
        self.at(self.now_us + round(seconds * US), act)

    @property
    def next_us(self) -> float:
        """When the world acts next."""
        return self._agenda[0][0] if self._agenda else _NEVER

    def turn(self, until_us: float) -> bool:
        """Move to the next thing of the world, if it comes by then, and do it; else just move. Whether something was done."""
        if self.next_us <= until_us:
            when_us, _, act = heapq.heappop(self._agenda)
            self.now_us = max(self.now_us, when_us)
            act()
            return True
        if until_us != _NEVER:
            self.now_us = max(self.now_us, round(until_us))
        return False

    # What modules of the daemon find in the place of `time`.

    def monotonic(self) -> float:
        return self.now_us / US

    def monotonic_ns(self) -> int:
        return self.now_us * 1000

    def time_ns(self) -> int:
        return (START_US + self.now_us + self.wall_ahead_us) * 1000

    def time(self) -> float:
        return self.time_ns() / 1e9


@contextlib.contextmanager
def no_real_time(clock: Clock) -> Iterator[None]:
    """No module of the daemon reads a clock of the machine."""
    found = [
        module
        for name, module in sys.modules.items()
        if name.startswith("healer.") and vars(module).get("time") is time
    ]
    for module in found:
        module.time = clock
    try:
        yield
    finally:
        for module in found:
            module.time = time


class _Steps(collections.deque[Any]):
    """What the loop is to do next. Each that is taken counts; the chosen one ends the daemon."""

    left = -1
    taken = 0
    clock_us = -1
    since = 0

    def popleft(self) -> Any:
        self.taken += 1
        self.left -= 1
        if self.left == 0:
            raise Crashed("step")
        return super().popleft()


class _Selector(harness.Selector):
    """Waiting is moving time, up to what the world does next."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(lambda _: None)
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[Any]:
        clock = self._clock
        if timeout is None:
            if clock.next_us == _NEVER:
                raise Stuck("nobody will ever do anything again")
            clock.turn(clock.next_us)
        elif timeout <= 0:
            if clock.next_us <= clock.now_us:
                clock.turn(clock.now_us)
        else:
            clock.turn(clock.now_us + max(1, round(timeout * US)))
        return []


class Loop(asyncio.SelectorEventLoop):
    """One life of a daemon. `crash_after`: so many steps, -1 for none."""

    def __init__(self, clock: Clock, crash_after: int = -1) -> None:
        self._world = clock
        super().__init__(_Selector(clock))
        self._ready: Any = _Steps()
        self._ready.left = crash_after
        self._clock_resolution = 0.5e-6
        self._seen_us, self._seen_steps = -1, 0
        self.errors: list[str] = []
        self.set_exception_handler(self._told)

    def time(self) -> float:
        return self._world.now_us / US

    @property
    def steps(self) -> int:
        """How many there were."""
        return int(self._ready.taken)

    def run_in_executor(self, executor: Any, func: Any, *arguments: Any) -> Any:
        """At once: there are no threads."""
        future = self.create_future()
        try:
            future.set_result(func(*arguments))
        except Exception as error:  # noqa: BLE001 - it is the submitter's
            future.set_exception(error)
        return future

    def _run_once(self) -> None:
        if self._world.now_us != self._seen_us:
            self._seen_us, self._seen_steps = self._world.now_us, self._ready.taken
        elif self._ready.taken - self._seen_steps > STEPS_AT_ONCE_MAX:
            raise Stuck(f"{STEPS_AT_ONCE_MAX} steps at one moment")
        super()._run_once()  # type: ignore[misc]

    def _told(self, _: Any, context: dict[str, Any]) -> None:
        self.errors.append(f"{context.get('message')}: {context.get('exception')!r}")

    def bury(self) -> None:
        """Everything in memory goes: no code of it runs on, no word of it is heard."""
        tasks = sorted(
            asyncio.all_tasks(self),
            key=lambda task: int(task.get_name().rpartition("-")[2]) if task.get_name().startswith("Task-") else 0,
        )
        self._ready.clear()
        self._scheduled.clear()  # type: ignore[attr-defined]
        self.call_soon = _nothing  # type: ignore[method-assign]
        for task in tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            coroutine: Any = task.get_coro()
            with contextlib.suppress(BaseException):
                coroutine.close()
        self._ready.clear()
        self.close()


def _nothing(*_: Any, **__: Any) -> None:
    """What a dead loop does."""


class Wire:
    """The connection to the database as a daemon has it: it ends with the daemon, and at a chosen statement so does the daemon."""

    def __init__(self, raw: sqlite3.Connection, crash_after: int = -1) -> None:
        self.raw = raw
        self.left = crash_after
        self.full_at = -1
        self.dead = False

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        if self.dead:
            raise Crashed("dead")
        self.left -= 1
        if self.left == 0:
            self.dead = True
            raise Crashed("statement")
        if self.full_at >= 0:
            self.full_at -= 1
            if self.full_at < 0 and self.raw.in_transaction and sql != "ROLLBACK":
                error = sqlite3.OperationalError("database or disk is full")
                error.sqlite_errorcode = sqlite3.SQLITE_FULL
                raise error
        return self.raw.execute(sql, parameters)

    @property
    def in_transaction(self) -> bool:
        return self.raw.in_transaction

    def close(self) -> None:
        self.dead = True

    def cut(self) -> None:
        """The process is gone: what was not committed never was."""
        self.dead = True
        if self.raw.in_transaction:
            self.raw.execute("ROLLBACK")
