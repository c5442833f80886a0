"""T5: what a person's word on a request makes of its run. Caller: `web`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final, Literal

from healer import access, errors, model, policy, telemetry
from healer.policy import approvals
from healer.store import asking, candidates, voiding
from healer.store.transaction import Transaction, dumps, loads


class ApprovalEnded(errors.RequestError):
    """the request {approval} is {state}: nothing waits for a word on it any more"""

    code = "approval-ended"
    status = 409


class AskedOtherwise(ApprovalEnded):
    """what was asked for is something else now: the request {approval} is not for what was shown"""

    code = "approval-otherwise"


class MayNotApprove(errors.RequestError):
    """{actor} may not decide this: {reason}"""

    code = "may-not-approve"
    status = 403


@dataclasses.dataclass(frozen=True, slots=True)
class Reviewed:
    """What became of a request. `stood`: the person had said something before, which stands."""

    approval: str
    run: str
    state: str
    stood: bool = False


Word = Literal["approve", "reject"]
DIGEST_LEAST: Final = 12
"""Hexadecimal digits: as many as are shown to people."""


class Review:
    """T5: one person's word on a request. What it comes to is decided in the same transaction.

    `roles`: those that they have as far as the request's run is concerned. `digest`: how that of what they were shown begins, by at least
    `DIGEST_LEAST` digits; None: whoever asks has looked at the request itself. Raises `errors.NotFound`, `ApprovalEnded`, `MayNotApprove`.
    """

    weight = 2

    def __init__(
        self, approval: str, word: Word, *, who: access.Principal, roles: Sequence[str], reason: str, standing_of: candidates.StandingOf,
        digest: str | None = None,
    ) -> None:  # fmt: skip
        self.approval = approval
        self.word = word
        self.who = who
        self.actor = who.actor
        self.roles = tuple(roles)
        self.reason = reason
        self.standing_of = standing_of
        self.digest = digest

    def apply(self, tx: Transaction) -> Reviewed:
        """Append the review; awaiting → queued, rejected, or void where what was asked for is not what would run."""
        found = tx.one("approval_find", self.approval)
        if found is None:
            raise errors.NotFound("healer approvals", what=f"the request {self.approval!r}")
        _, run, state, digest, asked_text, requester, author, expires_us, steps = found
        asked = approvals.from_json(loads(asked_text))
        if state != "open" or (expires_us is not None and tx.now_us >= expires_us):
            raise ApprovalEnded(approval=self.approval, state=state if state != "open" else "expired")
        if self.digest is not None and not (len(self.digest) >= DIGEST_LEAST and digest.startswith(self.digest)):
            raise AskedOtherwise("look at the request: healer approvals", approval=self.approval)
        if not approvals.may_review(asked, self.roles):
            yours = (
                f"yours {'is' if len(self.roles) == 1 else 'are'} {', '.join(self.roles)}"
                if self.roles
                else "you have none here"
            )
            raise MayNotApprove(actor=self.who.person, reason=f"a role like {_roles(asked)} is wanted, {yours}")
        if self.word == "approve" and (bar := barred(asked, self.who, requester, author)):
            raise MayNotApprove(actor=self.who.person, reason=bar)
        new = tx.run(
            "review_insert", self.approval, self.who.person, " ".join(self.roles), int(self.word == "approve"), self.reason, tx.now_us
        )  # fmt: skip
        if not new:
            return Reviewed(self.approval, run, state, stood=True)
        tx.audit(
            "review", actor=self.actor, run=run, approval=self.approval, word=self.word, roles=list(self.roles), reason=self.reason or None,
        )  # fmt: skip
        reviews = [review_of(person, roles, yes) for person, roles, yes, _, _ in tx.all("reviews", self.approval)]
        outcome, row = approvals.outcome(asked, reviews), candidates.run_row(tx, run)
        if gone := candidates.changed(tx, run, digest, author, steps, self.standing_of):
            return self._end(tx, row, "void", next(iter(gone.values())))
        if outcome == "open":
            return Reviewed(self.approval, run, "open")
        if outcome == "rejected":
            return self._end(
                tx, row, "rejected", f"rejected by {self.actor}" + (f": {self.reason}" if self.reason else "")
            )
        return self._go(tx, row, [review.person for review in reviews if review.approves])

    def _end(self, tx: Transaction, row: candidates.RunRow, state: model.RunState, summary: str) -> Reviewed:
        run, reason = row["id"], voiding.REASON if state == "void" else ""
        tx.must(
            "run_move", state, reason, dumps({"summary": summary}), tx.now_us, tx.now_us, run, "awaiting_approval",
            what=run, old=row["state"], new=state,
        )  # fmt: skip
        tx.audit(
            "transition", actor=self.actor, run=run, rule=row["rule"], action=row["action"], old="awaiting_approval", state=state,
            reason=reason or None, detail=summary,
        )  # fmt: skip
        telemetry.count(f"approvals_{state}")
        return Reviewed(self.approval, run, state)

    def _go(self, tx: Transaction, row: candidates.RunRow, people: list[str]) -> Reviewed:
        run, detail = row["id"], dumps({"summary": f"approved by {self.actor}"})
        by = {"request": self.approval, "by": people, "at_us": tx.now_us}
        told = loads(row["explanation"])
        explanation = dumps(told | {"approved": by, "waited": asking.waited(row, told, tx.now_us)})
        tx.must(  # the wait for a person, which has an end of its own, does not count for `defer_for`
            "run_decide_again", "queued", "", detail, tx.now_us, None, 0, None, None, explanation, run, "awaiting_approval",
            what=run, old=row["state"], new="queued",
        )  # fmt: skip
        tx.audit(
            "transition", actor=self.actor, run=run, rule=row["rule"], action=row["action"], old="awaiting_approval", state="queued",
            reason="approved",
        )  # fmt: skip
        asking.go_on(tx, candidates.run_row(tx, run), self.standing_of)
        telemetry.count("approvals_approved")
        return Reviewed(self.approval, run, "approved")


def barred(asked: tuple[policy.limits.Approval, ...], who: access.Principal, requester: str, author: str) -> str:
    """Why somebody may only reject, whatever their roles; '' where they may approve."""
    if approvals.excluded(asked, who.identities, requester):
        return "you asked for it"
    return "you changed its rule last" if author and author in who.identities else ""


def review_of(person: str, roles: str, approves: int) -> approvals.Review:
    """A review of its columns."""
    return approvals.Review(person, tuple(roles.split()), bool(approves))


def _roles(asked: tuple[policy.limits.Approval, ...]) -> str:
    return " or ".join(dict.fromkeys(role for one in asked for threshold in one.thresholds for role in threshold.roles))
