"""What becomes of errors: one shape for all, and no input that gives a 5xx."""

from __future__ import annotations

import asyncio
import json as jsonlib
from collections.abc import Callable
from typing import Any

import hypothesis
import orjson
import pytest
import yarl
from hypothesis import strategies as st

from healer.web import problems, routes


async def test_an_unknown_path_and_a_wrong_method(room: Any) -> None:
    status, body = await room.ask("GET", "/nothing")
    assert (status, body["code"]) == (404, "not-found")
    assert "/nothing" in body["detail"]
    async with room.session.put(room.url("/keys"), json={}) as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET, POST"
        assert (await answer.json())["code"] == "method-not-allowed"


async def test_every_answer_is_safe_to_show(room: Any) -> None:
    for path in ("/health", "/nothing", "/runs", "/runs/<script>"):
        async with room.session.get(room.url(path)) as answer:
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["Server"] == "healer"
            assert "json" in answer.headers["Content-Type"]


async def test_a_mistake_of_ours_shows_an_id_and_nothing_else(room: Any) -> None:
    async def broken() -> dict[str, Any]:
        raise RuntimeError("the inside")

    room.services.status = broken
    async with room.session.get(
        room.url("/status"), headers={"Authorization": f"Bearer {room.keys['admin']}"}
    ) as answer:
        assert answer.status == 500
        text = await answer.text()
    assert "inside" not in text
    assert "Runtime" not in text
    body = orjson.loads(text)
    assert body["code"] == "internal"
    assert body["id"] in body["detail"]
    assert (await room.ask("GET", "/runs"))[0] == 200


async def raw(room: Any, text: bytes) -> list[int]:
    """The statuses of the answers to bytes as they are; the sender ends its side."""
    reader, writer = await asyncio.open_connection("127.0.0.1", room.port)
    writer.write(text)
    writer.write_eof()
    try:
        answer = await asyncio.wait_for(reader.read(1 << 20), 20)
    except ConnectionError:
        answer = b""
    writer.close()
    return [int(line.split(b" ")[1]) for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


@pytest.mark.parametrize(
    "text",
    [
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET /runs HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}",
        b"POST /events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n{}",
        b"POST /hooks/open/door HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /runs HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 500 + b"\r\n",
        b"GET /runs HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 20_000 + b"\r\n\r\n",
        b"GET /runs HTTP/1.1\r\nHost: x\r\nA\x00: b\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /runs?\xff=%ff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT evil:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /events HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /events HTTP/1.1\r\nHost: x\r\nExpect: nonsense\r\nContent-Length: 2\r\n\r\n{}",
        b"GET /health HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    ],
)
async def test_what_is_no_sound_http_is_no_failure_of_ours(room: Any, text: bytes) -> None:
    assert all(status < 500 for status in await raw(room, text)), text
    assert (await room.ask("GET", "/health"))[0] == 200


PATHS = [path for route in routes.table() for path in route.paths]
word = st.text(st.characters(blacklist_categories=("Cs",)), max_size=20)
path = st.one_of(
    st.sampled_from(PATHS).flatmap(
        lambda one: st.sampled_from(
            ["a", "r-", "e-1", "open/door", "alertmanager", "locked", "latest", "%00", "%ff", "é"]
        ).map(lambda part: one.replace("{id}", part).replace("{name}", part).replace("{path:.+}", part))
    ),
    word.map(lambda text: "/" + text),
)
names = [
    "state",
    "limit",
    "after",
    "since",
    "from",
    "wait",
    "attempt",
    "follow",
    "run",
    "failed",
    "stream",
    "order",
    "rule",
    "x",
]
query = st.lists(st.tuples(st.sampled_from(names), st.one_of(word, st.just("1"), st.just("5m"))), max_size=3)
header = st.tuples(
    st.sampled_from(
        [
            "Content-Type",
            "Content-Encoding",
            "Idempotency-Key",
            "ce-id",
            "ce-source",
            "X-GitHub-Delivery",
            "X-Any",
            "Accept",
            "Cookie",
        ]
    ),
    st.one_of(
        st.binary(max_size=30), st.sampled_from([b"application/json", b"application/x-ndjson", b"gzip", b"identity"])
    ),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), word),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(word, inner, max_size=3)),
    max_leaves=8,
)
body = st.one_of(
    st.binary(max_size=200),
    values.map(lambda value: jsonlib.dumps(value).encode()),
    st.dictionaries(
        st.sampled_from(["event_type", "target", "parameters", "alerts", "name", "role", "meta"]), values, max_size=4
    ).map(lambda value: jsonlib.dumps(value).encode()),
)


def _line(value: bytes) -> bytes:
    return value.translate(None, b"\r\n\0")


@pytest.mark.parametrize(("asked", "shown"), [
    ("/hooks/am", "/hooks/am"), ("/hooks/am/token", "/hooks/am/…"), ("/hooks/am/to/ken", "/hooks/am/…"), ("/hooks/", "/hooks/"),
    ("/ui/decide/ticket", "/ui/decide/…"), ("/ui/decide/ticket/x", "/ui/decide/…"), ("/ui/decide", "/ui/decide"), ("/ui/runs/r-a", "/ui/runs/r-a"),
    ("/runs/r-a", "/runs/r-a"), ("", ""),
])  # fmt: skip
def test_what_a_log_has_of_a_path(asked: str, shown: str) -> None:
    assert problems.shown_path(asked) == shown


@pytest.mark.parametrize(("given", "status"), [("100-continue", 200), ("100-CONTINUE", 200), ("s3cret", 417)])
async def test_what_a_sender_expects_is_answered_in_our_form(room: Any, given: str, status: int) -> None:
    async with room.session.get(room.url("/health"), headers={"Expect": given}) as answer:
        text = await answer.text()
    assert (answer.status, "s3cret" in text) == (status, False)
    if status == 417:
        assert (answer.content_type, jsonlib.loads(text)["code"]) == ("application/problem+json", "expectation-failed")
        assert not room.listening._app[problems.FRESH]


def test_no_input_gives_a_5xx(open_room: Callable[..., Any]) -> None:
    async def check() -> None:
        async with open_room() as room:
            loop = asyncio.get_running_loop()

            @hypothesis.settings(max_examples=300)
            @hypothesis.given(
                st.sampled_from(["GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS", "PATCH"]),
                path, query, st.lists(header, max_size=3), body, st.sampled_from([True, True, False]),
            )  # fmt: skip
            def example(method: str, path: str, query: Any, headers: Any, body: bytes, key: bool) -> None:
                target = str(
                    yarl.URL.build(scheme="http", host="x", path=path.replace("%", "%25"), query=query).relative()
                )
                lines = [f"{method} {target} HTTP/1.1".encode(), b"Host: x", b"Connection: close"]
                lines += [name.encode() + b": " + _line(value) for name, value in headers]
                lines += [f"Content-Length: {len(body)}".encode()]
                if key:
                    lines.append(f"Authorization: Bearer {room.keys['admin']}".encode())
                asked = asyncio.run_coroutine_threadsafe(raw(room, b"\r\n".join(lines) + b"\r\n\r\n" + body), loop)
                statuses = asked.result(30)
                assert all(status < 500 for status in statuses), (statuses, lines, body)

            await asyncio.to_thread(example)
            for row in await room.rows():
                stored = row["body"] if row["body"] is not None else await room.services.store.blob(row["body_hash"])
                assert isinstance(orjson.loads(stored), dict)

    asyncio.run(check())
