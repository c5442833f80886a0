"""Small units of the daemon itself: a note for the audit, and waking runs that an act of a person holds no longer."""

from __future__ import annotations

from typing import Any

from healer.store import seeing
from healer.store.transaction import Transaction


class Note:
    """One audit record that comes with no other row (`start`, `stop`, `pause`, `resume`, `clock`)."""

    weight = 1

    def __init__(self, kind: str, actor: str, **fields: Any) -> None:
        self.kind = kind
        self.actor = actor
        self.fields = fields

    def apply(self, tx: Transaction) -> int:
        """The record's number."""
        return tx.audit(self.kind, actor=self.actor, **self.fields)


class Wake:
    """Deferred runs that a reason held (without one: all) are looked at with the next tick. The result is how many."""

    weight = 1

    def __init__(self, reason: str = "") -> None:
        self.reason = reason

    def apply(self, tx: Transaction) -> int:
        """Set their time of the next look to now."""
        return tx.run("run_wake", tx.now_us, self.reason) if self.reason else tx.run("run_wake_all", tx.now_us)


class Start:
    """The record `start`; runs that wait are looked at anew: files, flags and environment may have brought other limits.

    `storm`: whether anything counts as a storm.
    """

    weight = 1

    def __init__(self, actor: str, *, storm: bool = True, **fields: Any) -> None:
        self.actor = actor
        self.storm = storm
        self.fields = fields

    def apply(self, tx: Transaction) -> int:
        """The record's number."""
        Wake().apply(tx)
        if not self.storm:
            seeing.forget_storm(tx)
        return tx.audit("start", actor=self.actor, **self.fields)


class RevisionNumber:
    """The number of a revision that is known here; None for one that never was."""

    weight = 1

    def __init__(self, revision_id: str) -> None:
        self.revision_id = revision_id

    def apply(self, tx: Transaction) -> int | None:
        """Look it up."""
        row = tx.one("revision_find", self.revision_id)
        return None if row is None else int(row[0])
