"""What comes within one turn of the loop goes on together, stage by stage."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Sequence
from typing import Any

import pytest

from healer.web import together


class Line:
    """Two stages and an ending that say what they do; `leaves` and `fails` name (stage, item)."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.leaves: set[tuple[str, str]] = set()
        self.fails: dict[tuple[str, str], Exception] = {}
        self.ends: Any = None
        self.together = together.Together((self.first, self.second), self.end)

    def first(self, item: str) -> bool:
        return self._stage("1", item)

    def second(self, item: str) -> bool:
        return self._stage("2", item)

    def _stage(self, name: str, item: str) -> bool:
        self.said.append(name + item)
        if (name, item) in self.fails:
            raise self.fails[name, item]
        return (name, item) not in self.leaves

    async def end(self, items: list[str]) -> Sequence[Exception | None]:
        self.said.append(items)
        if self.ends is not None:
            return await self.ends(items)  # type: ignore[no-any-return]
        return [None] * len(items)

    async def all(self, items: str, size: int = 1) -> list[Any]:
        async with asyncio.timeout(30):
            return await asyncio.gather(*(self.together.through(item, size) for item in items), return_exceptions=True)


@pytest.fixture
def line() -> Line:
    return Line()


async def test_each_stage_is_done_for_all_before_the_next_for_any(line: Line) -> None:
    assert await line.all("abc") == [None] * 3
    assert line.said == ["1a", "1b", "1c", "2a", "2b", "2c", ["a", "b", "c"]]


async def test_one_alone_waits_for_nobody(line: Line) -> None:
    await line.together.through("a", 1)
    await line.together.through("b", 1)
    assert line.said == ["1a", "2a", ["a"], "1b", "2b", ["b"]]


async def test_what_leaves_is_done_here(line: Line) -> None:
    line.leaves = {("1", "a"), ("2", "b")}
    assert await line.all("abc") == [None] * 3
    assert line.said == ["1a", "1b", "1c", "2b", "2c", ["c"]]


async def test_where_all_leave_nothing_is_ended(line: Line) -> None:
    line.leaves = {("1", "a"), ("1", "b")}
    await line.all("ab")
    assert line.said == ["1a", "1b"]


async def test_what_a_stage_raises_is_of_its_item_alone(line: Line) -> None:
    line.fails = {("1", "a"): ValueError("x"), ("2", "c"): KeyError("y")}
    a, b, c = await line.all("abc")
    assert (repr(a), b, repr(c)) == ("ValueError('x')", None, "KeyError('y')")
    assert line.said[-1] == ["b"]


async def test_a_stage_that_raises_what_no_future_holds(line: Line) -> None:
    line.fails = {("1", "a"): StopIteration("x")}
    [a, b] = await line.all("ab")
    assert (type(a), str(a), b) == (RuntimeError, "coroutine raised StopIteration", None)


async def test_what_the_ending_says_is_told_to_each(line: Line) -> None:
    async def ends(_items: list[str]) -> list[Exception | None]:
        return [None, ValueError("x"), None]

    line.ends = ends
    a, b, c = await line.all("abc")
    assert (a, repr(b), c) == (None, "ValueError('x')", None)


async def test_an_ending_is_held_until_it_is_done(line: Line) -> None:
    held = []

    async def ends(items: list[str]) -> list[Exception | None]:
        held.append(asyncio.current_task() in line.together._tasks)  # the loop itself keeps tasks weakly
        return [None] * len(items)

    line.ends = ends
    await line.all("a")
    await asyncio.sleep(0)
    assert (held, line.together._tasks) == ([True], set())


async def test_where_the_ending_fails_all_hear_of_it(line: Line) -> None:
    async def ends(_items: list[str]) -> list[Exception | None]:
        raise ValueError("x")

    line.ends = ends
    assert [repr(one) for one in await line.all("ab")] == ["ValueError('x')"] * 2


async def test_who_comes_while_others_end_does_not_wait_for_them(line: Line) -> None:
    go = asyncio.Event()

    async def ends(items: list[str]) -> list[Exception | None]:
        if items == ["a"]:
            await go.wait()
        return [None] * len(items)

    line.ends = ends
    slow = asyncio.create_task(line.together.through("a", 1))
    while ["a"] not in line.said:
        await asyncio.sleep(0)
    await line.together.through("b", 1)
    assert not slow.done()
    go.set()
    await slow


