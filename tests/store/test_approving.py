"""T5: a run that waits for a person, what people say, and what that makes of the run; each with its record."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from healer import errors, policy
from healer.policy import limits
from healer.store import approving, deciding

S = 1_000_000
TWO = limits.Approval((limits.Threshold("two of ops", ("ops",), 2, 1),), ("requester",))
ASKING = policy.Limits(timeout_s=10, cooldown_s=0, defer_for_s=7200, approvals=(TWO,), approval_expires_s=1800)
ALERT = [("am", "k", 1, True)]


def word(firing: bool, opens: bool = False) -> deciding.AlertWord:
    return deciding.AlertWord("am", "k", 1, firing, opens, 10**12, "Disk", "web1", "critical", "full")


def asks(kit: Any, key: str = "k", **more: Any) -> str:
    asked = kit.asked(key, limits=more.pop("limits", ASKING), alerts=ALERT, lifecycle=True, **more)
    kit.decide(asked, alerts=[word(True, opens=True)])
    return str(kit.rows("SELECT id FROM approval WHERE run = ? ORDER BY asked_us DESC", asked.candidate.run)[0][0])


def says(
    kit: Any, approval: str, actor: str, word: approving.Word = "approve", role: str = "ops"
) -> approving.Reviewed:
    unit = approving.Review(approval, word, actor=actor, role=role, reason="", standing_of=lambda _: kit.standing)
    made: approving.Reviewed = kit.do(unit)
    return made


def run_state(kit: Any) -> tuple[str, str]:
    found: tuple[str, str] = kit.rows("SELECT state, reason FROM run")[0]
    return found


def test_it_waits_until_as_many_people_as_wanted_have_approved(kit: Any) -> None:
    approval = asks(kit)
    assert run_state(kit) == ("awaiting_approval", "needs_approval")
    assert kit.claim().claimed == []
    assert says(kit, approval, "key:ana").state == "open"
    assert kit.claim().claimed == []
    assert says(kit, approval, "key:bo").state == "approved"
    assert run_state(kit)[0] == "queued"
    (claimed,) = kit.claim().claimed
    kit.finish(claimed)
    assert run_state(kit)[0] == "succeeded"
    kinds = [one["kind"] for one in kit.audit() if one.get("run")]
    assert kinds == ["approval_asked", "decision", "review", "review", "transition", "intent", "outcome"]
    assert kit.rows("SELECT state FROM approval") == [("approved",)]
    assert kit.verify().ok


def test_one_rejection_that_is_enough_ends_it(kit: Any) -> None:
    approval = asks(kit)
    says(kit, approval, "key:ana")
    assert says(kit, approval, "key:bo", "reject").state == "rejected"
    assert run_state(kit)[0] == "rejected"
    assert kit.rows("SELECT state FROM approval") == [("rejected",)]
    kit.decide(kit.asked("k", limits=ASKING, alerts=ALERT, lifecycle=True), alerts=[word(True)])
    assert run_state(kit)[0] == "rejected"


def test_a_person_has_one_word(kit: Any) -> None:
    approval = asks(kit)
    says(kit, approval, "key:ana")
    again = says(kit, approval, "key:ana", "reject")
    assert (again.stood, again.state) == (True, "open")
    assert kit.rows("SELECT person, approves FROM review") == [("key:ana", 1)]


def test_who_asked_may_not_approve_and_may_reject(kit: Any) -> None:
    approval = asks(kit)
    with pytest.raises(approving.MayNotApprove):
        says(kit, approval, "rule:a/b/c")
    assert says(kit, approval, "rule:a/b/c", "reject").state == "rejected"


def test_a_role_without_a_say_has_none(kit: Any) -> None:
    approval = asks(kit)
    with pytest.raises(approving.MayNotApprove, match="ops"):
        says(kit, approval, "key:ana", role="admin")
    assert kit.rows("SELECT count(*) FROM review") == [(0,)]


def test_after_its_time_no_word_counts_and_the_run_has_expired(kit: Any) -> None:
    approval = asks(kit)
    kit.now_us += 1800 * S
    with pytest.raises(approving.ApprovalEnded, match="expired"):
        says(kit, approval, "key:ana")
    assert kit.decide(look=True).runs != {}
    assert run_state(kit)[0] == "expired"
    assert kit.rows("SELECT state FROM approval") == [("expired",)]


def test_a_repeat_after_it_has_expired_asks_anew_and_old_words_do_not_count(kit: Any) -> None:
    first = asks(kit)
    says(kit, first, "key:ana")
    kit.now_us += 1800 * S
    kit.decide(look=True)
    kit.decide(kit.asked("k", limits=ASKING, alerts=ALERT, lifecycle=True), alerts=[word(True)])
    ((second,),) = kit.rows("SELECT id FROM approval WHERE state = 'open'")
    assert second != first
    assert says(kit, second, "key:bo").state == "open"


def test_a_resolved_alert_withdraws_the_request(kit: Any) -> None:
    approval = asks(kit)
    kit.decide(alerts=[word(False)])
    assert run_state(kit) == ("withdrawn", "resolved")
    assert kit.rows("SELECT state FROM approval") == [("withdrawn",)]
    with pytest.raises(approving.ApprovalEnded, match="withdrawn"):
        says(kit, approval, "key:ana")


def test_what_changed_since_it_was_asked_for_is_void(kit: Any) -> None:
    approval = asks(kit)
    says(kit, approval, "key:ana")
    kit.standing = dataclasses.replace(kit.standing, bound="other files")
    assert says(kit, approval, "key:bo").state == "void"
    assert run_state(kit)[0] == "void"


def test_what_changes_between_the_word_and_the_start_is_asked_again(kit: Any) -> None:
    approval = asks(kit)
    says(kit, approval, "key:ana")
    says(kit, approval, "key:bo")
    kit.standing = dataclasses.replace(kit.standing, bound="other files", limits=ASKING)
    assert kit.claim().claimed == []
    assert run_state(kit) == ("awaiting_approval", "needs_approval")
    assert [state for (state,) in kit.rows("SELECT state FROM approval ORDER BY asked_us, id")].count("open") == 1


def test_what_a_brake_gives_to_a_person_asks_the_shipped_approver(kit: Any) -> None:
    blast = limits.Blast("default", 3600, 1, None, 0, 0, "")
    narrow = policy.Limits(timeout_s=10, cooldown_s=0, blasts=(blast,))
    kit.decide(kit.asked("1", "host:web1", limits=narrow))
    kit.decide(kit.asked("2", "host:web2", limits=narrow))
    ((approval, reason),) = kit.rows("SELECT id, reason FROM approval")
    assert reason == "blast_radius"
    assert says(kit, approval, "key:ana", role="approver").state == "approved"
    assert len(kit.claim().claimed) == 2


def test_a_request_that_is_not_there(kit: Any) -> None:
    with pytest.raises(errors.NotFound):
        says(kit, "a-none", "key:ana")


def test_it_may_wait_for_its_place_after_it_was_approved_longer_than_events_may_be_old(kit: Any) -> None:
    approval = asks(kit, limits=dataclasses.replace(ASKING, max_age_s=60))
    kit.now_us += 600 * S
    says(kit, approval, "key:ana")
    says(kit, approval, "key:bo")
    assert len(kit.claim().claimed) == 1
