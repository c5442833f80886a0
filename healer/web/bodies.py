"""Request bodies: bounded while they come, of a content type that is taken, and strictly read.

Used by every handler that takes one. A body that is on its way is counted piece by piece, whatever Content-Length says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any, Final, TypeVar

import pydantic
from aiohttp import web

from healer import errors
from healer.intake import strict

BYTES_MAX: Final = 2 << 20
SMALL_MAX: Final = 64 << 10
SLOW_S: Final = 10.0
JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
CLOUDEVENTS: Final = "application/cloudevents+json"

Shape = TypeVar("Shape", bound=pydantic.BaseModel)


class SlowBody(errors.RequestError):
    """the body did not arrive within {seconds} s"""

    code = "slow-body"
    status = 408


def content_type(request: web.BaseRequest, taken: Collection[str]) -> str:
    """The media type, JSON where none is given. Raises `errors.WrongContentType` for what is not `taken`, and for encoded bodies."""
    headers = request.headers
    if "Content-Encoding" in headers:
        encodings = ", ".join(headers.getall("Content-Encoding"))
        if encodings.lower() != "identity":
            raise errors.WrongContentType(got=f"{encodings[:80]} (Content-Encoding)", wanted="no encoding")
    given = headers.get("Content-Type")
    if given is None or given == JSON:
        return JSON
    name, _, parameters = given.partition(";")
    name = name.strip().lower()
    if name not in taken or parameters.strip().lower().replace('"', "") not in ("", "charset=utf-8"):
        raise errors.WrongContentType(got=given[:80], wanted=", ".join(sorted(taken)))
    return name


async def read(request: web.BaseRequest, bytes_max: int = BYTES_MAX, slow_s: float = SLOW_S) -> bytes:
    """The whole body. Raises `errors.TooLarge` at the first byte too many, `SlowBody`, `errors.RequestError` for a broken one."""
    length = request.content_length
    if length is not None and length > bytes_max:
        raise errors.TooLarge(limit=bytes_max)
    content = request.content
    try:
        if content.is_eof():  # it came with its headers: no timer is needed
            body = content.read_nowait()
        else:
            async with asyncio.timeout(slow_s):
                body = await _collect(request, bytes_max)
    except TimeoutError:
        raise SlowBody(seconds=slow_s) from None
    except web.RequestPayloadError as error:
        raise errors.RequestError(detail=f"the body cannot be read: {error}"[:300]) from error
    if len(body) > bytes_max:
        raise errors.TooLarge(limit=bytes_max)
    return body


async def _collect(request: web.BaseRequest, bytes_max: int) -> bytes:
    pieces = bytearray()
    while piece := await request.content.readany():
        pieces += piece
        if len(pieces) > bytes_max:
            raise errors.TooLarge(limit=bytes_max)
    return bytes(pieces)


async def document(request: web.BaseRequest, shape: type[Shape]) -> Shape:
    """The JSON object of a small body in its shape; all mistakes at once. Raises the `errors.RequestError`s."""
    content_type(request, (JSON,))
    value = strict.parse(await read(request, BYTES_MAX))
    if not isinstance(value, dict):
        raise errors.NotAnObject(or_more="", got=kind(value))
    try:
        return shape.model_validate(value)
    except pydantic.ValidationError as error:
        raise _invalid(error, shape) from None


def _invalid(error: pydantic.ValidationError, shape: type[pydantic.BaseModel]) -> errors.InvalidField:
    problems = []
    try_ = ""
    for mistake in error.errors(include_url=False, include_input=False)[:100]:
        field = ".".join(str(part) for part in mistake["loc"])[:200]
        detail = mistake["msg"].removeprefix("Value error, ")
        if mistake["type"] == "extra_forbidden":
            detail = f"this key is not known; known: {', '.join(shape.model_fields)}"
            try_ = try_ or errors.nearest(field, shape.model_fields)
        problems.append({"field": field, "detail": detail})
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return errors.InvalidField(try_, field=first["field"], detail=first["detail"] + more, problems=problems)


def kind(value: Any) -> str:
    """What a JSON value is, for people."""
    names = {
        dict: "an object",
        list: "an array",
        str: "a string",
        bool: "a boolean",
        int: "a number",
        float: "a number",
    }
    return "null" if value is None else names.get(type(value), type(value).__name__)
