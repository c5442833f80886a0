"""Comparison: each statement of section 4 of the measured semantics, held to by our engine and by the real one."""

from __future__ import annotations

from typing import Any

import pytest

FIRST = "events.first << event.a == 1"
OTHERS: dict[str, list[Any]] = {
    "event.i == 1": ["1", True, [1], {"a": 1}], 'event.i == "a"': [1, True, ["a"]], "event.i == true": [1, "true"], "event.i < 5": ["1", True, [1]],
}  # fmt: skip
"""Condition → values of another type than that of its literal."""


def each(*values: Any, holds: bool, key: str = "i") -> list[tuple[Any, bool]]:
    return [({key: value}, holds) for value in values]


def test_4_1_numbers_compare_by_value_as_doubles(on: Any) -> None:
    on.table({
        "event.i == 1": each(1, 1.0, holds=True), "event.i == 1.0": each(1, 1.0, holds=True),
        "event.i == 9007199254740992": each(9007199254740993, holds=True),
        "event.i == event.j": [({"i": 10**25, "j": 10**25 + 1}, True)],
        "event.i == 10000000000000000000000000": each(10**25 + 1, holds=True),
    })  # fmt: skip


def test_4_2_a_join_on_equality_is_by_type_as_well(on: Any) -> None:
    join = [{"all": [FIRST, "events.second << event.b == events.first.k"]}]
    assert on.rules(join, {"a": 1, "k": 5}, {"b": 5.0}) == [[], []]
    assert on.rules(join, {"a": 1, "k": 5}, {"b": 5}) == [[], ["r0"]]
    on.table({"event.i == event.j": [({"i": 2, "j": 2.0}, True), ({"i": 2, "j": 3.0}, False)]})


@pytest.mark.parametrize("condition", OTHERS)
def test_4_3_different_types_never_match_and_never_raise(on: Any, condition: str) -> None:
    wrong = each(*OTHERS[condition], holds=False)
    operator = condition.split()[1]
    texts = [condition.replace(operator, one) for one in ("==", "!=", "<", "<=", ">", ">=")]
    texts = texts[:2] if "true" in condition else texts
    on.table({form: wrong for text in texts for form in (text, f"not ({text})")})


def test_4_4_null_is_outside_that_rule(on: Any) -> None:
    on.table({
        "event.i != 1": [({"i": None}, True)],
        "event.i == null": [({"i": None}, True), ({"i": 0}, False), ({"i": ""}, False), ({"z": 1}, False)],
        "event.i != null": [*each(0, "", False, [], {}, holds=True), ({"i": None}, False), ({"z": 1}, False)],
        "event.i > 1": [({"i": None}, False)],
    })  # fmt: skip


@pytest.mark.parametrize("test", [
    "event.i != 1", "event.i not in [1]", "not (event.a == 1)", 'event.s is not search("b")', 'event.s not contains "x"',
])  # fmt: skip
def test_4_5_a_missing_field_makes_the_simple_test_false(on: Any, test: str) -> None:
    """Also under `not`."""
    on.table({text: [({"z": 1}, False)] for text in (test, f"not ({test})", f"event.z == 1 and {test}")})


def test_4_6_not_goes_down_to_the_simple_tests(on: Any) -> None:
    on.table({
        "not (event.a == 1 and event.b == 1)": [
            ({"b": 2}, True), ({"a": 1}, False), ({"z": 1}, False), ({"a": "x", "b": 2}, True), ({"a": "x", "b": "x"}, False),
        ],
        "not (event.a == 1 or event.b == 1)": [({"b": 2}, False), ({"a": 2, "b": 2}, True), ({"a": 2, "b": "x"}, False)],
    })  # fmt: skip


def test_4_7_double_negation_is_a_single_one(on: Any) -> None:
    on.table({"not (not (event.a == 1))": [({"a": 2}, True), ({"a": 1}, False)]})


