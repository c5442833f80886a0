"""A rule's list of which a step needs a person: they are asked once, before the first, for exactly all of it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from healer import access, model, policy
from healer.decide import afterwards
from healer.policy import limits
from healer.store import asking, candidates, claiming, deciding, notes, people, reviewing, voiding

S = 1_000_000
OPS = limits.Approval((limits.Threshold("ops", ("ops",), 1, 1),), ("requester",))
TWO = limits.Approval((limits.Threshold("two leads", ("lead",), 2, 1),), ())
PLAIN = policy.Limits(attempts=3, timeout_s=10, defer_for_s=7200, approval_expires_s=1800, lock_targets=False)


def asked_by(*approvals: limits.Approval) -> policy.Limits:
    return dataclasses.replace(PLAIN, approvals=approvals)


def steps(kit: Any, *wanted: policy.Limits, **more: Any) -> list[asking.Ask]:
    """One match whose steps have these limits, called `step 0`, `step 1` …"""
    made: list[asking.Ask] = []
    for number, limits_of in enumerate(wanted):
        after = made[-1].candidate.run if made else ""
        action = f"step {number}"
        asked = kit.asked(action, "host:web1", limits=limits_of, after=after, **more)
        candidate = dataclasses.replace(asked.candidate, action=action)
        made.append(dataclasses.replace(asked, candidate=candidate, action_index=number))
    afterwards.chain(made)
    return made


@pytest.fixture
def other(kit: Any) -> Any:
    """Actions whose files have changed; the kit's claims know of it."""
    changed: set[str] = set()

    def standing_of(row: Any) -> policy.Standing:
        return dataclasses.replace(kit.standing, bound="other") if row["action"] in changed else kit.standing

    kit.changed, kit.standing_of = changed, standing_of
    return kit


def says(kit: Any, who: str, *roles: str, word: reviewing.Word = "approve") -> str:
    """A word on the request that is open."""
    ((approval,),) = kit.rows("SELECT id FROM approval WHERE state = 'open'")
    unit = reviewing.Review(
        approval, word, who=access.Principal(f"key:{who}"), roles=roles, reason="", standing_of=kit.standing_of
    )
    return str(kit.do(unit).state)


def states(kit: Any, asked: list[asking.Ask]) -> list[tuple[str, str]]:
    return [kit.state_of(one.candidate.run) for one in asked]


def goes(kit: Any, state: str = "succeeded") -> str:
    """The next attempt, which ends so; its action. Then the next step is looked at."""
    claimed = claim(kit)
    assert len(claimed) == 1
    kit.now_us += S
    kit.finish(claimed[0], state)
    kit.decide(look=True)
    return str(claimed[0].run["action"])


def claim(kit: Any) -> list[claiming.Claimed]:
    """T3, with the files as they are now."""
    found: claiming.Claims = kit.do(claiming.Claim(20, kit.standing_of))
    return found.claimed


def test_people_are_asked_once_before_the_first_step_for_all_of_them(other: Any) -> None:
    kit, asked = other, steps(other, PLAIN, asked_by(OPS), asked_by(TWO))
    kit.decide(*asked)
    assert states(kit, asked) == [("awaiting_approval", "needs_approval"), ("deferred", "chain"), ("deferred", "chain")]
    runs = [one.candidate.run for one in asked]
    assert kit.record("approval_asked")["steps"] == runs[1:]
    ((of, text),) = kit.rows("SELECT run, steps FROM approval")
    assert (of, [(one["run"], one["action"]) for one in json.loads(text)]) == (
        runs[0], [(runs[1], "step 1"), (runs[2], "step 2")],
    )  # fmt: skip
    assert says(kit, "ana", "ops") == "open"
    assert says(kit, "bo", "lead") == "open"
    assert kit.claim().claimed == []
    assert says(kit, "cy", "lead") == "approved"
    assert [goes(kit) for _ in asked] == ["step 0", "step 1", "step 2"]
    assert [one for one, _ in states(kit, asked)] == ["succeeded"] * 3
    assert kit.rows("SELECT count(*) FROM approval") == [(1,)]
    assert kit.verify().ok


