"""Firing, consumption, order: each statement of section 1 of the measured semantics, held to by our engine and by the real one."""

from __future__ import annotations

from typing import Any

import pytest

from healer.child import host

JOINT = {"all": ["event.i == 1", "event.j == 2"]}
BOTH = {"i": 1, "j": 2}


def joined(*names: str) -> dict[str, Any]:
    return {"all": [f"event.{name} == 1" for name in names]}


def marked(text: str) -> list[dict[str, Any]]:
    """`i:a j:b` → events {i: 1, n: a}, {j: 1, n: b}."""
    return [{name: 1, "n": mark} for name, mark in (one.split(":") for one in text.split())]


def test_1_1_one_event_fires_one_rule_only(on: Any) -> None:
    """The first in the file: names, specificity and length do not matter; with mmr both, in file order."""
    same = {"z": "event.i == 1", "a": "event.i == 1"}
    assert on.rules(same, {"i": 1}) == [["z"]]
    assert on.rules(same, {"i": 1}, mmr=True) == [["z", "a"]]
    for rules in (
        {"z": "event.i == 1", "a": "event.i == 1 and event.j == 2"},
        {"z": "event.i == 1 and event.j == 2", "a": "event.i == 1"},
    ):
        assert on.rules(rules, BOTH) == [["z"]]
        assert on.rules(rules, BOTH, mmr=True) == [["z", "a"]]


@pytest.mark.parametrize("order", [("joint", "solo"), ("solo", "joint")])
def test_1_2_a_rule_that_wins_takes_the_event_from_every_memory(on: Any, order: tuple[str, str]) -> None:
    made = {"joint": JOINT, "solo": "event.i == 1"}
    rules = {name: made[name] for name in order}
    assert on.rules(rules, {"i": 1}, {"j": 2}) == [["solo"], []]
    assert on.rules(rules, {"i": 1}, {"j": 2}, mmr=True) == [["solo"], ["joint"]]


def test_1_3_the_same_rule_may_fire_several_times_for_one_event(on: Any) -> None:
    steps = [{"i": 1, "n": "a"}, {"i": 1, "n": "b"}, {"j": 2, "n": "x"}, {"j": 2, "n": "y"}, {"j": 2, "n": "z"}]
    assert on.shown([JOINT], *steps) == ["-", "-", "r0{m_0: b, m_1: x} r0{m_0: a, m_1: x}", "-", "-"]
    assert on.shown([JOINT], *steps, mmr=True)[2:] == [f"r0{{m_0: b, m_1: {n}}} r0{{m_0: a, m_1: {n}}}" for n in "xyz"]


@pytest.mark.parametrize(("patterns", "waiting", "last", "order"), [
    ("ab", "a:a a:b", "b:x", "bx ax"), ("ab", "b:1 b:2 b:3", "a:a", "a1 a2 a3"), ("abc", "c:c a:1 a:2", "b:b", "1bc 2bc"),
    ("abc", "a:1 a:2 b:3 b:4", "c:c", "14c 24c 13c 23c"),
])  # fmt: skip
def test_1_4_the_order_among_several_firings_of_one_rule(
    on: Any, patterns: str, waiting: str, last: str, order: str
) -> None:
    """Waiting lefts: newest first; waiting rights: oldest first; each join turns its results round."""
    step = on.fired([joined(*patterns)], *marked(waiting), *marked(last))[-1]
    got = ["".join(matches[name]["n"] for name in sorted(matches)) for _, matches in step]
    assert got == order.split()


@pytest.mark.parametrize(("first", "order"), [
    ({"condition": {"all": ["event.q == 1", "event.r == 1"], "timeout": "9 seconds"}}, "3 2 1"), ({"condition": "event.q == 1"}, "1 2 3"),
    ({"condition": {"all": ["event.q == 1"], "timeout": "9 seconds"}}, "3 2 1"),
    ({"condition": {"not_all": ["event.q == 1", "event.r == 1"], "timeout": "9 seconds"}}, "3 2 1"),
    ({"condition": "event.q == 1", "throttle": {"once_within": "9 seconds", "group_by_attributes": ["event.h"]}}, "3 2 1"),
    ({"condition": "event.q == 1", "throttle": {"once_after": "9 seconds", "group_by_attributes": ["event.h"]}}, "3 2 1"),
])  # fmt: skip
@pytest.mark.parametrize("timeout", [{}, {"timeout": "9 seconds"}])
def test_1_4_where_the_first_rule_is_about_time_what_waits_comes_newest_first(
    on: Any, first: Any, order: str, timeout: Any
) -> None:
    """The peer works in its stream mode then, for all rules of the ruleset; of those behind the first it does not depend on their own."""
    rules = [first, {"condition": {"all": ["event.a is defined", "event.b is defined"], **timeout}}]
    step = on.fired(rules, {"b": 1}, {"b": 2}, {"b": 3}, {"a": 1})[-1]
    assert [str(matches["m_1"]["b"]) for _, matches in step] == order.split()


