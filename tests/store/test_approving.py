"""T5: a run that waits for a person, what people say, and what that makes of the run; each with its record."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from healer import access, errors, policy
from healer.policy import limits
from healer.store import deciding, pausing, reviewing

S = 1_000_000
TWO = limits.Approval((limits.Threshold("two of ops", ("ops",), 2, 1),), ("requester",))
ASKING = policy.Limits(timeout_s=10, cooldown_s=0, defer_for_s=7200, approvals=(TWO,), approval_expires_s=1800)
ALERT = [("am", "k", 1, True)]


def word(firing: bool, opens: bool = False) -> deciding.AlertWord:
    return deciding.AlertWord("am", "k", 1, firing, opens, 10**12, "Disk", "web1", "critical", "full")


def asks(kit: Any, key: str = "k", **more: Any) -> str:
    actor = more.pop("actor", "rule:a/b/c")
    asked = kit.asked(key, limits=more.pop("limits", ASKING), alerts=ALERT, lifecycle=True, **more)
    asked = dataclasses.replace(asked, actor=actor)
    kit.decide(asked, alerts=[word(True, opens=True)])
    return str(kit.rows("SELECT id FROM approval WHERE run = ? ORDER BY asked_us DESC", asked.candidate.run)[0][0])


def says(
    kit: Any, approval: str, who: str | access.Principal, word: reviewing.Word = "approve", *roles: str
) -> reviewing.Reviewed:
    principal = access.Principal(who) if isinstance(who, str) else who
    unit = reviewing.Review(
        approval, word, who=principal, roles=roles or ("ops",), reason="", standing_of=lambda _: kit.standing
    )
    made: reviewing.Reviewed = kit.do(unit)
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


def test_the_wait_for_a_person_is_no_wait_of_the_runs_own(kit: Any) -> None:
    """Its request has an end of its own; for `defer_for` counts what it waits for from the approval on."""
    slow = dataclasses.replace(ASKING, defer_for_s=600, max_age_s=300)
    approval = asks(kit, limits=slow)
    kit.now_us += 1700 * S
    says(kit, approval, "key:ana")
    assert says(kit, approval, "key:bo").state == "approved"
    assert kit.rows("SELECT deferred_us FROM run") == [(None,)]
    ((text,),) = kit.rows("SELECT explanation FROM run")
    told = json.loads(text)
    assert (told["approved"]["request"], told["approved"]["by"]) == (approval, ["key:ana", "key:bo"])
    (wait,) = told["waited"]
    assert (wait["code"], wait["until_us"] - wait["since_us"]) == ("needs_approval", 1700 * S)
    assert len(kit.claim().claimed) == 1


@pytest.mark.parametrize("how", ["pause", "file"])
def test_whom_nobody_needs_any_more_asks_nobody_in_a_pause_either(kit: Any, how: str) -> None:
    asks(kit)
    if how == "pause":
        kit.do(pausing.Pause("all", "os:bo", "a look", None, None))
    else:
        kit.standing = dataclasses.replace(kit.standing, paused={"who": "PAUSE", "since": "now", "reason": "a look"})
    kit.decide(look=True)
    assert run_state(kit) == ("awaiting_approval", "needs_approval")
    kit.decide(alerts=[word(False)])
    assert run_state(kit) == ("withdrawn", "resolved")
    assert kit.rows("SELECT state FROM approval") == [("withdrawn",)]


@pytest.mark.parametrize("said", ["approve", "reject"])
def test_the_first_of_two_words_finds_what_is_something_else(kit: Any, said: reviewing.Word) -> None:
    approval = asks(kit)
    kit.standing = dataclasses.replace(kit.standing, bound="other")
    assert says(kit, approval, "key:ana", said).state == "void"
    assert run_state(kit) == ("void", "approval_void")


def test_an_approval_is_for_one_decision(kit: Any) -> None:
    """What that leads to, its retries too, is what people said yes to; a repeat of the alert after it failed asks anew."""
    limits = dataclasses.replace(ASKING, attempts=3)
    approval = asks(kit, limits=limits, extra={"retries": {"times": 1, "delay_ms": 0}})
    says(kit, approval, "key:ana")
    says(kit, approval, "key:bo")
    for _ in range(2):
        kit.finish(kit.only(), "failed")
    assert run_state(kit)[0] == "failed"
    again = asks(kit, limits=limits)
    assert again != approval
    assert run_state(kit) == ("awaiting_approval", "needs_approval")
    assert kit.claim().claimed == []
    says(kit, again, "key:ana")
    assert says(kit, again, "key:bo").state == "approved"
    assert kit.only().number == 3


def test_what_changes_after_the_word_is_void_also_where_nothing_would_ask_today(kit: Any) -> None:
    """The files that would run are those of then: a repeat of the alert decides anew, with those of today."""
    approval = asks(kit)
    says(kit, approval, "key:ana")
    says(kit, approval, "key:bo")
    free = dataclasses.replace(ASKING, approvals=())
    kit.standing = dataclasses.replace(kit.standing, bound="another script", limits=free)
    assert kit.claim().claimed == []
    assert run_state(kit) == ("void", "approval_void")
    assert kit.rows("SELECT state FROM attempt") == [("withdrawn",)]
    again = asks(kit)
    assert again != approval
    assert run_state(kit) == ("awaiting_approval", "needs_approval")


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
    with pytest.raises(reviewing.MayNotApprove):
        says(kit, approval, "rule:a/b/c")
    assert says(kit, approval, "rule:a/b/c", "reject").state == "rejected"


def test_a_role_without_a_say_has_none(kit: Any) -> None:
    approval = asks(kit)
    with pytest.raises(reviewing.MayNotApprove, match="ops"):
        says(kit, approval, "key:ana", "approve", "admin")
    assert kit.rows("SELECT count(*) FROM review") == [(0,)]


PEOPLE = access.Directory({}, {"ana": access.Person("ana", ("ops",), os="ameier", slack="T02AB/U7XYZ")})


def test_two_keys_and_the_shell_of_one_person_are_one_person(kit: Any) -> None:
    """Quorum counts people, not actors."""
    approval = asks(kit)
    shell = PEOPLE.of_user("ameier", local=False)
    assert shell is not None
    assert says(kit, approval, PEOPLE.of_key("laptop", "", "ana")).state == "open"
    for again in (PEOPLE.of_key("phone", "admin", "ana"), shell):
        said = says(kit, approval, again)
        assert (said.state, said.stood) == ("open", True)
    assert kit.rows("SELECT person, role FROM review") == [("ana", "ops")]
    assert [one["actor"] for one in kit.audit() if one["kind"] == "review"] == ["key:laptop = ana"]
    assert says(kit, approval, "key:bo").state == "approved"


@pytest.mark.parametrize(
    "requester", ["key:laptop = ana", "os:ameier = ana", "os:ameier", "slack:T02AB/U7XYZ", "slack:T02AB/U7XYZ = ana"]
)
def test_who_asked_does_not_approve_by_another_way(kit: Any, requester: str) -> None:
    approval = asks(kit, actor=requester)
    for one in (PEOPLE.of_key("phone", "", "ana"), PEOPLE.of_user("ameier", local=True)):
        assert one is not None
        with pytest.raises(reviewing.MayNotApprove, match="you asked for it"):
            says(kit, approval, one)
    assert says(kit, approval, "key:bo").state == "open"


def test_a_rule_with_the_name_of_a_person_is_not_that_person(kit: Any) -> None:
    approval = asks(kit, actor="rule:a/b/c = ana")
    assert says(kit, approval, PEOPLE.of_key("phone", "", "ana")).state == "open"


def test_one_of_several_roles_is_enough_and_all_are_kept(kit: Any) -> None:
    approval = asks(kit)
    assert says(kit, approval, "key:ana", "approve", "admin", "ops").state == "open"
    with pytest.raises(reviewing.MayNotApprove, match="a role like ops is wanted, yours are admin, oncall"):
        says(kit, approval, "key:bo", "approve", "admin", "oncall")
    assert kit.rows("SELECT role FROM review") == [("admin ops",)]
    (record,) = [one for one in kit.audit() if one["kind"] == "review"]
    assert record["roles"] == ["admin", "ops"]


def test_who_has_no_role_has_no_say(kit: Any) -> None:
    approval = asks(kit)
    unit = reviewing.Review(
        approval, "reject", who=access.NOBODY, roles=(), reason="", standing_of=lambda _: kit.standing
    )
    with pytest.raises(reviewing.MayNotApprove, match="you have none here"):
        kit.do(unit)
    assert kit.rows("SELECT count(*) FROM review") == [(0,)]


def test_after_its_time_no_word_counts_and_the_run_has_expired(kit: Any) -> None:
    approval = asks(kit)
    kit.now_us += 1800 * S
    with pytest.raises(reviewing.ApprovalEnded, match="expired"):
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
    with pytest.raises(reviewing.ApprovalEnded, match="withdrawn"):
        says(kit, approval, "key:ana")


def test_what_changed_since_it_was_asked_for_is_void(kit: Any) -> None:
    approval = asks(kit)
    says(kit, approval, "key:ana")
    kit.standing = dataclasses.replace(kit.standing, bound="other files")
    assert says(kit, approval, "key:bo").state == "void"
    assert run_state(kit)[0] == "void"


def test_what_a_brake_gives_to_a_person_asks_the_shipped_approver(kit: Any) -> None:
    blast = limits.Blast("default", 3600, 1, None, 0, 0, "")
    narrow = policy.Limits(timeout_s=10, cooldown_s=0, blasts=(blast,))
    kit.decide(kit.asked("1", "host:web1", limits=narrow))
    kit.decide(kit.asked("2", "host:web2", limits=narrow))
    ((approval, reason),) = kit.rows("SELECT id, reason FROM approval")
    assert reason == "blast_radius"
    assert says(kit, approval, "key:ana", "approve", "approver").state == "approved"
    assert len(kit.claim().claimed) == 2


def test_whom_a_brake_may_not_ask_is_said_by_the_defaults(kit: Any) -> None:
    """`approval_exclude: [author]` also holds where no approval names anybody."""
    shipped = limits.Approval((limits.Threshold("one approver", ("approver",), 1, 1),), ("author",))
    kit.standing = dataclasses.replace(kit.standing, asks=(shipped,), author="ana")
    blast = limits.Blast("default", 3600, 1, None, 0, 0, "")
    narrow = policy.Limits(timeout_s=10, cooldown_s=0, blasts=(blast,))
    kit.queue("1", "host:web1", limits=narrow)
    kit.queue("2", "host:web2", limits=narrow)
    ((approval,),) = kit.rows("SELECT id FROM approval")
    with pytest.raises(reviewing.MayNotApprove, match="you changed its rule last"):
        says(kit, approval, access.Principal("key:k", name="ana"), "approve", "approver")
    assert says(kit, approval, "key:bo", "approve", "approver").state == "approved"


def test_a_word_for_another_reason_does_not_let_it_pass_the_blast_radius(kit: Any) -> None:
    """Who said it was not told of that: they are asked once more, for that."""
    blast = limits.Blast("default", 3600, 1, None, 0, 0, "")
    narrow = dataclasses.replace(ASKING, blasts=(blast,))
    approval = asks(kit, limits=narrow)
    other = kit.queue("other", "host:web9", limits=dataclasses.replace(narrow, approvals=()))
    kit.finish(kit.only())
    says(kit, approval, "key:ana")
    assert says(kit, approval, "key:bo").state == "approved"
    assert kit.claim().claimed == []
    ((again, run),) = kit.rows("SELECT id, run FROM approval WHERE state = 'open' AND reason = 'blast_radius'")
    assert run != other
    says(kit, again, "key:ana")
    assert says(kit, again, "key:bo").state == "approved"
    assert [one.run["id"] for one in kit.claim().claimed] == [run]


def test_a_word_beyond_a_rate_waits_for_its_place(kit: Any) -> None:
    rated = dataclasses.replace(ASKING, rates=(limits.Rate("mine", 1, 60),))
    approval = asks(kit, limits=rated)
    kit.queue("other", "host:web9", limits=dataclasses.replace(rated, approvals=()))
    kit.finish(kit.only())
    says(kit, approval, "key:ana")
    says(kit, approval, "key:bo")
    assert kit.claim().claimed == []
    assert kit.rows("SELECT reason FROM run WHERE state = 'deferred'") == [("rate_limited",)]
    kit.now_us += 60 * S
    kit.decide(look=True)
    assert len(kit.claim().claimed) == 1


def test_a_request_that_is_not_there(kit: Any) -> None:
    with pytest.raises(errors.NotFound):
        says(kit, "a-none", "key:ana")


def test_it_may_wait_for_its_place_after_it_was_approved_longer_than_events_may_be_old(kit: Any) -> None:
    approval = asks(kit, limits=dataclasses.replace(ASKING, max_age_s=60))
    kit.now_us += 600 * S
    says(kit, approval, "key:ana")
    says(kit, approval, "key:bo")
    assert len(kit.claim().claimed) == 1


# --- the author of a rule ---------------------------------------------------------------------------------------------------

NO_AUTHOR = dataclasses.replace(ASKING, approvals=(dataclasses.replace(TWO, exclude=("requester", "author")),))
BO = access.Directory({}, {"bo": access.Person("bo", ("ops",), git="bo@example.org")}).of_key("laptop", "", "bo")


def test_who_changed_the_rule_last_may_not_approve_and_may_reject(kit: Any) -> None:
    kit.standing = dataclasses.replace(kit.standing, author="bo")
    approval = asks(kit, limits=NO_AUTHOR)
    assert kit.rows("SELECT author FROM approval") == [("bo",)]
    with pytest.raises(reviewing.MayNotApprove, match="you changed its rule last"):
        says(kit, approval, BO)
    assert kit.rows("SELECT count(*) FROM review") == [(0,)]
    assert [one["author"] for one in kit.audit() if one["kind"] == "approval_asked"] == ["bo"]
    assert says(kit, approval, "key:ana").state == "open"
    assert says(kit, approval, BO, "reject").state == "rejected"


def test_an_author_who_was_found_to_be_somebody_since_may_not_approve(kit: Any) -> None:
    kit.standing = dataclasses.replace(kit.standing, author="git:bo@example.org")
    with pytest.raises(reviewing.MayNotApprove, match="you changed its rule last"):
        says(kit, asks(kit, limits=NO_AUTHOR), BO)


@pytest.mark.parametrize(("author", "limits"), [("bo", ASKING), ("", NO_AUTHOR), ("git:zoe@example.org", NO_AUTHOR)])
def test_an_author_who_is_not_left_out_or_not_known_may_approve(kit: Any, author: str, limits: policy.Limits) -> None:
    kit.standing = dataclasses.replace(kit.standing, author=author)
    approval = asks(kit, limits=limits)
    assert says(kit, approval, BO).state == "open"
    assert says(kit, approval, "key:ana").state == "approved"
    assert len(kit.claim().claimed) == 1


@pytest.mark.parametrize(("limits", "state"), [(NO_AUTHOR, "void"), (ASKING, "approved")])
def test_another_author_is_another_request_where_authors_are_left_out(
    kit: Any, limits: policy.Limits, state: str
) -> None:
    approval = asks(kit, limits=limits)
    says(kit, approval, "key:ana")
    kit.standing = dataclasses.replace(kit.standing, author="bo")
    assert says(kit, approval, "key:cy").state == state


def test_what_another_author_changed_after_the_word_does_not_start(kit: Any) -> None:
    kit.standing = dataclasses.replace(kit.standing, author="bo")
    approval = asks(kit, limits=NO_AUTHOR)
    says(kit, approval, "key:ana")
    assert says(kit, approval, "key:cy").state == "approved"
    kit.standing = dataclasses.replace(kit.standing, author="dee", limits=NO_AUTHOR)
    assert kit.claim().claimed == []
