"""Rules that are only about absence: when the peer asks them, each class of which was found by comparing (semantics 3, docs/decisions.md)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from healer import engine, testing
from healer.engine import absences

ABSENT = "event.a is not defined"
TAKES = "event.i == 1"
TICK_S = absences.TICK_US / 1_000_000
SOON = {"advance_s": TICK_S}


def ruleset(conditions: list[Any], **keys: Any) -> engine.Compiled:
    rules = []
    for number, one in enumerate(conditions):
        made = one if isinstance(one, dict) and "condition" in one else {"condition": one}
        rules.append({"name": f"r{number}", "action": {"none": None}, **made})
    (compiled,) = testing.load([{"name": "s", "hosts": "all", "sources": [], "rules": rules, **keys}])
    return compiled


def begun(conditions: list[Any], **keys: Any) -> engine.Session:
    session = engine.Session(ruleset(conditions, **keys))
    session.advance(0)
    return session


def fired(conditions: list[Any], *steps: dict[str, Any], **keys: Any) -> list[list[Any]]:
    """For each step (rule, matches), of what time fires with the second."""
    session, now, got = begun(conditions, **keys), 0.0, []
    for ref, step in enumerate(steps, 1):
        if "advance_s" in step:
            now += step["advance_s"]
            got.append([(one.rule.name, one.matches, round(one.at, 6)) for one in session.advance(now)])
            continue
        if "fact" in step:
            found = session.assert_fact(step["fact"], now, ref)
        elif "retract" in step:
            found = session.retract_fact(step["retract"], step.get("partial", True), [], now, ref)
        else:
            found = session.post(step, now, ref)
        got.append([(one.rule.name, one.matches) for one in found])
    return got


def rules(conditions: list[Any], *steps: dict[str, Any], **keys: Any) -> list[list[str]]:
    return [[one[0] for one in step] for step in fired(conditions, *steps, **keys)]


def throttled(condition: str, kind: str = "once_within", **keys: Any) -> dict[str, Any]:
    return {"condition": condition, "throttle": {kind: "5 seconds", "group_by_attributes": ["event.h"], **keys}}


# --- what keeps a rule silent ---------------------------------------------------------------------------------------------------


def test_an_event_with_the_field_stays_in_memory_and_keeps_the_rule_silent() -> None:
    steps = ({"a": 1}, {"fact": {"a": 1, "n": 2}}, {"retract": {"n": 2}}, {"i": 1})
    assert rules([ABSENT], *steps) == [[], [], [], []]


def test_an_event_that_stays_holds_up_the_next_turn() -> None:
    """The event before the one that was taken still has the field."""
    assert rules([TAKES, ABSENT], {"a": 1}, {"a": 1, "i": 1}, {"n": 1}) == [[], ["r0"], []]


def test_the_field_of_a_fact_that_was_used_is_still_there() -> None:
    join = {"all": ["event.i is defined", "event.j == 1"]}
    steps = ({"fact": {"a": 1, "j": 1}}, {"i": 1}, {"n": 1})
    assert rules([join, ABSENT], *steps) == [[], ["r0"], []]


def test_under_not_it_is_asked_once_and_nothing_brings_it_back() -> None:
    twice = ["event.a == 1", "not (event.a is not defined)"]
    assert rules(twice, {"n": 0}, {"a": 1}, {"n": 1}) == [["r1"], ["r0"], []]
    assert rules(twice, {"a": 1}, {"n": 1}) == [["r0"], []]


# --- what takes an event away -------------------------------------------------------------------------------------------------


def test_a_rule_that_lost_to_one_about_absence_takes_the_event_all_the_same() -> None:
    """A firing about absence is that of no event: the next rule is not reported, but has it."""
    join = {"all": [TAKES, "event.b == 2"]}
    assert rules([join, ABSENT, "event.i is defined"], {"i": 1}, {"fact": {"b": 2}}) == [["r1"], []]
    again = [{"all": [ABSENT]}, "event.b is not defined", "event.a > 0"]
    assert rules(again, {"a": 2}, {"n": 1}) == [["r1"], ["r0"]]


def test_an_event_that_met_two_patterns_is_taken_and_its_field_with_it() -> None:
    join = {"all": ["event.i > 0", "event.i is defined"]}
    assert rules([join, ABSENT], {"i": 2, "a": 1}, {"n": 1}) == [[], ["r1"]]


def test_a_fact_too_may_be_what_comes_next() -> None:
    assert rules([TAKES, ABSENT], {"i": 1, "a": 1}, {"fact": {"n": 1}}) == [["r0"], ["r1"]]


def test_a_retraction_too_and_then_it_fires_with_what_was_retracted() -> None:
    join = {"all": ["event.a > 0", TAKES]}
    steps = ({"fact": {"i": 1, "n": 0}}, {"a": 2}, {"retract": {"n": 0}})
    assert fired([ABSENT, join], *steps)[2] == [("r0", {"m": {"i": 1, "n": 0}})]


def test_a_retraction_of_nothing_asks_nobody() -> None:
    steps = ({"i": 1, "a": 1}, {"retract": {"z": 5}}, {"n": 1})
    assert rules([TAKES, ABSENT], *steps) == [["r0"], [], ["r1"]]


def test_a_retraction_takes_events_that_wait() -> None:
    """Measured, for joins as well."""
    join = {"all": [TAKES, "event.j == 1"]}
    assert rules([join], {"i": 1, "n": 1}, {"retract": {"n": 1}}, {"j": 1}) == [[], [], []]
    assert fired([ABSENT], {"a": 1, "n": 1}, {"retract": {"n": 1}}) == [[], [("r0", {"m": {"a": 1, "n": 1}})]]


def test_of_several_that_are_retracted_a_rule_shows_what_had_its_field() -> None:
    other = "event.b is not defined"
    steps = ({"fact": {"b": 1, "k": 1}}, {"fact": {"a": 1, "k": 1}}, {"retract": {"k": 1}})
    assert fired([ABSENT, other], *steps)[2] == [("r0", {"m": {"a": 1, "k": 1}}), ("r1", {"m": {"b": 1, "k": 1}})]


# --- time -----------------------------------------------------------------------------------------------------------------------


def test_what_is_absent_from_the_start_is_seen_at_the_first_tick() -> None:
    assert fired([ABSENT], {"advance_s": 3}, {"n": 1}) == [[("r0", {}, TICK_S)], []]


def test_what_went_with_a_taken_event_is_seen_at_the_next_tick() -> None:
    assert fired([TAKES, ABSENT], {"i": 1, "a": 1}, {"advance_s": 1}, {"n": 1}) == [
        [("r0", {"m": {"i": 1, "a": 1}})], [("r1", {}, TICK_S)], [],
    ]  # fmt: skip


def test_an_event_before_the_tick_comes_first() -> None:
    assert rules([ABSENT], {"a": 1}, SOON, {"n": 1}) == [[], [], []]


@pytest.mark.parametrize("mmr", [False, True])
def test_when_the_time_of_the_last_event_with_the_field_is_over_it_fires(mmr: bool) -> None:
    keys = {"default_events_ttl": "10 seconds", "match_multiple_rules": mmr}
    steps = ({"a": 1}, {"advance_s": 4}, {"a": 2}, {"advance_s": 9.9}, {"advance_s": 3}, {"n": 1})
    assert fired([ABSENT], *steps, **keys) == [[], [], [], [], [("r0", {}, 14)], []]


def test_a_fact_with_the_field_has_no_end() -> None:
    steps = ({"fact": {"a": 1}}, {"a": 1}, {"advance_s": 1e6})
    assert rules([ABSENT], *steps) == [[], [], []]


def test_a_session_without_a_time_wants_to_hear_of_one() -> None:
    session = engine.Session(ruleset([ABSENT]))
    assert session.next_deadline() == 0
    assert session.advance(1_700_000_000) == []
    assert session.next_deadline() == 1_700_000_000 + TICK_S
    assert [one.at for one in session.advance(1_700_000_001)] == [1_700_000_000 + TICK_S]
    assert session.next_deadline() is None


def test_the_end_of_a_not_all_is_seen_in_the_same_moment() -> None:
    ends = {"condition": {"not_all": [TAKES, "event.j == 1"], "timeout": "5 seconds"}}
    assert fired([ABSENT, ends], {"a": 1, "i": 1}, {"advance_s": 6})[1] == [
        ("r1", {"m_0": {"a": 1, "i": 1}}, 5), ("r0", {}, 5),
    ]  # fmt: skip
    assert rules([ends, ABSENT], {"a": 1, "i": 1}, {"j": 1}) == [[], ["r1"]]


# --- throttles ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["once_after", "accumulate_within"])
@pytest.mark.parametrize("mmr", [False, True])
def test_an_event_that_a_throttle_takes_is_gone_in_the_same_step(kind: str, mmr: bool) -> None:
    takes = throttled(TAKES, kind, **({"threshold": 3} if kind == "accumulate_within" else {}))
    event = {"i": 1, "h": 1, "a": 1}
    assert rules([ABSENT, takes], {"n": 0}, event, match_multiple_rules=mmr) == [["r0"], ["r0"]]


def test_with_one_rule_an_event_a_throttle_that_fires_comes_before_it() -> None:
    steps = ({"i": 1, "h": 1, "a": 1}, {"i": 1, "h": 1, "a": 1})
    assert rules([throttled(TAKES), ABSENT], *steps) == [["r0"], ["r1"]]
    assert rules([throttled(TAKES), ABSENT], *steps, match_multiple_rules=True) == [["r0", "r1"], ["r1"]]


def test_a_rule_after_the_throttle_has_not_seen_the_event_that_it_took() -> None:
    event, first = {"i": 1, "h": 1, "a": 1}, "event.p == 1"
    assert rules([first, throttled(TAKES), ABSENT], {"n": 0}, event, event) == [["r2"], ["r1"], []]
    # It has where one before the throttle is about the same field,
    assert rules([ABSENT, throttled(TAKES, "once_after"), ABSENT], {"n": 0}, event, match_multiple_rules=True) == [
        ["r0", "r2"], ["r0", "r2"],
    ]  # fmt: skip
    # and where the ruleset begins with a rule that has a throttle or a timeout.
    for begins in (throttled("event.p == 1"), {"condition": {"all": [first, "event.q == 1"], "timeout": "1 second"}}):
        assert rules([begins, throttled(TAKES), ABSENT], {"n": 0}, event, event) == [["r2"], ["r1"], ["r2"]]


def test_what_a_throttle_frees_is_asked_before_the_rules_after_it() -> None:
    conditions = [ABSENT, throttled("event.a is defined", "once_after"), "event.b is not defined"]
    assert rules(conditions, {"a": 1, "h": 1}) == [["r0"]]
    assert rules(conditions, {"a": 1, "h": 1}, match_multiple_rules=True) == [["r0", "r2"]]


def test_one_under_not_before_the_throttle_is_about_no_field() -> None:
    conditions = ["not (event.a is not defined)", throttled(TAKES), ABSENT]
    assert rules(conditions, {"fact": {"n": 0}}, {"fact": {"a": 2, "i": 1, "h": 1}}) == [["r0", "r2"], ["r1"]]


# --- room, and a stop -----------------------------------------------------------------------------------------------------------


def test_of_many_events_with_the_field_the_newest_stay() -> None:
    session = begun([ABSENT], default_events_ttl="1 hour")
    for ref in range(absences.KEPT_MAX + 5):
        assert session.post({"a": 1, "n": ref}, ref / 1000, ref) == []
    assert [entry[0] for entry in session.snapshot()["entries"]] == [*range(5, absences.KEPT_MAX + 5)]
    assert [one.at for one in session.advance(10_000)] == [3600 + (absences.KEPT_MAX + 4) / 1000]


def test_deadlines_do_not_pile_up() -> None:
    session = begun([ABSENT, {"all": [TAKES, "event.j == 1"]}])
    for ref in range(500):
        session.post({"a": 1, "i": 1}, ref, ref)
        session.post({"j": 1}, ref, ref)
    assert len(session.timers._due) < 5


def restarted(session: engine.Session, conditions: list[Any], **keys: Any) -> engine.Session:
    after = engine.Session(ruleset(conditions, **keys))
    after.restore(json.loads(json.dumps(session.snapshot())))
    return after


def test_a_stop_keeps_who_is_to_be_asked_and_when() -> None:
    before = begun([TAKES, ABSENT])
    before.post({"i": 1, "a": 1}, 5)
    after = restarted(before, [TAKES, ABSENT])
    assert after.next_deadline() == before.next_deadline() == 5 + TICK_S
    assert [one.rule.name for one in after.advance(6)] == ["r1"]


def test_a_stop_keeps_what_has_the_field() -> None:
    keys = {"default_events_ttl": "10 seconds"}
    before = begun([ABSENT], **keys)
    before.post({"a": 1}, 5)
    after = restarted(before, [ABSENT], **keys)
    assert after.snapshot() == before.snapshot()
    assert [one.at for one in after.advance(20)] == [15]
    before.assert_fact({"a": 2}, 6)
    after = restarted(before, [ABSENT], **keys)
    assert after.advance(20) == []
    assert [one.matches for one in after.retract_fact({"a": 2}, True, [], 21)] == [{"m": {"a": 2}}]


def test_a_stop_before_the_first_event_changes_nothing() -> None:
    after = restarted(engine.Session(ruleset([ABSENT])), [ABSENT])
    assert [one.rule.name for one in after.post({"n": 1}, 1_700_000_000)] == ["r0"]


def test_explain_says_whether_it_would_fire_and_changes_nothing() -> None:
    session = begun([ABSENT])
    assert [session.explain(event)[0]["reason"] for event in ({"n": 1}, {"a": 1}, {"n": 1})] == [
        "fires",
        "absence",
        "fires",
    ]
    assert [one.rule.name for one in session.post({"n": 1}, 0)] == ["r0"]
    assert session.explain({"n": 1})[0]["reason"] == "absence"