@pytest.mark.parametrize(("waiting", "order"), [
    ("z:1 z:2 y:3", "32 31"), ("y:1 y:2 z:3", "13 23"), ("z:1 y:2 y:3", "21 31"), ("y:1 z:2 z:3", "13 12"),
])  # fmt: skip
def test_1_4_with_a_window_of_three(on: Any, waiting: str, order: str) -> None:
    """Each event is propagated as it comes, also to a join on whose left nothing is yet."""
    rule = {**joined(*"xyz"), "timeout": "9 seconds"}
    step = on.fired([{"condition": rule}], *marked(waiting), *marked("x:4"))[-1]
    assert [matches["m_1"]["n"] + matches["m_2"]["n"] for _, matches in step] == order.split()


def test_1_5_an_event_that_meets_two_patterns_is_a_trap(on: Any) -> None:
    assert on.rules([JOINT], BOTH, {"j": 2}) == [[], []]
    assert on.rules([{"all": ["event.i == 1", "event.i == 1"]}], *[{"i": 1}] * 5) == [[]] * 5
    fires = [("r0", {"m_0": {"i": 1}, "m_1": BOTH})]
    assert on.fired([JOINT], {"i": 1}, BOTH) == [[], fires]
    assert on.fired([JOINT], BOTH, {"i": 1}, mmr=True) == [[], fires]


def test_1_6_a_join_whose_second_pattern_the_first_event_meets_never_fires(on: Any) -> None:
    first, events = 'events.first << event.k == "a"', [{"k": "a", "h": 1}, {"k": "b", "h": 1}]
    assert on.rules([{"all": [first, "events.second << event.h == events.first.h"]}], *events) == [[], []]
    works = {"all": [first, 'event.k == "b" and event.h == events.first.h']}
    assert on.fired([works], *events) == [[], [("r0", {"first": events[0], "m_1": events[1]})]]


def test_1_7_any_fires_once_and_names_the_first_branch_that_holds(on: Any) -> None:
    either = {"any": ["event.i == 1", "event.j == 2", "event.k == 3"]}
    assert on.fired([either], BOTH, {"j": 2}, {"k": 3, "j": 2}) == [
        [("r0", {"m_0": BOTH})], [("r0", {"m_1": {"j": 2}})], [("r0", {"m_1": {"k": 3, "j": 2}})],
    ]  # fmt: skip
    for condition in ("event.i == 1", {"all": ["event.i == 1"]}, "event.i == 1 or event.j == 2"):
        assert on.fired([condition], BOTH) == [[("r0", {"m": BOTH})]]


def test_1_8_the_order_of_arrival_does_not_matter(on: Any) -> None:
    assert on.fired([JOINT], {"j": 2}, {"i": 1}) == [[], [("r0", {"m_0": {"i": 1}, "m_1": {"j": 2}})]]


def test_1_9_an_unmatched_event_is_dropped_and_a_partial_match_is_kept(on: Any) -> None:
    assert on.fired([JOINT], {"i": 7}, {"facts": True}, {"i": 1}, {"facts": True}) == [[], [], [], [{"i": 1}]]


@pytest.mark.parametrize(("minutes", "fires"), [(119, ["r0"]), (121, [])])
def test_1_9_it_lives_for_two_hours(on: Any, minutes: int, fires: list[str]) -> None:
    wait = {"advance_s": 60 * minutes}
    assert on.rules([JOINT], {"i": 1}, wait, {"j": 2}, tick_ms=60_000) == [[], [], fires]
    short = {"default_events_ttl": f"{minutes - 1} minutes"}
    assert on.rules([JOINT], {"i": 1}, wait, {"j": 2}, tick_ms=60_000, **short) == [[], [], []]


def test_1_9_an_event_that_can_take_part_in_nothing_any_more_is_let_go(on: Any) -> None:
    """We differ on purpose: the peer keeps it for the whole ttl, also without the field that the join compares."""
    join = {"all": ["events.first << event.a == 1", "event.b == events.first.k"]}
    kept = [] if on.ours else [{"a": 1}]
    assert on.fired([join], {"a": 1}, {"facts": True}) == [[], kept]


def test_1_10_there_is_no_de_duplication(on: Any) -> None:
    event = {"i": 1, "meta": {"uuid": "u"}}
    assert on.rules(["event.i == 1"], event, event) == [["r0"], ["r0"]]


def test_1_11_constant_conditions_fire_for_every_event_and_fact(on: Any) -> None:
    for condition in (True, "1 == 1", "vars.x == 42"):
        got = on.fired([condition], {"i": 1}, {"fact": {"f": 1}}, {}, variables={"x": 42})
        assert got == [[("r0", {"m": body})] for body in ({"i": 1}, {"f": 1}, {})], condition
    assert on.rules([False], {"i": 1}, {"fact": {"f": 1}}, {}) == [[], [], []]


def test_1_11_an_empty_event_of_a_source_reaches_the_rules(on: Any) -> None:
    """The peer's runner drops what is falsy, but no event of a source is that by then: its own last filter has written `meta`."""
    from ansible_rulebook.event_filter import insert_meta_info

    if on.ours:
        queue = host.Queue(host.Outbox.__new__(host.Outbox), [])
        assert [queue._events(put) for put in ({}, [{}], [])] == [[b"{}"], [b"{}"], []]
        event = {}
    else:
        event = insert_meta_info.main({}, source_name="a", source_type="range")
        assert event["meta"]["source"] == {"name": "a", "type": "range"}
    assert on.rules([True], event) == [["r0"]]