async def test_what_nobody_waits_for_is_not_worked_on(line: Line) -> None:
    tasks = [asyncio.create_task(line.together.through(item, 1)) for item in "abc"]
    asyncio.get_running_loop().call_soon(tasks[1].cancel)  # behind their first steps, before what those ask for
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in ends] == [type(None), asyncio.CancelledError, type(None)]
    assert line.said == ["1a", "1c", "2a", "2c", ["a", "c"]]


async def test_who_gives_up_later_keeps_no_other_from_hearing(line: Line) -> None:
    go = asyncio.Event()

    async def ends(items: list[str]) -> list[Exception | None]:
        await go.wait()
        return [None] * len(items)

    line.ends = ends
    tasks = [asyncio.create_task(line.together.through(item, 1)) for item in "abc"]
    while ["a", "b", "c"] not in line.said:
        await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.sleep(0)
    go.set()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in ended] == [asyncio.CancelledError, type(None), type(None)]


@pytest.mark.parametrize("error", [asyncio.CancelledError(), StopAsyncIteration("x"), KeyError("y")])
async def test_whatever_a_stage_raises_keeps_nobody_waiting(line: Line, error: Exception) -> None:
    line.fails = {("1", "a"): error}
    a, b = await line.all("ab")
    assert isinstance(a, Exception)
    assert b is None


async def test_an_ending_that_is_cancelled_cancels_who_waits(line: Line) -> None:
    async def ends(_items: list[str]) -> list[Exception | None]:
        raise asyncio.CancelledError

    line.ends = ends
    assert [type(one) for one in await line.all("ab")] == [asyncio.CancelledError] * 2


async def test_an_ending_that_tells_too_little_is_a_mistake_that_all_hear_of(line: Line) -> None:
    async def ends(_items: list[str]) -> list[Exception | None]:
        return [None]

    line.ends = ends
    assert [str(one) for one in await line.all("abc")] == ["1 ends of 3 items"] * 3


async def test_what_was_refused_is_let_go_at_once(line: Line) -> None:
    class Item(str):
        __slots__ = ("__weakref__",)

    items = [Item("a"), Item("b"), Item("c")]
    line.fails = {("1", "a"): ValueError("x"), ("2", "b"): ValueError("y")}

    async def ends(_items: list[str]) -> list[Exception | None]:
        return [ValueError("z")]

    line.ends = ends
    there = [weakref.ref(item) for item in items]
    gc.disable()
    try:
        for item in items:
            with pytest.raises(ValueError, match=r"x|y|z"):
                await line.together.through(item, 1)
        del item
        items.clear()
        line.said.clear()
        line.fails.clear()
        assert [one() for one in there] == [None] * 3
    finally:
        gc.enable()


async def test_between_two_helpings_the_loop_looks_at_what_else_there_is(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "AT_ONCE", 1)
    loop = asyncio.get_running_loop()

    def other(left: int) -> None:
        line.said.append("other")
        if left:
            loop.call_soon(other, left - 1)

    loop.call_soon(other, 8)
    await line.all("abc")
    worked = [one for one in line.said if one in ("1a", "1b", "1c", "other")]
    assert worked.index("1a") + 1 < worked.index("1b")
    assert worked.index("1b") + 1 < worked.index("1c")


async def test_not_more_than_so_many_at_once(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "AT_ONCE", 2)
    await line.all("abcde")
    assert [one for one in line.said if isinstance(one, list)] == [["a", "b"], ["c", "d"], ["e"]]


async def test_not_more_than_so_many_bytes_at_once_but_one(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "BYTES_AT_ONCE", 10)
    sizes = {"a": 4, "b": 6, "c": 11, "d": 1, "e": 1}
    await asyncio.gather(*(line.together.through(item, size) for item, size in sizes.items()))
    assert [one for one in line.said if isinstance(one, list)] == [["a", "b"], ["c"], ["d", "e"]]
