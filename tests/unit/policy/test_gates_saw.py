"""The whole answer of each gate: what it saw, as explanations keep it, and every field of its no, from which its sentence is made."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from healer import policy
from healer.policy import answers, brakes, gates, labels, limits

S = 1_000_000
NOW = 1_767_225_600 * S  # 2026-01-01T00:00:00Z
GATES = dict(gates.ORDER)
PLAIN = policy.Candidate("r-1", "a/b/c", "clean", "here", ("host:a", "host:b"), NOW, policy.Limits())
No = answers.No
SILENCE = labels.Silence("s-1", (labels.parse("action=clean"),), NOW, NOW + 60 * S, "ana", "disks")
LATER = dataclasses.replace(SILENCE, id="s-2", until_us=NOW + 90 * S, who="bo", comment="more")
NIGHT = limits.Windows(allow=(limits.Span((), 60, 120, "UTC"),))
NEVER = limits.Windows(block=(limits.Span((), 0, 1440, "UTC"),))
BREAKER = limits.Breaker(2, 60, 30)
FAILED = brakes.Failures((NOW - 20 * S, NOW - 10 * S))
STORM = brakes.Storm(NOW - 50 * S, NOW - 10 * S, 40)
STORM_LIMIT = brakes.StormLimit(30, 60, 120)
TWO = limits.Approval((limits.Threshold("two of ops", ("ops",), 2, 1), limits.Threshold("a lead", ("lead",), 1, 1)))
ONE = limits.Approval((limits.Threshold("a lead", ("lead",), 1, 1), limits.Threshold("three", ("ops",), 3, 1)))
WEB = {"host:a": ("all", "web"), "host:b": ("web",)}

Case = tuple[str, dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any], list[No]]
CASES: list[Case] = [
    ("kill switch", {}, {}, {}, {"enabled": True, "paused": None}, []),
    ("kill switch", {"enabled": False}, {}, {}, {"enabled": False, "paused": None}, [No("disabled", {})]),
    (
        "kill switch", {}, {"paused": {"who": "ana"}}, {},
        {"enabled": True, "paused": {"who": "ana"}}, [No("paused", {"who": "ana"})],
    ),
    (
        "kill switch", {"changed": "rule a/b/c"}, {}, {"approval_expires_s": 60},
        {"enabled": True, "paused": None, "changed": "rule a/b/c", "approved": False},
        [No("rule_changed", {"scope": "rule a/b/c"}, NOW + 60 * S)],
    ),
    (
        "kill switch", {"changed": "rule a/b/c"}, {"approved": True}, {},
        {"enabled": True, "paused": None, "changed": "rule a/b/c", "approved": True}, [],
    ),
    ("age", {"event_us": NOW - 2 * S}, {}, {"max_age_s": 3}, {"age_ms": 2000, "max_age_ms": 3000}, []),
    ("age", {"event_us": NOW + 2 * S}, {}, {}, {"age_ms": 0, "max_age_ms": None}, []),
    (
        "age", {"event_us": NOW - 4 * S}, {}, {"max_age_s": 3},
        {"age_ms": 4000, "max_age_ms": 3000}, [No("stale", {"age": "4 s", "max_age": "3 s"})],
    ),
    (
        "age", {}, {"deferred_us": NOW - 2 * S, "reason": "cooldown"}, {"defer_for_s": 3},
        {"waited_ms": 2000, "defer_for_ms": 3000}, [],
    ),
    (
        "age", {}, {"deferred_us": NOW - 4 * S, "last_word_us": NOW - 2 * S, "reason": "cooldown"}, {"defer_for_s": 3},
        {"waited_ms": 2000, "defer_for_ms": 3000}, [],
    ),
    (
        "age", {}, {"deferred_us": NOW - 4 * S, "reason": "cooldown"}, {"defer_for_s": 3},
        {"waited_ms": 4000, "defer_for_ms": 3000},
        [No("stale", {"age": "4 s", "max_age": "3 s", "waited": True, "gate": "the gate cooldown"})],
    ),
    ("once", {}, {}, {"attempts": 3}, {"state": None, "attempts": 0, "limit": 3}, []),
    (
        "once", {}, {"state": "running", "attempts_made": 1}, {},
        {"state": "running", "attempts": 1, "limit": None}, [No("duplicate", {"run": "r-1", "state": "running"})],
    ),
    (
        "once", {"dry_run": True}, {"state": "simulated"}, {}, {"state": "simulated", "attempts": 0, "limit": None},
        [No("duplicate", {"run": "r-1", "state": "simulated", "simulated": True})],
    ),
    (
        "once", {}, {"state": "failed", "attempts_made": 3}, {"attempts": 3},
        {"state": "failed", "attempts": 3, "limit": 3}, [No("attempts", {"made": 3, "limit": 3})],
    ),
    ("resolved", {"lifecycle": True}, {}, {}, {"lifecycle": True, "resolved": False}, []),
    (
        "resolved", {"lifecycle": True}, {"resolved_us": NOW - 5 * S}, {},
        {"lifecycle": True, "resolved": True}, [No("resolved", {"age": "5 s"})],
    ),
    (
        "resolved", {"lifecycle": True}, {"resolved_us": NOW + 5 * S}, {},
        {"lifecycle": True, "resolved": True}, [No("resolved", {"age": "0.0 s"})],
    ),
    (
        "settle", {"lifecycle": True}, {"opened_us": ((NOW - 90 * S, NOW - 20 * S), (NOW - 50 * S,))}, {"settle_s": 60},
        {"settle_ms": 60000, "openings": 2}, [No("settling", {"left": "40 s"}, look_at_us=NOW + 40 * S)],
    ),
    ("settle", {}, {"opened_us": ((NOW,),)}, {"settle_s": 60}, {"settle_ms": 60000, "openings": 1}, []),
    ("settle", {"lifecycle": True}, {}, {"settle_s": 60}, {"settle_ms": 60000, "openings": 0}, []),
    (
        "settle", {"lifecycle": True}, {"opened_us": ((NOW - 9 * S, NOW - 5 * S, NOW - S), (NOW - S,))},
        {"flapping": (limits.Flapping(3, 60), limits.Flapping(4, 60), limits.Flapping(2, 8))},
        {"settle_ms": None, "openings": 3},
        [
            No("flapping", {"n": 3, "window": "60 s"}, look_at_us=NOW + 1800 * S),
            No("flapping", {"n": 2, "window": "8 s"}, look_at_us=NOW + 1800 * S),
        ],
    ),
    ("silence", {}, {"wall_us": NOW}, {}, {"silences": [], "windows": 0}, []),
    (
        "silence", {}, {"wall_us": NOW + S, "silences": (LATER, SILENCE)}, {}, {"silences": ["s-2", "s-1"], "windows": 0},
        [
            No("silenced", {"id": "s-2", "who": "bo", "until": "2026-01-01T00:01:30Z", "comment": "more"}, NOW + 89 * S),
        ],
    ),
    (
        "silence", {}, {"wall_us": NOW + 100 * S, "silences": (SILENCE,)}, {}, {"silences": ["s-1"], "windows": 0},
        [No("silenced", {"id": "s-1", "who": "ana", "until": "2026-01-01T00:01:00Z", "comment": "disks"}, NOW)],
    ),
    (
        "silence", {}, {"wall_us": NOW + 60 * S}, {"windows": (NIGHT, NEVER)}, {"silences": [], "windows": 2},
        [
            No("outside_window", {"next": "2026-01-01T01:00:00Z"}, NOW + 59 * 60 * S),
            No("outside_window", {"far": True}),
        ],
    ),
    ("inhibition", {}, {}, {}, {"by": []}, []),
    ("inhibition", {}, {"inhibited_by": ("Down", "Gone")}, {}, {"by": ["Down", "Gone"]}, [No("inhibited", {"alert": "Down"})]),
    ("validity", {}, {}, {}, {"problems": 0, "targets": ["host:a", "host:b"]}, []),
    (
        "validity", {"problems": (policy.Problem("unknown_target", {"target": "b"}, "host:b"),)}, {}, {},
        {"problems": 1, "targets": ["host:a", "host:b"]}, [No("unknown_target", {"target": "b"}, target="host:b")],
    ),
    (
        "cooldown", {}, {"last_ended": {"host:b": (NOW - 10 * S, "r-0"), "host:a": (NOW - 60 * S, "r-9")}}, {"cooldown_s": 60},
        {"cooldown_ms": 60000, "ended_ms_ago": {"host:a": 60000, "host:b": 10000}},
        [
            No(
                "cooldown", {"action": "clean", "target": "host:b", "ago": "10 s", "left": "50 s", "run": "r-0"}, NOW + 50 * S,
                "host:b",
            )
        ],
    ),
    (
        "cooldown", {}, {"last_ended": {"host:a": (NOW, "r-0")}}, {"cooldown_s": 0},
        {"cooldown_ms": 0, "ended_ms_ago": {"host:a": 0}}, [],
    ),
    ("rate", {}, {"spent": {"rule:x": (NOW - 60 * S,)}}, {"rates": (limits.Rate("rule:x", 1, 60),)}, {"used": {"rule:x": 1}, "reserved": []}, []),
    (
        "rate", {}, {"spent": {"rule:x": (NOW - 10 * S, NOW - 70 * S)}, "reserved": frozenset({"b", "a"})},
        {"rates": (limits.Rate("rule:x", 1, 60), limits.Rate("action:y", 1, 60))},
        {"used": {"rule:x": 2, "action:y": 0}, "reserved": ["a", "b"]},
        [No("rate_limited", {"n": 1, "limit": 1, "window": "60 s", "budget": "the policy of x"}, NOW + 50 * S)],
    ),
    (
        "rate", {}, {"spent": {"rule:x": (NOW,), "action:y": (NOW,)}, "reserved": frozenset({"rule:x"})},
        {"rates": (limits.Rate("rule:x", 1, 60), limits.Rate("action:y", 1, 60))},
        {"used": {"rule:x": 1, "action:y": 1}, "reserved": ["rule:x"]},
        [No("rate_limited", {"n": 1, "limit": 1, "window": "60 s", "budget": "the action y"}, NOW + 60 * S)],
    ),
    (
        "breaker", {}, {"failures": FAILED}, {"breakers": (limits.Breaker(3, 60, 30), BREAKER)}, {"failures": 2, "trial": ""},
        [
            No(
                "breaker_open", {"n": 2, "window": "60 s", "action": "clean", "controller": "here", "left": "20 s"},
                NOW + 20 * S,
            )
        ],
    ),
    (
        "breaker", {}, {"failures": FAILED, "trial": "r-7"}, {"breakers": (limits.Breaker(2, 60, 10),)},
        {"failures": 2, "trial": "r-7"},
        [
            No(
                "breaker_open", {"n": 2, "window": "60 s", "action": "clean", "controller": "here", "trial": "r-7"}, NOW + 60 * S
            )
        ],
    ),
    ("breaker", {}, {"failures": FAILED}, {"breakers": (limits.Breaker(2, 60, 10),)}, {"failures": 2, "trial": ""}, []),
    (
        "blast radius", {"groups": WEB, "sizes": {"web": 20}}, {"touched": {"p@web": frozenset({"host:z"})}},
        {"blasts": (limits.Blast("p", 60, None, 10, 1, 5, ""),)},
        {"touched": {"p@web": {"targets": 1, "limit": 2, "size": 20}}, "reserved": [], "approved": False},
        [
            No(
                "blast_radius", {"n": 1, "more": 2, "group": "web", "size": 20, "window": "60 s", "limit": 2},
                NOW + 1800 * S,
            )
        ],
    ),
    (
        "blast radius", {}, {"touched": {"p": frozenset({"host:a", "host:z"})}, "reserved": frozenset({"q"})},
        {"blasts": (limits.Blast("p", 60, 2, None, 0, 9, ""),)},
        {"touched": {"p": {"targets": 2, "limit": 2, "size": 0}}, "reserved": ["q"], "approved": False},
        [
            No(
                "blast_radius", {"n": 2, "more": 1, "group": "its targets", "size": 0, "window": "60 s", "limit": 2},
                NOW + 1800 * S,
            )
        ],
    ),
    (
        "blast radius", {}, {"approved": True, "approved_for": "blast_radius"}, {"blasts": (limits.Blast("p", 60, None, 10, 0, 1, ""),)},
        {"touched": {"p@": {"targets": 0, "limit": 1, "size": 0}}, "reserved": [], "approved": True}, [],
    ),
    ("storm", {}, {"storm_limit": STORM_LIMIT}, {}, {"storm": None}, []),
    (
        "storm", {}, {"storm": STORM, "storm_limit": STORM_LIMIT}, {},
        {"storm": {"since_us": NOW - 50 * S, "last_us": NOW - 10 * S, "peak": 40}},
        [No("storm", {"n": 40, "window": "60 s", "calm": "2 min"}, NOW + 110 * S)],
    ),
    ("chain", {"depth": 3}, {}, {"chain_depth": 3}, {"depth": 3, "limit": 3}, []),
    (
        "chain", {"depth": 4}, {}, {"chain_depth": 3},
        {"depth": 4, "limit": 3}, [No("chain_depth", {"depth": 4, "limit": 3})],
    ),
    (
        "chain", {"after": "r-0"}, {"before": "running"}, {}, {"depth": 0, "limit": None, "after": "r-0", "before": "running"},
        [No("chain", {"run": "r-0", "state": "running", "waits": True}, waits=True)],
    ),
    (
        "chain", {"after": "r-0"}, {"before": "failed"}, {}, {"depth": 0, "limit": None, "after": "r-0", "before": "failed"},
        [No("chain", {"run": "r-0", "state": "failed"})],
    ),
    (
        "lock", {"lane": "lock:db"},
        {"locked_by": {"host:b": "r-0", "host:a": "r-1", "host:c": "r-0"}, "running_daemon": 1, "running_controller": 2}, {},
        {"locked": {"host:b": "r-0"}, "running": 1, "running_controller": 2, "lane": {"name": "lock:db", "held_by": ""}},
        [No("target_busy", {"run": "r-0", "target": "host:b"})],
    ),
    (
        "lock", {}, {"locked_by": {"host:b": "r-0"}}, {"lock_targets": False},
        {"locked": {"host:b": "r-0"}, "running": 0, "running_controller": 0}, [],
    ),
    (
        "lock", {"lane": "lock:db"}, {"lane_held_by": "r-0"}, {},
        {"locked": {}, "running": 0, "running_controller": 0, "lane": {"name": "lock:db", "held_by": "r-0"}},
        [No("lane_busy", {"run": "r-0", "lane": "the lock db"})],
    ),
    (
        "lock", {"lane": "sequence:a:b"}, {"lane_held_by": "r-0"}, {},
        {"locked": {}, "running": 0, "running_controller": 0, "lane": {"name": "sequence:a:b", "held_by": "r-0"}},
        [No("lane_busy", {"run": "r-0", "lane": "a:b, whose actions run one after the other"})],
    ),
    (
        "lock", {},
        {
            "running_daemon": 20, "running_controller": 5, "places": {"policy:x": 2, "action:clean": 1},
            "ramps": (brakes.Ramp("a storm", 3, 2), brakes.Ramp("a pause", 2, 2)),
        },
        {
            "concurrency_daemon": 20, "concurrency_controller": 5, "places": (("policy:x", 2), ("action:clean", 2), ("rule:r", 0)),
        },
        {"locked": {}, "running": 20, "running_controller": 5},
        [
            No("concurrency", {"used": 20, "limit": 20, "place": "the daemon"}),
            No("concurrency", {"used": 5, "limit": 5, "place": "here"}),
            No("concurrency", {"used": 2, "limit": 2, "place": "the policy x"}),
            No("concurrency", {"used": 0, "limit": 0, "place": "the policy of r"}),
            No("concurrency", {"used": 3, "limit": 3, "place": "the ramp after a storm"}),
        ],
    ),
    ("approval", {}, {}, {}, {"wanted": 0, "approved": False}, []),
    ("approval", {}, {"last_word_us": NOW - 3 * S}, {"max_age_s": 3}, {"wanted": 0, "approved": False, "last_word_ms": 3000, "max_age_ms": 3000}, []),
    ("approval", {}, {"last_word_us": NOW - 4 * S}, {}, {"wanted": 0, "approved": False}, []),
    ("approval", {}, {"last_word_us": NOW - 4 * S, "approved": True}, {"max_age_s": 3}, {"wanted": 0, "approved": True}, []),
    (
        "approval", {}, {"last_word_us": NOW - 4 * S}, {"max_age_s": 3, "approval_expires_s": 60},
        {"wanted": 0, "approved": False, "last_word_ms": 4000, "max_age_ms": 3000},
        [No("no_fresh_sign", {"age": "4 s", "max_age": "3 s"}, NOW + 60 * S)],
    ),
    (
        "approval", {"check": "look"}, {"last_word_us": NOW - 4 * S}, {"max_age_s": 3},
        {"wanted": 0, "approved": False, "last_word_ms": 4000, "max_age_ms": 3000},
        [No("no_fresh_sign", {"age": "4 s", "max_age": "3 s", "check": "look"}, waits=True)],
    ),
    (
        "approval", {"check": "look"}, {"last_word_us": NOW - 4 * S, "check_untold": True}, {"max_age_s": 3, "approval_expires_s": 60},
        {"wanted": 0, "approved": False, "last_word_ms": 4000, "max_age_ms": 3000},
        [No("no_fresh_sign", {"age": "4 s", "max_age": "3 s"}, NOW + 60 * S)],
    ),
    ("approval", {}, {"approved": True}, {"approvals": (TWO,)}, {"wanted": 1, "approved": True}, []),
    ("approval", {}, {"void": True}, {}, {"wanted": 0, "approved": False}, [No("approval_void", {})]),
    ("approval", {}, {"void": True, "begun": True}, {}, {"wanted": 0, "approved": False}, [No("not_retried", {})]),
    (
        "approval", {}, {"wall_us": NOW + 60 * S}, {"approvals": (TWO, ONE)}, {"wanted": 2, "approved": False},
        [
            No("needs_approval", {"k": 1, "who": "two of ops or a lead and 1 of a lead or three", "until": "2026-01-01T00:31:00Z"}, NOW + 1800 * S),
        ],
    ),
    (
        "approval", {}, {}, {"approvals": (TWO,), "approval_expires_s": None}, {"wanted": 1, "approved": False},
        [No("needs_approval", {"k": 1, "who": "two of ops or a lead", "until": "a person decides"})],
    ),
    ("mode", {}, {}, {}, {"mode": "active", "dry_run": False}, []),
    ("mode", {"mode": "observe"}, {}, {}, {"mode": "observe", "dry_run": False}, [No("observe", {})]),
    ("mode", {"mode": "observe", "dry_run": True}, {}, {}, {"mode": "observe", "dry_run": True}, [No("dry_run", {})]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("gate", "candidate", "view", "asked", "saw", "noes"), CASES, ids=[f"{at} {one[0]}" for at, one in enumerate(CASES)]
)
def test_the_whole_answer(
    gate: str,
    candidate: dict[str, Any],
    view: dict[str, Any],
    asked: dict[str, Any],
    saw: dict[str, Any],
    noes: list[No],
) -> None:
    made = dataclasses.replace(PLAIN, limits=policy.Limits(**asked), **candidate)
    assert GATES[gate](made, policy.View(**view), NOW) == (saw, noes)


def test_every_gate_is_shown_to_pass_and_to_stop() -> None:
    assert {gate for gate, *_, noes in CASES if noes} == set(GATES)
    assert {gate for gate, *_, noes in CASES if not noes} == set(GATES)


RUNG = {"after": "r-0", "rung": 1, "not_before_us": NOW + 5 * S}
BEFORE = {"run": "r-0", "state": "failed"}


@pytest.mark.parametrize(("before", "late_us", "noes"), [
    ("succeeded", 0, [No("not_needed", {"run": "r-0", "state": "succeeded"})]), ("refused", 0, [No("not_needed", {"run": "r-0", "state": "refused"})]),
    (None, 0, [No("not_needed", {"run": "r-0", "state": None})]), ("running", 0, [No("chain", {"run": "r-0", "state": "running", "waits": True}, waits=True)]),
    ("failed", 0, [No("escalation", BEFORE | {"left": "5 s"}, NOW + 5 * S)]), ("timed_out", 4 * S, [No("escalation", {"run": "r-0", "state": "timed_out", "left": "1 s"}, NOW + 5 * S)]),
    ("failed", 5 * S - 1, [No("escalation", BEFORE | {"left": "0.0 s"}, NOW + 5 * S)]), ("failed", 5 * S, []), ("timed_out", 9 * S, []),
])  # fmt: skip
def test_an_escalation_is_for_what_failed_and_for_its_time(before: Any, late_us: int, noes: list[No]) -> None:
    made = dataclasses.replace(PLAIN, **RUNG)
    assert gates.chain(made, policy.View(before=before), NOW + late_us)[1] == noes


@pytest.mark.parametrize(("before", "change", "passes"), [
    ("simulated", {}, False), ("simulated", {"dry_run": True}, True), ("simulated", {"mode": "observe"}, True),
    ("failed", {"upstream": True}, True), ("cancelled", {"upstream": True}, False), ("succeeded", {}, True), (None, {}, False),
])  # fmt: skip
def test_a_step_goes_on_from_what_healed(before: Any, change: dict[str, Any], passes: bool) -> None:
    made = dataclasses.replace(PLAIN, after="r-0", **change)
    assert (gates.chain(made, policy.View(before=before), NOW)[1] == []) is passes


def test_fractions_of_a_second_are_whole_milliseconds() -> None:
    assert [answers.ms(one) for one in (None, 0.0014, 0.0016, 2)] == [None, 1, 2, 2000]
    assert (
        answers.expires_us(dataclasses.replace(PLAIN, limits=policy.Limits(approval_expires_s=0.0000015)), NOW)
        == NOW + 2
    )
