"""Bindings: each statement of section 7 of the measured semantics, held to by our engine and by the real one."""

from __future__ import annotations

from typing import Any

import pytest

FIRST = "events.first << event.a == 1"


def joins(on: Any, condition: str, first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Whether the second event completes what the first began."""
    rules = [{"all": [FIRST, condition]}]
    waits, fires = on.rules(rules, {"a": 1, **first}, second)
    assert waits == []
    return bool(fires)


def test_7_1_names_and_positions_mix(on: Any) -> None:
    rules = [{"all": [FIRST, "event.b == events.first.k", "events.last << event.c == events.m_1.b"]}]
    steps = [{"a": 1, "k": 2}, {"b": 2}, {"c": 2}]
    assert on.fired(rules, *steps)[2] == [("r0", {"first": steps[0], "m_1": steps[1], "last": steps[2]})]
    assert on.fired(["events.first << event.a == 1"], {"a": 1}) == [[("r0", {"first": {"a": 1}})]]
    by_position = [{"all": ["event.a == 1", "event.b == events.m_0.k"]}]
    assert on.fired(by_position, {"a": 1, "k": 2}, {"b": 2})[1] == [("r0", {"m_0": {"a": 1, "k": 2}, "m_1": {"b": 2}})]


@pytest.mark.parametrize(("condition", "value", "holds"), [
    ("event.b == events.first.t", 5, True), ("event.b == events.first.t", 6, False), ("event.b != events.first.t", 6, True),
    ("event.b != events.first.t", 5, False), ("event.b < events.first.t", 4, True), ("event.b < events.first.t", 5, False),
    ("event.b > events.first.t", 6, True), ("event.b > events.first.t", 5, False), ("event.b == events.first.t + 4", 9, True),
    ("event.b == events.first.t + 4", 5, False), ("event.b < events.first.t + 4", 8, True), ("event.b == events.first.t", "5", False),
    ("event.b != events.first.t", "5", False), ("event.b < events.first.t", "1", False), ("event.b > events.first.t", True, False),
])  # fmt: skip
def test_7_2_comparisons_work_across_patterns(on: Any, condition: str, value: Any, holds: bool) -> None:
    assert joins(on, condition, {"t": 5}, {"b": value}) is holds


def test_7_2_the_bound_event_comes_before_it_in_the_list(on: Any) -> None:
    rules = [{"all": ["event.b == events.first.t", FIRST]}]
    for steps in ([{"a": 1, "t": 5}, {"b": 5}], [{"b": 5}, {"a": 1, "t": 5}]):
        assert on.rules(rules, *steps) == [[], []]


@pytest.mark.parametrize(
    "condition", ["event.b == events.first.k", "event.b != events.first.k", "event.b < events.first.k"]
)
@pytest.mark.parametrize("value", [5, None, "x"])
def test_7_3_a_field_missing_in_the_bound_event_never_matches(on: Any, condition: str, value: Any) -> None:
    """Not even null."""
    assert not joins(on, condition, {}, {"b": value})


def test_7_4_in_any_the_name_is_kept(on: Any) -> None:
    rules = [{"any": ["events.x << event.i == 1", "events.y << event.j == 1"]}]
    assert on.fired(rules, {"j": 1}, {"i": 1, "j": 1}) == [[("r0", {"y": {"j": 1}})], [("r0", {"x": {"i": 1, "j": 1}})]]
