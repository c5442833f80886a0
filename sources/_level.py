"""When a row of readings opens and closes an alert: pure, `now` is an argument. Used by the source `check`.

One bad reading among good ones is noise, and a value that swings around its limit is one alert, not many: so it takes
`failures` bad readings in a row to fire and `successes` clearly good ones to resolve.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from healer import plugins

Status = Literal["firing", "resolved"]


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """`clear_below`: a value at or above it does not count towards resolving (None: every good reading counts).

    `repeat_s`: after so many seconds a firing alert is told again, so that a healing that failed gets another try.
    """

    failures: int = 1
    successes: int = 1
    clear_below: float | None = None
    repeat_s: float = 3600.0


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """What to emit: the status, since when it holds, and the reading that led to it."""

    status: Status
    since: float
    reading: plugins.Reading


class Level:
    """Follows one check. The first status that is certain is told whichever it is.

    After a start nobody knows what was told before it; a `resolved` too many closes nothing, one too few leaves an
    alert open for ever.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.status: Status | None = None
        self.since = 0.0
        self._told_at = 0.0
        self._bad = 0
        self._good = 0
        self._streak_at = 0.0

    def take(self, reading: plugins.Reading, now: float) -> Told | None:
        """What this reading, taken at `now` (seconds), gives to tell; mostly nothing."""
        self._count(reading, now)
        if self._bad >= self.rules.failures and self.status != "firing":
            return self._turn("firing", reading, now)
        if self._good >= self.rules.successes and self.status != "resolved":
            return self._turn("resolved", reading, now)
        if self.status == "firing" and not self._good and now - self._told_at >= self.rules.repeat_s:
            self._told_at = now
            return Told("firing", self.since, reading)
        return None

    def _count(self, reading: plugins.Reading, now: float) -> None:
        if not reading.ok:
            if not self._bad:
                self._streak_at = now
            self._bad, self._good = self._bad + 1, 0
        elif self.status == "firing" and not self._is_clear(reading):
            self._bad = self._good = 0  # good, yet within the hysteresis: neither way
        else:
            if not self._good:
                self._streak_at = now
            self._good, self._bad = self._good + 1, 0

    def _is_clear(self, reading: plugins.Reading) -> bool:
        limit = self.rules.clear_below
        return limit is None or reading.value is None or reading.value < limit

    def _turn(self, status: Status, reading: plugins.Reading, now: float) -> Told:
        self.status, self.since, self._told_at = status, self._streak_at, now
        return Told(status, self.since, reading)
