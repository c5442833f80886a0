"""Time: each statement of section 8 of the measured semantics, held to by our engine and by the real one, on virtual clocks."""

from __future__ import annotations

import itertools
import json
import pathlib
from typing import Any

import ansible_rulebook
import jsonschema
import pytest

ALL_ABC = {"all": ["event.a == 1", "event.b == 1", "event.c == 1"], "timeout": "10 seconds"}


def throttled(condition: Any = "event.i == 1", **throttle: Any) -> dict[str, Any]:
    return {"condition": condition, "throttle": {"group_by_attributes": ["event.h"], **throttle}}


ONCE = throttled(once_within="10 seconds")
AFTER = throttled(once_after="10 seconds")
THIRD = throttled(accumulate_within="10 seconds", threshold=3)


def not_all(names: str) -> dict[str, Any]:
    return {"condition": {"not_all": [f"event.{name} == 1" for name in names], "timeout": "10 seconds"}}


def at(*timed: tuple[float, dict[str, Any]], until: float = 60) -> list[dict[str, Any]]:
    """Steps: events at their times, then up to `until` seconds."""
    steps, now = [], 0.0
    for second, event in timed:
        steps += [{"advance_s": second - now}] if second > now else []
        steps.append(event)
        now = second
    return [*steps, {"advance_s": until - now}]


def timeline(on: Any, rules: Any, *timed: tuple[float, dict[str, Any]], until: float = 60, **more: Any) -> list[str]:
    """All that fires, in order, as `on.shown` notes it."""
    found = on.shown(rules, *at(*timed, until=until), **more)
    return " ".join(step for step in found if step != "-").replace("} ", "}\n").splitlines()


# --- 8.1 ----------------------------------------------------------------------------------------------------------------------


def accepted(on: Any, rule: dict[str, Any]) -> bool:
    """Whether a rulebook with the rule loads: the peer's schema stands before its parser."""
    if on.ours:
        return not on.refuses(rule)
    path = pathlib.Path(ansible_rulebook.__file__).parent / "schema" / "ruleset_schema.json"
    named = {"name": "r", "action": {"none": {}}, **rule}
    book = [{"name": "s", "hosts": "all", "sources": [{"ansible.eda.range": {}}], "rules": [named]}]
    return not list(jsonschema.Draft7Validator(json.loads(path.read_text())).iter_errors(book))


@pytest.mark.parametrize(("window", "right"), [
    *((f"5 {unit}{s}", True) for unit in ("millisecond", "second", "minute", "hour", "day") for s in ("", "s")),
    *((text, False) for text in ("10s", "1.5 seconds", "3 weeks", "3  hours", "3 Hours", "3 HOURS", "seconds", "-1 seconds")),
])  # fmt: skip
def test_8_1_the_format_of_a_window(on: Any, window: str, right: bool) -> None:
    assert accepted(on, throttled(once_within=window)) is right


def test_8_1_a_window_of_nothing_joins_within_one_tick(on: Any) -> None:
    rules = [{"all": ["event.i == 1", "event.j == 1"], "timeout": "0 seconds"}]
    assert on.rules(rules, {"i": 1}, {"j": 1}) == [[], ["r0"]]
    assert on.rules(rules, {"i": 1}, {"advance_s": 1}, {"j": 1}) == [[], [], []]


def test_8_1_any_takes_no_timeout_and_not_all_needs_one(on: Any) -> None:
    both, window = ["event.i == 1", "event.j == 1"], {"timeout": "1 second"}
    given = [{"any": both}, {"any": both, **window}, {"not_all": both}, {"not_all": both, **window}]
    assert [accepted(on, {"condition": condition}) for condition in given] == [True, False, False, True]


# --- throttles ----------------------------------------------------------------------------------------------------------------


