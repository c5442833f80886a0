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


class _Waiting(Generic[T]):
    """An item, and who waits for it. `why`: what went wrong, until that is told: what was raised knows the frames that know this, and an
    error that is known from here would keep its request until garbage is collected."""

    __slots__ = ("done", "item", "size", "why")

    def __init__(self, item: T, size: int, done: asyncio.Future[None]) -> None:
        self.item = item
        self.size = size
        self.done = done
        self.why: Exception | None = None

    def tell(self, why: Exception | None) -> None:
        """Nothing more is done with it here."""
        if not self.done.done():  # else its request was given up meanwhile
            self.why = why
            self.done.set_result(None)

    def goes_on(self, stage: Stage[T]) -> bool:
        """Do one stage. What that raises is of this item alone."""
        try:
            if stage(self.item):
                return True
        except Exception as error:
            self.tell(error)
        except asyncio.CancelledError:
            self.tell(RuntimeError("a stage was cancelled"))
        else:
            self.tell(None)
        return False


class Together(Generic[T]):
    """`stages` in their order, then `ending`."""

    def __init__(self, stages: Sequence[Stage[T]], ending: Ending[T]) -> None:
        self._stages = stages
        self._ending = ending
        self._waiting: list[_Waiting[T]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def through(self, item: T, size: int) -> None:
        """Return when nothing more is done with it here. Raises what a stage or the ending raised for it. `size`: about how many bytes
        the work on it is."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._work)
        one = _Waiting(item, size, loop.create_future())
        self._waiting.append(one)
        await one.done
        why, one.why = one.why, None
        if why is not None:
            try:
                raise why
            finally:
                del why

    def _work(self) -> None:
        there = [one for one in self._taken() if not one.done.done()]
        for stage in self._stages:
            there = [one for one in there if one.goes_on(stage)]
        if there:
            task = asyncio.get_running_loop().create_task(self._end(there))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _taken(self) -> list[_Waiting[T]]:
        count = size = 0
        for one in self._waiting[:AT_ONCE]:
            size += one.size
            if count and size > BYTES_AT_ONCE:
                break
            count += 1
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._work)
        return taken

    async def _end(self, there: list[_Waiting[T]]) -> None:
        try:
            told = await self._ending([one.item for one in there])
            if len(told) != len(there):
                raise RuntimeError(f"{len(told)} ends of {len(there)} items")
            for one, why in zip(there, told, strict=True):
                one.tell(why)
        except Exception as error:  # a mistake of ours
            for one in there:
                one.tell(error)
        finally:
            for one in there:
                one.done.cancel()  # of one that was told it does nothing
