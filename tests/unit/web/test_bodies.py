"""Bodies: content types, limits to the byte, slow ones, and shapes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from unittest import mock

import aiohttp.streams
import multidict
import orjson
import pydantic
import pytest
from aiohttp import test_utils

from healer import errors
from healer.web import bodies

TAKEN = (bodies.JSON, bodies.NDJSON)


def request(**headers: str) -> Any:
    return test_utils.make_mocked_request(
        "POST", "/", headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


@pytest.mark.parametrize(
    ("given", "media"),
    [
        ("application/json", bodies.JSON),
        ("Application/JSON", bodies.JSON),
        ("application/json; charset=utf-8", bodies.JSON),
        ('application/json;charset="UTF-8"', bodies.JSON),
        ("application/json;", bodies.JSON),
        ("application/x-ndjson", bodies.NDJSON),
    ],
)
def test_content_types_that_are_taken(given: str, media: str) -> None:
    assert bodies.content_type(request(Content_Type=given), TAKEN) == media


@pytest.mark.parametrize(
    "given",
    [
        "",
        "json",
        "text/json",
        "application/json, text/html",
        "application/json; charset=utf-16",
        "application/cloudevents+json",
    ],
)
def test_content_types_that_are_not(given: str) -> None:
    with pytest.raises(errors.WrongContentType) as caught:
        bodies.content_type(request(Content_Type=given), TAKEN)
    assert "application/x-ndjson" in caught.value.message


@pytest.mark.parametrize("second", ["gzip", "identity", ""])
def test_of_two_encodings_none_is_overlooked(second: str) -> None:
    headers = multidict.CIMultiDict([("Content-Encoding", "identity"), ("Content-Encoding", second)])
    with pytest.raises(errors.WrongContentType, match="Content-Encoding"):
        bodies.content_type(test_utils.make_mocked_request("POST", "/", headers=headers), TAKEN)


def test_what_is_wanted_is_named_once() -> None:
    with pytest.raises(errors.WrongContentType) as caught:
        bodies.content_type(request(Content_Type="text/plain"), (bodies.JSON, bodies.CLOUDEVENTS, bodies.CLOUDEVENTS))
    assert caught.value.message.count(bodies.CLOUDEVENTS) == 1


def test_no_content_type_is_json() -> None:
    assert bodies.content_type(request(), TAKEN) == bodies.JSON


@pytest.mark.parametrize("given", ["gzip", "br", "deflate", "gzip, identity", "x"])
def test_an_encoded_body_is_not_taken(given: str) -> None:
    with pytest.raises(errors.WrongContentType):
        bodies.content_type(request(Content_Encoding=given), TAKEN)
    assert bodies.content_type(request(Content_Encoding="identity"), TAKEN) == bodies.JSON


@pytest.mark.parametrize(("size", "status"), [(999, 202), (1000, 202), (1001, 413)])
@pytest.mark.parametrize("chunked", [False, True])
async def test_the_limit_holds_to_the_byte(room: Any, size: int, status: int, chunked: bool) -> None:
    body = b'{"a":"' + b"x" * (size - 8) + b'"}'

    async def pieces() -> Any:
        for at in range(0, len(body), 300):
            yield body[at : at + 300]

    headers = {"Content-Type": "application/json"}
    assert (await room.ask("POST", "/hooks/open/door", None, data=pieces() if chunked else body, headers=headers))[
        0
    ] == status


async def test_a_large_body_is_refused_before_it_is_sent(room: Any) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", room.port)
    writer.write(b"POST /hooks/open/door HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
    assert b" 413 " in await asyncio.wait_for(reader.readline(), 20)
    writer.close()


async def test_a_body_that_does_not_come_is_given_up(
    open_room: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies.read, "__defaults__", (bodies.BYTES_MAX, 0.05))
    async with open_room() as room:
        reader, writer = await asyncio.open_connection("127.0.0.1", room.port)
        writer.write(b"POST /hooks/open/door HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{")
        answer = await asyncio.wait_for(reader.read(), 20)
        assert b" 408 " in answer.split(b"\r\n")[0]
        assert b'"code":"slow-body"' in answer
        assert await room.rows() == []
        writer.close()


async def test_a_sender_that_goes_away_leaves_nothing(room: Any) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", room.port)
    writer.write(b"POST /hooks/open/door HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await room.ask("GET", "/health"))[0] == 200
    assert await room.rows() == []


class Shape(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", strict=True)
    name: str
    size: int = 0
    flag: bool = False
    more: dict[str, Any] = {}


async def refused(value: dict[str, Any]) -> errors.InvalidField:
    """What is said of a body of `Shape`."""
    body = orjson.dumps(value)
    stream = aiohttp.streams.StreamReader(mock.Mock(), 1 << 22)
    stream.feed_data(body)
    stream.feed_eof()
    with pytest.raises(errors.InvalidField) as caught:
        await bodies.document(test_utils.make_mocked_request("POST", "/", payload=stream), Shape)
    return caught.value


@pytest.mark.parametrize(
    ("value", "field", "said", "try_"),
    [
        ({}, "name", "the key 'name' is missing", ""),
        ({"name": 5}, "name", "name: a text is wanted, got 5", "put quotes around it"),
        ({"name": None}, "name", "name: a text is wanted, got nothing", ""),
        ({"name": "x", "size": "big"}, "size", "size: a whole number is wanted, got 'big'", ""),
        ({"name": "x", "size": 1.5}, "size", "size: a whole number is wanted, got 1.5", ""),
        ({"name": "x", "flag": "yes"}, "flag", "flag: true or false is wanted, got 'yes'", ""),
        ({"name": "x", "more": []}, "more", "more: a mapping is wanted, got an empty list", ""),
        ({"name": "x", "szie": 1}, "szie", "the key 'szie' is not known here", "did you mean 'size'?"),
        ({"name": "x", "zzz": 1}, "zzz", "the key 'zzz' is not known here", "known: name, size, flag, more"),
    ],
)
async def test_a_mistake_is_told_in_an_operators_words(value: dict[str, Any], field: str, said: str, try_: str) -> None:
    error = await refused(value)
    assert (error.code, error.message, error.try_) == ("invalid-field", said, try_)
    assert error.fields["problems"] == [{"field": field, "detail": said.removeprefix(f"{field}: ")}]


async def test_all_mistakes_of_a_shape_are_one_error() -> None:
    error = await refused({"size": "x", "nmae": 1, "flag": 2})
    assert error.message == (
        "the key 'name' is missing; size: a whole number is wanted, got 'x'; flag: true or false is wanted, got 2;"
        " the key 'nmae' is not known here"
    )
    assert [problem["field"] for problem in error.fields["problems"]] == ["name", "size", "flag", "nmae"]
    assert error.try_ == "did you mean 'name'?"


async def test_of_very_many_mistakes_some_are_told() -> None:
    long = "k" * 10_000
    error = await refused({long: 1} | {f"key{number}": number for number in range(20_000)} | {"name": 1})
    problems = error.fields["problems"]
    assert len(problems) == bodies.UNKNOWN_MAX + 1
    assert len(error.message) < 1_500
    assert error.message.startswith("name: a text is wanted, got 1; the key 'kkk")
    assert error.message.endswith(f"and {20_001 - bodies.UNKNOWN_MAX} more keys that are not known here")
    assert max(len(problem["field"]) for problem in problems) <= bodies.FIELD_MAX


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ({}, "an object"),
        ([], "an array"),
        ("", "a string"),
        (1, "a number"),
        (1.5, "a number"),
        (True, "a boolean"),
        (None, "null"),
    ],
)
def test_values_have_names_for_people(value: Any, name: str) -> None:
    assert bodies.kind(value) == name


def test_bodies_on_their_way_take_room_until_they_are_done() -> None:
    room = bodies.Room(10)
    with room.place("a", known=False) as one, room.place("b", known=False) as other:
        one(6)
        other(4)
        with pytest.raises(bodies.Crowded):
            one(1)
        one(0)
    with room.place("a", known=False) as again:
        again(10)
    assert (room.left, room.held) == (10, {})


def test_one_machine_takes_no_more_than_its_share_of_the_room() -> None:
    room = bodies.Room(10, 4)
    with room.place("a", known=False) as one, room.place("a", known=False) as two:
        one(3)
        two(1)
        with pytest.raises(bodies.Crowded):
            two(1)
        with room.place("b", known=False) as other:
            other(4)
        with room.place("a", known=True) as proxy:
            proxy(2)
            with pytest.raises(bodies.Crowded):
                proxy(5)
    assert (room.left, room.held) == (10, {})


def test_a_form_that_has_a_field_twice_is_called_a_form() -> None:
    with pytest.raises(errors.DuplicateKey, match="the form has the field 'payload' twice"):
        bodies.form(b"payload=%7B%7D&payload=%7B%7D")
    with pytest.raises(errors.DuplicateKey, match="the JSON has the key 'a' twice in one object"):
        bodies.form(b"payload=%7B%22a%22%3A1%2C%22a%22%3A2%7D")
