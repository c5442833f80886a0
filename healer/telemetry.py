"""Counters and gauges of the process: names and numbers only, no I/O. `web` shows them, everyone counts.

One process-wide table, since a counter has no owner worth handing through every call; nothing reads it to decide.
"""

from __future__ import annotations

import collections
import contextlib
import contextvars
from collections.abc import Iterator
from typing import Final

_COUNTS: Final[collections.Counter[str]] = collections.Counter()

_APART: Final[contextvars.ContextVar[collections.Counter[str] | None]] = contextvars.ContextVar("apart", default=None)


def count(name: str, by: int = 1) -> None:
    """Add to a counter."""
    apart = _APART.get()
    (_COUNTS if apart is None else apart)[name] += by


@contextlib.contextmanager
def uncounted() -> Iterator[None]:
    """What is counted here meanwhile does not take place (a simulation): it is not counted. Others go on counting."""
    before = _APART.set(collections.Counter())
    try:
        yield
    finally:
        _APART.reset(before)


def gauge(name: str, value: int) -> None:
    """Set a value that goes up and down."""
    _COUNTS[name] = value


def read() -> dict[str, int]:
    """All counters by name."""
    return dict(sorted(_COUNTS.items()))
