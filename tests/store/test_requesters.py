"""Who asked for a run that a rule makes of events: whoever sent any of them, and they do not approve it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from healer import access, policy
from healer.policy import limits
from healer.store import deciding, journal, reviewing

TWO = limits.Approval((limits.Threshold("two of ops", ("ops",), 2, 1),), ("requester",))
ASKING = policy.Limits(timeout_s=10, approvals=(TWO,), approval_expires_s=1800)


def says(kit: Any, approval: str, who: access.Principal) -> reviewing.Reviewed:
    """Yes."""
    unit = reviewing.Review(approval, "approve", who=who, roles=["ops"], reason="", standing_of=lambda _: kit.standing)
    made: reviewing.Reviewed = kit.do(unit)
    return made


@pytest.mark.parametrize(
    ("sent", "may"),
    [
        ("key:x = ana", False),
        ("key:y = bo", True),
        ("source:am", True),
        ("os:root = ana", False),
        ("link:0 = ana", False),
    ],
)
@pytest.mark.parametrize("through", [False, True])
def test_who_sent_the_event_asked_for_what_a_rule_makes_of_it(kit: Any, sent: str, may: bool, through: bool) -> None:
    """Also where the rule heard an event that another rule made of it."""
    kit.use("f" * 64)
    (row,) = kit.append(journal.Row("event", "s", b"{}", actor=sent))
    if through:
        (row,) = kit.append(journal.Row("event", "s", b"{}", actor="rule:a/b/x", cause=row.seq, ordinal=0))
    outcome = deciding.Outcome(row.seq, kit.now_us, results=[kit.asked("k", limits=ASKING)])
    kit.do(deciding.Decide(kit.position, row.seq, kit.now_us, kit.revision, [outcome], lambda _: kit.standing))
    ((approval,),) = kit.rows("SELECT id FROM approval")
    ana = access.Principal("key:other", name="ana")
    if may:
        assert says(kit, approval, ana).state == "open"
    else:
        with pytest.raises(reviewing.MayNotApprove, match="you asked for it"):
            says(kit, approval, ana)


def test_whoever_sent_any_event_of_a_match_asked_for_it(kit: Any) -> None:
    kit.use("f" * 64)
    sent = [
        kit.append(journal.Row("event", "s", b"{}", actor=who))[0] for who in ("key:x = ana", "source:am", "key:y = bo")
    ]
    question = dataclasses.replace(kit.asked("k", limits=ASKING), events=[sent[0].seq, sent[1].seq])
    outcome = deciding.Outcome(sent[2].seq, kit.now_us, results=[question])
    kit.do(deciding.Decide(kit.position, sent[2].seq, kit.now_us, kit.revision, [outcome], lambda _: kit.standing))
    ((approval, requester),) = kit.rows("SELECT id, requester FROM approval")
    assert requester == "key:y = bo, key:x = ana"
    for name in ("ana", "bo"):
        with pytest.raises(reviewing.MayNotApprove, match="you asked for it"):
            says(kit, approval, access.Principal("key:other", name=name))
    assert says(kit, approval, access.Principal("key:other", name="cy")).state == "open"
