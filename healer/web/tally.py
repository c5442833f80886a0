"""How many events each source brought, and what was refused: counters, and at most one summary line a second.

The hot path only adds to a dict. A refusal is logged at once as WARNING the first time in a second, then only counted, so that
a flood of bad requests cannot fill the log.
"""

from __future__ import annotations

import asyncio
from typing import Final

from loguru import logger

from healer import telemetry

PERIOD_S: Final = 1.0
KEYS_MAX: Final = 1000
DETAIL_MAX: Final = 300


class Tally:
    """One for the whole room. `period_s`: how often a line is written, at most."""

    def __init__(self, period_s: float = PERIOD_S) -> None:
        self._period_s = period_s
        self._taken: dict[str, list[int]] = {}
        self._refused: dict[tuple[str, str], int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def took(self, source: str, accepted: int, duplicates: int) -> None:
        """A request of a source was committed."""
        sums = self._taken.get(source)
        if sums is None:
            sums = self._taken.setdefault(source, [0, 0])
            self._wind()
        sums[0] += accepted
        sums[1] += duplicates
        telemetry.count("events_accepted", accepted)
        if duplicates:
            telemetry.count("events_duplicate", duplicates)

    def refused(self, source: str, code: str, detail: str) -> None:
        """A request was refused; nothing of it was kept."""
        telemetry.count("requests_refused")
        telemetry.count(f"requests_refused_{code}")
        key = (source, code)
        seen = self._refused.get(key, 0)
        if not seen and len(self._refused) >= KEYS_MAX:
            return
        self._refused[key] = seen + 1
        if not seen:
            logger.bind(source=source, code=code).warning("refused from {}: {}", source, detail[:DETAIL_MAX])
            self._wind()

    def _wind(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._period_s, self.write)

    def write(self) -> None:
        """Write the summary lines of what came since the last ones, and begin anew."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        taken, self._taken = self._taken, {}
        refused, self._refused = self._refused, {}
        for source, (accepted, duplicates) in taken.items():
            logger.bind(source=source, accepted=accepted, duplicates=duplicates).info(
                "{} events accepted from {}, {} duplicates", accepted, source, duplicates
            )
        for (source, code), count in refused.items():
            if count > 1:
                logger.bind(source=source, code=code, refused=count).warning(
                    "refused {} requests from {}: {}", count, source, code
                )
