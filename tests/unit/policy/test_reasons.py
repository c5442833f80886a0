"""The reason codes: each belongs to a gate, its sentence is filled by what the gate says, and spans are readable."""

from __future__ import annotations

import dataclasses
import string

import pytest

from healer import policy
from healer.policy import answers, brakes, gates, labels, limits, reasons

S = 1_000_000
NOW = 10_000 * S
GATES = dict(gates.ORDER)


def fields_of(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def candidate(**more: object) -> policy.Candidate:
    limits = policy.Limits(
        max_age_s=1,
        defer_for_s=1,
        attempts=0,
        cooldown_s=600,
        concurrency_daemon=0,
        concurrency_controller=0,
        chain_depth=0,
    )
    made: dict[str, object] = {"event_us": 0, "lifecycle": True, "depth": 5} | more
    return policy.Candidate("r-1", "a/b/c", "clean", "here", ("host:a",), limits=limits, **made)  # type: ignore[arg-type]


PAUSE = {"scope": "--all", "who": "ana", "since": "03:05", "reason": "release"}
VALIDITY = {
    "unknown_action": {"action": "x", "nearest": ""},
    "unknown_target": {"target": "t", "inventory": "i", "nearest": ""},
    "invalid_parameters": {"action": "x", "detail": "d"},
    "controller_forbidden": {"controller": "c", "detail": "d"},
    "alerts_full": {"limit": 100},
}
PROBLEMS = tuple(policy.Problem(code, fields) for code, fields in VALIDITY.items())


LATER = limits.Span((), 60, 61, "UTC")
BRAKED = policy.Limits(
    settle_s=60, flapping=(limits.Flapping(2, 3600),), windows=(limits.Windows(allow=(LATER,)),), rates=(limits.Rate("policy:x", 1, 60),),
    breakers=(limits.Breaker(1, 60, 60),), blasts=(limits.Blast("policy:x", 60, 0, None, 1, 5, ""),),
    approvals=(limits.Approval((limits.Threshold("on call", ("oncall",), 1, 1),)),), places=(("policy:x", 0),),
)  # fmt: skip
SILENCE = labels.Silence("s-1", (labels.parse("rule=c"),), 0, NOW + 60 * S, "ana", "release")
SEEN = (
    policy.View(opened_us=((NOW - 59 * S,),), failures=brakes.Failures((NOW,))),
    policy.View(opened_us=((NOW - 70 * S, NOW - 80 * S),), silences=(SILENCE,), wall_us=NOW, inhibited_by=("NodeDown of am",)),
    policy.View(spent={"policy:x": (NOW,)}, storm=brakes.Storm(NOW, NOW, 201), storm_limit=brakes.StormLimit(200, 60, 300)),
    policy.View(failures=brakes.Failures((NOW - 60 * S,)), trial="r-9", ramps=(brakes.Ramp("the storm", 1, 0),)),
)  # fmt: skip


def said() -> dict[str, answers.No]:
    """Every no that the gates can say by themselves."""
    found: dict[str, answers.No] = {}
    braked = dataclasses.replace(candidate(), limits=BRAKED)
    for view in SEEN[::-1]:
        found |= {no.code: no for gate in GATES.values() for no in gate(braked, view, NOW)[1]}
    for view in (
        policy.View(paused=PAUSE), policy.View(state="failed", attempts_made=1), policy.View(state="running", resolved_us=1),
        policy.View(last_ended={"host:a": (NOW, "r-2")}, locked_by={"host:a": "r-3"}, deferred_us=0),
    ):  # fmt: skip
        for change in ({}, {"enabled": False}, {"mode": "observe"}, {"dry_run": True}, {"problems": PROBLEMS}):
            for gate in GATES.values():
                found |= {no.code: no for no in gate(candidate(**change), view, NOW)[1]}
    step = candidate(after="r-0", depth=0)
    found |= {no.code: no for no in gates.chain(step, policy.View(before="failed"), NOW)[1]}
    rung = candidate(after="r-0", depth=0, rung=1, not_before_us=NOW + S)
    for state in ("failed", "succeeded"):
        found |= {no.code: no for no in gates.chain(rung, policy.View(before=state), NOW)[1]}
    changed = candidate(changed="everything", event_us=NOW)
    found |= {no.code: no for no in gates.kill_switch(changed, policy.View(), NOW)[1]}
    laned = candidate(lane="sequence:a/b")
    found |= {no.code: no for no in gates.lock(laned, policy.View(lane_held_by="r-0"), NOW)[1]}
    asked = dataclasses.replace(candidate(depth=0), limits=policy.Limits(approvals=BRAKED.approvals))
    found |= {no.code: no for no in gates.approval(candidate(), policy.View(last_word_us=0), NOW)[1]}
    for begun in (False, True):
        found |= {no.code: no for no in gates.approval(candidate(), policy.View(void=True, begun=begun), NOW)[1]}
    full = policy.decide(asked, policy.View(before_people=1, approvals_max=1), NOW)  # whichever gate asks for a person
    found[full.reason] = answers.No(full.reason, full.fields)
    return found


def test_each_code_belongs_to_a_gate_and_is_said_by_it() -> None:
    assert {reason.gate for reason in reasons.REASONS.values()} == set(GATES)
    assert set(reasons.REASONS) == set(said())


@pytest.mark.parametrize("code", sorted(reasons.REASONS))
def test_the_fields_of_a_sentence_are_said_by_the_gate(code: str) -> None:
    reason, no = reasons.REASONS[code], said()[code]
    missing = (fields_of(reason.sentence) | fields_of(reason.next_step)) - set(no.fields)
    assert missing == set()
    assert "?" not in reasons.sentence(code, no.fields) + reasons.next_step(code, no.fields)


def test_a_sentence_is_one_and_its_next_step_is_short() -> None:
    for reason in reasons.REASONS.values():
        assert reason.sentence[0].isupper() or reason.sentence.startswith("{")
        assert reason.sentence.endswith((".", "{nearest}", "{detail}"))
        assert len(reason.next_step) < 60


def test_what_is_missing_shows_and_an_unknown_code_is_itself() -> None:
    assert reasons.sentence("stale", {}) == "The event was ? old when it was decided; limit ?."
    assert (reasons.sentence("of_a_later_version", {}), reasons.next_step("of_a_later_version", {})) == (
        "of_a_later_version",
        "",
    )


def test_a_rule_that_has_gone_is_not_called_switched_off() -> None:
    assert reasons.sentence("disabled", {}) == "The rule is switched off (enabled: false)."
    told = reasons.sentence("disabled", {"rule": "a/b/c", "gone": True})
    assert told == "The rule a/b/c is not in the rulebooks any more."


def test_event_data_in_a_field_is_no_format() -> None:
    told = reasons.sentence("unknown_target", {"target": "{0.__class__}", "inventory": "{x}", "nearest": ""})
    assert told == "No target {0.__class__} in {x}."


@pytest.mark.parametrize(("seconds", "text"), [
    (0, "0.0 s"), (0.44, "0.4 s"), (12, "12 s"), (99.4, "99 s"), (100, "2 min"), (240, "4 min"), (5940, "99 min"), (6000, "1 h 40 min"),
    (7200, "2 h"), (11100, "3 h 5 min"), (172_800, "2 d"), (187_200, "2 d 4 h"),
])  # fmt: skip
def test_spans(seconds: float, text: str) -> None:
    assert reasons.span(seconds) == text


def test_a_no_that_may_end_by_itself_says_that_it_waits() -> None:
    ended, waits = ({"run": "r-1"}, {"run": "r-1", "waits": True})
    assert reasons.sentence("chain", ended) == "The step before it (r-1) did not succeed."
    assert reasons.sentence("chain", waits) == "Waits for the step before it (r-1) to end."


def test_an_open_breaker_tells_of_its_trial_once_there_is_one() -> None:
    fields = {"action": "clean", "controller": "here", "n": 3, "window": "30 min"}
    said = "clean on here stopped after 3 failures in 30 min; "
    assert reasons.sentence("breaker_open", fields | {"left": "9 min"}) == said + "one trial in 9 min."
    assert reasons.sentence("breaker_open", fields | {"trial": "r-9"}) == said + "r-9 is its trial."


@pytest.mark.parametrize("code", ["observe", "dry_run"])
def test_what_would_not_have_run_does_not_say_that_it_would(code: str) -> None:
    assert reasons.sentence(code, {}).startswith("Would have run; nothing was touched")
    told = reasons.sentence(code, {"would": "cooldown", "why": "again after 9 min."})
    assert told.startswith("Nothing was touched")
    assert told.endswith("would not have run: again after 9 min.")


def test_a_name_that_is_there_and_no_target_is_not_called_missing() -> None:
    fields = {
        "target": "db1",
        "inventory": "i",
        "nearest": "",
        "why": "'db1' may mean 2 hosts: db1, web02",
        "step": "mend it",
    }
    assert reasons.sentence("unknown_target", fields) == "No target: 'db1' may mean 2 hosts: db1, web02."
    assert reasons.next_step("unknown_target", fields) == "mend it"


def test_what_was_only_simulated_is_not_called_healed() -> None:
    (no,) = GATES["once"](candidate(dry_run=True), policy.View(state="simulated"), NOW)[1]
    assert reasons.sentence(no.code, no.fields) == "Already simulated by r-1 in this firing."
    (no,) = GATES["once"](candidate(), policy.View(state="running"), NOW)[1]
    assert reasons.sentence(no.code, no.fields) == "Already being healed by r-1 in this firing (running)."


def test_what_chose_a_controller_is_said_in_words() -> None:
    said = {
        by: reasons.chosen({"chosen": {"controller": "x", "by": by, "who": "os:ana = ana"}}) for by in reasons.CHOSEN
    }
    assert said == reasons.CHOSEN | {"override": "chosen by os:ana = ana in the place of its own"}
    assert [reasons.chosen(told) for told in ({}, {"chosen": None}, {"chosen": {"by": "chance"}})] == ["", "", ""]