def test_8_2_once_within_swallows_until_the_window_of_the_firing_one_is_over(on: Any) -> None:
    event = {"i": 1, "h": "a"}
    timed = [(second, {**event, "n": second}) for second in (0, 6, 9, 11, 15, 22)]
    assert timeline(on, [ONCE], *timed) == ["r0{m: 0}", "r0{m: 11}", "r0{m: 22}"]


def test_8_2_a_swallowed_event_is_consumed(on: Any) -> None:
    for mmr in (False, True):
        assert on.rules([ONCE, "event.i == 1"], {"i": 1, "h": "a"}, {"i": 1, "h": "a"}, mmr=mmr) == [["r0"], []]


def test_8_2_a_condition_on_two_events_takes_no_throttle(on: Any) -> None:
    assert on.refuses(throttled({"all": ["event.i == 1", "event.j == 1"]}, once_within="10 seconds"))


def test_8_3_the_fired_event_is_changed(on: Any) -> None:
    event = {"i": 1, "h": "a", "meta": {"uuid": "u"}}

    def noted(rule: dict[str, Any]) -> Any:
        steps = on.fired([rule], event, event, event, {"advance_s": 10})
        ((_, matches, *_),) = (firing for step in steps for firing in step)
        return matches["m"]["meta"]

    assert noted(ONCE) == {"uuid": "u", "rule_engine": {"once_within_time_window": "10 SECONDS"}}
    assert noted(AFTER) == {"uuid": "u", "rule_engine": {"once_after_time_window": "10 SECONDS", "events_in_window": 3}}
    assert noted(THIRD) == {"uuid": "u", "rule_engine": {"accumulate_within_time_window": "10 SECONDS", "threshold": 3}}


TYPED = [1, "1", 1.0, True, "true"]


def test_8_4_groups_go_by_value_and_type(on: Any) -> None:
    events = [
        {"i": 1, "h": value, "n": number} for number, value in enumerate([*TYPED, [1, 2], [2, 1], *TYPED, [1, 2]])
    ]
    assert on.rules([ONCE], *events) == [["r0"]] * 7 + [[]] * 6
    assert timeline(on, [AFTER], *((0, event) for event in events[:7])) == [
        "r0@10{" + ", ".join(f"m_{number}: {number}" for number in range(7)) + "}"
    ]


def test_8_4_a_missing_attribute_is_never_the_same_as_another(on: Any) -> None:
    events = [{"i": 1, "n": number} for number in range(3)]
    assert on.rules([ONCE], *events) == [["r0"]] * 3
    assert on.rules([throttled(accumulate_within="10 seconds", threshold=2)], *events) == [[]] * 3
    assert timeline(on, [AFTER], *((0, event) for event in events)) == ["r0@10{m_0: 0, m_1: 1, m_2: 2}"]


def test_8_4_a_null_is_a_group_as_any_value(on: Any) -> None:
    """The page says of a null what holds of a missing attribute (docs/decisions.md)."""
    events = [{"i": 1, "h": None, "n": number} for number in range(3)]
    assert on.rules([ONCE], *events) == [["r0"], [], []]
    assert on.rules([throttled(accumulate_within="10 seconds", threshold=2)], *events) == [[], ["r0"], []]
    assert timeline(on, [AFTER], *((0, event) for event in events)) == ["r0@10{m: 0}"]


def test_8_4_nothing_collides_and_the_prefix_is_optional(on: Any) -> None:
    two = throttled(once_within="10 seconds", group_by_attributes=["h", "event.g"])
    events = [{"i": 1, "h": "a", "g": "bc"}, {"i": 1, "h": "ab", "g": "c"}, {"i": 1, "h": "a", "g": "bc"}]
    assert on.rules([two], *events) == [["r0"], ["r0"], []]


