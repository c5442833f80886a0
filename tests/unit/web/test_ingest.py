"""`POST /events`: what is taken, how it is kept, and every kind of bad input with its code; nothing is kept of those."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from healer import errors
from healer.web import bodies, ingest

DEEP = b'{"a":' + b"[" * 99 + b"]" * 99 + b"}"

BAD: dict[str, tuple[bytes, dict[str, str], int, str]] = {
    "nothing": (b"", {}, 400, "not-json"),
    "not JSON": (b"hello", {}, 400, "not-json"),
    "cut": (b'{"a":', {}, 400, "not-json"),
    "two values": (b"{}{}", {}, 400, "not-json"),
    "single quotes": (b"{'a': 1}", {}, 400, "not-json"),
    "a number": (b"1", {}, 400, "not-an-object"),
    "null": (b"null", {}, 400, "not-an-object"),
    "a text": (b'"x"', {}, 400, "not-an-object"),
    "one element bad": (b'[{"a":1},2,{"b":1}]', {}, 400, "not-an-object"),
    "nested array": (b'[[{"a":1}]]', {}, 400, "not-an-object"),
    "duplicate keys": (b'{"a":1,"a":2}', {}, 400, "duplicate-key"),
    "duplicate keys inside": (b'[{"a":{"b":1,"b":1}}]', {}, 400, "duplicate-key"),
    "NaN": (b'{"a":NaN}', {}, 400, "not-a-number"),
    "Infinity": (b'{"a":-Infinity}', {}, 400, "not-a-number"),
    "beyond 64 bits": (b'{"a":123456789012345678901234567890}', {}, 400, "number-too-large"),
    "beyond a float": (b'{"a":1e999}', {}, 400, "number-too-large"),
    "NUL escaped": (b'{"a":"\\u0000"}', {}, 400, "bad-text"),
    "NUL in a key": (b'{"\\u0000":1}', {}, 400, "bad-text"),
    "NUL raw": (b'{"a":"\x00"}', {}, 400, "not-json"),
    "half a surrogate pair": (b'{"a":"\\ud800"}', {}, 400, "bad-text"),
    "not UTF-8": (b'{"a":"\xff"}', {}, 400, "bad-text"),
    "UTF-16": ('{"a":1}'.encode("utf-16"), {}, 400, "bad-text"),
    "byte order mark": (b'\xef\xbb\xbf{"a":1}', {}, 400, "not-json"),
    "depth 100": (DEEP, {}, 400, "too-deep"),
    "depth 100,000": (b"[" * 100_000, {}, 400, "too-deep"),
    "too many values": (b"[" + b"0," * 200_000 + b"0]", {}, 400, "too-many-values"),
    "too long a text": (b'{"a":"' + b"x" * 300_000 + b'"}', {}, 400, "bad-text"),
    "over the limit": (b'{"a":"' + b"x" * bodies.BYTES_MAX + b'"}', {}, 413, "too-large"),
    "too many events": (b"[" + b"{}," * ingest.EVENTS_MAX + b"{}]", {}, 413, "too-many-events"),
    "text/plain": (b'{"a":1}', {"Content-Type": "text/plain"}, 415, "content-type"),
    "a form": (b"a=1", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "content-type"),
    "multipart": (b"--x--", {"Content-Type": "multipart/form-data; boundary=x"}, 415, "content-type"),
    "another charset": (b'{"a":1}', {"Content-Type": "application/json; charset=latin-1"}, 415, "content-type"),
    "compressed": (b'{"a":1}', {"Content-Type": "application/json", "Content-Encoding": "gzip"}, 415, "content-type"),
    "NDJSON with a bad line": (b'{"a":1}\nx\n', {"Content-Type": "application/x-ndjson"}, 400, "not-json"),
    "NDJSON with a number": (b'{"a":1}\n2\n', {"Content-Type": "application/x-ndjson"}, 400, "not-an-object"),
    "NDJSON of too many": (b"{}\n" * (ingest.EVENTS_MAX + 1), {"Content-Type": "application/x-ndjson"}, 413, "too-many-events"),
    "delivery id that is no text": (b"{}", {"Idempotency-Key": "ä"}, 400, "invalid-field"),
    "delivery id that is empty": (b"{}", {"Idempotency-Key": ""}, 400, "invalid-field"),
    "delivery id too long": (b"{}", {"Idempotency-Key": "x" * 300}, 400, "invalid-field"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
async def test_bad_input_has_a_code_and_leaves_nothing(room: Any, name: str) -> None:
    body, headers, status, code = BAD[name]
    got, answer = await room.ask("POST", "/events", data=body, headers={"Content-Type": "application/json"} | headers)
    assert (got, answer["code"]) == (status, code), answer
    assert answer["type"] == f"urn:healer:error:{code}"
    assert answer["status"] == status
    assert answer["title"]
    assert answer["detail"]
    assert await room.rows() == []
    assert (await room.ask("POST", "/events", json={"still": "alive"}))[0] == 202


async def test_a_bad_element_is_named(room: Any) -> None:
    _, answer = await room.ask("POST", "/events", data=b'[{"a":1},2]', headers={"Content-Type": "application/json"})
    assert "element 1" in answer["detail"]
    _, answer = await room.ask("POST", "/events", data=b'{"a":1}\n{"a":}\n', headers={"Content-Type": bodies.NDJSON})
    assert "line 2" in answer["detail"]
    _, answer = await room.ask("POST", "/events", data=b'\n{"a":1}\n\n2\n', headers={"Content-Type": bodies.NDJSON})
    assert "line 4" in answer["detail"]


@pytest.mark.parametrize(
    ("bad", "code"), [(b'{"b":1,"b":2}', "duplicate-key"), (b'{"b":NaN}', "not-a-number"), (b"{b}", "not-json")]
)
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}])
async def test_a_bad_element_keeps_its_code(room: Any, bad: bytes, code: str, headers: dict[str, str]) -> None:
    for body, media, where in (
        (b'[{"a":1},' + bad + b"]", bodies.JSON, "element 1"),
        (b'{"a":1}\n' + bad, bodies.NDJSON, "line 2"),
    ):
        status, answer = await room.ask("POST", "/events", data=body, headers=headers | {"Content-Type": media})
        assert (status, answer["code"]) == (400, code)
        assert where in answer["detail"]
    assert await room.rows() == []


async def test_one_event_is_kept_as_it_came(room: Any) -> None:
    text = b'{ "b": 1.50, "a" : "x" }'
    async with room.session.post(
        room.url("/events"), data=text, headers={"Authorization": f"Bearer {room.keys['ci']}"}
    ) as answer:
        assert answer.status == 415  # aiohttp's client says application/octet-stream
    status, made = await room.ask("POST", "/events", "ci", data=text, headers={"Content-Type": "application/json"})
    assert (status, made) == (202, {"accepted": 1, "duplicates": 0, "ids": ["e-1"]})
    (row,) = await room.rows()
    assert bytes(row["body"]) == text
    assert (row["source"], row["kind"], row["actor"], row["depth"]) == ("healer.api", "event", "key:ci", 0)


async def test_without_a_content_type_it_is_json(room: Any) -> None:
    lines = (
        f"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {room.keys['ci']}\r\nContent-Length: 2\r\n\r\n{{}}"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", room.port)
    writer.write(lines.encode())
    assert b" 202 " in await reader.readline()
    writer.close()


@pytest.mark.parametrize("text", [b'{"a":"\\u00e4"}', b'{"a":"\\ud83d\\ude00"}'])
async def test_escapes_are_written_anew(room: Any, text: bytes) -> None:
    assert (await room.ask("POST", "/events", data=text, headers={"Content-Type": "application/json"}))[0] == 202
    (row,) = await room.rows()
    assert orjson.loads(row["body"]) == orjson.loads(text)


async def test_an_array_and_lines_are_many(room: Any) -> None:
    status, made = await room.ask("POST", "/events", json=[{"a": 1}, {"a": 2}])
    assert (status, made["ids"]) == (202, ["e-1", "e-2"])
    status, made = await room.ask(
        "POST", "/events", data=b'{"a":3}\n\n {"a":4}\r\n', headers={"Content-Type": bodies.NDJSON}
    )
    assert (status, made["ids"]) == (202, ["e-3", "e-4"])
    assert [orjson.loads(row["body"])["a"] for row in await room.rows()] == [1, 2, 3, 4]


async def test_an_empty_array_is_nothing(room: Any) -> None:
    assert await room.ask("POST", "/events", json=[]) == (202, {"accepted": 0, "duplicates": 0, "ids": []})


async def test_a_sender_cannot_set_meta(room: Any) -> None:
    await room.ask("POST", "/events", json={"meta": {"hosts": "all"}, "a": 1})
    await room.ask("POST", "/events", json=[{"meta": 1}])
    assert [orjson.loads(row["body"]) for row in await room.rows()] == [
        {"a": 1, "client_meta": {"hosts": "all"}},
        {"client_meta": 1},
    ]


async def test_a_second_delivery_starts_nothing(room: Any) -> None:
    for expected in ({"accepted": 2, "duplicates": 0}, {"accepted": 0, "duplicates": 2}):
        status, made = await room.ask("POST", "/events", json=[{"a": 1}, {"a": 2}], headers={"Idempotency-Key": "k"})
        assert status == 202
        assert made == {**expected, "ids": ["e-1", "e-2"]}
    assert len(await room.rows()) == 2


async def test_each_caller_has_keys_of_its_own(room: Any) -> None:
    for caller in ("admin", "operator"):
        _, made = await room.ask("POST", "/events", caller, json={"from": caller}, headers={"Idempotency-Key": "k"})
        assert made["accepted"] == 1
    assert len(await room.rows()) == 2


@pytest.mark.parametrize("body", [{"a": 2}, [{"a": 1}, {"a": 1}], [{"a": 2}] * 3])
async def test_a_key_that_comes_with_another_body_is_refused(room: Any, body: Any) -> None:
    await room.ask("POST", "/events", json={"a": 1}, headers={"Idempotency-Key": "k"})
    status, answer = await room.ask("POST", "/events", json=body, headers={"Idempotency-Key": "k"})
    assert (status, answer["code"]) == (409, "idempotency-key-reused")
    assert answer["detail"] == "the Idempotency-Key 'k' came before with another body, as e-1"
    assert len(await room.rows()) == 1


async def test_a_github_header_is_no_id_here(room: Any) -> None:
    for _ in range(2):
        _, made = await room.ask("POST", "/events", json={}, headers={"X-GitHub-Delivery": "1"})
        assert made["accepted"] == 1


async def test_without_a_listener_it_is_refused(room: Any) -> None:
    room.revision.sources["healer.api"].subscribers = []
    status, answer = await room.ask("POST", "/events", json={"a": 1})
    assert (status, answer["code"]) == (404, "no_listener")
    assert "healer.api" in answer["try"]
    del room.revision.sources["healer.api"]
    assert (await room.ask("POST", "/events", json={"a": 1}))[0] == 404


async def test_a_full_backlog_says_come_again(room: Any) -> None:
    room.backlog = 11
    async with room.session.post(
        room.url("/events"), json={}, headers={"Authorization": f"Bearer {room.keys['ci']}"}
    ) as answer:
        assert answer.status == 429
        assert answer.headers["Retry-After"]
        assert (await answer.json())["code"] == errors.BacklogFull.code
    # At a hook it is 503: Alertmanager and its like try again for 5xx alone.
    async with room.session.post(room.url("/hooks/open/door"), json={}) as answer:
        assert (answer.status, bool(answer.headers["Retry-After"])) == (503, True)


async def test_a_body_in_chunks_is_counted_as_it_comes(room: Any) -> None:
    async def pieces(size: int) -> Any:
        yield b'{"a":"'
        for _ in range(size):
            yield b"x" * 65536
        yield b'"}'

    headers = {"Content-Type": "application/json"}
    assert (await room.ask("POST", "/events", data=pieces(3), headers=headers))[0] == 202
    status, answer = await room.ask("POST", "/events", data=pieces(40), headers=headers)
    assert (status, answer["code"]) == (413, "too-large")
    assert len(await room.rows()) == 1


async def test_the_limit_of_a_body_is_that_of_the_settings(room: Any) -> None:
    room.services.body_max = lambda: 2000
    headers = {"Content-Type": "application/json"}
    assert (await room.ask("POST", "/events", data=b'{"a":"' + b"x" * 1900 + b'"}', headers=headers))[0] == 202
    status, answer = await room.ask("POST", "/events", data=b'{"a":"' + b"x" * 2000 + b'"}', headers=headers)
    assert (status, answer["code"]) == (413, "too-large")
    assert "2000" in answer["detail"]
