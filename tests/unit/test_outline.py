"""The tree of a condition line by line, also where what a daemon answers is not what it should be."""

from __future__ import annotations

from typing import Any

import pytest

from healer import engine, outline, testing


def rows(condition: Any, event: dict[str, Any]) -> list[tuple[int, bool | None, str]]:
    rule = {"name": "r", "condition": condition, "action": {"none": None}}
    (made,) = testing.load([{"name": "s", "hosts": "all", "sources": [], "rules": [rule]}])[0].rules
    tests = engine.tests_of(made, {"": event})
    return [(row.depth, row.holds, row.text) for row in outline.rows(engine.tree_of(made, tests), tests)]


def test_each_part_has_its_depth():
    assert rows("event.a == 1 and not (event.b == 1 or event.c == 1) or event.d", {"a": 1}) == [
        (0, False, "or"), (1, False, "and"), (2, True, "event.a == 1"), (2, False, "not"), (3, False, "and"),
        (4, False, "not (event.b == 1)"), (4, None, "not (event.c == 1)"), (1, False, "event.d"),
    ]  # fmt: skip


def test_names_are_those_that_somebody_gave():
    assert rows({"all": ["events.first << event.a == 1", "event.b == 1 and event.c"]}, {"a": 1}) == [
        (0, None, "all"), (1, True, "first << event.a == 1"), (1, False, "and"), (2, False, "event.b == 1"), (2, None, "event.c"),
    ]  # fmt: skip


TEST = {
    "text": "event.a == 1",
    "holds": True,
    "negated": False,
    "seen": [{"path": "event.a", "missing": False, "value": 1}],
}


def test_tests_without_a_tree_are_one_list():
    assert [(row.depth, row.holds, row.text, list(row.seen)) for row in outline.rows(None, [TEST, TEST | {"holds": None}])] == [
        (0, True, "event.a == 1", TEST["seen"]), (0, None, "event.a == 1", TEST["seen"]),
    ]  # fmt: skip
    assert [*outline.rows(None, None)] == []


@pytest.mark.parametrize(
    ("test", "note"),
    [
        ({"text": "event.a  is defined", "negated": True, "holds": False}, "never holds: write event.a is not defined"),
        (
            {"text": "event.a != 1", "holds": False, "seen": [{"path": "event.a", "missing": True}]},
            "no test of it holds",
        ),
        ({"text": "event.a == 1", "holds": False, "seen": [{"path": "event.a", "missing": True}]}, ""),
        (
            {"text": "event.a == 1", "negated": True, "holds": False, "seen": [{"path": "event.a", "missing": False}]},
            "",
        ),
    ],
)
def test_what_the_language_makes_of_a_not(test, note):
    assert [row.note for row in outline.rows({"kind": "test", "test": 0, "holds": False}, [test])] == [note]


DEEP: dict[str, Any] = {"kind": "and", "parts": []}
for _ in range(500):
    DEEP = {"kind": "or", "parts": [DEEP]}


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"kind": 5, "parts": [None, 5, {"kind": "test", "test": 9}, {"test": "x"}]},
        {"parts": "no"},
        {"test": 0, "sides": [1], "element": 2},
        DEEP,
    ],
)
@pytest.mark.parametrize("tests", [[], None, [TEST], ["text"], [{"seen": 5}], [{"seen": [5]}]])
def test_whatever_is_answered_can_be_shown(tree, tests):
    found = [*outline.rows(tree, tests)]
    assert 0 < len(found) <= outline.DEPTH_MAX + 2