def test_8_5_once_after_fires_once_after_the_first_event_of_any_group(on: Any) -> None:
    """One match a group, its first event; a group that starts late fires with the others; then it starts anew."""
    timed = [
        (second, {"i": 1, "h": h, "n": number})
        for number, (second, h) in enumerate([(0, "a"), (3, "a"), (9, "b"), (20, "b"), (20, "b")])
    ]
    assert timeline(on, [AFTER], *timed) == ["r0@10{m_0: 0, m_1: 2}", "r0@30{m: 3}"]
    (firing,) = on.fired([AFTER], *at(*timed[:3]))[-1]
    assert [firing[1][name]["meta"]["rule_engine"]["events_in_window"] for name in ("m_0", "m_1")] == [2, 1]


def test_8_5_groups_stand_in_the_order_in_which_they_were_last_heard_of(on: Any) -> None:
    """The page says: of arrival (docs/decisions.md)."""
    timed = [(0, {"i": 1, "h": h, "n": number}) for number, h in enumerate("abca")]
    assert timeline(on, [AFTER], *timed) == ["r0@10{m_0: 1, m_1: 2, m_2: 0}"]


def test_8_6_accumulate_within_fires_on_the_threshold_th_event(on: Any) -> None:
    timed = [(second, {"i": 1, "h": "a", "n": second}) for second in range(7)]
    assert timeline(on, [THIRD], *timed) == ["r0{m: 2}", "r0{m: 5}"]
    each = throttled(accumulate_within="10 seconds", threshold=1)
    assert timeline(on, [each], *timed[:3]) == ["r0{m: 0}", "r0{m: 1}", "r0{m: 2}"]


def test_8_6_the_window_is_tumbling(on: Any) -> None:
    timed = [(second, {"i": 1, "h": "a", "n": second}) for second in (0, 6, 12, 13, 14)]
    assert timeline(on, [THIRD], *timed[:3]) == []
    assert timeline(on, [THIRD], *timed) == ["r0{m: 14}"]


# --- joins in time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["abc", "cba"])
def test_8_7_the_earliest_and_the_latest_are_within_the_window(on: Any, order: str) -> None:
    for seconds, fires in (((0, 7, 14), []), ((0, 3, 9), ["r0"])):
        steps = at(*((second, {name: 1}) for second, name in zip(seconds, order, strict=True)), until=20)
        assert on.rules([ALL_ABC], *steps)[-2] == fires


def test_8_7_what_is_out_of_its_window_stays_in_the_peers_memory(on: Any) -> None:
    """We differ on purpose: here it is let go before the next event of the rule."""
    kept = on.fired([ALL_ABC], {"a": 1}, {"advance_s": 40}, {"facts": True}, {"b": 1}, {"facts": True})
    assert (kept[2], kept[4]) == ([{"a": 1}], [{"b": 1}] if on.ours else [{"a": 1}, {"b": 1}])


def test_8_8_not_all_fires_for_what_came_alone(on: Any) -> None:
    assert timeline(on, [not_all("ab")], (0, {"a": 1, "n": 0})) == ["r0@10{m_0: 0}"]
    assert timeline(on, [not_all("ab")], (3, {"b": 1, "n": 0})) == ["r0@13{m_1: 0}"]
    assert timeline(on, [not_all("ab")]) == []


def test_8_8_each_waiting_event_fires_by_itself(on: Any) -> None:
    """a at 0, b at 6, no c: 10 and 20; the page has 16 (docs/decisions.md)."""
    timed = [(0, {"a": 1, "n": 0}), (6, {"b": 1, "n": 1})]
    assert timeline(on, [not_all("abc")], *timed) == ["r0@10{m_0: 0}", "r0@20{m_1: 1}"]


def test_8_8_when_all_arrive_it_is_silent_and_starts_anew(on: Any) -> None:
    timed = [(0, {"a": 1, "n": 0}), (9, {"b": 1, "n": 1})]
    assert timeline(on, [not_all("ab")], *timed) == []
    assert timeline(on, [not_all("ab")], *timed, (30, {"a": 1, "n": 2})) == ["r0@40{m_0: 2}"]


