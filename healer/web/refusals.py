"""Deliveries that are refused though their sender is who it says: counted, and told of at most once in a while for each reason.

What nobody has proved is only counted (`tally`): a stranger must not fill the audit. Used by `hooks`.
"""

from __future__ import annotations

from typing import Final

from loguru import logger

from healer import errors
from healer.store import refusals
from healer.web import tally
from healer.web.services import Services

TOLD_AGAIN_US: Final = 600_000_000
REASONS_MAX: Final = 1_000


class Refusals:
    """Remembers what was told of, and how many came since."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], tuple[int, int]] = {}

    async def tell(self, services: Services, source: str, error: errors.HealerError) -> None:
        """Put it on record, unless that was done a short while ago. Where that cannot be written the log alone has it."""
        now_us = services.clock()
        at_us, count = self._told.get((source, error.code), (-TOLD_AGAIN_US, 0))
        if now_us - at_us < TOLD_AGAIN_US or (
            (source, error.code) not in self._told and len(self._told) >= REASONS_MAX
        ):
            if (source, error.code) in self._told:
                self._told[source, error.code] = at_us, count + 1
            return
        self._told[source, error.code] = now_us, 0
        why = tally.one_line(getattr(error, "reason", error.message))
        try:
            await services.store.submit(refusals.Refused(source, error.code, why, count + 1))
        except errors.HealerError as wrong:
            logger.bind(source=source).warning("refused from {} and not on record: {}", source, wrong.message)
