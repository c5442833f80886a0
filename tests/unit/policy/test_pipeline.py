"""The pipeline with plain values: the first no decides, observe mode waits for nothing."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest

from healer import policy
from healer.policy import brakes, gates, limits, reasons

S = 1_000_000
PLAIN = policy.Candidate(
    "r-1", "a/b/c", "clean", "here", ("host:a",), 100 * S,
    policy.Limits(max_age_s=900, defer_for_s=7200, attempts=3, cooldown_s=600, concurrency_daemon=2, chain_depth=3),
)  # fmt: skip


@pytest.mark.parametrize(
    ("candidate", "view", "state", "reason"),
    [
        ({}, {}, "queued", ""),
        ({}, {"paused": {"who": "ana", "since": "03:05", "reason": "x", "scope": "--all"}}, "deferred", "paused"),
        ({"enabled": False}, {}, "suppressed", "disabled"),
        ({"event_us": -901 * S}, {}, "suppressed", "stale"),
        ({}, {"state": "running"}, "suppressed", "duplicate"),
        ({}, {"state": "failed", "attempts_made": 2}, "queued", ""),
        ({}, {"state": "failed", "attempts_made": 3}, "suppressed", "attempts"),
        ({"lifecycle": True}, {"resolved_us": 90 * S}, "withdrawn", "resolved"),
        ({"problems": (policy.Problem("unknown_action", {"action": "x"}),)}, {}, "refused", "unknown_action"),
        ({}, {"last_ended": {"host:a": (99 * S, "r-2")}}, "deferred", "cooldown"),
        ({}, {"last_ended": {"host:a": (-500 * S, "r-2")}}, "queued", ""),
        ({"depth": 4}, {}, "refused", "chain_depth"),
        *[
            ({"after": "r-0"}, {"before": before}, "deferred", "chain")
            for before in ("deferred", "queued", "running", "unknown")
        ],
        *[
            ({"after": "r-0"}, {"before": before}, "suppressed", "chain")
            for before in ("failed", "timed_out", "cancelled", "refused", "suppressed", "withdrawn", "simulated", None)
        ],
        ({"after": "r-0"}, {"before": "succeeded"}, "queued", ""),
        *[
            ({"after": "r-0", "upstream": True}, {"before": before}, "queued", "")
            for before in ("succeeded", "failed", "timed_out")
        ],
        *[
            ({"after": "r-0", "upstream": True}, {"before": before}, "suppressed", "chain")
            for before in ("refused", "suppressed", "withdrawn", "cancelled")
        ],
        ({"after": "r-0", "mode": "observe"}, {"before": "simulated"}, "simulated", "observe"),
        ({"after": "r-0", "dry_run": True}, {"before": "simulated"}, "simulated", "dry_run"),
        (
            {"problems": (policy.Problem("unknown_target", {"target": "b"}, target="host:b"),)},
            {},
            "refused",
            "unknown_target",
        ),
        ({"mode": "observe"}, {"last_ended": {"host:a": (99 * S, "r-2")}}, "simulated", "observe"),
        ({"dry_run": True}, {}, "simulated", "dry_run"),
    ],
)
def test_each_gate_says_its_no(candidate: dict[str, object], view: dict[str, object], state: str, reason: str) -> None:
    decision = policy.decide(dataclasses.replace(PLAIN, **candidate), policy.View(**view), 100 * S)
    assert (decision.state, decision.reason) == (state, reason)
    assert not reason or "?" not in reasons.sentence("duplicate", {"run": "r", "state": "s"})


def test_observe_tells_what_would_have_stopped_it() -> None:
    decision = policy.decide(
        dataclasses.replace(PLAIN, mode="observe"), policy.View(last_ended={"host:a": (99 * S, "r-2")}), 100 * S
    )
    assert decision.would == "cooldown"
    assert decision.sentence.startswith("Nothing was touched (mode observe)")
    assert "again after" in decision.sentence


def test_a_busy_target_waits_only_at_the_recheck() -> None:
    busy = policy.View(locked_by={"host:a": "r-9"})
    assert policy.decide(PLAIN, busy, 100 * S).reason == ""
    assert (policy.recheck(PLAIN, busy, 100 * S).state, policy.recheck(PLAIN, busy, 100 * S).reason) == (
        "queued",
        "target_busy",
    )


def test_a_cooldown_leaves_out_only_its_target() -> None:
    two = dataclasses.replace(PLAIN, targets=("host:a", "host:b"))
    decision = policy.decide(two, policy.View(last_ended={"host:a": (99 * S, "r-2")}), 100 * S)
    assert decision.state == "queued"
    assert list(decision.left_out) == ["host:a"]


# --- the order ----------------------------------------------------------------------------------------------------------------

ALWAYS = limits.Span((), 0, 1440, "UTC")
NOES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    # gate → what of the candidate, its limits and the view makes it say no, and no other
    "kill switch": ({}, {}, {"paused": {"who": "ana", "since": "03:05", "reason": "x", "scope": "all"}}),
    "age": ({}, {"max_age_s": 5}, {}),
    "once": ({}, {}, {"state": "succeeded"}),
    "resolved": ({"lifecycle": True}, {}, {"resolved_us": 90 * S}),
    "settle": ({"lifecycle": True}, {"settle_s": 60}, {"opened_us": ((99 * S,),)}),
    "silence": ({}, {"windows": (limits.Windows(block=(ALWAYS,)),)}, {}),
    "inhibition": ({}, {}, {"inhibited_by": ("NodeDown",)}),
    "validity": ({"problems": (policy.Problem("unknown_action", {"action": "x", "nearest": ""}),)}, {}, {}),
    "cooldown": ({}, {"cooldown_s": 600}, {"last_ended": {"host:a": (99 * S, "r-2")}}),
    "rate": ({}, {"rates": (limits.Rate("policy:x", 1, 60),)}, {"spent": {"policy:x": (99 * S,)}}),
    "breaker": ({}, {"breakers": (limits.Breaker(1, 60, 60),)}, {"failures": brakes.Failures((99 * S,))}),
    "blast radius": ({}, {"blasts": (limits.Blast("policy:x", 60, 0, None, 1, 5, ""),)}, {}),
    "storm": ({}, {}, {"storm": brakes.Storm(99 * S, 99 * S, 201), "storm_limit": brakes.StormLimit(200, 60, 300)}),
    "chain": ({"depth": 4}, {"chain_depth": 3}, {}),
    "lock": ({}, {}, {"locked_by": {"host:a": "r-9"}}),
    "approval": ({}, {"approvals": (limits.Approval((limits.Threshold("on call", ("oncall",), 1, 1),)),)}, {}),
    "mode": ({"mode": "observe"}, {}, {}),
}  # fmt: skip
OUTCOMES = {
    "kill switch": "deferred", "age": "suppressed", "once": "suppressed", "resolved": "withdrawn", "settle": "deferred", "silence": "deferred",
    "inhibition": "deferred", "validity": "refused", "cooldown": "deferred", "rate": "deferred", "breaker": "deferred",
    "blast radius": "awaiting_approval", "storm": "deferred", "chain": "refused", "lock": "queued", "approval": "awaiting_approval",
    "mode": "simulated",
}  # fmt: skip
GATES = [name for name, _ in gates.ORDER]


def asked(*names: str, **more: Any) -> tuple[policy.Candidate, policy.View]:
    """A candidate and a view to which these gates say no."""
    own: dict[str, Any] = {"event_us": 90 * S}
    values: dict[str, Any] = {}
    seen: dict[str, Any] = {"wall_us": 100 * S}
    for name in names:
        candidate, limits_, view = NOES[name]
        own |= candidate
        values |= limits_
        seen |= view
    made = dataclasses.replace(PLAIN, **{**own, **more}, limits=policy.Limits(**values))
    return made, policy.View(**seen)


def test_the_table_has_all_gates_in_their_order() -> None:
    assert list(NOES) == GATES == list(OUTCOMES)


@pytest.mark.parametrize("name", GATES)
def test_each_gate_alone_has_its_outcome(name: str) -> None:
    candidate, view = asked(name)
    decision = policy.recheck(candidate, view, 100 * S) if name == "lock" else policy.decide(candidate, view, 100 * S)
    assert [one.gate for one in decision.verdicts if not one.ok] == [name]
    assert decision.state == OUTCOMES[name]
    assert reasons.REASONS[decision.reason].gate == name
    assert "?" not in decision.sentence


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(GATES, 2)))
def test_of_two_noes_that_of_the_earlier_gate_decides(first: str, second: str) -> None:
    candidate, view = asked(first, second, mode="active" if "mode" not in (first, second) else "observe")
    if second == "mode":
        decision = policy.decide(candidate, view, 100 * S)
        held = first == "lock"  # which never stops a decision
        wanted = ("suppressed", "") if first == "once" else ("simulated", "" if held else reason_of(first))
        assert (decision.state, decision.would) == wanted
        return
    decision = policy.decide(candidate, view, 100 * S)
    wanted_gate = "once" if second == "once" else second if first == "lock" else first
    assert reasons.REASONS[decision.reason].gate == wanted_gate  # a run that is there stays what it is


def reason_of(name: str) -> str:
    candidate, view = asked(name)
    return policy.decide(candidate, view, 100 * S).reason


@pytest.mark.parametrize("name", [name for name in GATES if name not in ("once", "mode")])
def test_just_before_the_effect_every_gate_is_asked_again(name: str) -> None:
    candidate, view = asked(name)
    decision = policy.recheck(candidate, view, 100 * S)
    assert (decision.state, reasons.REASONS[decision.reason].gate) == (OUTCOMES[name], name)


@pytest.mark.parametrize("name", GATES)
def test_ansible_rulebooks_own_actions_are_stopped_by_their_gates_only_unless_a_policy_selects_them(name: str) -> None:
    candidate, view = asked(name, upstream=True)
    decision = policy.recheck(candidate, view, 100 * S) if name != "once" else policy.decide(candidate, view, 100 * S)
    stopped = decision.state != "queued" or bool(decision.reason)
    assert stopped is (name in gates.UPSTREAM)
    chosen = dataclasses.replace(candidate, limits=dataclasses.replace(candidate.limits, selected=True))
    decision = policy.recheck(chosen, view, 100 * S) if name != "once" else policy.decide(chosen, view, 100 * S)
    assert reasons.REASONS[decision.reason].gate == name


@pytest.mark.parametrize("name", [name for name in GATES if name not in ("mode", "once")])
@pytest.mark.parametrize("way", [policy.decide, policy.look_again, policy.recheck])
def test_what_only_looks_waits_for_no_gate_and_asks_all(name: str, way: Any) -> None:
    candidate, view = asked(name, mode="observe")
    decision = way(candidate, view, 100 * S)
    assert (decision.state, decision.look_at_us) == ("simulated", None)
    assert {one.gate for one in decision.verdicts} >= set(GATES) - {"once"}
    assert decision.would == ("" if name == "lock" and way is not policy.recheck else decision_code(name))


def decision_code(name: str) -> str:
    candidate, view = asked(name)
    return policy.recheck(candidate, view, 100 * S).reason


PERSONS = (
    dataclasses.replace(PLAIN.limits, approvals=(limits.Approval((limits.Threshold("on call", ("oncall",), 1, 1),)),)),
    dataclasses.replace(PLAIN.limits, blasts=(limits.Blast("policy:x", 60, 0, None, 1, 5, ""),)),
)
"""Each asks for a person by another gate."""


@pytest.mark.parametrize("held", PERSONS)
@pytest.mark.parametrize(("waiting", "state"), [(2, "awaiting_approval"), (3, "deferred"), (4, "deferred")])
def test_no_more_runs_wait_for_a_person_than_may(held: policy.Limits, waiting: int, state: str) -> None:
    view = policy.View(before_people=waiting, approvals_max=3)
    for asked in (policy.decide, policy.look_again, policy.recheck):
        made = asked(dataclasses.replace(PLAIN, limits=held), view, 100 * S)
        assert made.state == state
        if state == "deferred":
            assert (made.reason, made.fields["n"], made.fields["limit"], made.look_at_us) == (
                "approvals_full",
                waiting,
                3,
                None,
            )
            assert made.fields["detail"].startswith(("Waiting for 1 of on call", "0 of "))


@pytest.mark.parametrize("held", PERSONS)
def test_who_has_a_place_before_people_keeps_it(held: policy.Limits) -> None:
    view = policy.View(state="awaiting_approval", before_people=9, approvals_max=3, deferred_us=100 * S)
    assert policy.look_again(dataclasses.replace(PLAIN, limits=held), view, 100 * S).state == "awaiting_approval"
    whole = dataclasses.replace(view, state=None, deferred_us=None, approvals_max=None)
    assert policy.decide(dataclasses.replace(PLAIN, limits=held), whole, 100 * S).state == "awaiting_approval"


def test_what_only_looks_takes_no_place_before_people() -> None:
    candidate = dataclasses.replace(PLAIN, limits=PERSONS[0], mode="observe")
    made = policy.decide(candidate, policy.View(before_people=9, approvals_max=3), 100 * S)
    assert (made.state, made.would) == ("simulated", "needs_approval")


@pytest.mark.parametrize(("candidate", "view", "end"), [
    ({}, {"last_ended": {"host:a": (99 * S, "r-2")}, "wall_us": 1_800_000_000 * S}, "have waited until 2027-01-15T08:09:59Z: "),
    ({"enabled": False}, {}, "not have run: "),
    ({"limits": PERSONS[0]}, {}, "have waited for a person: "),
])  # fmt: skip
def test_what_is_simulated_says_whether_it_would_have_waited(
    candidate: dict[str, Any], view: dict[str, Any], end: str
) -> None:
    decision = policy.decide(dataclasses.replace(PLAIN, dry_run=True, **candidate), policy.View(**view), 100 * S)
    assert decision.sentence.startswith(f"Nothing was touched (dry run), and it would {end}")


def past(*names: str, **more: Any) -> list[str]:
    candidate, view = asked(*names, **more)
    return [no.code for no in policy.held_by(candidate, view, 100 * S)]


@pytest.mark.parametrize("name", GATES)
def test_a_person_is_told_each_gate_that_they_may_pass_and_no_other(name: str) -> None:
    may = name == "kill switch" or name not in gates.UNBROKEN | {"once"}
    assert past(name) == ([reason_of(name)] if may else [])
    assert past(name, upstream=True) == ([reason_of(name)] if may and name in gates.UPSTREAM else [])


def test_all_that_a_person_would_pass_is_told_by_the_order_of_the_gates_and_each_code_once() -> None:
    assert past("cooldown", "silence", "once", "kill switch", "chain") == [
        "paused",
        "outside_window",
        "cooldown",
        "chain_depth",
    ]
    assert past("kill switch", enabled=False) == ["paused", "disabled"]  # a pause hides what else there is
    two = dataclasses.replace(asked("cooldown")[0], targets=("host:a", "host:b"))
    busy = policy.View(last_ended={"host:a": (99 * S, "r-2"), "host:b": (98 * S, "r-3")})
    assert [(no.code, no.target) for no in policy.held_by(two, busy, 100 * S)] == [("cooldown", "host:a")]


@pytest.mark.parametrize("before", ["queued", "running"])
def test_what_only_looks_still_waits_for_the_step_before_it(before: Any) -> None:
    step = dataclasses.replace(PLAIN, after="r-0", mode="observe")
    assert policy.decide(step, policy.View(before=before), 100 * S).state == "deferred"
    assert policy.decide(step, policy.View(before="failed"), 100 * S).state == "simulated"


def test_what_is_simulated_would_have_waited_for_what_has_no_end() -> None:
    made = policy.decide(*asked("kill switch", mode="observe"), 100 * S)
    assert made.fields["end"] == "have waited"
    assert policy.recheck(*asked("lock", mode="observe"), 100 * S).fields["end"] == "have waited"
    assert policy.decide(*asked("chain", mode="observe"), 100 * S).fields["end"] == reasons.NOT_RUN
