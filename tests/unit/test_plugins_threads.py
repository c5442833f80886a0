"""Threads that may never come back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from healer import plugins
from healer.plugins import threads


@pytest.fixture
def hang() -> Any:
    """Work that hangs until the test is over."""
    go = threading.Event()
    yield lambda: go.wait(60)
    go.set()


async def test_what_it_gives_and_raises_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_under_way", {})  # some of another test may be just ending
    assert await plugins.apart("x", lambda: 7) == 7

    def fails() -> int:
        raise OSError(5, "bad disk")

    def late() -> int:
        raise TimeoutError("its own")

    with pytest.raises(OSError, match="bad disk"):
        await plugins.apart("x", fails)
    with pytest.raises(TimeoutError, match="its own"):
        await plugins.apart("x", late)
    assert not threads._under_way


async def test_one_that_hangs_is_given_up_and_not_begun_again(
    hang: Callable[[], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "LIMIT_S", 0.01)
    with pytest.raises(plugins.Blind, match="a look at /gone has not come back after"):
        await plugins.apart("/gone", hang)
    with pytest.raises(plugins.Blind, match=r"after 0\.01 s"):  # not long enough to be sure
        await plugins.apart("/gone", hang)
    monkeypatch.setattr(threads, "HANGS_S", -1.0)
    with pytest.raises(plugins.Blind, match="an earlier look at /gone has not come back"):
        await plugins.apart("/gone", lambda: True)
    monkeypatch.setattr(threads, "LIMIT_S", 60.0)
    assert await plugins.apart("/there", lambda: True)


@pytest.mark.parametrize("turns", range(6))
async def test_what_comes_as_the_time_is_over_is_given(monkeypatch: pytest.MonkeyPatch, turns: int) -> None:
    """Never an error without a word: its answer, or that there was none."""
    limit = asyncio.timeout(60)
    monkeypatch.setattr(asyncio, "timeout", lambda _: limit)
    go = threading.Event()
    asked = asyncio.ensure_future(plugins.apart("/slow", lambda: go.wait(60) and 7))
    await asyncio.sleep(0)
    ((number, _),) = [(key, one) for key, one in threads._under_way.items() if one[0] == "/slow"]
    go.set()
    while number in threads._under_way:  # the thread ends and wakes the loop meanwhile
        pass
    for _ in range(turns):
        await asyncio.sleep(0)
    if not asked.done():
        limit.reschedule(0)
    try:
        assert await asked == 7
    except plugins.Blind as error:
        assert "has not come back" in str(error)


async def test_so_many_at_once(hang: Callable[[], bool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_under_way", {})  # some of another test may be just ending
    monkeypatch.setattr(threads, "AT_ONCE_MAX", 3)
    waiting = [asyncio.ensure_future(plugins.apart(f"/gone{n}", hang)) for n in range(3)]
    await asyncio.wait(waiting, timeout=0, return_when=asyncio.FIRST_COMPLETED)
    with pytest.raises(plugins.Blind, match="looks are under way"):
        await plugins.apart("/there", lambda: True)
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_who_waits_may_be_cancelled_and_the_thread_ends_for_nobody(
    hang: Callable[[], bool], wait_for_async: Any
) -> None:
    go = threading.Event()
    task = asyncio.ensure_future(plugins.apart("slow", lambda: go.wait(60)))
    await wait_for_async(lambda: any(one == "slow" for one, _ in threads._under_way.values()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()
    await wait_for_async(lambda: not any(one == "slow" for one, _ in threads._under_way.values()))


async def test_many_that_hang_hold_nobody_else_up(hang: Callable[[], bool]) -> None:
    waiting = [asyncio.ensure_future(plugins.apart(f"/gone/{n}", hang)) for n in range(20)]
    assert await asyncio.to_thread(lambda: 7) == 7
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
