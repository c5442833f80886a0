"""Breakers in rows: what the end of an attempt does to that of its action on its controller, and a person who closes one.

Callers: `finishing`, `verifying`, `web`.
"""

from __future__ import annotations

from typing import Final

from healer import policy, telemetry
from healer.store import candidates, seeing
from healer.store.transaction import Transaction, dumps, loads

BAD: Final = ("failed", "timed_out", "unknown")


def limits_of(text: str) -> tuple[policy.limits.Breaker, ...]:
    """The breakers that a run's row names."""
    return policy.Limits.from_json(loads(text)).breakers


def ended(tx: Transaction, row: candidates.RunRow, state: str, *, verified: bool = False) -> None:
    """An attempt of the run ended so; what waits for its trial is looked at."""
    limits = limits_of(row["limits"])
    if not limits:
        return
    action, controller = row["action"], row["controller"]
    before = seeing.failures_of(tx, action, controller)
    was_open = before.is_open(limits)
    after = before.failed(tx.now_us, limits) if state in BAD else before
    if state == "succeeded":
        after = before.succeeded(limits, verified=verified)
    if after != before:
        tx.run("breaker_put", action, controller, dumps(list(after.at_us)), after.good)
    is_open = after.is_open(limits)
    if is_open != was_open:
        tx.audit(
            "breaker_opened" if is_open else "breaker_closed", actor="daemon", action=action, controller=controller, run=row["id"],
            failures=len(after.at_us),
        )  # fmt: skip
        telemetry.count("breakers_opened" if is_open else "breakers_closed")
    if was_open:
        tx.run("breaker_waiting", tx.now_us, action, controller)


class Close:
    """A person closes the breaker of an action on a controller. The result: whether there was one that knew of failures."""

    weight = 1

    def __init__(self, action: str, controller: str, actor: str, reason: str) -> None:
        self.action = action
        self.controller = controller
        self.actor = actor
        self.reason = reason

    def apply(self, tx: Transaction) -> bool:
        """Forget its failures, with a record; what waited is looked at."""
        failures = seeing.failures_of(tx, self.action, self.controller)
        if not failures.at_us:
            return False
        tx.run("breaker_drop", self.action, self.controller)
        tx.run("breaker_waiting", tx.now_us, self.action, self.controller)
        tx.audit(
            "breaker_closed", actor=self.actor, action=self.action, controller=self.controller, reason=self.reason or None,
            failures=len(failures.at_us),
        )  # fmt: skip
        return True