def test_8_8b_of_two_once_within_rules_alike_only_the_first_fires_there(on: Any) -> None:
    """We differ on purpose: here each fires."""
    fires = ["r0", "r1"] if on.ours else ["r0"]
    assert on.rules([ONCE, ONCE], {"i": 1, "h": "a"}, {"i": 1, "h": "a"}, mmr=True) == [fires, []]


def test_8_9_timers_fire_at_their_exact_deadline_here(on: Any) -> None:
    """We differ on purpose: the peer's clock ticks, and what is due fires with the next tick."""
    fires = ["r0@10{m: 0}"] if on.ours else ["r0@10.2{m: 0}"]
    assert timeline(on, [AFTER], (0, {"i": 1, "h": "a", "n": 0}), tick_ms=300) == fires


def test_8_9_what_is_pending_at_a_stop_is_there_after_the_start_here(on: Any) -> None:
    """We differ on purpose: there it is lost."""
    rules = [AFTER, not_all("ab")]
    steps = [{"i": 1, "h": "a", "n": 0}, {"a": 1, "n": 1}, {"advance_s": 4}, {"restart": True}, {"advance_s": 20}]
    assert on.shown(rules, *steps)[-1] == ("r0@10{m: 0} r1@10{m_0: 1}" if on.ours else "-")


# --- 8.10 ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "shown"), [
    (ONCE, ["r0{m: 0}", "r0{m: 2}"]), (throttled(accumulate_within="10 seconds", threshold=2), ["r0{m: 1}"]),
    (throttled(accumulate_within="10 seconds", threshold=3), []), (AFTER, ["r0@10{m: 0}", "r0@20{m: 2}"]),
])  # fmt: skip
def test_8_10_a_window_ends_before_its_end(on: Any, rule: dict[str, Any], shown: list[str]) -> None:
    """[t, t + N): an event at exactly t + N belongs to the next."""
    timed = [(second, {"i": 1, "h": "a", "n": number}) for number, second in enumerate((0, 9.5, 10))]
    assert timeline(on, [rule], *timed) == shown


def test_8_10_not_all_fires_at_its_end_and_an_event_then_belongs_to_the_next(on: Any) -> None:
    timed = [(0, {"a": 1, "n": 0}), (10, {"b": 1, "n": 1})]
    assert timeline(on, [not_all("ab")], *timed) == ["r0@10{m_0: 0}", "r0@20{m_1: 1}"]


def test_8_10_at_exactly_its_ttl_an_event_is_gone(on: Any) -> None:
    join = [{"all": ["event.a == 1", "event.b == 1"]}]
    for wait, fires in ((4.5, ["r0"]), (5, [])):
        assert on.rules(join, {"a": 1}, {"advance_s": wait}, {"b": 1}, default_events_ttl="5 seconds")[-1] == fires


def test_8_10_only_all_with_a_timeout_includes_its_end(on: Any) -> None:
    join = [{"all": ["event.a == 1", "event.b == 1"], "timeout": "10 seconds"}]
    for wait, (first, then) in itertools.product((10, 10.5), itertools.permutations("ab")):
        assert on.rules(join, {first: 1}, {"advance_s": wait}, {then: 1})[-1] == (["r0"] if wait == 10 else [])


# --- measured since -----------------------------------------------------------------------------------------------------------


