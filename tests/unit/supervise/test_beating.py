"""A beat is sent while the work goes on, and only then; each way of standing still is seen."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from healer import errors, plugins
from healer.project import settings
from healer.supervise import beating

US = 1_000_000


class Worker:
    """A loop that turns when it is woken, until it hangs."""

    def __init__(self) -> None:
        self.count = 0
        self.hangs = False
        self.on_turn: Callable[[int], Any] = lambda _: None

    def turns(self) -> int:
        return self.count

    def wake(self) -> None:
        self.count += not self.hangs
        self.on_turn(self.count)


class Kit:
    """Works whose parts a test stops, and somebody who hears beats on a real socket."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.trouble = ""
        self.commits = 0
        self.commit_fails: Callable[[], Any] | None = None
        self.decider, self.dispatcher = Worker(), Worker()
        self.position, self.backlog = 7, 0
        self.said: list[str] = []
        self.now_us = 100 * US
        self.wanted: settings.Heartbeat | None = self.heartbeat()
        self.heart = beating.Heart(
            beating.Works(
                lambda: self.trouble, self.commit, beating.Loop(self.decider.turns, self.decider.wake),
                beating.Loop(self.dispatcher.turns, self.dispatcher.wake), lambda: self.position, lambda: self.backlog,
            ),
            lambda: self.wanted, self.address, lambda: self.now_us, lambda level, text: self.said.append(f"{level} {text}"),
        )  # fmt: skip
        self.heard: list[tuple[str, str]] = []
        self.answer = web.Response

    def heartbeat(self, **more: Any) -> settings.Heartbeat:
        return settings.Heartbeat.model_validate({"url": self.url, "timeout": "30s", **more})

    async def commit(self) -> None:
        self.commits += 1
        if self.commit_fails is not None:
            await self.commit_fails()

    def address(self, reference: plugins.SecretRef) -> str:
        if reference.secret == "env:GONE":
            raise errors.SecretUnavailable(reference=reference.secret, reason="it is not set")
        return f"{self.url}?secret=s3cret\n"

    async def beat(self) -> str:
        assert self.wanted is not None
        await self.heart.beat(self.wanted)
        return self.heart.beats.why

    async def misses(self) -> str:
        """A beat that stands still, which is not waited for."""
        self.wanted = self.heartbeat(timeout="0.5s")
        why = await self.beat()
        self.wanted = self.heartbeat()
        return why

    async def hear(self, request: web.Request) -> web.Response:
        self.heard.append((request.method, request.path_qs))
        return self.answer()


@pytest_asyncio.fixture
async def kit() -> AsyncIterator[Kit]:
    made: list[Kit] = []

    async def hear(request: web.Request) -> web.Response:
        return await made[0].hear(request)

    app = web.Application()
    app.router.add_route("*", "/beat", hear)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.append(Kit(f"http://127.0.0.1:{runner.addresses[0][1]}/beat"))
    yield made[0]
    await runner.cleanup()


async def test_a_beat_comes_behind_a_commit_and_a_turn_of_each_loop(kit: Kit) -> None:
    assert await kit.beat() == ""
    assert (kit.heard, kit.commits, kit.decider.count, kit.dispatcher.count) == ([("GET", "/beat")], 1, 1, 1)
    assert kit.heart.beats == beating.Beats(kit.now_us, "")
    assert kit.said == []


async def test_it_may_be_posted(kit: Kit) -> None:
    kit.wanted = kit.heartbeat(method="POST")
    await kit.beat()
    assert kit.heard == [("POST", "/beat")]


async def forever() -> None:
    await asyncio.Event().wait()


async def full() -> None:
    raise errors.StoreFull


async def failed() -> None:
    raise errors.StoreError(reason="x")


STALLS: list[tuple[Callable[[Kit], Any], str]] = [
    (lambda kit: setattr(kit, "trouble", "the disk is full"), "the disk is full"),
    (lambda kit: setattr(kit, "commit_fails", forever), "no commit has gone through within 0.5 s"),
    (lambda kit: setattr(kit, "commit_fails", full), errors.StoreFull().message),
    (lambda kit: setattr(kit, "commit_fails", failed), errors.StoreError(reason="x").message),
    (lambda kit: setattr(kit.dispatcher, "hangs", True), "the dispatcher's loop has not turned within 0.5 s"),
    (lambda kit: setattr(kit.decider, "hangs", True), "the decider's loop has not turned within 0.5 s"),
]


@pytest.mark.parametrize(("stall", "why"), STALLS)
async def test_what_stands_still_does_not_beat(kit: Kit, stall: Callable[[Kit], Any], why: str) -> None:
    stall(kit)
    for _ in range(2):
        assert await kit.misses() == f"none is sent: {why}"
    assert kit.heard == []
    assert kit.said == [f"WARNING heartbeat: none is sent: {why}"]
    kit.trouble, kit.commit_fails, kit.decider.hangs, kit.dispatcher.hangs = "", None, False, False
    assert await kit.beat() == ""
    assert (len(kit.heard), kit.said[1:]) == (1, ["INFO heartbeat: sent again"])


