"""The index finds every rule that could fire: with it and without it the same rules fire."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from healer import engine, testing
from healer.engine import compiled as compiled_
from healer.engine import index

TESTS = st.builds(
    lambda path, rest: f"event.{path} {rest}",
    st.sampled_from(["a", "b", "c.x", "d", "e", "f"]),
    st.sampled_from([
        '== "x"', "== 1", "== true", "== null", "> 1", ">= 1", "< 2", "<= 1.5", "!= 1", 'in ["x", 1]', 'is search("x")',
        'is search("l+o")', 'is match("h.l")', "is defined", 'contains "x"', "is not defined", '== "y"', "is search('[0-9]')",
        'is search("e.*o")', "+ 1 == 2", "in [true, 2.0]",
    ]),
)  # fmt: skip
CONDITIONS = st.one_of(
    TESTS,
    st.builds("{} and {}".format, TESTS, TESTS),
    st.builds("{} or {}".format, TESTS, TESTS),
    st.builds("not ({})".format, TESTS),
    st.builds("{} and not ({} or {})".format, TESTS, TESTS, TESTS),
)
VALUES = st.sampled_from(["x", "y", "hello", "1", 1, 2, 1.5, 1.0, True, False, None, [1], ["x"], {"x": "x"}, {"x": 1}])
EVENTS = st.dictionaries(st.sampled_from("abcdefg"), VALUES)


def ruleset(conditions: list[str]) -> engine.Compiled:
    rules = [{"name": f"r{n}", "condition": one, "action": {"none": None}} for n, one in enumerate(conditions)]
    loaded = [{"name": "s", "hosts": "all", "sources": [], "rules": rules, "match_multiple_rules": True}]
    return testing.load(loaded)[0]


def without_index(made: engine.Compiled, event: dict[str, Any]) -> list[int]:
    return [n for n, rule in enumerate(made.live) if rule.absence is None and rule.branch(event) is not None]


@given(st.lists(CONDITIONS, min_size=1, max_size=12), EVENTS)
def test_no_rule_is_overlooked(conditions: list[str], event: dict[str, Any]) -> None:
    made = ruleset(conditions)
    session = engine.Session(made)
    session.absences.go_on((), 0)
    assert [match.rule.index for match in session.post(event, 0)] == without_index(made, event)


def test_equality_narrows_to_the_rules_that_name_the_value() -> None:
    made = ruleset([f'event.type == "t{n}" and event.severity > 3' for n in range(1000)])
    assert list(made.index.find({"type": "t7", "severity": 1})) == [7]
    assert list(made.index.find({"severity": 9})) == []


def test_thresholds_patterns_and_missing_paths_narrow_too() -> None:
    made = ruleset([f"event.a > {n}" for n in range(50)] + [f'event.b is search("n{n}x")' for n in range(50)])
    assert list(made.index.find({"a": 2, "b": "some n7x"})) == [0, 1, 57]
    assert list(made.index.find({"c": 1})) == []


def test_numbers_of_both_kinds_meet_and_truth_does_not() -> None:
    made = ruleset(["event.a == 1", "event.a == true", 'event.a == "1"'])
    assert [list(made.index.find({"a": value})) for value in (1, 1.0, True, "1")] == [[0], [0], [1], [2]]


def test_the_best_gate_of_a_conjunction_is_the_equality() -> None:
    tree = compiled_.normal.normal(ruleset(['event.a > 1 and event.b == "x"']).rules[0].condition.patterns[0].test)
    assert index.gates_of(tree) == (index.Gate(("b",), "equal", "x"),)
