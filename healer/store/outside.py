"""Small units around what is outside: that a sender still knows of alerts, and that a commit goes through.

Callers: `supervise`. What is journaled goes through the intake, as everything does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from healer.store.transaction import Transaction, placeholders

KEYS_PER_STATEMENT: Final = 500


class Heard:
    """The sender says that these alerts of a source fire, as we know: each was heard of at a time. Nothing is journaled.

    Why not of now: what the sender said is as old as the question.
    """

    def __init__(self, source: str, keys: Sequence[str], at_us: int) -> None:
        self.source = source
        self.keys = keys
        self.at_us = at_us

    @property
    def weight(self) -> int:
        """In statements."""
        return 1 + len(self.keys) // KEYS_PER_STATEMENT

    def apply(self, tx: Transaction) -> int:
        """Move their last word; how many of them fire."""
        count = 0
        for at in range(0, len(self.keys), KEYS_PER_STATEMENT):
            piece = self.keys[at : at + KEYS_PER_STATEMENT]
            sql = f"UPDATE alert SET seen_us = max(seen_us, ?) WHERE source = ? AND status = 'firing' AND key IN ({placeholders(piece)})"
            count += tx.connection.execute(sql, [self.at_us, self.source, *piece]).rowcount
        return count


class Pulse:
    """A commit that goes to the disk and means nothing else."""

    weight = 1

    def apply(self, tx: Transaction) -> None:
        """Write the time."""
        tx.run("pulse", tx.now_us)
