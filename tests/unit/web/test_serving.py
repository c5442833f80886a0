"""Listening: ports that are taken, connections too many, connections that say nothing."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import pathlib
import resource
import socket
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from loguru import logger

from healer import errors, telemetry
from healer.web import auth, problems, routes, serving


async def test_a_port_that_is_taken(room: Any) -> None:
    other = serving.Listening(routes.build(room.services))
    await other.start()
    with pytest.raises(errors.PortInUse) as caught:
        await other.tcp("127.0.0.1", room.port)
    assert str(room.port) in caught.value.message
    assert f"(pid {os.getpid()})" in caught.value.message
    assert caught.value.fields["free"] == room.port + 1
    assert f"server: {{port: {room.port + 1}}}" in caught.value.try_
    await other.stop()
    assert (await room.ask("GET", "/health"))[0] == 200


def test_who_holds_a_port_is_read_from_proc(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net").mkdir()
    sockets = "  sl  local_address …\n   0: 0100007F:1F90 00000000:0000 0A 0:0 00:0 0 1001 0 4711 1\n"
    (tmp_path / "net" / "tcp").write_text(sockets)
    assert serving.holder(8080, tmp_path) == " by a process of the user with id 1001"
    assert serving.holder(8081, tmp_path) == ""
    (tmp_path / "812" / "fd").mkdir(parents=True)
    (tmp_path / "812" / "comm").write_text("java\n")
    (tmp_path / "812" / "fd" / "7").symlink_to("socket:[4711]")
    for number in (3, 4, 5, 6, 8, 9):  # those of which the process has just closed some
        (tmp_path / "812" / "fd" / f"{number}").symlink_to("gone")
    there = pathlib.Path.readlink

    def readlink(path: pathlib.Path) -> pathlib.Path:
        if str(found := there(path)) == "gone":
            raise FileNotFoundError(path)
        return found

    monkeypatch.setattr(pathlib.Path, "readlink", readlink)
    assert serving.holder(8080, tmp_path) == " by java (pid 812)"


async def test_an_address_that_is_not_ours(room: Any) -> None:
    with pytest.raises(errors.StartError):
        await room.listening.tcp("192.0.2.1", 0)


MALFORMED = {
    "no method": b"G@T / HTTP/1.1\r\n\r\n",
    "no version": b"GET events\r\n\r\n",
    "a control character in a header": b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer s3cret\0b\r\n\r\n",
    "a header without a name": b"GET / HTTP/1.1\r\nHost: x\r\n: s3cret\r\n\r\n",
    "a header that is too long": b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: s3cret" + b"x" * 9000 + b"\r\n\r\n",
    "a path that is too long": b"GET /s3cret" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "two lengths": b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "a length and pieces": b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
}


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED)
async def test_what_is_no_http_is_answered_in_our_form_without_what_was_sent(room: Any, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", room.port)
    writer.write(sent)
    head, _, body = (await asyncio.wait_for(reader.read(), 20)).partition(b"\r\n\r\n")
    writer.close()
    assert b" 400 " in head.partition(b"\r\n")[0]
    assert b"application/problem+json" in head
    assert orjson.loads(body)["code"] == "malformed-request"
    assert b"s3cret" not in body
    assert (await room.ask("GET", "/health"))[0] == 200


async def test_a_header_that_stands_twice_is_named(room: Any) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", room.port)
    twice = b"Content-Type: application/json\r\n" * 2
    writer.write(b"POST /events HTTP/1.1\r\nHost: x\r\n" + twice + b"Content-Length: 2\r\n\r\n{}")
    _, _, body = (await asyncio.wait_for(reader.read(), 20)).partition(b"\r\n\r\n")
    writer.close()
    assert orjson.loads(body)["detail"] == "the header Content-Type is there twice"


async def test_headers_too_many_are_said_to_be(room: Any) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", room.port)
    writer.write(
        b"GET /health HTTP/1.1\r\nHost: x\r\n"
        + b"".join(b"X-%d: 1\r\n" % n for n in range(serving.HEADERS_MAX))
        + b"\r\n"
    )
    _, _, body = (await asyncio.wait_for(reader.read(), 20)).partition(b"\r\n\r\n")
    writer.close()
    assert orjson.loads(body)["detail"] == "the request has more than 100 headers"


async def test_a_connection_too_many_is_told_so(open_room: Callable[..., Any], wait_for_async: Any) -> None:
    async with open_room(connections_max=2, headers_s=60) as room:
        held = [await asyncio.open_connection("127.0.0.1", room.port) for _ in range(2)]
        await wait_for_async(lambda: len(room.listening._runner.server.connections) == 2)
        reader, writer = await asyncio.open_connection("127.0.0.1", room.port)
        answer = await asyncio.wait_for(reader.read(), 20)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After" in answer
        writer.close()
        for _, one in held:
            one.close()
            await one.wait_closed()
        assert (await room.ask("GET", "/health"))[0] == 200


async def test_no_more_are_held_of_those_that_come_in_one_turn(
    open_room: Callable[..., Any], wait_for_async: Any
) -> None:
    async with open_room(connections_max=2, headers_s=60) as room:
        came = [socket.create_connection(("127.0.0.1", room.port)) for _ in range(20)]  # the loop sees none meanwhile
        for one in came:
            one.setblocking(False)
        loop = asyncio.get_running_loop()
        heads = [asyncio.create_task(loop.sock_recv(one, 13)) for one in came]
        await wait_for_async(lambda: sum(one.done() for one in heads) >= 18)
        assert {one.result() for one in heads if one.done()} == {b"HTTP/1.1 503 "}
        assert len(room.listening._runner.server.connections) == 2
        for one in heads:
            one.cancel()
        await asyncio.gather(*heads, return_exceptions=True)
        for one in came:
            one.close()


HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"


async def connect(room: Any, address: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", room.port, local_addr=(address, 0))


async def test_an_address_has_so_many_connections_and_leaves_room_for_others(
    open_room: Callable[..., Any], wait_for_async: Any
) -> None:
    said = io.StringIO()
    sink = logger.add(said, level="WARNING", format="{message}")
    before = telemetry.read().get("connections_of_address_refused", 0)
    async with open_room(connections_max=9, per_address=2, headers_s=60) as room:
        held = [await connect(room, "127.0.0.2") for _ in range(2)]
        for _ in range(3):
            reader, writer = await connect(room, "127.0.0.2")
            answer = await asyncio.wait_for(reader.read(), 20)
            assert answer.startswith(b"HTTP/1.1 503 ")
            writer.close()
        other, writing = await connect(room)
        writing.write(HEALTH)
        assert b" 200 " in await asyncio.wait_for(other.readline(), 20)
        writing.close()
        for _, one in held:
            one.close()
        fresh = room.listening._app[problems.FRESH]
        await wait_for_async(lambda: not fresh)  # whoever is gone holds nothing
        reader, writer = await connect(room, "127.0.0.2")
        writer.write(HEALTH)
        assert b" 200 " in await asyncio.wait_for(reader.readline(), 20)
        writer.close()
    logger.remove(sink)
    assert telemetry.read()["connections_of_address_refused"] - before == 3
    assert said.getvalue() == (
        "127.0.0.2 has 2 connections, as many as one address may have (server.connections_per_address): more are answered 503"
        " (connections_of_address_refused counts them)\n"
    )


async def test_the_local_shell_is_no_address(open_room: Callable[..., Any], tmp_path: pathlib.Path) -> None:
    async with open_room(per_address=1, headers_s=60) as room:
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        bound.bind(str(tmp_path / "s"))
        await room.listening.unix(bound)
        held = [await asyncio.open_unix_connection(str(tmp_path / "s")) for _ in range(3)]
        for reader, writer in held:
            writer.write(HEALTH)
            assert b" 200 " in await asyncio.wait_for(reader.readline(), 20)
            writer.close()


@pytest.mark.parametrize(
    ("files", "room"), [(1 << 20, 2048), (4096, 2048), (4095, 2047), (1024, 512), (100, 64), (-1, 2048)]
)
def test_half_of_the_files_that_may_be_open_are_for_what_is_no_connection(files: int, room: int) -> None:
    assert serving.room_for(files) == room


def test_one_address_has_half_of_all_where_nobody_says_otherwise(room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    made = serving.Listening(routes.build(room.services))
    assert (made.connections_max, made.per_address) == (512, 256)
    assert serving.Listening(routes.build(room.services), connections_max=2048, per_address=100).per_address == 100
    assert serving.Listening(routes.build(room.services), connections_max=2).per_address == 64


@pytest.mark.parametrize("sent", [b"", b"GET /health HTT", b"GET /health HTTP/1.1\r\nHost: x\r\nA: "])
async def test_a_connection_without_a_request_is_ended(open_room: Callable[..., Any], sent: bytes) -> None:
    async with open_room(headers_s=0.05) as room:
        reader, writer = await asyncio.open_connection("127.0.0.1", room.port)
        writer.write(sent)
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 20) == b""
        writer.close()


async def test_a_connection_with_one_is_kept(open_room: Callable[..., Any], wait_for_async: Any) -> None:
    async with open_room(headers_s=60) as room:
        reader, writer = await asyncio.open_connection("127.0.0.1", room.port)
        _, other = await asyncio.open_connection("127.0.0.1", room.port)
        fresh = room.listening._app[problems.FRESH]
        await wait_for_async(lambda: len(fresh) == 2)
        request = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
        writer.write(request)
        assert b" 200 " in await reader.readline()
        (silent,) = fresh  # nothing ends the first one when its time is over
        assert silent.transport.get_extra_info("peername") == other.get_extra_info("sockname")
        await reader.readuntil(b"}")
        writer.write(request)
        assert b" 200 " in await asyncio.wait_for(reader.readline(), 20)
        writer.close()
        other.close()


async def test_after_the_stop_nobody_is_heard(open_room: Callable[..., Any]) -> None:
    async with open_room() as room:
        await room.listening.stop()
        with socket.socket() as client:
            client.setblocking(False)
            with pytest.raises(ConnectionRefusedError):
                await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", room.port))


async def test_connections_of_an_address_that_guesses_too_much_are_parked(open_room: Any) -> None:
    async with open_room() as room:
        held = asyncio.Event()

        async def sleep(_seconds: float) -> None:
            await held.wait()

        room.services.gate.throttle = auth.Throttle(of_address_max=1, sleep=sleep)
        first = asyncio.ensure_future(room.ask("GET", "/runs", "wrong"))
        while not room.services.gate.throttle.full("127.0.0.1"):
            await asyncio.sleep(0)
        reader, writer = await asyncio.open_connection("127.0.0.1", room.port)
        writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 30) == b""  # ended without a word
        writer.close()
        held.set()
        assert (await first)[0] == 401
        assert (await room.ask("GET", "/health", None))[0] == 200


async def test_who_hangs_up_in_the_midst_of_a_body_is_no_error(room: Any) -> None:
    said = io.StringIO()
    sink = logger.add(said, level="INFO", format="{level} {message}")
    try:
        for _ in range(3):
            _, writer = await asyncio.open_connection("127.0.0.1", room.port)
            writer.write(
                b"POST /hooks/open/door HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{"
            )
            await writer.drain()
            writer.transport.abort()
            assert (await room.ask("GET", "/health", None))[0] == 200
    finally:
        logger.remove(sink)
    assert "ERROR" not in said.getvalue()
    assert "Traceback" not in said.getvalue()