def test_4_8_a_bare_field_is_true_only_for_true(on: Any) -> None:
    others = each(1, "true", 0, "", None, "false", "x", False, [], {}, key="b", holds=False)
    on.table({
        "event.b": [({"b": True}, True), ({"z": 1}, False), *others],
        "not event.b": [({"b": True}, False), ({"z": 1}, False), *((event, True) for event, _ in others)],
    })  # fmt: skip


@pytest.mark.parametrize(("condition", "event"), [
    ("event.a < event.b", {"a": 1, "b": None}), ("event.a < event.b", {"a": [1], "b": [2]}), ("event.a >= event.b", {"a": [1], "b": [2]}),
    ("event.a < event.b", {"a": {"x": 1}, "b": {"x": 2}}), ("event.a >= event.b", {"a": {}, "b": {}}),
    ("event.a[-1] == 1", {"a": []}), ("event.a[-1] is defined", {"a": []}),
])  # fmt: skip
def test_4_8b_some_comparisons_raise(on: Any, condition: str, event: dict[str, Any]) -> None:
    """We differ on purpose: the peer loses the event for every rule; here the comparison is false and counted, and the next rule fires."""
    answer = on.ask([condition, "event.a is defined"], event, {"a": 1, "b": 2})
    fired = [[one.get("rule", "raised") for one in step] for step in answer["steps"]]
    assert fired[0] == (["r1"] if on.ours else ["raised"])
    assert answer.get("broken", 1) == 1


def test_4_8b_less_than_with_a_null_is_just_false(on: Any) -> None:
    on.table({"event.a < 3": [({"a": None}, False)]})


def test_4_9_texts_are_ordered_and_lists_and_maps_compare_whole(on: Any) -> None:
    on.table({
        'event.s < "b"': [({"s": "a"}, True), ({"s": "b"}, False), ({"s": "B"}, True), ({"s": "10"}, True)],
        'event.s > "b"': [({"s": "c"}, True), ({"s": "ba"}, True), ({"s": "a"}, False)],
        "event.i == [1, 2]": [({"i": [1, 2]}, True), ({"i": [2, 1]}, False), ({"i": [1]}, False)],
        "event.i == event.j": [({"i": {"a": [1]}, "j": {"a": [1]}}, True), ({"i": {"a": 1}, "j": {"a": 2}}, False), ({"i": [1], "j": [1]}, True)],
    })  # fmt: skip


def test_4_10_and_and_or_have_the_same_precedence(on: Any) -> None:
    events = [{"a": 1}, {"a": 1, "c": 1}, {"b": 1, "c": 1}, {"c": 1}]
    texts = ("event.a == 1 or event.b == 1 and event.c == 1", "(event.a == 1 or event.b == 1) and event.c == 1")
    on.table({text: list(zip(events, (False, True, True, False), strict=True)) for text in texts})


def test_4_11_plus_and_minus_on_either_side(on: Any) -> None:
    on.table({
        "event.i == event.j + 1": [({"i": 3, "j": 2}, True), ({"i": 2, "j": 2}, False)],
        "event.i + 1 == 3": [({"i": 2}, True), ({"i": 3}, False)], "event.i - 1 == 3": [({"i": 4}, True)],
        "event.i + 1 == event.j - 1": [({"i": 1, "j": 3}, True)], 'event.s == "a" + 1': [({"s": "a1"}, True), ({"s": "a"}, False)],
    })  # fmt: skip


@pytest.mark.parametrize(
    "condition", ["event.i * 2 == 4", "event.i / 2 == 4", "event.i == event.j * 2", "1 < event.a < 5"]
)
def test_4_11_times_over_and_chains_fail_at_load(on: Any, condition: str) -> None:
    assert on.refuses(condition)


def test_4_12_words(on: Any) -> None:
    on.table({
        "event.a == True": [({"a": True}, True), ({"a": "True"}, False)], "event.a == False": [({"a": False}, True), ({"a": "False"}, False)],
        "event.a == None": [({"a": "None"}, True), ({"a": None}, False)], "event.a == hello": [({"a": "hello"}, True), ({"a": "x"}, False)],
    })  # fmt: skip
    assert on.refuses("event.a == 1 AND event.b == 1")
