"""Request bodies: bounded while they come, of a content type that is taken, and strictly read.

Used by every handler that takes one. A body that is on its way is counted piece by piece, whatever Content-Length says.
"""

from __future__ import annotations

import asyncio
import urllib.parse
from collections.abc import Callable, Collection
from typing import Any, Final, TypeVar

import orjson
import pydantic
from aiohttp import web

from healer import errors, wording
from healer.intake import strict

BYTES_MAX: Final = 2 << 20
SMALL_MAX: Final = 64 << 10
HELD_MAX: Final = 64 << 20
EACH_MAX: Final = 16 << 20
"""Of one machine that nobody knows: as much as the largest body of a hook may be."""
SLOW_S: Final = 10.0
JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
CLOUDEVENTS: Final = "application/cloudevents+json"
FORM: Final = "application/x-www-form-urlencoded"
FORM_FIELDS_MAX: Final = 200
UNKNOWN_MAX: Final = 20
FIELD_MAX: Final = 200
"""Keys of a body that nobody knows: how many are told, and how much of each. A body may hold thousands."""
_OF_A_KEY: Final = ("missing", "extra_forbidden")
"""The mistakes whose words name the key themselves."""

Shape = TypeVar("Shape", bound=pydantic.BaseModel)


class SlowBody(errors.RequestError):
    """the body did not arrive within {seconds} s"""

    code = "slow-body"
    status = 408


class FieldTwice(errors.DuplicateKey):
    """the form has the field {key!r} twice"""


class WrongBody(errors.InvalidField):
    """{detail}"""


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
        raise errors.WrongContentType(got=given[:80], wanted=", ".join(sorted({*taken})))
    return name


class Crowded(errors.Unavailable):
    """not now: too many bodies are on their way"""

    code = "busy"


class Room:
    """How many bytes of bodies may be on their way at once, and how many of those of one machine of which nothing right came yet: nobody
    who lets his wait takes the place of all others."""

    def __init__(self, bytes_max: int = HELD_MAX, each_max: int = EACH_MAX) -> None:
        self.left = bytes_max
        self.each_max = each_max
        self.held: dict[str, int] = {}
        """By machine."""

    def place(self, machine: str, known: bool) -> Place:
        """For one body. `known`: something right came of the machine a while ago, which may stand for many senders."""
        return Place(self, machine, known)


class Place:
    """For one body, as a context: what it gives takes so many bytes more, and raises `Crowded`. All is given back at the end."""

    __slots__ = ("_held", "_known", "_machine", "_room")

    def __init__(self, room: Room, machine: str, known: bool) -> None:
        self._room = room
        self._machine = machine
        self._known = known
        self._held = 0

    def __enter__(self) -> Callable[[int], None]:
        return self._more

    def __exit__(self, *_: object) -> None:
        room = self._room
        room.left += self._held
        if self._held:
            room.held[self._machine] -= self._held
            if not room.held[self._machine]:
                del room.held[self._machine]

    def _more(self, size: int) -> None:
        room, already = self._room, self._room.held.get(self._machine, 0)
        if size > room.left or (not self._known and already + size > room.each_max):
            raise Crowded
        if size:
            room.left -= size
            room.held[self._machine] = already + size
            self._held += size


def _free(_size: int) -> None:
    """No room is counted."""


def is_here(request: web.BaseRequest) -> bool:
    """Whether the body came with its headers, so that `here` gives it."""
    return request.content.is_eof()


def here(request: web.BaseRequest, bytes_max: int = BYTES_MAX) -> bytes:
    """As `read`, of a body that `is_here`: it takes no more room than it has already."""
    _bounded(request, bytes_max)
    try:
        body = request.content.read_nowait()
    except web.RequestPayloadError as error:
        raise _broken(error) from error
    if len(body) > bytes_max:
        raise errors.TooLarge(limit=bytes_max)
    return body


