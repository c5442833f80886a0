"""Words that a redundant pair of senders says twice."""

from __future__ import annotations

import asyncio

import pytest

from healer.intake import pairs

S = 1_000_000


class Clock:
    now_us = 1000 * S

    def __call__(self) -> int:
        return self.now_us


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def words(clock: Clock) -> pairs.Words:
    return pairs.Words(clock)


async def test_a_word_counts_for_a_minute_for_its_own_source(words: pairs.Words, clock: Clock) -> None:
    words.begin("am", "w")
    words.end("am", "w", 7)
    clock.now_us += pairs.WINDOW_US - 1
    assert (words.find("am", "w"), words.find("other", "w"), words.find("am", "v")) == (7, None, None)
    clock.now_us += 1
    assert words.find("am", "w") is None


async def test_while_it_is_written_who_finds_it_waits(words: pairs.Words) -> None:
    words.begin("am", "w")
    writing = words.find("am", "w")
    assert isinstance(writing, asyncio.Future)
    words.end("am", "w", 3)
    assert await writing == 3


async def test_what_could_not_be_written_was_not_said(words: pairs.Words) -> None:
    words.begin("am", "w")
    writing = words.find("am", "w")
    words.end("am", "w", None)
    assert isinstance(writing, asyncio.Future)
    assert await writing is None
    assert words.find("am", "w") is None


async def test_a_start_recalls_what_was_said(words: pairs.Words, clock: Clock) -> None:
    at_us = clock.now_us - 59 * S
    words.recall([{"source": "am", "repeat": "w", "at_us": at_us, "seq": 5}])
    assert words.find("am", "w") == 5
    clock.now_us += 1 * S
    assert words.find("am", "w") is None