def test_a_retraction_frees_the_groups_that_it_fits(on: Any) -> None:
    """Of a group the peer has a fact of its own with its attributes, by their names as they are written."""
    event, other = {"i": 1, "h": "a", "g": 1}, {"i": 1, "h": "b", "g": 1}
    free, not_ = {"retract": {"h": "a"}}, {"retract": {"h": "a", "i": 1}}
    assert on.rules([ONCE], event, other, free, event, other, not_, event) == [["r0"], ["r0"], [], ["r0"], [], [], []]
    second = throttled(accumulate_within="10 seconds", threshold=2)
    assert on.rules([second], event, other, free, event, other, event) == [[], [], [], [], ["r0"], ["r0"]]
    both = throttled(once_within="10 seconds", group_by_attributes=["event.h", "g"])
    assert on.rules([both], event, {"retract": {"g": 1}}, event, {"retract": {"h": "a", "g": 1.0}}, event) == [
        ["r0"],
        [],
        ["r0"],
        [],
        [],
    ]
    deep = throttled(once_within="10 seconds", group_by_attributes=["event.m.k"])
    event = {"i": 1, "m": {"k": 1}}
    assert on.rules([deep], event, {"retract": {"m": {"k": 1}}}, event, {"retract": {"m.k": 1}}, event) == [
        ["r0"],
        [],
        [],
        [],
        ["r0"],
    ]
    event = {"i": 1, "h": None}
    assert on.rules([ONCE], event, {"retract": {"h": None}}, event) == [["r0"], [], ["r0"]]
    assert on.rules([ONCE], {"fact": event}, {"retract": {"h": None}}, {"fact": event}) == [["r0"], [], ["r0"]]
    whole = {"retract": {"h": "a"}, "partial": False}
    assert on.rules([ONCE], {"i": 1, "h": "a"}, whole, {"i": 1, "h": "a"}) == [["r0"], [], []]


def test_once_after_fires_at_its_time_with_the_groups_that_are_left_be_it_none(on: Any) -> None:
    steps = [{"i": 1, "h": "a", "n": 0}, {"i": 1, "h": "b", "n": 1}, {"retract": {"h": "a"}}, {"advance_s": 30}]
    assert on.shown([AFTER], *steps) == ["-", "-", "-", "r0@10{m: 1}"]
    assert on.shown([AFTER], steps[0], {"retract": {"h": "a"}}, {"advance_s": 30}) == ["-", "-", "r0@10{}"]
    assert on.shown([AFTER], steps[0], {"retract": {"n": 0}}, {"advance_s": 30}) == ["-", "-", "r0@10{m: 0}"]
    assert (
        on.shown([AFTER], steps[0], {"retract": {"h": "a"}}, {"advance_s": 4}, steps[1], {"advance_s": 30})[-1]
        == "r0@10{m: 1}"
    )


@pytest.mark.parametrize("rule", [AFTER, ONCE, throttled(accumulate_within="10 seconds", threshold=2), not_all("ab")])
def test_a_retraction_of_everything_ends_every_window(on: Any, rule: Any) -> None:
    event = {"i": 1, "h": "a", "a": 1, "n": 0}
    found = on.shown([rule], event, {"retract": {}}, {"advance_s": 1}, {**event, "n": 1}, {"advance_s": 30})
    alike = on.shown([rule], {"advance_s": 1}, {**event, "n": 1}, {"advance_s": 30})
    assert found[2:] == alike


def test_who_completes_a_not_all_is_seen_by_no_rule_behind_it(on: Any) -> None:
    """Nor a fact; what stands before it in the file has fired."""
    rules = [not_all("ab"), "event.b == 1", "event.a == 1"]
    for mmr, last in ((False, "-"), (True, "r1{m: 2}")):
        found = on.shown(rules, {"a": 1, "n": 0}, {"b": 1, "n": 1}, {"b": 1, "n": 2}, mmr=mmr)
        assert found == ["r2{m: 0}", "-", last]
        assert on.shown(rules[::-1], {"a": 1, "n": 0}, {"b": 1, "n": 1}, mmr=mmr) == ["r0{m: 0}", "r1{m: 1}"]
    assert on.shown(rules, {"fact": {"a": 1, "n": 0}}, {"fact": {"b": 1, "n": 1}}) == ["r2{m: 0}", "-"]
    join = {"all": ["event.a == 1", "event.b == 1"]}
    assert on.shown([not_all("ab"), join], {"a": 1, "n": 0}, {"b": 1, "n": 1}, {"a": 1, "n": 2}) == ["-", "-", "-"]


