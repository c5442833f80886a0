"""What reviews of people make of a request: approved, rejected, or open. Pure.

Every approval that the request has to have must be met, each by any one of its thresholds; one threshold whose count of rejections is
reached rejects it. The thresholds are those of the moment at which it was asked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Literal

from healer import model
from healer.policy.limits import Approval, Threshold

BETWEEN: Final = ", "
"""Several who asked, where the match had several events."""
Outcome = Literal["open", "approved", "rejected"]
SHIPPED: Final = (Approval((Threshold("one approver", ("approver",), 1, 1),), ("requester",)),)
"""Who is asked where a gate asks for a person and nothing says for whom."""


@dataclasses.dataclass(frozen=True, slots=True)
class Review:
    """One person's word, with the roles that they had; the first of a person stands."""

    person: str
    roles: tuple[str, ...]
    approves: bool


def outcome(asked: Sequence[Approval], reviews: Sequence[Review]) -> Outcome:
    """What the reviews come to."""
    states = [_of(one, reviews) for one in asked or SHIPPED]
    if "rejected" in states:
        return "rejected"
    return "approved" if all(state == "approved" for state in states) else "open"


def _of(asked: Approval, reviews: Sequence[Review]) -> Outcome:
    approved = False
    for threshold in asked.thresholds:
        counted = {one.person: one.approves for one in reversed(reviews) if _counts(threshold, one.roles)}
        if sum(not word for word in counted.values()) >= threshold.reject:
            return "rejected"
        approved = approved or sum(counted.values()) >= threshold.approve
    return "approved" if approved else "open"


def _counts(threshold: Threshold, roles: Collection[str]) -> bool:
    """Whether somebody with these roles counts: one of them is enough."""
    return any(role in threshold.roles for role in roles)


def may_review(asked: Sequence[Approval], roles: Collection[str]) -> bool:
    """Whether somebody with these roles has a say."""
    return any(_counts(threshold, roles) for one in asked or SHIPPED for threshold in one.thresholds)


def excluded(asked: Sequence[Approval], identities: Collection[str], requester: str) -> bool:
    """Whether somebody may not approve since they asked for it. `identities`: all that they may have asked as. `requester`: an actor, or
    several."""
    asked_by = requester.split(BETWEEN)
    is_theirs = any(one in identities or model.person_of(one) in identities for one in asked_by)
    return is_theirs and any("requester" in one.exclude for one in asked or SHIPPED)


def missing(asked: Sequence[Approval], reviews: Sequence[Review]) -> list[dict[str, Any]]:
    """What each approval still needs, by its thresholds: of those with one `approval` any, and of each `approval` one."""
    made = []
    for number, one in enumerate(asked or SHIPPED, 1):
        for threshold in one.thresholds:
            people = {review.person for review in reviews if review.approves and _counts(threshold, review.roles)}
            made.append({
                "approval": number, "name": threshold.name, "roles": list(threshold.roles), "have": len(people),
                "want": threshold.approve, "reject": threshold.reject,
            })  # fmt: skip
    return made


def exclusions(asked: Sequence[Approval]) -> list[str]:
    """Who may not approve: what any of the approvals says."""
    return sorted({word for one in asked or SHIPPED for word in one.exclude})


def as_json(asked: Sequence[Approval]) -> list[dict[str, Any]]:
    """Frozen into the request."""
    return [dataclasses.asdict(one) for one in asked or SHIPPED]


def from_json(value: Sequence[Mapping[str, Any]]) -> tuple[Approval, ...]:
    """Back from it."""
    return tuple(
        Approval(
            tuple(
                Threshold(one["name"], tuple(one["roles"]), one["approve"], one["reject"])
                for one in asked["thresholds"]
            ),
            tuple(asked["exclude"]),
            asked.get("then", ""),
        )
        for asked in value
    )
