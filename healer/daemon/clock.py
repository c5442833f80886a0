"""Journal time: the wall clock at the start plus what the monotonic clock counted since, so that no step of the wall clock moves it.

The only module beside the writer's caller that reads a clock; everyone else is given one.
"""

from __future__ import annotations

import time


class JournalClock:
    """Microseconds since 1970, never going back."""

    def __init__(self) -> None:
        self._wall_us = time.time_ns() // 1000
        self._start_ns = time.monotonic_ns()

    def __call__(self) -> int:
        return self._wall_us + (time.monotonic_ns() - self._start_ns) // 1000
