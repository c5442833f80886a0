"""Words on requests that were refused, on record: who tried it, on what, and why it counted for nothing.

A few a minute: nobody fills the disk by trying. What is left out is counted in the next record; the counters and the log have all. Callers:
all ways by which people decide.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from loguru import logger

from healer import errors, store
from healer.store import notes
from healer.web import tally

CODES: Final = frozenset(
    {"forbidden", "may-not-approve", "approval-otherwise", "nobody-known", "unknown-person", "not-from-here"}
)
"""Refusals that say something of who tried it. That a request has ended, or is none, does not."""
WITHIN_US: Final = 60_000_000
OF_ONE_MAX: Final = 5
"""Records of one actor within that time."""
OF_ALL_MAX: Final = 30
ID_MAX: Final = 64


class Attempts:
    """One a daemon. `clock`: microseconds that only grow."""

    def __init__(self, opened: store.Store, clock: Callable[[], int]) -> None:
        self._store = opened
        self._clock = clock
        self._since_us = 0
        self._made: dict[str, int] = {}
        """Actor → records since then."""
        self._left_out = 0

    @contextlib.asynccontextmanager
    async def noted(self, actor: str, requests: Sequence[str], word: str) -> AsyncIterator[None]:
        """What is refused in here is on record, and goes on."""
        try:
            yield
        except errors.HealerError as error:
            await self.note(actor, requests, word, error.code, error.message)
            raise

    async def note(self, actor: str, requests: Sequence[str], word: str, code: str, detail: str) -> None:
        """Write it down, unless it says nothing of who tried it or there was too much of it. Never raises for what cannot be written."""
        if code not in CODES:
            return
        now_us = self._clock()
        if now_us - self._since_us >= WITHIN_US:
            self._since_us, self._made = now_us, {}
        made = self._made.get(actor, 0)
        if made >= OF_ONE_MAX or sum(self._made.values()) >= OF_ALL_MAX:
            self._left_out += 1
            return
        self._made[actor] = made + 1
        left_out, self._left_out = self._left_out, 0
        fields = {
            "approval": requests[0][:ID_MAX] if requests else None, "more": max(0, len(requests) - 1), "word": word or None, "code": code,
            "detail": tally.one_line(detail), "left_out": left_out,
        }  # fmt: skip
        try:
            await self._store.submit(notes.Note("review_refused", actor, **fields))
        except errors.HealerError as error:
            self._left_out += left_out + 1
            logger.warning(
                "that {} was refused a word on a request could not be written down: {}", actor, error.message
            )
