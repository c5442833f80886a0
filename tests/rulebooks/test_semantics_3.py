"""`is not defined`: each statement of section 3 of the measured semantics, held to by our engine and by the real one."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

ABSENT = "event.msg is not defined"


def test_3_1_absence_alone_means_nothing_in_memory_has_it(on: Any) -> None:
    """Once, on the first event, with an empty match; again only when a fact with it is retracted."""
    steps = [{"i": 1}, {"i": 2}, {"i": 3}, {"fact": {"msg": "x"}}, {"i": 4}, {"retract": {"msg": "x"}}, {"i": 5}]
    assert on.fired([ABSENT], *steps) == [[("r0", {})], [], [], [], [], [("r0", {"m": {"msg": "x"}})], []]


@pytest.mark.parametrize("condition", [
    f"{ABSENT} and event.i is defined", f"event.i is defined and {ABSENT}", f"{ABSENT} or event.i == 9",
])  # fmt: skip
def test_3_2_in_one_condition_it_is_an_ordinary_test(on: Any, condition: str) -> None:
    assert on.rules([condition], {"i": 1}, {"i": 2}, {"i": 3, "msg": 1}, {"i": 4}) == [["r0"], ["r0"], [], ["r0"]]


def test_3_3_in_an_all_it_never_fires_for_one_event_that_meets_both(on: Any) -> None:
    """In any order, events or facts: each `{i: 1}` meets both patterns itself (1.5)."""
    rules = [{"all": [ABSENT, "event.i == 1"]}]
    for steps in itertools.permutations([{"i": 1}, {"i": 1}, {"fact": {"i": 1}}]):
        assert on.rules(rules, *steps)[0] == []
    assert on.rules(rules, {"i": 1}, {"i": 1}, {"i": 1}) == [[], [], []]


def test_3_3_in_an_all_it_is_a_test_of_the_event_at_hand(on: Any) -> None:
    """Where the page saw none fire: an event that meets only the one, then one that meets the other (docs/decisions.md)."""
    rules = [{"all": [ABSENT, "event.i == 1"]}]
    assert on.rules(rules, {"msg": 1, "i": 1}, {"k": 1}) == [[], ["r0"]]


def test_3_3_in_any_it_is_an_ordinary_test(on: Any) -> None:
    rules = [{"any": [ABSENT, "event.i == 9"]}]
    assert on.rules(rules, {"i": 1}, {"i": 2}, {"msg": 1}, {"msg": 1, "i": 9}) == [["r0"], ["r0"], [], ["r0"]]


def test_3_3_a_fact_before_the_first_event_keeps_it_silent(on: Any) -> None:
    assert on.rules([ABSENT], {"fact": {"msg": 1}}, {"i": 1}, {"i": 2}) == [[], [], []]


def test_3_3_the_one_firing_is_lost_where_another_rule_takes_the_first_event(on: Any) -> None:
    rules = ["event.i == 1", ABSENT]
    assert on.rules(rules, {"i": 1}, {"i": 2}, {"i": 3}) == [["r0"], [], []]
    assert on.rules(rules, {"i": 1}, {"i": 2}, mmr=True) == [["r0", "r1"], []]


def test_3_4_not_defined_by_not_never_fires(on: Any) -> None:
    for condition in ("not (event.a is defined)", "not (event.a is defined) and event.i == 1"):
        assert on.rules([condition], {"i": 1}, {"a": 1, "i": 1}, {"i": 1}) == [[], [], []]


def test_3_4_not_of_not_defined_fires_once_alone_and_is_defined_beside_another(on: Any) -> None:
    """Alone for the first event whatever it has: the page says the first that has it (docs/decisions.md)."""
    alone = ["not (event.a is not defined)"]
    assert on.rules(alone, {"a": 1}, {"a": 1}, {"i": 1}) == [["r0"], [], []]
    assert on.rules(alone, {"i": 1}, {"a": 1}) == [["r0"], []]
    larger = ["not (event.a is not defined) and event.i == 1"]
    assert on.rules(larger, {"i": 1}, {"i": 1, "a": 1}, {"i": 1, "a": 2}) == [[], ["r0"], ["r0"]]


def test_3_5_defined_is_true_for_null_and_for_what_is_below_it(on: Any) -> None:
    on.table({
        "event.a is defined": [({"a": None}, True)],
        "event.a.b is defined": [
            ({"a": None}, True), ({"a": {}}, False), ({"a": [1]}, False), ({"a": "x"}, False), ({"i": 1}, False),
        ],
        "event.a.b == null": [
            ({"a": None}, True), ({"a": {}}, False), ({"a": [1]}, False), ({"a": "x"}, False), ({"i": 1}, False),
        ],
    })  # fmt: skip


def test_3_6_a_defined_element_has_to_exist(on: Any) -> None:
    """A null one counts."""
    on.table({
        "event.a[1] is defined": [
            ({"a": [1]}, False), ({"a": [1, 2]}, True), ({"a": [1, None]}, True), ({"a": []}, False), ({"i": 1}, False),
        ],
        "event.a[1] is not defined and event.a is defined": [({"a": [1]}, True), ({"a": [1, None]}, False)],
    })  # fmt: skip
