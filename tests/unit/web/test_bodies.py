"""Bodies: content types, limits to the byte, slow ones, and shapes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import multidict
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
    size: int


def test_all_mistakes_of_a_shape_are_one_error() -> None:
    with pytest.raises(pydantic.ValidationError) as caught:
        Shape.model_validate({"size": "x", "nmae": 1})
    made = bodies._invalid(caught.value, Shape)
    problems = made.fields["problems"]
    assert isinstance(problems, list)
    assert {problem["field"] for problem in problems} == {"name", "size", "nmae"}
    assert "2 more" in made.message
    assert made.try_ == "did you mean 'name'?"


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