async def test_rows_that_wait_have_to_move(kit: Kit) -> None:
    await kit.beat()
    kit.backlog = 3
    assert await kit.misses() == "none is sent: 3 events wait, and the decider has not moved within 0.5 s"
    kit.position = 8  # many wait still, and it goes on
    assert await kit.beat() == ""
    assert await kit.misses() == "none is sent: 3 events wait, and the decider has not moved within 0.5 s"
    kit.backlog = 0
    assert await kit.beat() == ""
    assert len(kit.heard) == 3


async def test_rows_that_move_while_it_waits_are_enough(kit: Kit) -> None:
    await kit.beat()
    kit.backlog, before = 3, kit.decider.count
    kit.decider.on_turn = lambda count: setattr(kit, "position", 7 + (count > before + 2))
    assert await kit.beat() == ""
    assert (kit.position, len(kit.heard)) == (8, 2)


async def test_trouble_that_comes_meanwhile_is_told_as_what_it_is(kit: Kit) -> None:
    async def breaks() -> None:
        kit.trouble = "the store or a worker has failed"
        await forever()

    kit.commit_fails = breaks
    assert await kit.misses() == "none is sent: the store or a worker has failed"

    async def stops() -> None:
        kit.trouble = "the daemon is stopping"

    kit.trouble, kit.commit_fails = "", stops
    assert await kit.beat() == "none is sent: the daemon is stopping"


@pytest.mark.parametrize(
    ("status", "why"),
    [(500, "it answers 500"), (302, "it answers 302, a redirect, which is not followed"), (404, "it answers 404")],
)
async def test_a_beat_that_nobody_takes_is_told_once(kit: Kit, status: int, why: str) -> None:
    await kit.beat()
    kit.now_us += US
    kit.answer = lambda: web.Response(status=status, headers={"Location": "/elsewhere"})  # type: ignore[assignment]
    for _ in range(2):
        assert await kit.beat() == f"it does not arrive: {why}"
    assert kit.said == [f"WARNING heartbeat: it does not arrive: {why}"]
    assert kit.heart.beats.last_us == 100 * US
    assert [path for _, path in kit.heard] == ["/beat"] * 3


async def test_nobody_is_there(kit: Kit) -> None:
    kit.wanted = kit.heartbeat(url="http://127.0.0.1:1/s3cret")
    assert "Connect call failed" in await kit.beat()
    assert "s3cret" not in "".join(kit.said)


async def test_an_answer_that_does_not_come_is_not_waited_for(kit: Kit) -> None:
    async def hangs(_request: Any) -> web.Response:
        await forever()
        return web.Response()

    kit.hear = hangs  # type: ignore[method-assign]
    assert await kit.misses() == "it does not arrive: no answer within 0.5 s"


async def test_the_address_may_be_a_secret(kit: Kit, tmp_path: pathlib.Path) -> None:
    kit.wanted = kit.heartbeat(url={"secret": "env:BEAT"})
    assert await kit.beat() == ""
    assert kit.heard == [("GET", "/beat?secret=s3cret")]
    kit.wanted = kit.heartbeat(url={"secret": "env:GONE"})
    assert "env:GONE" in await kit.beat()


@pytest.mark.parametrize("given", [{}, {"url": "x"}, {"url": "http://u@h"}, {"url": "ftp://h/"}, {"url": "http://h", "every": "0.5s"},
                                   {"url": "http://h", "method": "PUT"}, {"url": {"secret": "plain"}}])  # fmt: skip
def test_what_it_cannot_be(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Heartbeat"):
        settings.Heartbeat.model_validate(given)


@pytest.mark.looptime
async def test_so_often_and_from_a_reload_on() -> None:
    kit = Kit("http://unused")
    sent: list[float] = []
    loop = asyncio.get_running_loop()

    async def send(_wanted: Any) -> str:
        sent.append(loop.time())
        return ""

    kit.heart._send = send  # type: ignore[method-assign]
    kit.wanted = None
    task = asyncio.create_task(kit.heart.run())
    await asyncio.sleep(12)
    assert (sent, kit.commits) == ([], 0)
    kit.wanted = dataclasses.replace(Fixed(), every=60.0)
    await asyncio.sleep(180)
    assert sent == pytest.approx([15, 75, 135], abs=1)
    kit.wanted = None
    await asyncio.sleep(180)
    assert len(sent) == 3
    task.cancel()


@dataclasses.dataclass
class Fixed:
    """A heartbeat."""

    url: str = "http://unused"
    every: float = 60.0
    method: str = "GET"
    timeout: float = 10.0
