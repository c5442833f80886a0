"""The loop of a test: time moves by itself, in order, exactly, and never without an end."""

from __future__ import annotations

import asyncio
import time

import pytest

from healer.harness import virtual


def run(work, start_us: int = 0):
    clock = virtual.Clock(start_us)
    loop = virtual.Loop(clock)
    try:
        return clock, loop.run_until_complete(work(loop, clock))
    finally:
        loop.bury()


def test_a_year_passes_at_once():
    async def work(loop, clock):
        await loop.still(366 * 86_400 * virtual.US)
        return clock()

    began = time.monotonic()
    assert run(work, 5)[1] == 5 + 366 * 86_400 * virtual.US
    assert time.monotonic() - began < 1


def test_what_is_due_at_a_moment_comes_before_the_moment_is_still():
    async def work(loop, clock):
        said = []

        async def wait(seconds):
            due = loop.create_future()
            loop.call_later(seconds, due.set_result, None)
            await due
            said.append((seconds, clock.now_us))

        tasks = [asyncio.ensure_future(wait(seconds)) for seconds in (3, 1, 2, 2.000001)]
        await loop.still(2 * virtual.US)
        early = list(said)
        await loop.still(10 * virtual.US)
        await asyncio.gather(*tasks)
        return early, said

    early, said = run(work)[1]
    assert early == [(1, 1_000_000), (2, 2_000_000)]
    assert said == [(1, 1_000_000), (2, 2_000_000), (2.000001, 2_000_001), (3, 3_000_000)]


def test_threads_are_none():
    async def work(loop, clock):
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 / 0)
        return await asyncio.to_thread(lambda: 7)

    assert run(work)[1] == 7


def test_who_waits_for_nothing_is_told():
    async def work(loop, clock):
        await loop.create_future()

    with pytest.raises(virtual.Unsettled, match="nothing will ever happen"):
        run(work)


def test_going_round_and_round_at_one_moment_ends(monkeypatch):
    monkeypatch.setattr(virtual, "ROUNDS_AT_ONCE_MAX", 50)

    async def work(loop, clock):
        while True:
            await asyncio.sleep(0)

    with pytest.raises(virtual.Unsettled, match="again and again"):
        run(work)


def test_too_much_in_all_ends(monkeypatch):
    monkeypatch.setattr(virtual, "ROUNDS_MAX", 50)

    async def work(loop, clock):
        while True:
            await loop.still(clock.now_us + 1)

    with pytest.raises(virtual.Unsettled, match="too much happens"):
        run(work)


def test_nothing_of_a_loop_that_is_over_goes_on():
    ended = []

    async def work(loop, clock):
        async def forever():
            try:
                await loop.create_future()
            finally:
                ended.append(1)

        loop.kept = asyncio.ensure_future(forever())
        await loop.still(1)

    run(work)
    assert ended == [1]
