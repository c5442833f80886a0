"""What events are, to tell one that comes again from another one under its id. Used by the intake; pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from healer.store import journal

AROUND: Final = "group"
"""What an event has of those that it came with."""


def of_rows(rows: Sequence[journal.Row]) -> str:
    """Of a delivery: of one event its bytes."""
    return _of(b"\n".join(row.body or b"" for row in rows))


def alone(value: Mapping[str, Any], encoded: bytes, whole: bool) -> str:
    """Of an event with an id of its own: the same alone or among others, however it was written. `whole`: whether `value` is all of the
    event; of what is too large for that its bytes count."""
    if not whole:
        return _of(encoded)
    return _of(orjson.dumps({name: inner for name, inner in value.items() if name != AROUND}))


def _of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
