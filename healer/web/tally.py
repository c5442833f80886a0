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
    """One for the whole room. The daemon keeps `run` going."""

    def __init__(self) -> None:
        self._taken: dict[str, list[int]] = {}
        self._refused: dict[tuple[str, str], int] = {}
        self.last: dict[str, tuple[int, str]] = {}
        """Source → when its sender was refused the last time (µs), and why: for `status`, of sources with a path of their own."""
        self.greeted: dict[str, tuple[int, str]] = {}
        """Source → when its sender made sure of us the last time (µs), and what came of it."""
        self.to_visit: dict[str, dict[str, str]] = {}
        """Source → topic → the address by which a person confirms the subscription to it that its sender asked for last."""
        self.suggested: dict[str, str] = {}
        """Source → the format that its last delivery looked like, '' for none: of those that name none of a sender's own."""

    def took(self, source: str, accepted: int, duplicates: int) -> None:
        """A request of a source was committed."""
        sums = self._taken.get(source)
        if sums is None:
            sums = self._taken.setdefault(source, [0, 0])
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
            logger.bind(source=source, code=code).warning("refused from {}: {}", source, one_line(detail))

    async def run(self, period_s: float = PERIOD_S) -> None:
        """Write the lines each second, and once more at the end, until cancelled."""
        try:
            while True:
                await asyncio.sleep(period_s)
                self.write()
        finally:
            self.write()

    def write(self) -> None:
        """Write the summary lines of what came since the last ones, and begin anew."""
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


def one_line(text: str) -> str:
    """A text of a sender as it may stand in a log: short, without line ends and control characters."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text[:DETAIL_MAX])
