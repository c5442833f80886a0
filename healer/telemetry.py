"""Counters and gauges of the process: names and numbers only, no I/O. `web` shows them, everyone counts.

One process-wide table, since a counter has no owner worth handing through every call; nothing reads it to decide.
"""

from __future__ import annotations

import collections
from typing import Final

_COUNTS: Final[collections.Counter[str]] = collections.Counter()


def count(name: str, by: int = 1) -> None:
    """Add to a counter."""
    _COUNTS[name] += by


def gauge(name: str, value: int) -> None:
    """Set a value that goes up and down."""
    _COUNTS[name] = value


def read() -> dict[str, int]:
    """All counters by name."""
    return dict(sorted(_COUNTS.items()))
