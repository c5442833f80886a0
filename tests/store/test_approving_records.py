"""What the audit, the row and the counters say of each word: who decided what, of which run, in which role, for which reason."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from healer import access, errors, policy, telemetry
from healer.policy import limits
from healer.store import reviewing

S = 1_000_000
TWO = limits.Approval(
    (limits.Threshold("two of ops", ("ops",), 2, 1), limits.Threshold("a lead", ("lead", "ops"), 3, 2)), ()
)
ASKING = policy.Limits(
    timeout_s=10, rates=(limits.Rate("default", 9, 3600),), approvals=(TWO,), approval_expires_s=1800
)


@pytest.fixture
def asked(kit: Any) -> tuple[str, str]:
    """(request, run) of one that waits for two people."""
    run = kit.run_of("k", "host:web1", limits=ASKING)
    ((approval,),) = kit.rows("SELECT id FROM approval")
    kit.now_us += S
    return approval, run


def says(kit: Any, approval: str, actor: str, word: reviewing.Word = "approve", reason: str = "") -> reviewing.Reviewed:
    def standing_of(row: Any) -> policy.Standing:
        assert row["rule"] == "a/b/c"
        standing: policy.Standing = kit.standing
        return standing

    unit = reviewing.Review(
        approval, word, who=access.Principal(actor), roles=("ops",), reason=reason, standing_of=standing_of
    )
    made: reviewing.Reviewed = kit.do(unit)
    return made


def last(kit: Any, kind: str) -> dict[str, Any]:
    """The last record of a kind, without what every record has."""
    return {
        name: value for name, value in kit.record(kind).items() if name not in ("seq", "at_us", "kind", "environment")
    }


def shown(kit: Any) -> tuple[Any, ...]:
    """(state, reason, what is said, when it changed, when it ended) of the run."""
    ((state, reason, detail, changed_us, ended_us),) = kit.rows(
        "SELECT state, reason, detail, changed_us, ended_us FROM run"
    )
    return state, reason, json.loads(detail), changed_us, ended_us


def counted(name: str) -> int:
    return telemetry.read().get(name, 0)


def test_that_a_person_is_asked_is_recorded_with_until_when(kit: Any) -> None:
    before = counted("approvals_asked")
    run = kit.run_of("k", "host:web1", "host:web2", limits=ASKING)
    ((approval, state, reason, requester, asked_us, expires_us),) = kit.rows(
        "SELECT id, state, reason, requester, asked_us, expires_us FROM approval"
    )
    assert (state, reason, requester, asked_us) == ("open", "needs_approval", "rule:a/b/c", kit.now_us)
    assert expires_us == kit.now_us + 1800 * S
    assert last(kit, "approval_asked") == {
        "actor": "daemon", "run": run, "approval": approval, "rule": "a/b/c", "action": "clean", "reason": "needs_approval",
        "targets": ["host:web1", "host:web2"], "expires_us": expires_us,
    }  # fmt: skip
    assert counted("approvals_asked") == before + 1


def test_each_word_is_recorded_with_its_role_and_reason(kit: Any, asked: tuple[str, str]) -> None:
    approval, run = asked
    assert says(kit, approval, "key:ana", reason="looked at it") == reviewing.Reviewed(approval, run, "open")
    said = {"actor": "key:ana", "run": run, "approval": approval, "word": "approve", "roles": ["ops"]}
    assert last(kit, "review") == said | {"reason": "looked at it"}
    assert kit.rows("SELECT approval, person, role, approves, reason, at_us FROM review") == [
        (approval, "key:ana", "ops", 1, "looked at it", kit.now_us)
    ]
    assert says(kit, approval, "key:bo", "reject").state == "rejected"
    assert last(kit, "review") == said | {"actor": "key:bo", "word": "reject"}


def test_a_second_word_of_a_person_tells_what_stands_and_is_no_record(kit: Any, asked: tuple[str, str]) -> None:
    approval, run = asked
    says(kit, approval, "key:ana")
    records = kit.audit()
    assert says(kit, approval, "key:ana", "reject") == reviewing.Reviewed(approval, run, "open", stood=True)
    assert kit.audit() == records


def test_the_approved_run_is_queued_in_the_name_of_the_last_person(kit: Any, asked: tuple[str, str]) -> None:
    approval, run = asked
    before = counted("approvals_approved")
    says(kit, approval, "key:ana")
    kit.now_us += S
    assert says(kit, approval, "key:bo") == reviewing.Reviewed(approval, run, "approved")
    assert shown(kit) == ("queued", "", {"summary": "approved by key:bo"}, kit.now_us, None)
    assert last(kit, "transition") == {
        "actor": "key:bo", "run": run, "rule": "a/b/c", "action": "clean", "old": "awaiting_approval", "state": "queued",
        "reason": "approved",
    }  # fmt: skip
    assert kit.rows("SELECT run, state, not_before_us FROM attempt") == [(run, "queued", kit.now_us)]
    assert kit.rows("SELECT budget, run, at_us FROM spent") == [("default", run, kit.now_us)]
    assert counted("approvals_approved") == before + 1


@pytest.mark.parametrize(
    ("reason", "summary"), [("", "rejected by key:bo"), ("at night", "rejected by key:bo: at night")]
)
def test_the_rejected_run_ends_in_the_name_of_who_rejected(
    kit: Any, asked: tuple[str, str], reason: str, summary: str
) -> None:
    approval, run = asked
    before = counted("approvals_rejected")
    assert says(kit, approval, "key:bo", "reject", reason) == reviewing.Reviewed(approval, run, "rejected")
    assert shown(kit) == ("rejected", "", {"summary": summary}, kit.now_us, kit.now_us)
    assert last(kit, "transition") == {
        "actor": "key:bo", "run": run, "rule": "a/b/c", "action": "clean", "old": "awaiting_approval", "state": "rejected",
        "detail": summary,
    }  # fmt: skip
    assert counted("approvals_rejected") == before + 1


def test_a_void_run_says_why(kit: Any, asked: tuple[str, str]) -> None:
    approval, run = asked
    before = counted("approvals_void")
    says(kit, approval, "key:ana")
    kit.standing = dataclasses.replace(kit.standing, bound="other files")
    assert says(kit, approval, "key:bo") == reviewing.Reviewed(approval, run, "void")
    state, _, detail, _, ended_us = shown(kit)
    assert (state, ended_us) == ("void", kit.now_us)
    assert "not what was asked for" in detail["summary"]
    assert last(kit, "transition")["detail"] == detail["summary"]
    assert counted("approvals_void") == before + 1


def test_who_has_no_say_is_told_who_has(kit: Any, asked: tuple[str, str]) -> None:
    unit = reviewing.Review(
        asked[0],
        "approve",
        who=access.Principal("key:eve"),
        roles=("viewer",),
        reason="",
        standing_of=lambda _: kit.standing,
    )
    with pytest.raises(reviewing.MayNotApprove, match=r"key:eve .*a role like ops or lead is wanted, yours is viewer"):
        kit.do(unit)


def test_who_asked_is_told_why_their_word_does_not_count(kit: Any) -> None:
    kit.run_of("k", limits=dataclasses.replace(ASKING, approvals=(limits.Approval(TWO.thresholds, ("requester",)),)))
    ((approval, requester),) = kit.rows("SELECT id, requester FROM approval")
    with pytest.raises(reviewing.MayNotApprove, match=f"{requester} may not decide this: you asked for it"):
        says(kit, approval, requester)
    assert says(kit, approval, "key:ana").state == "open"


def test_who_asked_may_approve_where_that_is_allowed(kit: Any, asked: tuple[str, str]) -> None:
    ((requester,),) = kit.rows("SELECT requester FROM approval")
    assert says(kit, asked[0], requester).state == "open"
    assert kit.rows("SELECT person FROM review") == [(requester,)]


def test_what_has_ended_is_told_as_what_it_is(kit: Any, asked: tuple[str, str]) -> None:
    approval, _ = asked
    says(kit, approval, "key:bo", "reject")
    with pytest.raises(reviewing.ApprovalEnded, match=f"{approval} is rejected"):
        says(kit, approval, "key:ana")
    with pytest.raises(errors.NotFound, match="'a-none'") as raised:
        says(kit, "a-none", "key:ana")
    assert raised.value.try_ == "healer approvals"


def test_a_microsecond_before_its_end_a_word_counts(kit: Any, asked: tuple[str, str]) -> None:
    ((expires_us,),) = kit.rows("SELECT expires_us FROM approval")
    kit.now_us = expires_us - 1
    assert says(kit, asked[0], "key:ana").state == "open"
    kit.now_us = expires_us
    with pytest.raises(reviewing.ApprovalEnded, match=f"{asked[0]} is expired: "):
        says(kit, asked[0], "key:bo")


def test_what_has_no_end_waits_on(kit: Any) -> None:
    run = kit.run_of("k", limits=dataclasses.replace(ASKING, approval_expires_s=None))
    ((approval, expires_us),) = kit.rows("SELECT id, expires_us FROM approval")
    assert expires_us is None
    kit.now_us += 10**6 * S
    assert says(kit, approval, "key:ana") == reviewing.Reviewed(approval, run, "open")


def test_each_request_of_a_run_has_an_id_of_its_own(kit: Any, asked: tuple[str, str]) -> None:
    approval, run = asked
    for person in ("key:ana", "key:bo"):
        says(kit, approval, person)
    kit.finish(kit.only(), "failed")
    kit.decide(kit.asked("k", limits=ASKING))
    ids = [one for (one,) in kit.rows("SELECT id FROM approval WHERE run = ? ORDER BY asked_us", run)]
    assert len(set(ids)) == 2
    assert all(one.startswith("a-") and len(one) == 14 for one in ids)
