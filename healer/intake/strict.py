"""Strict JSON: what a strict reader and a lenient one would read differently is refused.

Duplicate keys, NaN, numbers that do not fit, lone surrogates and NUL, too deep, too many values. The quick way: what orjson reads
and writes back to the very same bytes has none of these (equal bytes, not equal length). Only other bodies take the slow way.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any, Final, NoReturn

import orjson

from healer import errors

DEPTH_MAX: Final = 64
NODES_MAX: Final = 50_000
STRING_MAX: Final = 262_144
_INT_MIN: Final = -(2**63)
_INT_MAX: Final = 2**64 - 1
_BLANK: Final = b" \t\r\n"
_SPACE: Final = re.compile(r"[ \t\r\n]*")


def parse(body: bytes, *, level: int = 1, nodes_max: int = NODES_MAX, string_max: int = STRING_MAX) -> Any:
    """The JSON value of `body`. Raises one of the `errors.RequestError`s that name what is wrong.

    `level`: that of the outermost value; 0 where it only wraps the body that is meant.
    """
    try:
        value = orjson.loads(body)
        exact = _exact(value, body)
    except orjson.JSONDecodeError as error:
        return _slow(body, error, level, nodes_max, string_max)
    except TypeError:
        exact = False
    if not exact:
        return _slow(body, None, level, nodes_max, string_max)
    containers = body.count(b"[") + body.count(b"{")
    # Each value but the first follows a comma or an opening bracket, a byte of its own; what stands in texts only makes the count larger.
    if (
        len(body) > string_max
        or b"\\u0000" in body
        or (len(body) >= nodes_max and body.count(b",") + containers >= nodes_max)
    ):
        _bound(value, level, nodes_max, string_max)
    elif containers > DEPTH_MAX:
        _bound_depth(value, level)
    return value


def _exact(value: Any, body: bytes) -> bool:
    """Whether a writer of JSON would write the value as just these bytes; white space around it does not count.

    Go's encoder ends with a line end and escapes `&`, `<` and `>`, which stand nowhere but in texts (https://pkg.go.dev/encoding/json).
    """
    body = body.strip(_BLANK)
    written = orjson.dumps(value)
    if written == body:
        return True
    if len(written) < len(body):
        written = written.replace(b"&", b"\\u0026").replace(b"<", b"\\u003c").replace(b">", b"\\u003e")
    return written == body or _as_python_writes(value, body)


def _as_python_writes(value: Any, body: bytes) -> bool:
    """The same proof for the separators that Python's own `json` writes, which many senders use."""
    return b": " in body and json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass") == body


def one_or_many(body: bytes) -> Any:
    """As `parse`. A mistake within an array names its element (0-based), which only a second reading can tell."""
    try:
        return parse(body)
    except errors.RequestError:
        if body.count(b",") < NODES_MAX:  # else too many values anyway: reading them twice would hold the loop
            _refuse_element(body)
        raise


def lines(body: bytes) -> list[tuple[int, Any]]:
    """The values of NDJSON, each with its line (1-based); blank ones are left out. A mistake names its line."""
    values = []
    for number, line in enumerate(body.split(b"\n"), 1):
        text = line.strip(b" \t\r")
        if text:
            try:
                values.append((number, parse(text)))
            except errors.RequestError as error:
                _place(error, f"line {number}")
                raise
    return values


def _refuse_element(body: bytes) -> None:
    """Raise the mistake of an array's first bad element. Nothing where none is bad by itself: no array, no UTF-8, a comma that is
    missing, too many values in all."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return
    at, nodes = _skip(text, 0), NODES_MAX
    if text[at : at + 1] != "[" or text[_skip(text, at + 1) :].startswith("]"):
        return
    for number in itertools.count():
        try:
            with _named():
                value, at = _DECODER.raw_decode(text, _skip(text, at + 1))
            nodes -= _bound(value, 2, nodes, STRING_MAX)  # the array is the first level
        except errors.TooManyNodes:
            return
        except errors.RequestError as error:
            _place(error, f"element {number}")
            raise
        at = _skip(text, at)
        if text[at : at + 1] != ",":
            return


def _skip(text: str, at: int) -> int:
    """The next place that is no white space."""
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _place(error: errors.RequestError, where: str) -> None:
    """Put the place in front of the message; the code stays."""
    error.args = (f"{where}: {error.message}",)


def _slow(body: bytes, reason: orjson.JSONDecodeError | None, level: int, nodes_max: int, string_max: int) -> Any:
    """With the standard library, which lets us see pairs, constants and digits."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise errors.BadText(detail=f"it is not UTF-8 at byte {error.start}") from error
    with _named():
        value = _DECODER.decode(text)
    _bound(value, level, nodes_max, string_max)
    if reason is not None and b"\\u" not in body:
        raise errors.NotJson(detail=str(reason))
    return value


@contextlib.contextmanager
def _named() -> Iterator[None]:
    """What the standard library raises becomes one of our errors."""
    try:
        yield
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if "\n" in error.doc else ""  # that of NDJSON is told already
        raise errors.NotJson(detail=f"{error.msg.removesuffix(' at')} at {line}column {error.colno}") from error
    except RecursionError as error:
        raise errors.TooDeep(limit=DEPTH_MAX) from error


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise errors.DuplicateKey(key=key[:100])
            seen.add(key)
    return made


def _constant(literal: str) -> NoReturn:
    raise errors.NotANumber(literal=literal)


def _integer(digits: str) -> int:
    if len(digits) <= 20 and _INT_MIN <= (number := int(digits)) <= _INT_MAX:
        return number
    raise errors.NumberTooLarge(number=digits[:40])


def _float(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise errors.NumberTooLarge(number=digits[:40])
    return number


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_constant=_constant, parse_int=_integer, parse_float=_float
)


def _bound(value: Any, level: int, nodes_max: int, string_max: int) -> int:
    """Depth (the value's own level counted), count, strings; without recursion. How many values there are."""
    stack: list[tuple[Any, int]] = [(value, level)]
    nodes = 0
    while stack:
        item, depth = stack.pop()
        nodes += 1
        if nodes > nodes_max:
            raise errors.TooManyNodes(limit=nodes_max)
        kind = type(item)
        if kind is str:
            _text(item, string_max)
        elif kind is dict or kind is list:
            if depth > DEPTH_MAX:
                raise errors.TooDeep(limit=DEPTH_MAX)
            if kind is dict:
                for key in item:
                    _text(key, string_max)
            stack += [(inner, depth + 1) for inner in (item.values() if kind is dict else item)]
    return nodes


def _bound_depth(value: Any, level: int) -> None:
    """Depth alone: only containers are looked at."""
    there = [value]
    for _ in range(level, DEPTH_MAX + 1):
        there = [
            inner
            for item in there
            for inner in (item.values() if type(item) is dict else item)
            if type(inner) is dict or type(inner) is list
        ]
        if not there:
            return
    raise errors.TooDeep(limit=DEPTH_MAX)


def _text(text: str, string_max: int) -> None:
    if len(text) > string_max:
        raise errors.BadText(detail=f"a text has {len(text)} characters, the limit is {string_max}")
    if "\x00" in text:
        raise errors.BadText(detail="it has a NUL character")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise errors.BadText(detail="it has half of a surrogate pair") from error
