"""`in`, `contains`, `select`, `selectattr`, by the numbers of the measured semantics (6.3 to 6.7)."""

from __future__ import annotations

from typing import Any

import pytest

from healer import engine, testing


def fires(condition: str, event: dict[str, Any]) -> bool:
    rule = {"name": "r", "condition": condition, "action": {"none": None}}
    session = engine.Session(testing.load([{"name": "s", "hosts": "all", "sources": [], "rules": [rule]}])[0])
    return bool(session.post(event, 0))


@pytest.mark.parametrize(
    ("condition", "value", "wanted"),
    [
        ("event.s in [1, 2]", 1.0, True),
        ("event.s in [1, 2]", "1", False),
        ("event.s not in [1, 2]", "1", True),
        ("event.s not in [1, 2]", 2, False),
        ('event.s in "hello"', "ell", False),
        ('event.s in ["a", 1, null]', None, True),
        ("event.s in [true]", 1, False),
        ("1 in event.s", [1.0], True),
    ],
)
def test_6_3_in_looks_at_elements_of_a_list(condition: str, value: Any, wanted: bool) -> None:
    assert fires(condition, {"s": value}) is wanted


def test_6_3_no_substring_of_a_text_in_the_event() -> None:
    assert not fires("event.s in event.l", {"s": "ell", "l": "hello"})
    assert fires("event.s in event.l", {"s": "ell", "l": ["ell"]})


@pytest.mark.parametrize(
    ("condition", "value", "wanted"),
    [
        ("event.s contains 5", 5, True),
        ("event.s contains 5", [1, 5], True),
        ("event.s contains 1", [1.0], True),
        ("event.s contains 1", [True], False),
        ('event.s contains "ell"', "hello", False),
        ('event.s not contains "ell"', "hello", True),
        ('event.s contains "k"', {"k": 1}, False),
    ],
)
def test_6_4_contains_takes_a_scalar_for_a_list_of_one(condition: str, value: Any, wanted: bool) -> None:
    assert fires(condition, {"s": value}) is wanted


@pytest.mark.parametrize(
    ("condition", "value", "wanted"),
    [
        ('event.s is select(">", 25)', [1, 30], True),
        ('event.s is select(">", 25)', 30, True),
        ('event.s is select("==", 1)', ["1"], False),
        ('event.s is select("!=", 0)', ["a"], True),
        ('event.s is select("match", "b")', ["ab"], True),
        ('event.s is not select(">", 25)', [1, 30], True),
        ('event.s is not select(">", 25)', [30], False),
        ('event.s is not select(">", 25)', [], False),
        ('event.s is select("==", 1)', None, False),
        ('event.s is not select("==", 1)', None, True),
        ('not (event.s is select("==", 1))', [1], False),
        ('not (event.s is select("==", 1))', [2], True),
        ('event.s is select("<", "z")', ["a", 1], True),
    ],
)
def test_6_6_select(condition: str, value: Any, wanted: bool) -> None:
    assert fires(condition, {"s": value}) is wanted


@pytest.mark.parametrize(
    ("condition", "value", "wanted"),
    [
        ('event.s is selectattr("x", "==", 1)', [{"x": 1}], True),
        ('event.s is selectattr("x", "==", 1)', {"x": 1}, True),
        ('event.s is selectattr("x.y", "==", 1)', [{"x": {"y": 1}}], True),
        ('event.s is selectattr("x", "!=", 1)', [{}], False),
        ('event.s is selectattr("x", "not in", [1])', [{}], False),
        ('event.s is selectattr("x", "in", [1, 2])', [{"x": 2}], True),
        ('event.s is selectattr("x", "contains", 2)', [{"x": [2]}], True),
        ('event.s is selectattr("x", "not contains", 2)', [{"x": [1]}], True),
        ('event.s is not selectattr("x", "==", 1)', [{}], True),
        ('event.s is not selectattr("x", "==", 1)', [{"x": 1}], False),
        ('event.s is selectattr("x", "==", 1)', [{"x": 1}, 5], True),
        ('event.s is selectattr("x", "==", 1)', [5, {"x": 1}], False),
        ('event.s is not selectattr("x", "==", 1)', {}, False),
        ('event.s is selectattr("x", "==", null)', None, True),
        ('event.s is selectattr("x", "not in", [1])', None, False),
        ('event.s is selectattr("x.y", "==", null)', [{"x": None}], True),
        ('event.s is selectattr("x.y", "==", null)', [None], True),
        ('event.s is selectattr("x.y", "==", 1)', [{"x": None}, {"x": {"y": 1}}], True),
        ('event.s is not selectattr("x.y", "==", 1)', [None], True),
        ('event.s is selectattr("x", "!=", 1)', [{"x": None}], False),
        ('event.s is selectattr("x", "not in", [1])', [{"x": None}], False),
        ('event.s is selectattr("x", "in", [null])', [{"x": None}], False),
        ('event.s is selectattr("x", "not contains", 1)', {"x": None}, False),
        ('event.s is selectattr("x", "not contains", null)', None, True),
    ],
)
def test_6_7_selectattr(condition: str, value: Any, wanted: bool) -> None:
    assert fires(condition, {"s": value}) is wanted


@pytest.mark.parametrize("call", ['select("<", null)', 'selectattr("x", ">=", null)'])
def test_6_6_ordered_against_null_is_broken_and_counted(call: str) -> None:
    """The peer raises there."""
    for is_ in ("is", "is not"):
        rule = {"name": "r", "condition": f"event.s {is_} {call}", "action": {"none": None}}
        session = engine.Session(testing.load([{"name": "s", "hosts": "all", "sources": [], "rules": [rule]}])[0])
        assert session.post({"s": [{"x": 1}]}, 0) == []
        assert session.counters["comparisons_broken"] == 1
