"""A row of which the process dies (out of memory, a crash in C, kill -9) must not end every start at the same place.

A start looks where the ones before it died: from the second death at one position on the rows behind it are decided one at a time, each
written down before and committed after, so that the position comes to stand before the one that kills. Of that row a start after the
third death says so, and it is set aside whole, before anybody hears of it. A clean stop, or getting past, ends the count. Caller: the
decider.
"""

from __future__ import annotations

from typing import Final

from loguru import logger

from healer import store
from healer.store import journal, letters, stumbling

SAID: Final = f"the daemon ended {letters.TRIES} times while it decided on this row (killed, out of memory, or a crash)"


class Stumbles:
    """`reach`: so many rows may lie between the position and the row at which a process that decides in batches dies."""

    def __init__(self, opened: store.Store, reach: int) -> None:
        self._store = opened
        self._reach = reach
        self._careful_to = 0

    async def begin(self, position: int) -> journal.Row | None:
        """A process begins to decide behind a position. The row that killed those before it, if it is sure which one does."""
        begun = await self._store.insist(stumbling.Begin())
        if not begun.poison and begun.deaths >= stumbling.CAREFUL_DEATHS:
            self._careful_to = position + self._reach
            logger.warning(
                "the daemon ended {} times without a stop behind e-{}: what waits there is decided row by row",
                begun.deaths, position,
            )  # fmt: skip
        if not begun.poison:
            return None
        (row,) = await self._store.rows_after(position, 1)
        # Which rules hold is what the journal says, always: a row that changes them is not passed over.
        return row if row.kind != "revision" else None

    def careful(self, position: int) -> bool:
        """Whether the row behind the position is to be decided alone."""
        return position < self._careful_to

    async def before(self, row: journal.Row) -> None:
        """The row is decided next, alone."""
        await self._store.insist(stumbling.Try(row.seq))

    async def past(self) -> None:
        """What killed is set aside, or nothing did: from here on as always."""
        self._careful_to = 0
        await self._store.insist(stumbling.Past())

    async def stop(self) -> None:
        """The process stops by itself."""
        await self._store.submit(stumbling.Stop())