def test_a_partner_that_a_rule_took_stays_and_begins_a_window_when_the_rest_has_come(on: Any) -> None:
    """Without match_multiple_rules: whoever took it, wherever the rule stands."""
    timed = [(0, {"a": 1, "n": 0}), (3, {"b": 1, "n": 1})]
    assert timeline(on, [not_all("ab"), "event.a == 1"], *timed) == ["r1{m: 0}", "r0@13{m_0: 0}"]
    assert timeline(on, ["event.a == 1", "event.b == 1", not_all("ab")], *timed) == [
        "r0{m: 0}",
        "r1{m: 1}",
        "r2@13{m_0: 0}",
    ]
    assert timeline(on, [not_all("ab"), "event.a == 1"], *timed, mmr=True) == ["r1{m: 0}"]
    assert timeline(on, [not_all("ab")], (0, {"a": 1, "b": 1, "n": 0}), (3, {"a": 1, "n": 1})) == ["r0@13{m_1: 0}"]
    assert timeline(
        on, [not_all("ab")], (0, {"a": 1, "n": 0}), (3, {"b": 1, "n": 1}), default_events_ttl="2 seconds"
    ) == ["r0@13{m_0: 0}"]


def test_what_was_retracted_stays_too(on: Any) -> None:
    retracted = [{"a": 1, "n": 0}, {"retract": {"a": 1}}, {"advance_s": 3}, {"b": 1, "n": 1}, {"advance_s": 30}]
    assert on.shown([not_all("ab")], *retracted) == ["-", "-", "-", "-", "r0@13{m_0: 0}"]
    assert on.shown([not_all("ab")], *retracted[:2], {"advance_s": 30}) == ["-", "-", "r0@10{m_0: 0}"]


def test_what_waits_and_is_taken_waits_no_more(on: Any) -> None:
    timed = [(0, {"a": 1, "n": 0}), (3, {"a": 1, "n": 1})]
    assert timeline(on, [not_all("ab"), "event.a == 1"], *timed) == ["r1{m: 0}", "r1{m: 1}", "r0@10{m_0: 0}"]
    assert timeline(on, [not_all("ab"), "event.a == 1"], *timed, mmr=True) == [
        "r1{m: 0}",
        "r1{m: 1}",
        "r0@10{m_0: 0}",
        "r0@20{m_0: 1}",
    ]


def test_a_partner_counts_for_as_long_as_the_window_is_and_no_longer(on: Any) -> None:
    timed = [(0, {"a": 1, "n": 0}), (8, {"b": 1, "n": 1}), (11, {"b": 1, "n": 2})]
    assert timeline(on, [not_all("ab"), "event.a == 1"], *timed) == ["r1{m: 0}", "r0@18{m_0: 0}", "r0@28{m_1: 2}"]


def test_whoever_waited_when_all_had_come_takes_the_next_that_come_with_it(on: Any) -> None:
    """One each, within a window."""
    complete = [(0, {"a": 1, "n": 0}), (0, {"a": 1, "n": 1}), (1, {"b": 1, "n": 2})]
    for second, shown in ((2, ["r0@13{m_0: 4}"]), (11, ["r0@21{m_0: 3}", "r0@31{m_0: 4}"])):
        timed = [*complete, (second, {"a": 1, "n": 3}), (second + 1, {"a": 1, "n": 4})]
        assert timeline(on, [not_all("ab")], *timed) == shown


def test_beside_a_throttle_the_peer_cannot_have_a_not_all(on: Any) -> None:
    """We differ: it raises with each event that the throttle takes, since it looks for a name in the throttle's own fact."""
    found = on.fired([not_all("ab"), {**ONCE, "condition": "event.a == 1"}], {"a": 1, "h": "x"})
    assert (
        found
        == [[("r1", {"m": {"a": 1, "h": "x", "meta": {"rule_engine": {"once_within_time_window": "10 SECONDS"}}}})]]
        if on.ours
        else [["raised"]]
    )
