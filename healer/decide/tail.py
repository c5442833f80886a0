"""The end of the journal in memory, so that what was just committed need not be read (and parsed) again.

Bounded: while it is full, new rows are left to be read from the store. Only rows that follow each other are handed out.
"""

from __future__ import annotations

import asyncio
import collections
from typing import Final

from healer import store
from healer.store import journal

ROWS_MAX: Final = 20_000
BYTES_MAX: Final = 64 << 20


class Tail:
    """Fed by the writer after each commit, read by `decide`."""

    def __init__(self, opened: store.Store, after: int) -> None:
        self._store = opened
        self._rows: collections.deque[journal.Row] = collections.deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self.committed = after
        """The last position that is known to be committed."""

    def feed(self, rows: list[journal.Row]) -> None:
        """Rows that were just committed, in order."""
        self.committed = max(self.committed, rows[-1].seq)
        for row in rows:
            size = len(row.body or b"")
            if len(self._rows) >= ROWS_MAX or self._bytes + size > BYTES_MAX:
                break
            if row.body_hash and row.body is None and row.data is None:
                break  # its content lies in a file, and nobody has it in memory
            self._rows.append(row)
            self._bytes += size
        self._wake.set()

    async def wait(self, after: int) -> None:
        """Return once there is a row behind `after`, or `wake` was called."""
        if self.committed <= after:
            await self._wake.wait()
        self._wake.clear()

    def wake(self) -> None:
        """End a wait."""
        self._wake.set()

    async def after(self, position: int, limit: int) -> list[journal.Row]:
        """The rows behind `position`, at most `limit`, without a gap; empty when there are none."""
        rows = self._rows
        while rows and rows[0].seq <= position:
            self._drop()
        if not rows or rows[0].seq != position + 1:
            return await self._store.rows_after(position, limit) if self.committed > position else []
        found: list[journal.Row] = []
        while rows and len(found) < limit and rows[0].seq == position + 1:
            found.append(rows[0])
            position += 1
            self._drop()
        return found

    def _drop(self) -> None:
        row = self._rows.popleft()
        self._bytes -= len(row.body or b"")