def test_it_expires_with_the_first_of_its_steps(other: Any) -> None:
    asked = steps(other, PLAIN, dataclasses.replace(asked_by(OPS), approval_expires_s=90.0), asked_by(OPS))
    other.decide(*asked)
    assert other.rows("SELECT expires_us - asked_us FROM approval") == [(90 * S,)]


def test_where_no_step_needs_one_nobody_is_asked(other: Any) -> None:
    asked = steps(other, PLAIN, PLAIN)
    assert not any(candidates.CHAIN in one.extra for one in asked)
    other.decide(*asked)
    assert [goes(other) for _ in asked] == ["step 0", "step 1"]


def test_what_follows_on_the_only_one_that_needs_it_is_seen_and_approved_too(other: Any) -> None:
    asked = steps(other, asked_by(OPS), PLAIN)
    other.decide(*asked)
    ((text,),) = other.rows("SELECT steps FROM approval")
    assert [one["action"] for one in json.loads(text)] == ["step 1"]
    assert says(other, "ana", "ops") == "approved"
    assert goes(other) == "step 0"
    other.changed.add("step 1")
    assert claim(other) == []
    assert states(other, asked)[1] == ("void", "approval_void")


@pytest.mark.parametrize("number", [0, 1, 2])
def test_before_the_word_a_change_of_any_step_is_void(other: Any, number: int) -> None:
    asked = steps(other, PLAIN, asked_by(OPS), asked_by(OPS))
    other.decide(*asked)
    other.changed.add(f"step {number}")
    assert says(other, "ana", "ops") == "void"
    other.decide(look=True)
    other.decide(look=True)
    assert states(other, asked) == [("void", "approval_void"), ("suppressed", "chain"), ("suppressed", "chain")]


def test_after_the_word_a_step_that_changed_does_not_run_and_none_behind_it(other: Any) -> None:
    asked = steps(other, PLAIN, asked_by(OPS), PLAIN)
    other.decide(*asked)
    assert says(other, "ana", "ops") == "approved"
    assert goes(other) == "step 0"
    other.changed.add("step 1")
    assert claim(other) == []
    other.decide(look=True)
    assert states(other, asked)[1:] == [("void", "approval_void"), ("suppressed", "chain")]


@pytest.mark.parametrize(("ran", "void"), [(0, 0), (1, 1), (1, None)])
def test_a_reload_ends_what_of_it_has_not_begun(other: Any, ran: int, void: int | None) -> None:
    """Before the first step: all of it. Afterwards the step that changed, if it is one that has not run."""
    asked = steps(other, PLAIN, asked_by(OPS))
    other.decide(*asked)
    says(other, "ana", "ops")
    for _ in range(ran):
        goes(other)
    other.changed.add("step 1" if void is not None else "step 0")
    found = other.do(voiding.Void(other.standing_of, "", write=False, given=True)).items
    wanted = [] if void is None else [asked[void].candidate.run]
    assert [one["run"] for one in found] == wanted
    other.do(voiding.Void(other.standing_of, "", write=True, given=True, actor="key:ana"))
    if void is None:
        assert goes(other) == "step 1"
    else:
        assert states(other, asked)[void] == ("void", "approval_void")
        assert claim(other) == []


def test_a_reload_before_the_word_ends_the_request(other: Any) -> None:
    asked = steps(other, PLAIN, asked_by(OPS))
    other.decide(*asked)
    other.changed.add("step 1")
    found = other.do(voiding.Void(other.standing_of, "", write=True)).items
    assert [one["run"] for one in found] == [asked[0].candidate.run]
    assert states(other, asked)[0] == ("void", "approval_void")


