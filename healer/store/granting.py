"""Who may what, and what else holds, as far as the audit has told it: what changes is a record, whether it came with a reload or while
nobody ran.

Callers: `deciding.UseRevision`, in the transaction from which on other files hold; the daemon, where only files beside them changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from healer import access
from healer.audit import records
from healer.store.transaction import Transaction, dumps, loads

TOLD_MAX: Final = 1_000
_OTHER: Final = ("settings", "entries")


class Hold:
    """Note who may what now, and what else holds."""

    weight = 1

    def __init__(self, actor: str, holds: Mapping[str, Any]) -> None:
        self.actor = actor
        self.holds = holds

    def apply(self, tx: Transaction) -> None:
        """As `hold`."""
        hold(tx, self.actor, self.holds)


def hold(tx: Transaction, actor: str, holds: Mapping[str, Any]) -> None:
    """`holds`: as `access.difference` compares it, and maybe `settings` (name → value) and `entries` (name → digest). A record with who
    was given and who lost what, and one with what else was and is, where that is news."""
    row = tx.one("access_held")
    before: dict[str, Any] = loads(row[0]) if row else {}
    after = {name: before[name] for name in _OTHER if name in before} | dict(holds)
    given, changed = access.difference(before, after), difference(before, after)
    if given or changed:
        tx.run("access_put", dumps(after))
    if given:
        tx.audit("access", actor=actor, difference=records.embed(given))
    if changed:
        tx.audit("settings", actor=actor, difference=records.embed(changed))


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What else holds: of a setting what it was and is, of what is known by a digest that it came, went or changed. The first time only
    what the settings are."""
    made: dict[str, Any] = {}
    old, new = before.get("settings"), after.get("settings", {})
    for name in sorted({*(old or {}), *new}):
        if old is None:
            made[name] = {"after": new[name]}
        elif old.get(name) != new.get(name):
            made[name] = {"before": old.get(name), "after": new.get(name)}
    now = after.get("entries", {})
    was = before.get("entries", now)
    for name in sorted({*was, *now}):
        if was.get(name) != now.get(name):
            made[name] = {"added" if name not in was else "removed" if name not in now else "changed": True}
    if len(made) > TOLD_MAX:
        return dict(list(made.items())[:TOLD_MAX]) | {"more": len(made) - TOLD_MAX}
    return made
