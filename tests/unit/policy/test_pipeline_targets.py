"""Runs on several targets: what leaves one out, what stops all of them and until when; and how a decision is kept and shown."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from healer import policy
from healer.policy import answers, brakes, gates, limits, pipeline

S = 1_000_000
NOW = 10_000 * S
LIMITS = policy.Limits(cooldown_s=600, attempts=3, timeout_s=10)
PLAIN = policy.Candidate("r-1", "a/b/c", "clean", "here", ("host:a", "host:b", "host:c"), NOW, LIMITS)
NOT_VALID = (policy.Problem("unknown_target", {"target": "b", "inventory": "the inventory", "nearest": ""}, "host:b"),)


def ended(**ago_s: int) -> dict[str, tuple[int, str]]:
    return {f"host:{name}": (NOW - one * S, "r-0") for name, one in ago_s.items()}


def test_each_gate_leaves_out_its_own_and_the_next_ones_are_asked_about_the_rest() -> None:
    view = policy.View(last_ended=ended(a=100), locked_by={"host:a": "r-8", "host:b": "r-9"})
    decision = policy.recheck(dataclasses.replace(PLAIN, problems=NOT_VALID), view, NOW)
    assert {target: no.code for target, no in decision.left_out.items()} == {
        "host:b": "unknown_target",
        "host:a": "cooldown",
    }
    assert (decision.state, decision.reason, [one.gate for one in decision.verdicts if not one.ok]) == (
        "queued",
        "",
        [],
    )
    seen = {one.gate: one.saw for one in decision.verdicts}
    assert seen["lock"]["locked"] == {}
    assert seen["validity"]["targets"] == ["host:a", "host:b", "host:c"]


def test_the_first_no_of_a_target_is_its_reason() -> None:
    view = policy.View(last_ended=ended(b=100))
    decision = policy.decide(dataclasses.replace(PLAIN, problems=NOT_VALID), view, NOW)
    assert {target: no.code for target, no in decision.left_out.items()} == {"host:b": "unknown_target"}


@pytest.mark.parametrize(
    ("ago", "left_s"), [({"a": 100, "b": 300, "c": 200}, 300), ({"a": 100, "b": 100, "c": 599}, 1)]
)
def test_where_all_wait_the_run_is_looked_at_when_the_first_may_go(ago: dict[str, int], left_s: int) -> None:
    decision = policy.decide(PLAIN, policy.View(last_ended=ended(**ago)), NOW)
    assert (decision.state, decision.reason, decision.look_at_us) == ("deferred", "cooldown", NOW + left_s * S)


def test_where_some_are_not_valid_and_the_rest_waits_it_waits_for_that() -> None:
    candidate = dataclasses.replace(PLAIN, problems=NOT_VALID)
    decision = policy.decide(candidate, policy.View(last_ended=ended(a=100, c=200)), NOW)
    assert (decision.state, decision.reason, decision.look_at_us) == ("deferred", "cooldown", NOW + 400 * S)
    assert [decision.target_state(target)[:2] for target in PLAIN.targets] == [
        ("deferred", "cooldown"), ("left_out", "unknown_target"), ("deferred", "cooldown"),
    ]  # fmt: skip


def test_of_a_run_that_goes_each_target_goes_or_is_left_out() -> None:
    decision = policy.decide(PLAIN, policy.View(last_ended=ended(b=100)), NOW)
    assert decision.target_state("host:a") == ("queued", "", {})
    state, code, fields = decision.target_state("host:b")
    assert (state, code, fields["left"]) == ("left_out", "cooldown", "8 min")


RATES = (limits.Rate("policy:x", 1, 60), limits.Rate("policy:y", 1, 600), limits.Rate("policy:z", 1, 6))


def test_of_several_brakes_of_a_gate_the_last_to_let_go_is_told() -> None:
    held = dataclasses.replace(PLAIN, limits=policy.Limits(rates=RATES))
    decision = policy.decide(held, policy.View(spent=dict.fromkeys(("policy:x", "policy:y", "policy:z"), (NOW,))), NOW)
    assert (decision.reason, decision.look_at_us, decision.fields["budget"]) == (
        "rate_limited",
        NOW + 600 * S,
        "the policy y",
    )


def test_of_several_noes_one_that_has_no_end_leaves_the_first_told() -> None:
    never = limits.Windows(block=(limits.Span((), 0, 1440, "UTC"),))
    night = limits.Windows(allow=(limits.Span((), 600, 660, "UTC"),))
    held = dataclasses.replace(PLAIN, limits=policy.Limits(windows=(night, never)))
    decision = policy.decide(held, policy.View(wall_us=NOW), NOW)
    assert (decision.reason, decision.fields["next"]) == ("outside_window", "1970-01-01T10:00:00Z")
    held = dataclasses.replace(PLAIN, limits=policy.Limits(windows=(never, night)))
    assert policy.decide(held, policy.View(wall_us=NOW), NOW).fields == {"far": True}


def test_a_run_on_nothing_is_stopped_by_no_targets_no() -> None:
    none = dataclasses.replace(PLAIN, targets=())
    assert policy.decide(none, policy.View(last_ended=ended(a=1)), NOW).state == "queued"
    problem = dataclasses.replace(none, problems=NOT_VALID)
    assert policy.decide(problem, policy.View(), NOW).reason == "unknown_target"


@pytest.mark.parametrize("change", [{"mode": "observe"}, {"dry_run": True}])
@pytest.mark.parametrize(
    ("view", "code"), [({"state": "succeeded"}, "duplicate"), ({"state": "failed", "attempts_made": 3}, "attempts")]
)
def test_also_what_only_looks_leaves_a_run_that_is_there_as_it_is(
    change: dict[str, Any], view: dict[str, Any], code: str
) -> None:
    decision = policy.decide(dataclasses.replace(PLAIN, **change), policy.View(**view), NOW)
    assert (decision.state, decision.reason, decision.would) == ("suppressed", code, "")
    assert [one.gate for one in decision.verdicts] == ["once"]


def test_a_run_that_is_there_is_asked_nothing_else() -> None:
    view = policy.View(state="succeeded", paused={"who": "ana", "since": "03:05", "reason": "x"})
    decision = policy.decide(PLAIN, view, NOW)
    assert [(one.gate, one.ok, one.code) for one in decision.verdicts] == [("once", False, "duplicate")]


def test_what_its_turn_waits_for_is_shown_though_it_is_queued() -> None:
    busy = policy.View(locked_by={"host:a": "r-9", "host:b": "r-9", "host:c": "r-9"})
    for way in (policy.decide, policy.look_again):
        decision = way(PLAIN, busy, NOW)
        assert (decision.state, decision.reason, decision.sentence) == ("queued", "", "")
        assert decision.shown == ("target_busy", {"run": "r-9", "target": "host:a"})
        assert {one.gate: one.ok for one in decision.verdicts}["lock"]
    decision = policy.recheck(PLAIN, busy, NOW)
    assert decision.shown == (decision.reason, decision.fields) == ("target_busy", {"run": "r-9", "target": "host:a"})
    assert decision.sentence == "r-9 is working on host:a."


def test_what_is_simulated_says_why_it_would_not_have_run_and_keeps_each_gates_word() -> None:
    view = policy.View(storm=brakes.Storm(NOW, NOW, 9), storm_limit=brakes.StormLimit(5, 60, 60), last_ended=ended(a=1))
    decision = policy.decide(dataclasses.replace(PLAIN, dry_run=True), view, NOW)
    assert (decision.state, decision.reason, decision.would) == ("simulated", "dry_run", "storm")
    assert decision.fields == {
        "would": "storm",
        "why": "9 matches in 60 s; no new runs until calm for 60 s.",
        "end": "have waited until 1970-01-01T00:01:00Z",
    }
    assert [(one.gate, one.code) for one in decision.verdicts if not one.ok] == [
        ("storm", "storm"),
        ("mode", "dry_run"),
    ]
    assert list(decision.left_out) == ["host:a"]
    plain = policy.decide(dataclasses.replace(PLAIN, mode="observe"), policy.View(), NOW)
    assert (plain.reason, plain.would, plain.fields) == ("observe", "", {})


def test_the_step_before_it_is_waited_for_whatever_its_code_else_means() -> None:
    decision = policy.decide(dataclasses.replace(PLAIN, after="r-0"), policy.View(before="running"), NOW)
    assert (decision.state, decision.reason, decision.look_at_us) == ("deferred", "chain", None)


def test_a_verdict_is_kept_as_json_without_floats_and_tells_its_fields_only_where_it_is_a_no() -> None:
    saw = {"n": 1, 2: (1.5, {"a": [None, True, 0.25]}), "text": "x"}
    kept = {"n": 1, "2": ["1.5", {"a": [None, True, "0.25"]}], "text": "x"}
    yes = pipeline.Verdict("age", True, "", saw, {"left": 0.5})
    assert yes.as_json() == {"gate": "age", "ok": True, "saw": kept}
    no = pipeline.Verdict("age", False, "stale", saw, {"left": 0.5, "of": ("a",)})
    assert no.as_json() == {
        "gate": "age",
        "ok": False,
        "saw": kept,
        "code": "stale",
        "fields": {"left": "0.5", "of": ["a"]},
    }


def test_the_recheck_asks_all_but_whether_the_run_may_exist() -> None:
    names = [name for name, _ in gates.ORDER]
    queued = policy.View(state="queued")
    assert [one.gate for one in policy.recheck(PLAIN, queued, NOW).verdicts] == [one for one in names if one != "once"]
    assert [one.gate for one in policy.look_again(PLAIN, queued, NOW).verdicts] == [
        one for one in names if one != "once"
    ]
    assert [one.gate for one in policy.decide(PLAIN, policy.View(), NOW).verdicts] == names


def test_each_verdict_has_the_fields_of_its_no_and_none_where_it_is_a_yes() -> None:
    decision = policy.decide(PLAIN, policy.View(last_ended=ended(a=1, b=1, c=1)), NOW)
    assert decision.verdicts[-1].fields == decision.fields == decision.left_out["host:a"].fields
    assert all(one.fields == {} for one in decision.verdicts[:-1])
    goes = policy.decide(PLAIN, policy.View(), NOW)
    assert (goes.fields, goes.held, goes.would) == ({}, None, "")
    assert all((one.ok, one.code, one.fields) == (True, "", {}) for one in goes.verdicts)


def test_where_too_many_wait_for_a_person_what_was_asked_until_then_is_kept() -> None:
    one = limits.Approval((limits.Threshold("on call", ("oncall",), 1, 1),))
    asked = dataclasses.replace(PLAIN, limits=policy.Limits(cooldown_s=600, approvals=(one,)))
    full = policy.View(last_ended=ended(b=1), before_people=3, approvals_max=3)
    decision = policy.decide(asked, full, NOW)
    assert (decision.state, decision.reason, list(decision.left_out)) == ("deferred", "approvals_full", ["host:b"])
    assert [(one.gate, one.code) for one in decision.verdicts if not one.ok] == [("approval", "needs_approval")]
    assert len(decision.verdicts) == len(gates.ORDER) - 1


def test_a_no_for_one_target_is_about_that_target_only() -> None:
    assert answers.No("cooldown", {}, target="host:a") != answers.No("cooldown", {})
    only = dataclasses.replace(PLAIN, targets=("host:a",))
    decision = policy.decide(only, policy.View(last_ended=ended(a=1, b=1)), NOW)
    assert (decision.reason, list(decision.left_out)) == ("cooldown", ["host:a"])
