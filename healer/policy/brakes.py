"""Brakes with a memory: breakers and the storm brake, as values that move with what happens. Pure.

The store keeps these values in rows, moves them in its transactions by the functions here, and shows them to the gates.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from healer.policy.limits import Breaker

US: Final = 1_000_000
FAILURES_MAX: Final = 1_000
UNVERIFIED_WANTED: Final = 2
"""So many successes that nothing verified close a breaker."""


@dataclasses.dataclass(frozen=True, slots=True)
class Failures:
    """Of one action on one controller: when it failed since the breaker was closed last (µs, oldest first), and how many trials
    succeeded unverified since the last failure."""

    at_us: tuple[int, ...] = ()
    good: int = 0

    def opened_us(self, limit: Breaker) -> int | None:
        """When it opened by this limit: the last failure of which there were so many in its time; None: it is closed."""
        count, within = limit.failures, round(limit.within_s * US)
        for last in range(len(self.at_us) - 1, count - 2, -1):
            if self.at_us[last] - self.at_us[last - count + 1] <= within:
                return self.at_us[-1]
        return None

    def is_open(self, limits: Sequence[Breaker]) -> bool:
        """Whether one of the limits holds it open, be it half."""
        return any(self.opened_us(limit) is not None for limit in limits)

    def failed(self, now_us: int, limits: Sequence[Breaker]) -> Failures:
        """After a failure. What is too old to count for any limit goes, but what opened it stays until it is closed."""
        kept_us = round(max((limit.within_s for limit in limits), default=0.0) * US)
        kept = self.at_us if self.is_open(limits) else tuple(at for at in self.at_us if now_us - at <= kept_us)
        return Failures((*kept[: FAILURES_MAX - 1], now_us))

    def succeeded(self, limits: Sequence[Breaker], *, verified: bool) -> Failures:
        """After a success: a verified one closes it, or the second that nothing verified. While it is closed nothing changes."""
        if not self.is_open(limits):
            return self
        return Failures() if verified or self.good + 1 >= UNVERIFIED_WANTED else Failures(self.at_us, self.good + 1)


@dataclasses.dataclass(frozen=True, slots=True)
class StormLimit:
    """More than `matches` within `within_s` seconds is a storm; it is over after `calm_s` below that."""

    matches: int
    within_s: float
    calm_s: float


@dataclasses.dataclass(frozen=True, slots=True)
class Storm:
    """The last storm: since when, when there were too many matches last, and how many at most within the time of the limit."""

    since_us: int
    last_us: int
    peak: int

    def calm_us(self, limit: StormLimit) -> int:
        """When it is over, if nothing more comes."""
        return self.last_us + round(limit.calm_s * US)


def storm_after(storm: Storm | None, limit: StormLimit, count: int, now_us: int) -> Storm | None:
    """The storm once `count` matches came within the time of the limit; the one before, or None, where it is none."""
    if count <= limit.matches:
        return storm
    if storm is None or now_us >= storm.calm_us(limit):
        return Storm(now_us, now_us, count)
    return Storm(storm.since_us, now_us, max(storm.peak, count))


@dataclasses.dataclass(frozen=True, slots=True)
class Ramp:
    """After a storm or a pause runs come back 1, 2, 4 …: how many run that count, how many have ended since it began."""

    what: str
    running: int
    ended: int

    @property
    def limit(self) -> int:
        """How many may run at once: each that ends makes room for two."""
        return 1 + self.ended


def shown(storm: Storm) -> Mapping[str, Any]:
    """The storm for explanations."""
    return {"since_us": storm.since_us, "last_us": storm.last_us, "peak": storm.peak}
