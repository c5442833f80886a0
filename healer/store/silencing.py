"""Silences in rows: people say that some alerts or runs are left alone for a time.

Callers: `web`, `daemon.watching`. The gate reads them in the transactions that ask it. Their times are the wall clock's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from healer import model, telemetry
from healer.policy import labels
from healer.store import notes
from healer.store.transaction import Transaction, dumps, loads

MATCHERS_MAX: Final = 50
ACTIVE_MAX: Final = 1_000
OVER_MAX: Final = 100


class TooMany(ValueError):
    """As many silences as are looked at hold already."""


class Silence:
    """Make one; the result is its id."""

    weight = 1

    def __init__(
        self, matchers: Sequence[labels.Matcher], from_us: int, until_us: int, actor: str, comment: str
    ) -> None:  # fmt: skip
        self.matchers = matchers
        self.from_us = from_us
        self.until_us = until_us
        self.actor = actor
        self.comment = comment

    def apply(self, tx: Transaction) -> str:
        """The row and its record. Raises `TooMany`."""
        if tx.one("silences_count", self.from_us)[0] >= ACTIVE_MAX:
            raise TooMany(f"{ACTIVE_MAX} silences hold already")
        texts = [str(one) for one in self.matchers]
        made = tx.one("silences_made")[0]
        silence = "s-" + model.short_hash(f"{tx.now_us}/{self.actor}/{dumps(texts)}/{made}")[:8]
        tx.run(
            "silence_insert", silence, dumps(texts), self.from_us, self.until_us, self.actor, self.comment, tx.now_us
        )  # fmt: skip
        tx.audit(
            "silence", actor=self.actor, silence=silence, matchers=texts, from_us=self.from_us, until_us=self.until_us,
            reason=self.comment,
        )  # fmt: skip
        telemetry.count("silences")
        return silence


class EndSilence:
    """End one before its time by the wall clock (`wall_us`; None: as journal time); what it held is looked at. False: it had ended."""

    weight = 1

    def __init__(self, silence: str, actor: str, wall_us: int | None = None) -> None:
        self.silence = silence
        self.actor = actor
        self.wall_us = wall_us

    def apply(self, tx: Transaction) -> bool:
        """The row and its record."""
        if not tx.run(
            "silence_end", tx.now_us, self.actor, self.silence, tx.now_us if self.wall_us is None else self.wall_us
        ):
            return False
        notes.Wake("silenced").apply(tx)
        matchers, until_us = tx.one("silence_find", self.silence)
        tx.audit("silence_ended", actor=self.actor, silence=self.silence, matchers=loads(matchers), until_us=until_us)
        return True


class Over:
    """Note which silences have come to their end by the wall clock; of themselves they hold nothing from then on. The result: how many."""

    weight = 1

    def __init__(self, wall_us: int) -> None:
        self.wall_us = wall_us

    def apply(self, tx: Transaction) -> int:
        """A record of each, `OVER_MAX` at once."""
        found = tx.all("silences_over", self.wall_us, OVER_MAX)
        for silence, matchers, until_us in found:
            tx.run("silence_over", silence, self.wall_us)
            tx.audit(
                "silence_ended", actor="daemon", silence=silence, matchers=loads(matchers), until_us=until_us, reason="its time is over"
            )  # fmt: skip
        return len(found)
