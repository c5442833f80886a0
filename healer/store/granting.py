"""Who may what, as far as the audit has told it: what changes is a record, whether it came with a reload or while nobody ran.

Callers: `deciding.UseRevision`, in the transaction from which on other files hold; the daemon, where only files beside them changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from healer import access
from healer.audit import records
from healer.store.transaction import Transaction, dumps, loads


class Hold:
    """Note who may what now."""

    weight = 1

    def __init__(self, actor: str, holds: Mapping[str, Any]) -> None:
        self.actor = actor
        self.holds = holds

    def apply(self, tx: Transaction) -> None:
        """As `hold`."""
        hold(tx, self.actor, self.holds)


def hold(tx: Transaction, actor: str, holds: Mapping[str, Any]) -> None:
    """`holds`: as `access.difference` compares it. A record with who was given and who lost what, where that is news."""
    row = tx.one("access_held")
    changed = access.difference(loads(row[0]) if row else {}, holds)
    if changed:
        tx.run("access_put", dumps(holds))
        tx.audit("access", actor=actor, difference=records.embed(changed))
