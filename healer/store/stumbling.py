"""Where a process that ended unasked stood in the journal, so that one row cannot end every start at the same place.

A start that finds rows waiting behind the position where the one before it began, and that did not stop by itself, counts a death
there. From the second on rows are decided one at a time, and the row under way is written down first: who dies then says at which
row. Caller: `decide.stumbles`.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from healer.store import letters
from healer.store.transaction import Transaction

CAREFUL_DEATHS: Final = letters.TRIES - 1


@dataclasses.dataclass(frozen=True, slots=True)
class Begun:
    """How often a process died where this one begins; `poison`: the row at which it did so too often, 0 for none."""

    deaths: int
    poison: int


class Begin:
    """A process begins to decide."""

    weight = 1

    def apply(self, tx: Transaction) -> Begun:
        """Count, from what the one before left."""
        (position, _) = tx.one("position_find", tx.part)
        seq, deaths, trying, stopped = tx.one("stumble_find", tx.part) or (0, 0, 0, 1)
        if stopped or tx.last_seq <= position:
            deaths = 0
        elif seq != position:
            deaths = 1
        elif trying or deaths < CAREFUL_DEATHS:  # one that goes row by row and dies elsewhere did not die of a row
            deaths += 1
        poison = trying if deaths >= letters.TRIES and trying == position + 1 else 0
        tx.run("stumble_begin", tx.part, position, deaths)
        return Begun(deaths, poison)


class Try:
    """A row is about to be decided alone."""

    weight = 1

    def __init__(self, seq: int) -> None:
        self.seq = seq

    def apply(self, tx: Transaction) -> None:
        """Written before it is evaluated."""
        tx.run("stumble_try", self.seq - 1, self.seq, tx.part)


class Past:
    """The place is passed: whatever was counted there is over."""

    weight = 1

    def apply(self, tx: Transaction) -> None:
        """From the position on as if nothing had happened."""
        tx.run("stumble_past", tx.one("position_find", tx.part)[0], tx.part)


class Stop:
    """The process stops by itself: nothing of it is to be counted."""

    weight = 1

    def apply(self, tx: Transaction) -> None:
        """A next start counts from nothing."""
        tx.run("stumble_stop", tx.part)
