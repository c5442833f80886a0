"""Journal time: the wall clock at the start plus what the monotonic clock counted since, so that no step of the wall clock moves it.

The only place where a clock is read for what is decided; everyone else is given this one.
"""

from __future__ import annotations

import time
from typing import Final

STEP_US: Final = 1_000_000


class JournalClock:
    """Microseconds since 1970, never going back."""

    def __init__(self) -> None:
        self._wall_us = time.time_ns() // 1000
        self._start_ns = time.monotonic_ns()
        self._drift_us = 0

    def __call__(self) -> int:
        return self._wall_us + (time.monotonic_ns() - self._start_ns) // 1000

    def not_before(self, at_us: int) -> None:
        """The journal has rows up to `at_us`: go on from there where the wall clock was set back while nobody was here."""
        behind = at_us - self()
        if behind > 0:
            self._wall_us += behind
            self._drift_us -= behind

    def ahead_us(self) -> int:
        """By how much the wall clock, which people's times mean, is ahead of journal time."""
        return time.time_ns() // 1000 - self()

    def stepped(self) -> int:
        """By how many microseconds the wall clock stepped since the last call; 0 for less than a second."""
        drift = self.ahead_us()
        step = drift - self._drift_us
        if abs(step) <= STEP_US:
            return 0
        self._drift_us = drift
        return step
