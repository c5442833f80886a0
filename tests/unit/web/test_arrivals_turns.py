"""Deliveries that certainly come in one turn of the loop, over real connections: what holds for each of them all the same."""

from __future__ import annotations

import asyncio
import select
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest

from healer import plugins, secrets
from healer.web import arrivals, together

AM_TOKEN = "a-token-of-alertmanager"


def request(
    body: bytes, path: str = "alertmanager", token: str | None = AM_TOKEN, *, chunked: bool = False, **headers: str
) -> bytes:
    lines = [f"POST /hooks/{path} HTTP/1.1", "Host: x", "Content-Type: application/json"]
    lines += [] if token is None else [f"Authorization: Bearer {token}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines += ["Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"]
    told = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    return "\r\n".join([*lines, "", ""]).encode() + told


def alert(name: str, **more: Any) -> bytes:
    one = {"status": "firing", "labels": {"alertname": name}, "fingerprint": name, **more}
    return orjson.dumps({"version": "4", "status": "firing", "alerts": [one]})


async def answer(reader: asyncio.StreamReader) -> tuple[int, Any]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    length = next(int(line.split(":")[1]) for line in head if line.lower().startswith("content-length"))
    return int(head[0].split()[1]), orjson.loads(await reader.readexactly(length))


def arrived(room: Any, count: int) -> None:
    """Hold the loop until the system has brought what was sent to so many connections of the daemon."""
    served = [one.transport.get_extra_info("socket") for one in room.listening._runner.server.connections]
    while len(select.select(served, [], [], 30)[0]) < count:
        pass


Send = Callable[..., Any]


@pytest.fixture
async def at_once(room: Any) -> AsyncIterator[Send]:
    """Sends requests, each over a connection that is there already, without a turn of the loop between them; their answers."""
    writers: list[asyncio.StreamWriter] = []

    async def send(*requests: bytes) -> list[tuple[int, Any]]:
        both = [await asyncio.open_connection("127.0.0.1", room.port) for _ in requests]
        writers.extend(writer for _, writer in both)
        for reader, writer in both:
            writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            await reader.readuntil(b"}")
        for (_, writer), each in zip(both, requests, strict=True):
            writer.write(each)
        arrived(room, len(requests))
        async with asyncio.timeout(30):
            return [await answer(reader) for reader, _ in both]

    yield send
    for writer in writers:
        writer.close()
        await writer.wait_closed()


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many were worked on together, turn by turn."""
    seen: list[int] = []
    taken = together.Together._taken

    def counted(self: Any) -> Any:
        found = taken(self)
        seen.append(len(found))
        return found

    monkeypatch.setattr(together.Together, "_taken", counted)
    return seen


async def test_what_comes_in_one_turn_is_one_unit_and_counted(room: Any, at_once: Send, turns: list[int]) -> None:
    heard: list[tuple[str, int]] = []
    room.services.heard = lambda *told: heard.append(told)
    answers = await at_once(*(request(alert(name)) for name in "abc"))
    assert [(status, made["accepted"]) for status, made in answers] == [(202, 1)] * 3
    assert turns == [3]
    assert len({row["at_us"] for row in await room.rows()}) == 1
    assert room.services.tally._taken == {"am": [3, 0]}
    assert heard == [("am", 1)] * 3


async def test_a_mistake_in_counting_is_of_its_own_delivery_alone(room: Any, at_once: Send) -> None:
    told: list[str] = []

    def heard(source: str, _count: int) -> None:
        told.append(source)
        if len(told) == 2:
            raise ZeroDivisionError

    room.services.heard = heard
    answers = await at_once(*(request(alert(name)) for name in "abc"))
    assert [status for status, _ in answers] == [202, 500, 202]
    assert len(await room.rows()) == 3


@pytest.mark.parametrize("chunked", [False, True])
async def test_not_more_bytes_than_so_many_in_one_turn(
    at_once: Send, turns: list[int], chunked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "BYTES_AT_ONCE", 5_000)
    large = alert("a", annotations={"x": "y" * 2_000})
    answers = await at_once(*(request(large, chunked=chunked, X_N=str(n)) for n in range(5)))
    assert [status for status, _ in answers] == [202] * 5
    assert sum(turns) == 5
    assert max(turns) == 2


async def test_one_that_cannot_go_the_short_way_does_not_wait_for_the_others(
    room: Any, at_once: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, write = asyncio.Event(), room.services.intake.write

    async def slow(rows: Any) -> Any:
        await go.wait()
        return await write(rows)

    monkeypatch.setattr(room.services.intake, "write", slow)
    taken = asyncio.create_task(at_once(request(alert("a")), request(alert("b", annotations={"x": "y" * 20_000}))))
    async with asyncio.timeout(30):
        while not await room.rows():
            await asyncio.sleep(0)
    [row] = await room.rows()
    assert row["repeat"].startswith("b|")
    go.set()
    assert [status for status, _ in await taken] == [202, 202]


async def test_a_secret_that_is_changed_in_the_same_turn_is_not_kept_either(
    room: Any, at_once: Send, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    behind, proved = arrivals._behind_body, []

    def changing(one: Any, body: bytes) -> Any:
        proved.append(one)
        room.services.secrets = secrets.Secrets(tmp_path, {"AM_TOKEN": "another-token"})
        one.hook.opened = -1e9
        return behind(one, body)

    monkeypatch.setattr(arrivals, "_behind_body", changing)
    first = request(alert("a"), X_Echo=f"was {AM_TOKEN}")
    answers = await at_once(first, request(alert("b"), token="another-token", X_Echo="was another-token"))
    assert [status for status, _ in answers] == [202, 202]
    assert len(proved) == 2
    assert [row["meta"] for row in await room.rows() if "token" in row["meta"]] == []


@pytest.mark.parametrize(("path", "token", "right"), [("alertmanager", AM_TOKEN, True), ("open/door", None, False)])
async def test_only_who_was_proved_counts_as_right(
    room: Any, at_once: Send, path: str, token: str | None, right: bool
) -> None:
    body = alert("a") if right else b"{}"
    [(status, _)] = await at_once(request(body, path, token))
    assert status == 202
    assert ("127.0.0.1" in room.services.gate.throttle._right) is right


async def test_who_it_is_comes_before_what_it_is(at_once: Send) -> None:
    wrong = request(b"", token="x").replace(b"application/json", b"text/plain")
    large = request(b"", token="x").replace(b"Content-Length: 0", b"Content-Length: 99999999")
    assert [status for status, _ in await at_once(wrong)] == [401]
    assert [status for status, _ in await at_once(large)] == [401]
    assert [status for status, _ in await at_once(large.replace(b"Bearer x", b"Bearer " + AM_TOKEN.encode()))] == [413]


async def test_events_with_ids_of_their_own_go_by_these(
    room: Any, at_once: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(body: Any, _headers: Any) -> Any:
        return [plugins.Element({"alert": {}, "payload": body}, "", "id-1")]

    form = plugins.Format("generic", resolves=False, read=read)
    monkeypatch.setattr(plugins.find("sources", "webhook"), "reader_of", lambda _options: form)
    made = [(await at_once(request(b"{}", "open/door", None)))[0][1] for _ in range(2)]
    assert [(one["accepted"], one["duplicates"], one["ids"]) for one in made] == [(1, 0, ["e-1"]), (0, 1, ["e-1"])]


async def test_who_lets_bodies_wait_keeps_nobody_who_is_known_from_delivering(room: Any, at_once: Send) -> None:
    room.services.room.left = 0
    slow = asyncio.create_task(at_once(request(alert("a"))[:-5]))
    assert [status for status, _ in await at_once(request(alert("b")))] == [202]
    async with asyncio.timeout(30):
        while not room.services.room_of_known.held:
            await asyncio.sleep(0)
    slow.cancel()
    await asyncio.gather(slow, return_exceptions=True)


async def test_of_whom_nobody_knows_bodies_take_the_room_of_strangers(room: Any, at_once: Send) -> None:
    room.services.room.left = 0
    begun = request(b'{"a": 1}', "open/door", None)[:-3]
    [(status, told)] = await at_once(begun)
    assert (status, told["code"]) == (503, "busy")


async def test_an_address_of_which_nothing_right_came_has_a_share_of_that_room(room: Any, at_once: Send) -> None:
    room.services.room.each_max = 5
    begun = request(b'{"a": 1}', "open/door", None)[:-1]
    [(status, told)] = await at_once(begun)
    assert (status, told["code"], room.services.room.held) == (503, "busy", {})
    room.services.room.held["127.0.0.2"] = 5
    assert [status for status, _ in await at_once(request(alert("a")))] == [202]
    slow = asyncio.create_task(at_once(begun))
    async with asyncio.timeout(30):
        while "127.0.0.1" not in room.services.room.held:
            await asyncio.sleep(0)
    assert room.services.room.held == {"127.0.0.1": 7, "127.0.0.2": 5}
    slow.cancel()
    await asyncio.gather(slow, return_exceptions=True)
