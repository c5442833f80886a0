"""JSON that a body carries within a text, plain or in base64: read as strictly as the body itself, and never a reason to refuse it.

Used by the formats of envelopes (SNS, Pub/Sub, CloudEvents). What two readers could take for two things (a key twice, NaN) is no JSON.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from typing import Any, Final

TEXT_MAX: Final = 262_144
"""Characters of what is read: those that one text of a body may have."""
DEPTH_MAX: Final = 32
_INTEGERS: Final = range(-(2**63), 2**64)
_DIGITS_MAX: Final = 20


def of_text(text: str) -> Any:
    """The JSON value in a text; None for a text that is none (and for `null`)."""
    if len(text) > TEXT_MAX:
        return None
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    return value if _sound(value) else None


def of_base64(text: str) -> Any:
    """The JSON value in base64 (RFC 4648, 4), else the text in it; None for what is neither, and for nothing."""
    if not 0 < len(text) <= TEXT_MAX:
        return None
    try:
        plain = base64.b64decode(text, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    value = of_text(plain)
    return plain if value is None and "\0" not in plain else value


def _sound(value: Any) -> bool:
    """Whether it is no deeper than bodies may be, and each text in it can be written."""
    level = [value]
    for _ in range(DEPTH_MAX):
        if not all(_writable(one) for one in level if isinstance(one, str)):
            return False
        held = [one for one in level if isinstance(one, dict | list)]
        level = [inner for one in held for inner in ([*one, *one.values()] if isinstance(one, dict) else one)]
        if not level:
            return True
    return False


def _writable(text: str) -> bool:
    return "\0" not in text and (text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text))


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key is there twice")
    return made


def _integer(digits: str) -> int:
    if len(digits) > _DIGITS_MAX or (number := int(digits)) not in _INTEGERS:
        raise ValueError("the number is too large")
    return number


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("the number is too large")
    return number


def _constant(literal: str) -> Any:
    raise ValueError(literal)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_constant=_constant, parse_int=_integer, parse_float=_float
)
