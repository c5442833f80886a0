"""The controller `http`: a request that is cancelled, kept back by a pause, or has no room on the disk."""

from __future__ import annotations

import asyncio
import errno
import json
import pathlib
from collections.abc import Awaitable, Callable
from typing import Any

import http_site  # conftest.py has put it where it is found
import pytest

from healer import model
from healer.controllers import _http_door, _http_record

WaitAsync = Callable[..., Awaitable[None]]


# --- ended before its end ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "state"), [("POST", "unknown"), ("PUT", "unknown"), ("GET", "absent")])
async def test_cancelled_while_it_waits_for_its_answer(
    http_one: Any, wait_for_async: WaitAsync, method: str, state: str
) -> None:
    http_one.server.usual = http_site.hang
    running = asyncio.create_task(http_one.run(method=method))
    await wait_for_async(lambda: http_one.server.hanging == 1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await wait_for_async(lambda: http_one.server.hanging == 0)  # the connection is closed
    assert (await http_one.found(method=method)).state == state


async def test_cancelled_before_it_is_sent(http_one: Any) -> None:
    asked = asyncio.Event()

    async def slow(_host: str, _port: int) -> list[str]:
        asked.set()
        await asyncio.Event().wait()
        return []

    http_one.controller.door.resolve = slow
    running = asyncio.create_task(http_one.run(method="POST"))
    await asked.wait()
    assert http_one.noted() == {"sent-0.json"}
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (http_one.noted(), (await http_one.found(method="POST")).state) == (set(), "absent")


async def test_cancelled_while_it_is_written_down(http_one: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that writes goes on: it must not leave behind that something was sent."""
    intend, begun, loop = _http_record.intend, asyncio.Event(), asyncio.get_running_loop()

    def slow(folder: pathlib.Path, number: int) -> None:
        loop.call_soon_threadsafe(begun.set)
        intend(folder, number)

    monkeypatch.setattr(_http_record, "intend", slow)
    running = asyncio.create_task(http_one.run(method="POST"))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (http_one.noted(), http_one.server.got) == (set(), [])


async def test_cancelled_between_targets(http_one: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    to = [f"{http_one.base}/v1/{one}" for one in "abc"]
    http_one.server.plan = [http_site.status(200), http_site.status(503, Retry_After="1")]
    again = asyncio.Event()

    async def pause(_seconds: float) -> None:
        again.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(_http_door, "pause", pause)
    running = asyncio.create_task(http_one.run(method="PUT", to=to, said={"retries": 1}))
    await again.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    found = await http_one.found(method="PUT", to=to)
    assert (found.state, len(http_one.server.got)) == ("ended", 2)
    assert [*found.outcome.per_target.values()] == ["succeeded", "failed", "cancelled"]


async def test_cancelled_between_two_tries_of_which_the_first_is_in_doubt(
    http_one: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    http_one.server.plan = [http_site.drop]
    again = asyncio.Event()

    async def pause(_seconds: float) -> None:
        again.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(_http_door, "pause", pause)
    running = asyncio.create_task(http_one.run(method="PUT", said={"retries": 1}))
    await again.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await http_one.found(method="PUT")).state == "unknown"


@pytest.mark.parametrize(("method", "never"), [("POST", False), ("GET", True)])
async def test_a_pause_after_it_was_sent(http_one: Any, wait_for_async: WaitAsync, method: str, never: bool) -> None:
    http_one.server.usual = http_site.hang
    running = asyncio.create_task(http_one.run(method=method))
    await wait_for_async(lambda: http_one.server.hanging == 1)
    assert await http_one.controller.withhold(http_one.job(method=method)) is never
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_pause_before_it_is_sent_keeps_it_from_that(http_one: Any) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow(_host: str, _port: int) -> list[str]:
        asked.set()
        await go.wait()
        return ["127.0.0.1"]

    http_one.controller.door.resolve = slow
    running = asyncio.create_task(http_one.run(method="POST"))
    await asked.wait()
    assert await http_one.controller.withhold(http_one.job(method="POST")) is True
    go.set()  # it goes on, and finds that it may not
    with pytest.raises(model.NotBegunError, match="a pause"):
        await running
    assert (http_one.server.got, (await http_one.found(method="POST")).state) == ([], "absent")


async def test_a_pause_of_what_is_not_under_way(http_one: Any) -> None:
    assert await http_one.controller.withhold(http_one.job(method="POST")) is True
    await http_one.run(method="POST")
    assert await http_one.controller.withhold(http_one.job(method="POST")) is False


# --- a full disk ------------------------------------------------------------------------------------------------------


def full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


async def test_without_room_nothing_is_sent(http_one: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http_record, "intend", full)
    with pytest.raises(OSError, match="No space"):
        await http_one.run(method="POST")
    assert (http_one.server.got, (await http_one.found(method="POST")).state) == ([], "absent")


async def test_without_room_the_rest_is_not_sent(http_one: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    intend = _http_record.intend
    monkeypatch.setattr(_http_record, "intend", lambda folder, number: full() if number else intend(folder, number))
    outcome = await http_one.run(method="POST", to=[f"{http_one.base}/v1/{one}" for one in "ab"])
    assert ([*outcome.per_target.values()], len(http_one.server.got)) == (["succeeded", "failed"], 1)


async def test_an_end_without_room_is_told_all_the_same(http_one: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http_record, "ended", full)
    assert (await http_one.run(method="POST")).state == "succeeded"
    assert b"its end could not be written down" in http_one.heard["stderr"]
    assert (await http_one.found(method="POST")).state == "unknown"


async def test_what_is_kept_is_json_of_one_user(http_one: Any) -> None:
    await http_one.run(method="POST")
    for path in (http_one.work / http_site.TOKEN).glob("*.json"):
        assert path.stat().st_mode & 0o777 == 0o600
        assert isinstance(json.loads(path.read_text()), dict)
