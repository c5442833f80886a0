"""Counting what came: one line a second at most, whatever comes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from loguru import logger

from healer import telemetry
from healer.web import tally


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What is logged."""
    kept: list[str] = []
    sink = logger.add(
        lambda message: kept.append(f"{message.record['level'].name} {message.record['message']}"), level="INFO"
    )
    yield kept
    logger.remove(sink)


async def test_many_requests_are_one_line(lines: list[str]) -> None:
    counted = tally.Tally()
    before = telemetry.read().get("events_accepted", 0)
    for _ in range(1000):
        counted.took("am", 2, 1)
    counted.took("api", 1, 0)
    assert lines == []
    counted.write()
    assert lines == [
        "INFO 2000 events accepted from am, 1000 duplicates",
        "INFO 1 events accepted from api, 0 duplicates",
    ]
    assert telemetry.read()["events_accepted"] - before == 2001
    counted.write()
    assert len(lines) == 2


async def test_the_first_refusal_is_told_at_once_and_the_rest_counted(lines: list[str]) -> None:
    counted = tally.Tally()
    for _ in range(100):
        counted.refused("am", "not-json", "line 1")
    counted.refused("am", "too-large", "2 MiB")
    assert lines == ["WARNING refused from am: line 1", "WARNING refused from am: 2 MiB"]
    counted.write()
    assert lines[2:] == ["WARNING refused 100 requests from am: not-json"]


async def test_a_line_is_one_line_whatever_was_sent(lines: list[str]) -> None:
    counted = tally.Tally()
    counted.refused("am", "not-json", "{oops} {0} \x1b]8;;" + "x" * 10_000)
    counted.write()
    assert len(lines) == 1
    assert len(lines[0]) < 400
    assert "\x1b" not in lines[0]


async def test_kinds_of_refusals_are_bounded(monkeypatch: pytest.MonkeyPatch, lines: list[str]) -> None:
    monkeypatch.setattr(tally, "KEYS_MAX", 3)
    counted = tally.Tally()
    for number in range(10):
        counted.refused(f"source {number}", "x", "")
    assert len(lines) == 3
    counted.write()


async def test_it_writes_each_second_and_at_the_end(lines: list[str], wait_for_async: Any) -> None:
    counted = tally.Tally()
    running = asyncio.ensure_future(counted.run(0.001))
    counted.took("am", 1, 0)
    await wait_for_async(lambda: lines)
    counted.took("am", 2, 0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert lines == ["INFO 1 events accepted from am, 0 duplicates", "INFO 2 events accepted from am, 0 duplicates"]


def test_what_a_sender_wrote_stays_on_one_line() -> None:
    assert tally.one_line("ä\n\x1b]8;;\u202e\x00") == "ä\\x0a\\x1b]8;;\\x202e\\x00"
    assert len(tally.one_line("\0" * 10_000)) == 4 * tally.DETAIL_MAX
