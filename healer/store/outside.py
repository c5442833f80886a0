"""Small units around what is outside: that a sender still knows of alerts, and that a commit goes through.

Callers: `supervise`. What is journaled goes through the intake, as everything does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from healer.store import following
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

    def apply(self, tx: Transaction) -> int | None:
        """Move their last word; when the first run is to be looked at that waited for one."""
        for at in range(0, len(self.keys), KEYS_PER_STATEMENT):
            piece = self.keys[at : at + KEYS_PER_STATEMENT]
            sql = f"UPDATE alert SET seen_us = max(seen_us, ?) WHERE source = ? AND status = 'firing' AND key IN ({placeholders(piece)})"
            tx.connection.execute(sql, [self.at_us, self.source, *piece])
        for key in self.keys if tx.one("any_without_sign")[0] else ():
            following.sign_came(tx, self.source, key)
        (next_us,) = tx.one("run_next_look")
        return None if next_us is None else int(next_us)


class Pulse:
    """A commit that goes to the disk and means nothing else."""

    weight = 1

    def apply(self, tx: Transaction) -> None:
        """Write the time."""
        tx.run("pulse", tx.now_us)