async def read(
    request: web.BaseRequest, bytes_max: int = BYTES_MAX, slow_s: float = SLOW_S, *, more: Callable[[int], None] = _free
) -> bytes:
    """The whole body; `more` of a `Room` is told of each piece.

    Raises `errors.TooLarge` at the first byte too many, `SlowBody`, `Crowded`, `errors.RequestError` for a broken one.
    """
    if is_here(request):  # no timer is needed
        return here(request, bytes_max)
    _bounded(request, bytes_max)
    try:
        async with asyncio.timeout(slow_s):
            return await _collect(request, bytes_max, more)
    except TimeoutError:
        raise SlowBody(seconds=slow_s) from None
    except web.RequestPayloadError as error:
        raise _broken(error) from error


def _bounded(request: web.BaseRequest, bytes_max: int) -> None:
    length = request.content_length
    if length is not None and length > bytes_max:
        raise errors.TooLarge(limit=bytes_max)


def _broken(error: Exception) -> errors.RequestError:
    return errors.RequestError(detail=f"the body cannot be read: {error}"[:300])


async def _collect(request: web.BaseRequest, bytes_max: int, more: Callable[[int], None]) -> bytes:
    pieces = bytearray()
    while piece := await request.content.readany():
        more(len(piece))
        pieces += piece
        if len(pieces) > bytes_max:
            raise errors.TooLarge(limit=bytes_max)
    return bytes(pieces)


def form(body: bytes) -> Any:
    """The JSON of the field `payload` of a form, or its fields as an object of texts. Raises `errors.RequestError`."""
    try:
        pairs = urllib.parse.parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body), errors="strict", max_num_fields=FORM_FIELDS_MAX
        )  # fmt: skip
    except ValueError as error:
        raise errors.RequestError(detail=f"the body is no form: {error}"[:200]) from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        twice = next(name for name in fields if sum(name == key for key, _ in pairs) > 1)
        raise FieldTwice(key=twice[:100])
    if "payload" in fields:
        return strict.parse(fields["payload"].encode())
    return strict.parse(orjson.dumps(fields))


async def document(request: web.BaseRequest, shape: type[Shape]) -> Shape:
    """The JSON object of a small body in its shape; all mistakes at once. Raises the `errors.RequestError`s."""
    content_type(request, (JSON,))
    value = strict.parse(await read(request, BYTES_MAX))
    if not isinstance(value, dict):
        raise errors.NotAnObject(or_more="", got=kind(value))
    return shaped(value, shape)


def shaped(value: dict[str, Any], shape: type[Shape]) -> Shape:
    """A JSON object in a shape. Raises `WrongBody` with all that is wrong."""
    unknown = [key for key in value if key not in shape.model_fields]
    looked_at = {key: value[key] for key in shape.model_fields if key in value}
    looked_at |= {key[:FIELD_MAX]: None for key in unknown[:UNKNOWN_MAX]}
    try:
        return shape.model_validate(looked_at)
    except pydantic.ValidationError as error:
        raise _wrong(error, shape, looked_at, len(unknown) - UNKNOWN_MAX) from None


async def document_or_none(request: web.BaseRequest, shape: type[Shape]) -> Shape:
    """As `document`; no body is an object without keys."""
    return await document(request, shape) if request.body_exists else shape()


def _wrong(error: pydantic.ValidationError, shape: type[pydantic.BaseModel], value: Any, left_out: int) -> WrongBody:
    """All that is wrong, in an operator's words. `left_out`: how many more keys are not known."""
    keys = iter([raw["loc"][-1] for raw in error.errors(include_url=False) if raw["type"] in _OF_A_KEY])
    found = wording.mistakes(error, shape, value)
    problems = [{"field": ".".join(map(str, one.path or (next(keys),))), "detail": one.said} for one in found]
    said = [one.below(0) for one in found]
    if left_out > 0:
        said.append(f"and {left_out} more keys that are not known here")
    try_ = next((one.try_ for one in found if one.try_), "")
    return WrongBody(try_, field=problems[0]["field"], detail="; ".join(said), problems=problems)


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
