"""The facts a session remembers: set, retracted by pattern, bounded in number.

Caller: `session`. Equal facts are two facts. Values are compared to the last type when one is retracted (1 is not 1.0).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from healer.engine import memory, values

FACTS_MAX: Final = 100_000


class Facts:
    """All stored facts, oldest first."""

    __slots__ = ("limit", "refused", "stored")

    def __init__(self, limit: int | None = None) -> None:
        self.limit = FACTS_MAX if limit is None else limit
        self.stored: list[memory.Entry] = []
        self.refused = 0

    def store(self, fact: memory.Entry) -> bool:
        """Keep a fact; beyond `limit` it is not kept, and counted."""
        if len(self.stored) >= self.limit:
            self.refused += 1
            return False
        self.stored.append(fact)
        return True

    def retract(self, pattern: dict[str, Any], partial: bool, exclude_keys: Sequence[str]) -> list[memory.Entry]:
        """Remove and return every fact that the pattern fits.

        `partial`: the pattern's keys have to be there and the same. Else those of the fact have to be in the pattern, but for
        `exclude_keys`; what else the pattern has does not matter (measured).
        """
        gone = [fact for fact in self.stored if fits(fact.body, pattern, partial, exclude_keys)]
        self.let_go(gone)
        return gone

    def let_go(self, gone: Collection[memory.Entry]) -> None:
        """Remove some."""
        if gone:
            taken = {id(fact) for fact in gone}
            self.stored = [fact for fact in self.stored if id(fact) not in taken]


def fits(body: dict[str, Any], pattern: dict[str, Any], partial: bool, exclude_keys: Sequence[str]) -> bool:
    """Whether a pattern of a retraction is one for a fact."""
    if partial:
        return all(key in body and values.same(body[key], value) for key, value in pattern.items())
    return all(
        key in exclude_keys or (key in pattern and values.same(value, pattern[key])) for key, value in body.items()
    )
