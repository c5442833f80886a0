"""Each gate alone, at its boundaries, without a limit, and target by target; then properties of the whole pipeline."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import policy
from healer.policy import answers, brakes, gates, limits, reasons

S = 1_000_000
NOW = 10_000 * S
GATES = dict(gates.ORDER)
PLAIN = policy.Candidate("r-1", "a/b/c", "clean", "here", ("host:a", "host:b"), NOW, policy.Limits())
PAUSE = {"scope": "--all", "who": "ana", "since": "03:05", "reason": "release"}


def asked(gate: answers.Gate, candidate: dict[str, Any], view: dict[str, Any], **limits: Any) -> list[answers.No]:
    made = dataclasses.replace(PLAIN, limits=policy.Limits(**limits), **candidate)
    return gate(made, policy.View(**view), NOW)[1]


def codes(noes: list[answers.No]) -> list[tuple[str, str]]:
    return [(no.code, no.target) for no in noes]


def test_what_is_paused_is_no_and_names_who() -> None:
    (no,) = asked(gates.kill_switch, {}, {"paused": PAUSE})
    assert (no.code, no.look_at_us, no.fields) == ("paused", None, PAUSE)


def test_a_pause_goes_before_a_rule_that_is_switched_off() -> None:
    assert codes(asked(gates.kill_switch, {"enabled": False}, {"paused": PAUSE})) == [("paused", "")]
    assert codes(asked(gates.kill_switch, {"enabled": False}, {})) == [("disabled", "")]
    assert asked(gates.kill_switch, {}, {}) == []


def test_what_was_decided_before_its_rule_was_changed_is_a_persons() -> None:
    changed = {"changed": "rule a/b/c"}
    (no,) = asked(gates.kill_switch, changed, {}, approval_expires_s=60)
    assert (no.code, no.look_at_us, no.waits) == ("rule_changed", NOW + 60 * S, False)
    assert (
        reasons.sentence(no.code, no.fields)
        == "Decided before rule a/b/c was changed; the rule of today may not want it."
    )
    assert asked(gates.kill_switch, changed, {"approved": True}) == []
    assert codes(asked(gates.kill_switch, changed, {"paused": PAUSE})) == [("paused", "")]
    assert codes(asked(gates.kill_switch, changed | {"enabled": False}, {})) == [("disabled", "")]


@pytest.mark.parametrize(("change", "view", "asks"), [
    ({}, {"deferred_us": NOW - 11 * S, "state": "deferred"}, False), ({}, {"deferred_us": NOW - 10 * S, "state": "deferred"}, True),
    ({"upstream": True}, {"deferred_us": NOW - 11 * S, "state": "deferred"}, True), ({"lifecycle": True}, {"resolved_us": NOW}, False),
    ({"problems": (policy.Problem("unknown_action", {}),)}, {}, False),
    ({"problems": (policy.Problem("unknown_action", {}),), "upstream": True}, {}, False),
    ({"problems": (policy.Problem("unknown_target", {}, "host:b"),)}, {}, True),
])  # fmt: skip
def test_nobody_is_asked_about_what_another_gate_ends(change: dict[str, Any], view: dict[str, Any], asks: bool) -> None:
    noes = asked(gates.kill_switch, {"changed": "everything"} | change, view, defer_for_s=10)
    assert codes(noes) == ([("rule_changed", "")] if asks else [])
    assert policy.look_again(
        dataclasses.replace(PLAIN, changed="everything", limits=policy.Limits(defer_for_s=10), **change), policy.View(**view), NOW
    ).state != "queued"  # fmt: skip


@pytest.mark.parametrize(("change", "before", "asks"), [
    ({}, "running", False), ({}, "succeeded", True), ({}, None, True), ({"rung": 1, "not_before_us": NOW + 1}, "failed", False),
    ({"rung": 1, "not_before_us": NOW}, "failed", True), ({"rung": 1}, "expired", True), ({"rung": 1}, "queued", False),
])  # fmt: skip
def test_it_is_once_its_turn_in_a_list_has_come(change: dict[str, Any], before: Any, asks: bool) -> None:
    noes = asked(gates.kill_switch, {"changed": "everything", "after": "r-0"} | change, {"before": before})
    assert codes(noes) == ([("rule_changed", "")] if asks else [])


@pytest.mark.parametrize(("age_us", "limit", "stale"), [
    (900 * S, 900, False), (900 * S + 1, 900, True), (0, 0, False), (1, 0, True), (10**15, None, False), (-5 * S, 0, False),
])  # fmt: skip
def test_an_event_is_stale_beyond_its_age_not_at_it(age_us: int, limit: float | None, stale: bool) -> None:
    assert bool(asked(gates.age, {"event_us": NOW - age_us}, {}, max_age_s=limit)) is stale


@pytest.mark.parametrize(("waited_us", "limit", "stale"), [
    (7200 * S, 7200, False), (7200 * S + 1, 7200, True), (10**15, None, False),
])  # fmt: skip
def test_what_waits_has_its_own_limit_and_no_age(waited_us: int, limit: float | None, stale: bool) -> None:
    view = {"deferred_us": NOW - waited_us, "state": "deferred", "reason": "cooldown"}
    noes = asked(gates.age, {"event_us": 0}, view, defer_for_s=limit, max_age_s=1)
    assert bool(noes) is stale
    assert all(no.fields["gate"] == "the gate cooldown" for no in noes)


@pytest.mark.parametrize(("reason", "said"), [
    ("cooldown", "It waited 2 s, in the end for the gate cooldown; limit defer_for 1 s."),
    ("paused", "It waited 2 s, in the end for the gate kill switch; limit defer_for 1 s."),
    ("target_busy", "It waited 2 s, in the end for the gate lock; limit defer_for 1 s."),
    ("", "It waited 2 s, in the end for its turn; limit defer_for 1 s."),
    ("of_a_later_version", "It waited 2 s, in the end for the gate of_a_later_version; limit defer_for 1 s."),
])  # fmt: skip
def test_what_waited_too_long_says_for_what_and_nothing_of_its_events_age(reason: str, said: str) -> None:
    view = {"deferred_us": NOW - 2 * S, "state": "deferred", "reason": reason}
    (no,) = asked(gates.age, {"event_us": NOW - 2 * S}, view, defer_for_s=1, max_age_s=900)
    assert reasons.sentence(no.code, no.fields) == said
    assert reasons.next_step(no.code, no.fields) == "raise defer_for:"


def test_an_event_that_is_too_old_says_how_old_it_is() -> None:
    (no,) = asked(gates.age, {"event_us": NOW - 2 * S}, {}, defer_for_s=1, max_age_s=1)
    assert reasons.sentence(no.code, no.fields) == "The event was 2 s old when it was decided; limit 1 s."
    assert reasons.next_step(no.code, no.fields) == "raise max_age:"


def test_a_problem_is_said_by_the_gate_of_its_reason() -> None:
    problems = (policy.Problem("disabled", {"rule": "a/b/c", "gone": True}), policy.Problem("unknown_action", {}))
    assert codes(asked(gates.kill_switch, {"problems": problems}, {})) == [("disabled", "")]
    assert codes(asked(gates.validity, {"problems": problems}, {})) == [("unknown_action", "")]
    assert codes(asked(gates.kill_switch, {"problems": problems}, {"paused": PAUSE})) == [("paused", "")]


@pytest.mark.parametrize(("state", "made", "limit", "code"), [
    (None, 0, 0, None), ("failed", 2, 3, None), ("failed", 3, 3, "attempts"), ("failed", 99, None, None), ("failed", 0, 0, "attempts"),
    ("timed_out", 3, 3, "attempts"), ("refused", 0, 3, None), ("refused", 3, 3, "attempts"), ("running", 0, 3, "duplicate"),
    ("succeeded", 1, 3, "duplicate"), ("unknown", 1, None, "duplicate"), ("deferred", 0, 3, "duplicate"), ("simulated", 0, 3, None),
])  # fmt: skip
def test_what_a_repeat_finds(state: Any, made: int, limit: int | None, code: str | None) -> None:
    noes = asked(gates.once, {}, {"state": state, "attempts_made": made}, attempts=limit)
    assert [no.code for no in noes] == ([code] if code else [])


@pytest.mark.parametrize("change", [{"mode": "observe"}, {"dry_run": True}])
def test_a_simulated_run_is_simulated_once(change: dict[str, Any]) -> None:
    assert codes(asked(gates.once, change, {"state": "simulated"})) == [("duplicate", "")]


@pytest.mark.parametrize(("lifecycle", "resolved_us", "no"), [
    (True, NOW, True), (True, None, False), (False, NOW, False), (True, NOW + S, True),
])  # fmt: skip
def test_a_resolved_alert_withdraws(lifecycle: bool, resolved_us: int | None, no: bool) -> None:
    assert bool(asked(gates.resolved, {"lifecycle": lifecycle}, {"resolved_us": resolved_us})) is no


def test_each_problem_is_a_no_for_its_target() -> None:
    problems = (policy.Problem("unknown_target", {"target": "b"}, "host:b"), policy.Problem("unknown_action", {}))
    assert codes(asked(gates.validity, {"problems": problems}, {})) == [
        ("unknown_target", "host:b"),
        ("unknown_action", ""),
    ]


@pytest.mark.parametrize(("since_us", "limit", "no"), [
    (600 * S - 1, 600, True), (600 * S, 600, False), (0, 0, False), (0, None, False), (-S, 600, True),
])  # fmt: skip
def test_a_cooldown_is_over_at_its_end(since_us: int, limit: float | None, no: bool) -> None:
    noes = asked(gates.cooldown, {}, {"last_ended": {"host:a": (NOW - since_us, "r-2")}}, cooldown_s=limit)
    assert codes(noes) == ([("cooldown", "host:a")] if no else [])
    assert all(one.look_at_us == NOW - since_us + 600 * S for one in noes)


def test_a_cooldown_looks_at_no_other_target() -> None:
    assert asked(gates.cooldown, {}, {"last_ended": {"host:z": (NOW, "r-2")}}, cooldown_s=600) == []


@pytest.mark.parametrize(("depth", "limit", "no"), [(3, 3, False), (4, 3, True), (99, None, False), (0, 0, False)])
def test_a_chain_ends_beyond_its_depth(depth: int, limit: int | None, no: bool) -> None:
    assert bool(asked(gates.chain, {"depth": depth}, {}, chain_depth=limit)) is no


def test_each_busy_target_is_named_but_not_for_the_run_that_works_on_it() -> None:
    assert codes(asked(gates.lock, {}, {"locked_by": {"host:b": "r-9", "host:a": "r-1"}})) == [("target_busy", "")]
    assert asked(gates.lock, {}, {"locked_by": {"host:b": "r-9"}}, lock_targets=False) == []


@pytest.mark.parametrize(
    ("used", "limit", "no"), [(1, 2, False), (2, 2, True), (3, 2, True), (99, None, False), (0, 0, True)]
)
@pytest.mark.parametrize("place", ["daemon", "controller"])
def test_places_are_taken_at_their_limit(used: int, limit: int | None, no: bool, place: str) -> None:
    noes = asked(gates.lock, {}, {f"running_{place}": used}, **{f"concurrency_{place}": limit})
    assert [one.fields["place"] for one in noes] == (
        [{"daemon": "the daemon", "controller": "here"}[place]] if no else []
    )


def test_a_dry_run_is_one_in_every_mode() -> None:
    assert codes(asked(gates.mode, {"dry_run": True, "mode": "observe"}, {})) == [("dry_run", "")]
    assert codes(asked(gates.mode, {"mode": "observe"}, {})) == [("observe", "")]
    assert asked(gates.mode, {}, {}) == []


def test_a_busy_target_holds_the_whole_wave_and_leaves_nobody_out() -> None:
    busy = policy.View(locked_by={"host:b": "r-9"})
    again = policy.recheck(PLAIN, busy, NOW)
    assert (again.state, again.reason, dict(again.left_out)) == ("queued", "target_busy", {})
    assert policy.decide(PLAIN, busy, NOW).left_out == {}


def test_upstream_passes_only_its_gates() -> None:
    view = policy.View(resolved_us=1, last_ended={"host:a": (NOW, "r-2"), "host:b": (NOW, "r-2")})
    old = dataclasses.replace(
        PLAIN, upstream=True, event_us=0, lifecycle=True, limits=policy.Limits(max_age_s=1, cooldown_s=600)
    )
    decision = policy.decide(old, view, NOW)
    assert (decision.state, {verdict.gate for verdict in decision.verdicts}) == ("queued", set(gates.UPSTREAM))


def test_what_waits_for_some_and_is_refused_for_others_waits() -> None:
    bad = (policy.Problem("unknown_target", {"target": "b"}, "host:b"),)
    limits = policy.Limits(cooldown_s=600)
    view = policy.View(last_ended={"host:a": (NOW, "r-2")})
    decision = policy.decide(dataclasses.replace(PLAIN, problems=bad, limits=limits), view, NOW)
    assert (decision.state, decision.reason, decision.look_at_us) == ("deferred", "cooldown", NOW + 600 * S)
    assert [decision.target_state(target)[:2] for target in PLAIN.targets] == [
        ("deferred", "cooldown"), ("left_out", "unknown_target"),
    ]  # fmt: skip


def test_limits_go_through_a_row() -> None:
    limits = policy.Limits(max_age_s=1.5, attempts=0, lock_targets=False)
    assert policy.Limits.from_json(limits.as_json() | {"of_a_later_version": 1}) == limits


# --- properties -------------------------------------------------------------------------------------------------------

seconds = st.one_of(st.none(), st.integers(0, 1000))
targets = st.lists(st.sampled_from(["host:a", "host:b", "host:c"]), max_size=3, unique=True).map(tuple)
problems = st.lists(
    st.builds(
        policy.Problem,
        st.sampled_from(["unknown_action", "unknown_target"]),
        st.just({}),
        st.sampled_from(["", "host:a", "host:b"]),
    ),
    max_size=2,
).map(tuple)
candidates = st.builds(
    policy.Candidate, st.just("r-1"), st.just("a/b/c"), st.just("clean"), st.just("here"), targets,
    st.integers(NOW - 1000 * S, NOW),
    st.builds(
        policy.Limits, max_age_s=seconds, defer_for_s=seconds, attempts=st.one_of(st.none(), st.integers(0, 3)), cooldown_s=seconds,
        concurrency_daemon=st.one_of(st.none(), st.integers(0, 3)), chain_depth=st.one_of(st.none(), st.integers(0, 3)),
        lock_targets=st.booleans(), settle_s=seconds, selected=st.booleans(),
        rates=st.sampled_from([(), (limits.Rate("b", 2, 60),), (limits.Rate("b", 2, 60), limits.Rate("c", 1, 9))]),
        breakers=st.sampled_from([(), (limits.Breaker(2, 60, 30),)]), flapping=st.sampled_from([(), (limits.Flapping(2, 60),)]),
        blasts=st.sampled_from([(), (limits.Blast("b", 60, 1, None, 1, 5, ""),), (limits.Blast("b", 60, None, 50.0, 1, 1, ""),)]),
        windows=st.sampled_from([(), (limits.Windows(block=(limits.Span((), 0, 1440, "UTC"),)),)]),
    ),
    upstream=st.booleans(), enabled=st.booleans(), dry_run=st.booleans(), mode=st.sampled_from(["active", "observe"]),
    lifecycle=st.booleans(), problems=problems, depth=st.integers(0, 4),
)  # fmt: skip
views = st.builds(
    policy.View,
    paused=st.sampled_from([None, PAUSE]),
    state=st.sampled_from([None, "failed", "running", "simulated", "refused"]),
    attempts_made=st.integers(0, 4),
    resolved_us=st.one_of(st.none(), st.just(NOW - S)),
    last_ended=st.dictionaries(
        st.sampled_from(["host:a", "host:b"]), st.tuples(st.integers(NOW - 900 * S, NOW), st.just("r-2"))
    ),
    locked_by=st.dictionaries(st.sampled_from(["host:a", "host:b"]), st.just("r-3")),
    running_daemon=st.integers(0, 3),
    opened_us=st.lists(st.lists(st.integers(NOW - 100 * S, NOW), max_size=3).map(tuple), max_size=2).map(tuple),
    spent=st.dictionaries(st.sampled_from("bc"), st.lists(st.integers(NOW - 90 * S, NOW), max_size=3).map(tuple)),
    reserved=st.frozensets(st.sampled_from("bc")),
    touched=st.dictionaries(
        st.sampled_from(["b", "b@", "b@web"]), st.frozensets(st.sampled_from(["host:a", "host:z"]))
    ),
    failures=st.lists(st.integers(NOW - 90 * S, NOW), max_size=3).map(lambda at: brakes.Failures(tuple(sorted(at)))),
    trial=st.sampled_from(["", "r-9"]),
    storm=st.sampled_from([None, brakes.Storm(NOW - S, NOW - S, 9)]),
    storm_limit=st.sampled_from([None, brakes.StormLimit(5, 60, 30)]),
    inhibited_by=st.sampled_from([(), ("NodeDown",)]),
)
ways = st.sampled_from([policy.decide, policy.look_again, policy.recheck])


def goes(decision: policy.Decision) -> bool:
    return decision.state == "queued" and not decision.reason


@hypothesis.given(candidates, views, ways)
def test_a_pause_never_lets_more_pass(candidate: policy.Candidate, view: policy.View, way: Any) -> None:
    paused = way(candidate, dataclasses.replace(view, paused=PAUSE), NOW)
    assert not goes(paused)


@hypothesis.given(candidates, views, ways, st.randoms())
def test_the_order_of_targets_does_not_matter(
    candidate: policy.Candidate, view: policy.View, way: Any, random: Any
) -> None:
    shuffled = list(candidate.targets)
    random.shuffle(shuffled)
    one, other = way(candidate, view, NOW), way(dataclasses.replace(candidate, targets=tuple(shuffled)), view, NOW)
    assert (one.state, one.reason, one.look_at_us, set(one.left_out)) == (
        other.state, other.reason, other.look_at_us, set(other.left_out),
    )  # fmt: skip


@hypothesis.given(candidates, views, ways)
def test_observing_never_acts_and_never_waits(candidate: policy.Candidate, view: policy.View, way: Any) -> None:
    decision = way(dataclasses.replace(candidate, mode="observe"), view, NOW)
    assert decision.state in ("simulated", "suppressed")
    assert decision.state == "simulated" or decision.reason in ("duplicate", "attempts")


@hypothesis.given(candidates, views, ways)
def test_a_decision_has_a_known_reason_and_says_what_it_saw(
    candidate: policy.Candidate, view: policy.View, way: Any
) -> None:
    decision = way(candidate, view, NOW)
    assert goes(decision) or decision.reason in reasons.REASONS
    for verdict in decision.verdicts:
        shown = verdict.as_json()
        assert shown["ok"] == (verdict.code == "")
        assert not any(isinstance(value, float) for value in shown["saw"].values())
    if goes(decision) and candidate.targets:
        assert set(candidate.targets) - set(decision.left_out)


@hypothesis.given(candidates, views)
def test_who_has_its_part_of_every_budget_is_stopped_by_none(candidate: policy.Candidate, view: policy.View) -> None:
    everything = frozenset({"b", "c", "b@", "b@web"})
    for gate in (GATES["rate"], GATES["blast radius"]):
        assert gate(candidate, dataclasses.replace(view, reserved=everything), NOW)[1] == []


@hypothesis.given(candidates, views, ways)
def test_what_is_looked_at_when_it_says_so_was_not_held_for_nothing(
    candidate: policy.Candidate, view: policy.View, way: Any
) -> None:
    decision = way(candidate, view, NOW)
    if decision.state in ("deferred", "awaiting_approval"):
        assert decision.look_at_us is None or decision.look_at_us > NOW
        assert decision.look_at_us is not None or decision.reason in ("paused", "inhibited", "outside_window")


@hypothesis.given(candidates, views, ways)
def test_one_more_brake_never_lets_more_pass(candidate: policy.Candidate, view: policy.View, way: Any) -> None:
    more = candidate.limits.under(
        [policy.Layer("c", {"rate_limit": {"count": 1, "within": 9}, "cooldown": 99, "settle": 9})]
    )
    if not goes(
        way(dataclasses.replace(candidate, limits=dataclasses.replace(candidate.limits, selected=True)), view, NOW)
    ):
        assert not goes(way(dataclasses.replace(candidate, limits=more), view, NOW))


SAME = """
import sys
from healer import policy
candidate = policy.Candidate("r-1", "a/b/c", "x", "here", tuple(f"host:{n}" for n in range(20)), 0,
    policy.Limits(cooldown_s=10), problems=(policy.Problem("unknown_target", {"target": "3"}, "host:3"),))
view = policy.View(last_ended={f"host:{n}": (n, "r-2") for n in set(range(15))}, locked_by={f"host:{n}": "r-3" for n in range(5)})
for way in (policy.decide, policy.look_again, policy.recheck):
    made = way(candidate, view, 5_000_000)
    print(made.state, made.reason, [one.as_json() for one in made.verdicts], sorted(made.left_out))
"""


def test_decisions_do_not_depend_on_the_hash_seed() -> None:
    said = {
        subprocess.run(
            [sys.executable, "-c", SAME],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
