"""Requests for a person's word in rows: waiting is a row, no task holds it.

Callers: `asking` and `claiming` (a gate asks for a person). What people say is in `reviewing`.
"""

from __future__ import annotations

from healer import model, policy, telemetry
from healer.policy import approvals
from healer.store import candidates
from healer.store.transaction import Transaction, dumps


def request(
    tx: Transaction, run: str, decision: policy.Decision, asked: policy.Limits, standing: policy.Standing
) -> None:
    """A run waits for a person from now on: the thresholds of this moment are frozen into the request."""
    row = candidates.run_row(tx, run)
    number = tx.one("approval_count", run)[0] + 1
    approval = "a-" + model.short_hash(f"{run}/{number}")[:12]
    wanted = asked.approvals or standing.asks
    author = standing.author if "author" in approvals.exclusions(wanted) else None
    tx.run(
        "approval_insert", approval, decision.reason, candidates.digest_of(tx, row, standing, author),
        dumps(approvals.as_json(wanted)), row["actor"], author, tx.now_us, decision.look_at_us, run,
    )  # fmt: skip
    tx.audit(
        "approval_asked", actor="daemon", run=run, approval=approval, rule=row["rule"], action=row["action"], reason=decision.reason,
        targets=row["targets"], author=author or None, expires_us=decision.look_at_us,
    )  # fmt: skip
    telemetry.count("approvals_asked")
