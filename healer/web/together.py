"""What comes within one turn of the loop goes on together, stage by stage: each stage for all of it before the next one for any.

Used by `hooks`. Between two stages of the same delivery the processor's caches lose the code of every other one; a stage that is done for
many at once runs two to four times as fast. Nobody waits for company: what is there is all that came since the loop looked last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

T = TypeVar("T")

AT_ONCE: Final = 64
BYTES_AT_ONCE: Final = 256 << 10
"""So much goes on together; the rest after the loop has looked at what else there is."""

Stage = Callable[[T], bool]
"""Does a piece of the work on an item; False: what is left of it is done elsewhere."""
Ending = Callable[[list[T]], Awaitable[Sequence[Exception | None]]]
"""Does what is left for all items that went through every stage; for each what went wrong."""


class Together(Generic[T]):
    """`stages` in their order, then `ending`."""

    def __init__(self, stages: Sequence[Stage[T]], ending: Ending[T]) -> None:
        self._stages = stages
        self._ending = ending
        self._waiting: list[tuple[T, int, asyncio.Future[None]]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def through(self, item: T, size: int) -> None:
        """Return when nothing more is done with it here. Raises what a stage or the ending raised for it. `size`: about how many bytes
        the work on it is."""
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._work)
        self._waiting.append((item, size, done))
        await done

    def _work(self) -> None:
        there = [(item, done) for item, _, done in self._taken() if not done.done()]
        for stage in self._stages:
            there = [one for one in there if _goes_on(stage, *one)]
        if there:
            task = asyncio.get_running_loop().create_task(self._end(there))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _taken(self) -> list[tuple[T, int, asyncio.Future[None]]]:
        count = size = 0
        for _, each, _ in self._waiting[:AT_ONCE]:
            size += each
            if count and size > BYTES_AT_ONCE:
                break
            count += 1
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._work)
        return taken

    async def _end(self, there: list[tuple[T, asyncio.Future[None]]]) -> None:
        try:
            told = await self._ending([item for item, _ in there])
        except Exception as error:  # a mistake of ours: each waiter is told
            told = [error] * len(there)
        for (_, done), why in zip(there, told, strict=True):
            _tell(done, why)


def _goes_on(stage: Stage[T], item: T, done: asyncio.Future[None]) -> bool:
    try:
        if stage(item):
            return True
    except Exception as error:  # its own: the others go on
        _tell(done, error)
    else:
        _tell(done, None)
    return False


def _tell(done: asyncio.Future[None], error: Exception | None) -> None:
    if done.done():  # its request was given up meanwhile
        return
    if error is None:
        done.set_result(None)
    elif isinstance(error, StopIteration):  # which no future can hold
        done.set_exception(RuntimeError(f"StopIteration: {error}"))
    else:
        done.set_exception(error)