def test_it_is_for_one_decision_of_each_step(other: Any) -> None:
    """A step that failed is asked about anew when the alert is said again, though the first one, which has succeeded, was approved."""
    asked = steps(other, PLAIN, asked_by(OPS))
    other.decide(*asked)
    says(other, "ana", "ops")
    assert [goes(other), goes(other, "failed")] == ["step 0", "step 1"]
    other.decide(*steps(other, PLAIN, asked_by(OPS)))
    assert states(other, asked) == [("succeeded", "unverified"), ("awaiting_approval", "needs_approval")]


def test_after_a_failure_of_the_first_all_is_asked_anew(other: Any) -> None:
    asked = steps(other, PLAIN, asked_by(OPS))
    other.decide(*asked)
    says(other, "ana", "ops")
    goes(other, "failed")
    assert states(other, asked)[1] == ("suppressed", "chain")
    again = steps(other, PLAIN, asked_by(OPS))
    other.decide(*again)
    assert states(other, again) == [("awaiting_approval", "needs_approval"), ("deferred", "chain")]
    assert says(other, "ana", "ops") == "approved"
    assert [goes(other), goes(other)] == ["step 0", "step 1"]


def test_a_brake_of_a_step_asks_by_itself(other: Any) -> None:
    """Whoever approved the chain has not seen how many targets were touched meanwhile."""
    blast = limits.Blast("all", 3600, 1, None, 1, 1, "")
    second = dataclasses.replace(asked_by(OPS), blasts=(blast,))
    asked = steps(other, PLAIN, second)
    other.decide(*asked)
    says(other, "ana", "ops")
    other.decide(other.asked("x", "host:web9", limits=dataclasses.replace(PLAIN, blasts=(blast,))))
    for claimed in claim(other):
        other.finish(claimed)
    other.decide(look=True)
    assert states(other, asked)[1] == ("awaiting_approval", "blast_radius")
    assert says(other, "ana", "ops") == "approved"
    assert goes(other) == "step 1"


def test_a_first_step_that_waited_for_a_gate_is_asked_about_with_its_steps(other: Any) -> None:
    cooled = dataclasses.replace(PLAIN, cooldown_s=60)
    (before,) = steps(other, cooled)
    candidate = dataclasses.replace(before.candidate, run="r-before")
    other.decide(dataclasses.replace(before, candidate=candidate))
    goes(other)
    asked = steps(other, cooled, asked_by(OPS))
    other.decide(*asked)
    assert states(other, asked) == [("deferred", "cooldown"), ("deferred", "chain")]
    other.now_us += 61 * S
    other.decide(look=True)
    assert states(other, asked)[0] == ("awaiting_approval", "needs_approval")
    other.changed.add("step 1")
    assert says(other, "ana", "ops") == "void"


def test_a_step_that_a_person_took_out_is_not_asked_about_any_more(other: Any) -> None:
    asked = steps(other, PLAIN, asked_by(OPS))
    other.decide(*asked)
    other.do(people.Cancel(asked[1].candidate.run, actor="key:ana", reason="no"))
    other.changed.add("step 1")
    assert says(other, "ana", "ops") == "approved"
    assert goes(other) == "step 0"


@pytest.mark.parametrize("state", ["rejected", "expired"])
def test_without_their_word_no_step_runs(other: Any, state: str) -> None:
    asked = steps(other, PLAIN, asked_by(OPS))
    other.decide(*asked)
    assert other.rows("SELECT expires_us - asked_us FROM approval") == [(1800 * S,)]
    if state == "rejected":
        assert says(other, "ana", "ops", word="reject") == "rejected"
    else:
        other.now_us += 1801 * S
    other.decide(look=True)
    other.decide(look=True)
    assert [one for one, _ in states(other, asked)] == [state, "suppressed"]


