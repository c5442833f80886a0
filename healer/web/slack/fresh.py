"""Answers that were asked for after somebody wanted them. Caller: `identity`.

Whoever wants to know something takes an answer that was asked for after they came, or joins the next question, never one that is under way:
its answer may be of before. So a hundred clicks at once are a few questions, which Slack would not let be asked a hundred times, and none
of them is decided by what was true a moment ago.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

KEPT_MAX: Final = 10_000

Found = TypeVar("Found")


class Fresh(Generic[Found]):
    """`ask` is asked by a key. Its failures are those of all who waited for that answer."""

    def __init__(self, ask: Callable[[str], Awaitable[Found]]) -> None:
        self._ask = ask
        self._next: dict[str, asyncio.Task[Found]] = {}
        self._under_way: dict[str, asyncio.Task[Found]] = {}
        self._kept: dict[str, tuple[float, Found]] = {}

    async def get(self, key: str, since_s: float) -> Found:
        """The answer, asked for not before that moment of the loop's time."""
        kept = self._kept.get(key)
        if kept is not None and kept[0] >= since_s:
            return kept[1]
        waiting = self._next.get(key)
        if waiting is None:
            waiting = self._next[key] = asyncio.create_task(self._in_turn(key, self._under_way.get(key)))
            waiting.add_done_callback(_heard)
        return await asyncio.shield(waiting)

    async def _in_turn(self, key: str, before: asyncio.Task[Found] | None) -> Found:
        if before is not None:
            await asyncio.wait({before})
        mine = self._under_way[key] = self._next.pop(key)
        began = asyncio.get_running_loop().time()
        try:
            found = await self._ask(key)
        finally:
            if self._under_way.get(key) is mine:
                del self._under_way[key]
        self._kept.pop(key, None)
        self._kept[key] = began, found
        if len(self._kept) > KEPT_MAX:
            del self._kept[next(iter(self._kept))]
        return found

    async def close(self) -> None:
        """Nothing is asked any more."""
        tasks = [*self._next.values(), *self._under_way.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _heard(task: asyncio.Task[Found]) -> None:
    """Its failure is that of who waits; where nobody does any more, it is none."""
    if not task.cancelled():
        task.exception()
