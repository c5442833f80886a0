"""Requests for a person's word in rows, and T5: what a review makes of a run. Waiting is a row, no task holds it.

Callers: `asking` and `claiming` (a gate asks for a person), `web` (a person says something).
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from healer import errors, model, policy, telemetry
from healer.policy import approvals
from healer.store import budgets, following, seeing
from healer.store.transaction import Transaction, dumps, loads


class ApprovalEnded(errors.RequestError):
    """the request {approval} is {state}: nothing waits for a word on it any more"""

    code = "approval-ended"
    status = 409


class MayNotApprove(errors.RequestError):
    """{actor} may not decide this: {reason}"""

    code = "may-not-approve"
    status = 403


def request(
    tx: Transaction, run: str, decision: policy.Decision, asked: policy.Limits, standing: policy.Standing
) -> None:
    """A run waits for a person from now on: the thresholds of this moment are frozen into the request."""
    row = seeing.run_row(tx, run)
    number = tx.one("approval_count", run)[0] + 1
    approval = "a-" + model.short_hash(f"{run}/{number}")[:12]
    tx.run(
        "approval_insert", approval, run, decision.reason, seeing.digest_of(tx, row, standing.bound),
        dumps(approvals.as_json(asked.approvals)), row["actor"], tx.now_us, decision.look_at_us,
    )  # fmt: skip
    tx.audit(
        "approval_asked", actor="daemon", run=run, approval=approval, rule=row["rule"], action=row["action"], reason=decision.reason,
        targets=row["targets"], expires_us=decision.look_at_us,
    )  # fmt: skip
    telemetry.count("approvals_asked")


@dataclasses.dataclass(frozen=True, slots=True)
class Reviewed:
    """What became of a request. `stood`: the person had said something before, which stands."""

    approval: str
    run: str
    state: str
    stood: bool = False


Word = Literal["approve", "reject"]


class Review:
    """T5: one person's word on a request. What it comes to is decided in the same transaction.

    Raises `errors.NotFound`, `ApprovalEnded`, `MayNotApprove`.
    """

    weight = 2

    def __init__(
        self, approval: str, word: Word, *, actor: str, role: str, reason: str, standing_of: seeing.StandingOf
    ) -> None:  # fmt: skip
        self.approval = approval
        self.word = word
        self.actor = actor
        self.role = role
        self.reason = reason
        self.standing_of = standing_of

    def apply(self, tx: Transaction) -> Reviewed:
        """Append the review; awaiting → queued, rejected, or void where what was asked for is not what would run."""
        found = tx.one("approval_find", self.approval)
        if found is None:
            raise errors.NotFound("healer approvals", what=f"the request {self.approval!r}")
        _, run, state, digest, asked_text, requester, expires_us = found
        asked = approvals.from_json(loads(asked_text))
        if state != "open" or (expires_us is not None and tx.now_us >= expires_us):
            raise ApprovalEnded(approval=self.approval, state=state if state != "open" else "expired")
        if not approvals.may_review(asked, self.role):
            raise MayNotApprove(actor=self.actor, reason=f"a role like {_roles(asked)} is wanted, yours is {self.role}")
        if self.word == "approve" and approvals.excluded(asked, self.actor, requester):
            raise MayNotApprove(actor=self.actor, reason="you asked for it")
        new = tx.run(
            "review_insert", self.approval, self.actor, self.role, int(self.word == "approve"), self.reason, tx.now_us
        )  # fmt: skip
        if not new:
            return Reviewed(self.approval, run, state, stood=True)
        tx.audit(
            "review", actor=self.actor, run=run, approval=self.approval, word=self.word, role=self.role, reason=self.reason or None,
        )  # fmt: skip
        reviews = [
            approvals.Review(person, role, bool(yes)) for person, role, yes, _, _ in tx.all("reviews", self.approval)
        ]
        outcome = approvals.outcome(asked, reviews)
        if outcome == "open":
            return Reviewed(self.approval, run, "open")
        row = seeing.run_row(tx, run)
        if outcome == "rejected":
            return self._end(
                tx, row, "rejected", f"rejected by {self.actor}" + (f": {self.reason}" if self.reason else "")
            )
        standing = self.standing_of(row)
        if seeing.digest_of(tx, row, standing.bound) != digest:
            return self._end(tx, row, "void", "what would run is not what was asked for any more")
        return self._go(tx, row, standing)

    def _end(self, tx: Transaction, row: seeing.RunRow, state: model.RunState, summary: str) -> Reviewed:
        run = row["id"]
        tx.must(
            "run_move", state, "", dumps({"summary": summary}), tx.now_us, tx.now_us, run, "awaiting_approval",
            what=run, old=row["state"], new=state,
        )  # fmt: skip
        tx.audit(
            "transition", actor=self.actor, run=run, rule=row["rule"], action=row["action"], old="awaiting_approval", state=state,
            detail=summary,
        )  # fmt: skip
        telemetry.count(f"approvals_{state}")
        return Reviewed(self.approval, run, state)

    def _go(self, tx: Transaction, row: seeing.RunRow, standing: policy.Standing) -> Reviewed:
        run = row["id"]
        tx.must(
            "run_move", "queued", "", dumps({"summary": f"approved by {self.actor}"}), tx.now_us, None, run, "awaiting_approval",
            what=run, old=row["state"], new="queued",
        )  # fmt: skip
        budgets.spend(tx, seeing.candidate_of(row, standing), tx.now_us)
        following.queue_attempt(tx, run, tx.now_us)
        tx.audit(
            "transition", actor=self.actor, run=run, rule=row["rule"], action=row["action"], old="awaiting_approval", state="queued",
            reason="approved",
        )  # fmt: skip
        telemetry.count("approvals_approved")
        return Reviewed(self.approval, run, "approved")


def _roles(asked: tuple[policy.limits.Approval, ...]) -> str:
    return " or ".join(dict.fromkeys(role for one in asked for threshold in one.thresholds for role in threshold.roles))