@pytest.mark.parametrize("how", ["edit", "off"])
def test_a_first_step_that_has_acted_is_tried_again_though_a_later_one_is_void(other: Any, how: str) -> None:
    """What it did, and failed at, stands: its own retry is what was approved."""
    asked = steps(other, PLAIN, asked_by(OPS), extra={"retries": {"times": 1, "delay_ms": 0}})
    other.decide(*asked)
    says(other, "ana", "ops")
    (claimed,) = claim(other)
    other.finish(claimed, "failed")
    if how == "edit":
        other.changed.add("step 1")
        standing_of = other.standing_of
    else:
        standing_of = lambda _: dataclasses.replace(other.standing, enabled=False)  # noqa: E731
    found = other.do(voiding.Void(standing_of, "", write=True, given=True)).items
    assert [one["run"] for one in found] == [asked[1].candidate.run]
    assert states(other, asked)[1] == ("void", "approval_void")
    assert [one.run["action"] for one in claim(other)] == ["step 0"]


def test_while_only_observed_its_steps_wait_as_the_first_does(other: Any) -> None:
    asked = steps(other, PLAIN, asked_by(OPS))
    other.decide(*asked)
    active = other.standing
    other.standing = dataclasses.replace(active, mode="observe")
    other.do(notes.Wake())
    other.decide(look=True)
    assert states(other, asked) == [("awaiting_approval", "needs_approval"), ("deferred", "chain")]
    other.standing = active
    assert says(other, "ana", "ops") == "approved"
    assert [goes(other), goes(other)] == ["step 0", "step 1"]


@pytest.mark.parametrize("refused", [False, True])
def test_what_is_tried_where_nobody_says_a_word_is_for_the_targets_of_its_step(other: Any, refused: bool) -> None:
    rung = {"name": "page", "kind": "script", "subject": "scripts/page.sh", "controller": "here", "parameters": {}, "idempotent": False,
            "timeout_ms": 10_000, "after_ms": 0, "extra": {}}  # fmt: skip
    asked = steps(other, PLAIN, asked_by(OPS), alerts=[("am", "k", 1, True)], lifecycle=True)
    asked[0].extra["expired"] = [rung | {"of": asked[1].candidate.run}]
    problems = (
        policy.Problem("unknown_target", {"target": "db1", "inventory": "i", "nearest": ""}, target="host:db1"),
    )
    asked[1] = dataclasses.replace(
        asked[1],
        candidate=dataclasses.replace(asked[1].candidate, targets=("host:db1",), problems=problems if refused else ()),
        targets=[model.Target("host", "db1", "db1")],
    )
    opens = deciding.AlertWord("am", "k", 1, True, True, 10**12, "Disk", "web1", "critical", "full")
    other.decide(*asked, alerts=[opens])
    other.now_us += 1801 * S
    other.decide(look=True)
    if refused:
        assert other.rows("SELECT id FROM run WHERE action = 'page'") == []
        return
    ((page,),) = other.rows("SELECT id FROM run WHERE action = 'page'")
    assert other.rows("SELECT target FROM run_target WHERE run = ?", page) == [("host:db1",)]
    assert next(one for one in other.audit() if one.get("run") == page)["targets"] == ["host:db1"]


@pytest.mark.parametrize("number", [0, 1])
def test_actions_of_ansible_rulebook_are_part_of_what_is_approved_behind_it_and_go_before_it(
    other: Any, number: int
) -> None:
    asked = steps(other, asked_by(OPS), asked_by(OPS))
    for one in asked:
        one.extra.clear()
        one.candidate = dataclasses.replace(one.candidate, first="")
    own = asked[number]
    own.candidate = dataclasses.replace(own.candidate, upstream=True, limits=PLAIN)
    afterwards.chain(asked)
    other.decide(*asked)
    if number == 1:
        ((text,),) = other.rows("SELECT steps FROM approval")
        assert [one["action"] for one in json.loads(text)] == ["step 1"]
        assert says(other, "ana", "ops") == "approved"
        assert [goes(other), goes(other)] == ["step 0", "step 1"]
    else:
        assert states(other, asked) == [("queued", ""), ("deferred", "chain")]
        assert goes(other) == "step 0"
        assert states(other, asked)[1] == ("awaiting_approval", "needs_approval")
