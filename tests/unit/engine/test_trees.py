"""Trees of conditions: what each part came to is what the engine decides, and only what it looks at is told as looked at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer import engine, testing
from healer.engine import chains, conditions, leaves, normal

Tree = dict[str, Any]


def compiled(condition: Any, variables: dict[str, Any] | None = None) -> engine.Compiled:
    rule = {"name": "r", "condition": condition, "action": {"none": None}}
    return testing.load([{"name": "s", "hosts": "all", "sources": [], "rules": [rule]}], variables)[0]


def tree(
    condition: Any, event: Mapping[str, Any], variables: dict[str, Any] | None = None, *, fired: bool = False
) -> Tree:
    """Of one event; of several by their names where it has the key `events`."""
    made = compiled(condition, variables).rules[0]
    found = engine.tree_of(made, engine.tests_of(made, event.get("events", {"": dict(event)})), fired=fired)
    assert found is not None
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]


def short(node: Tree) -> Any:
    """`[kind, holds, parts …]`; of a test whether it holds."""
    return node["holds"] if node["kind"] == "test" else [node["kind"], node["holds"], *map(short, node["parts"])]


def kinds(node: Tree) -> Any:
    return node["test"] if node["kind"] == "test" else {node["kind"]: [kinds(part) for part in node["parts"]]}


@pytest.mark.parametrize(
    ("condition", "event", "told"),
    [
        ("event.a == 1", {"a": 1}, True),
        ("event.a == 1 and event.b == 1 and event.c == 1", {"a": 1, "b": 2, "c": 1}, ["and", False, True, False, None]),
        ("event.a == 1 or event.b == 1 or event.c == 1", {"b": 1}, ["or", True, False, True, None]),
        # One precedence, from left to right.
        ("event.a == 1 or event.b == 1 and event.c == 1", {"a": 1}, ["and", False, ["or", True, True, None], False]),
        ("event.a == 1 and event.b == 1 or event.c == 1", {"c": 1}, ["or", True, ["and", False, False, None], True]),
        ("event.a == 1 or (event.b == 1 and event.c == 1)", {"a": 1}, ["or", True, True, ["and", None, None, None]]),
        ("(event.a == 1 and event.b == 1) and event.c == 1", {"a": 1, "b": 1}, ["and", False, True, True, False]),
        # `not` stands at the tests: what is missing meets none.
        ("not (event.a == 1 and event.b == 1)", {"b": 2}, ["not", True, ["or", True, False, True]]),
        ("not (event.a == 1 or event.b == 1)", {"b": 2}, ["not", False, ["and", False, False, None]]),
        ("not (not (event.a == 1 or event.b == 1))", {"a": 2}, ["not", True, ["or", True, True, None]]),
        ("event.d == 1 and not (event.a == 1 or event.b == 1)", {"a": 2, "b": 2, "d": 1},
         ["and", True, True, ["not", True, ["and", True, True, True]]]),
        ("not (event.a == 1)", {}, False),
        ("not (event.a == 1)", {"a": None}, True),
        ("event.a == null or event.a.b is defined", {"a": None}, ["or", True, True, None]),
        ("event.a.b.c == 1 or event.a[3] == 1", {"a": [1]}, ["or", False, False, False]),
        ("not (event.a is defined) or event.b", {"b": True}, ["or", True, False, True]),
        ({"any": ["event.a == 1", "event.b == 1", "event.c == 1"]}, {"b": 1, "c": 1}, ["any", True, False, True, None]),
        ({"any": ["event.a == 1", "event.b == 1 and event.c == 1"]}, {}, ["any", False, False, ["and", False, False, None]]),
        ({"all": ["event.a == 1"]}, {"a": 1}, True),
        ({"all": ["event.a == 1", "event.b == 1"]}, {"a": 1}, ["all", None, True, False]),
        ({"all": ["event.a == 1", "event.b == 1"]}, {"c": 1}, ["all", False, False, False]),
        ({"not_all": ["event.a == 1", "event.b == 1"], "timeout": "3 seconds"}, {"b": 1}, ["not_all", None, False, True]),
        ({"not_all": ["event.a == 1", "event.b == 1"], "timeout": "3 seconds"}, {}, ["not_all", False, False, False]),
    ],
)  # fmt: skip
def test_each_part_with_what_it_came_to(condition: Any, event: dict[str, Any], told: Any) -> None:
    assert short(tree(condition, event)) == told


def test_no_sum_is_made_up_of_what_is_not_at_hand() -> None:
    condition = {"all": ["events.one << event.a == 1", "event.b < events.one.t + 5 and event.d < event.c + 1"]}
    found = tree(condition, {"b": 1, "c": 2, "d": 0})
    first, second = found["parts"][1]["parts"]
    assert first["sides"] == []
    assert second["sides"] == [{"path": "event.c + 1", "missing": False, "value": 3}]


def test_what_a_join_asks_of_two_events() -> None:
    condition = {
        "all": [
            "events.first << event.a == 1",
            "event.b == events.first.b and event.c == 1 and (event.d == events.first.d or event.e)",
        ]
    }
    # Of one event alone only what looks at it alone is asked; a field that is compared with another event has to be there.
    assert short(tree(condition, {"b": 1, "c": 1})) == [
        "all",
        None,
        False,
        ["and", None, None, True, ["or", None, None, None]],
    ]
    assert short(tree(condition, {"b": 1, "c": 2, "e": True})) == [
        "all",
        False,
        False,
        ["and", False, None, False, ["or", None, None, None]],
    ]
    assert short(tree(condition, {"c": 1})) == [
        "all",
        False,
        False,
        ["and", False, False, True, ["or", None, None, None]],
    ]
    events = {"first": {"a": 1, "b": 2, "d": 3}, "m_1": {"b": 2, "c": 1, "e": True}}
    found = tree(condition, {"events": events}, fired=True)
    assert short(found) == ["all", True, True, ["and", True, True, True, ["or", True, False, True]]]
    assert [part["pattern"] for part in found["parts"]] == ["first", "m_1"]


def test_numbers_are_those_of_the_tests() -> None:
    condition = {"any": ["event.a == 1 and not (event.b == 1 or event.c == 1)", "event.d == 1"]}
    assert kinds(tree(condition, {})) == {"any": [{"and": [0, {"not": [{"and": [1, 2]}]}]}, 3]}


@pytest.mark.parametrize(
    ("condition", "event", "element"),
    [
        ('event.l is select(">", 3)', {"l": [1, 4, 5]}, {"at": 1, "value": 4}),
        ('event.l is select(">", 3)', {"l": [1, 2]}, None),
        ('event.l is not select(">", 3)', {"l": [4, 1]}, {"at": 1, "value": 1}),
        ('not (event.l is select(">", 3))', {"l": [1, 4]}, {"at": 1, "value": 4}),
        ('event.l is selectattr("x.y", "==", 1)', {"l": [{}, {"x": {"y": 1}}]}, {"at": 1, "value": {"x": {"y": 1}}}),
        ('event.l is selectattr("x", "==", 1)', {"l": [{"x": 2}, 5, {"x": 1}]}, {"at": 1, "value": 5}),  # it cannot be asked
        ('event.l is select(">", event.a)', {"l": [2, 4], "a": 3}, {"at": 1, "value": 4}),
        ('event.l is selectattr("x", "==", 1)', {"l": {"x": 1}}, None),
        ('event.l is selectattr("x", "==", 1)', {}, None),
        ('event.l.x is select("==", "b")', {"l": [{"x": "a"}, {"x": "b"}]}, {"at": 1, "value": "b"}),
        ('event.l is select("search", "b+")', {"l": ["a", "abb"]}, {"at": 1, "value": "abb"}),
        ("event.l contains 2", {"l": [1, 2.0]}, {"at": 1, "value": 2.0}),
        ("event.l not contains 2", {"l": [1, 2]}, {"at": 1, "value": 2}),
        ("event.a in [1, 2]", {"a": 2}, {"at": 1, "value": 2}),
        ('event.l contains "a"', {"l": "a"}, None),
    ],
)  # fmt: skip
def test_the_element_that_decided(condition: str, event: dict[str, Any], element: Any) -> None:
    assert tree(condition, event).get("element") == element


@pytest.mark.parametrize(
    ("condition", "event", "sides"),
    [
        ("event.a == vars.x", {"a": 1}, [("vars.x", 7)]),
        ("event.a == vars.m.k", {"a": 1}, [("vars.m.k", [1, 2])]),
        ('event.a == "{{ x }}b"', {"a": 1}, [("right", "7b")]),
        ('event.a is match("{{ x }}b")', {"a": 1}, [("right", "7b")]),
        ("event.a + 1 > event.b", {"a": 1, "b": 1}, [("event.a + 1", 2)]),
        ("event.a + 1 > event.b", {"b": 1}, [("event.a + 1", 1)]),  # what is missing counts for nothing
        ('event.a - event["x y"] == 1', {"a": True, "x y": 1}, [('event.a - event["x y"]', "missing")]),
        ("event.a == 1", {"a": 1}, None),
        ("event.a == event.b", {"a": 1}, None),
    ],
)  # fmt: skip
def test_values_that_stand_neither_in_the_text_nor_in_the_event(
    condition: str, event: dict[str, Any], sides: Any
) -> None:
    found = tree(condition, event, {"x": 7, "m": {"k": [1, 2]}}).get("sides")
    assert (found and [(one["path"], one.get("value", "missing")) for one in found]) == sides


def test_tests_of_another_condition_have_no_tree() -> None:
    rule, other = (compiled(text).rules[0] for text in ("event.a == 1", "event.a == 2"))
    longer, negated = (compiled(text).rules[0] for text in ("event.a == 1 and event.b == 1", "not (event.a == 1)"))
    for one in (other, longer, negated):
        assert engine.tree_of(rule, engine.tests_of(one, {"": {"a": 1}})) is None
    assert engine.tree_of(rule, json.loads(json.dumps(engine.tests_of(rule, {"": {"a": 1}})))) is not None


# --- it is what the engine decides ------------------------------------------------------------------------------------------

TESTS = st.sampled_from([
    "event.a == 1", "event.a != 1", "event.b > 1", "event.b is defined", "event.c is not defined", "event.c", "event.a == event.b",
    'event.c contains "x"', "event.a in [1, 2]", "event.b not in [1]", 'event.c is select("==", "x")', 'event.c is not select(">", 1)',
    'event.c is selectattr("k", "!=", 1)', 'event.c is search("x")', "event.b + 1 == 2", "event.c.k == 1", "event.c[0] == 1", "event.c[-1] == 1",
    "event.a == null", "true", "false",
])  # fmt: skip
TEXTS = st.recursive(
    TESTS,
    lambda inner: (
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
            lambda parts: f"({parts[0]}) {parts[1]} ({parts[2]})"
        )
        | st.lists(inner, min_size=2, max_size=3).flatmap(
            lambda some: st.lists(st.sampled_from(["and", "or"]), min_size=len(some) - 1, max_size=len(some) - 1).map(
                lambda words: some[0] + "".join(f" {word} {one}" for word, one in zip(words, some[1:], strict=True))
            )
        )
        | inner.map(lambda text: f"not ({text})")
    ),
    max_leaves=7,
)
VALUES = st.sampled_from(
    [None, 1, 2, 1.0, "x", True, False, [], ["x"], [1, "x"], {"k": 1}, [{"k": 1}, {"k": 2}], [None], [5, {"k": 2}]]
)
EVENTS = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)


def looked_at(node: Tree) -> list[int]:
    if node["kind"] == "test":
        return [] if node["holds"] is None else [node["test"]]
    return [number for part in node["parts"] for number in looked_at(part)]


def asked(test: normal.Normal, event: dict[str, Any], order: list[conditions.Leaf]) -> list[int]:
    """Which tests the engine's own functions ask, by their numbers."""
    seen: list[int] = []

    def watched(node: normal.Normal) -> leaves.Holds:
        if isinstance(node, normal.Check):
            holds, number = (
                leaves.leaf(node.leaf.test, node.negated, leaves.Tally()),
                next(n for n, one in enumerate(order) if one is node.leaf),
            )
            return lambda event: (seen.append(number), holds(event))[1]
        parts = [watched(part) for part in node.parts]
        return leaves.all_of(parts) if isinstance(node, normal.All) else leaves._any_of(parts)

    watched(test)(event)
    return sorted(seen)


@given(TEXTS, EVENTS)
def test_of_any_condition_the_root_is_what_the_engine_decides(text: str, event: dict[str, Any]) -> None:
    made = compiled(text)
    rule = made.rules[0]
    (pattern,) = rule.condition.patterns
    found = tree(text, event)
    if conditions.absence(rule.condition) is None:
        session = engine.Session(made)
        assert found["holds"] is (session.explain(event)[0]["reason"] == "fires")
        assert found["holds"] is bool(session.post(event, 0))
    assert sorted(looked_at(found)) == asked(normal.normal(pattern.test), event, conditions.leaves(pattern.test))


@given(st.lists(TEXTS, min_size=1, max_size=3), EVENTS)
def test_so_it_is_of_any(texts: list[str], event: dict[str, Any]) -> None:
    made = compiled({"any": texts})
    if conditions.absence(made.rules[0].condition) is None:
        assert tree({"any": texts}, event)["holds"] is bool(engine.Session(made).post(event, 0))


JOINED = st.sampled_from(
    [
        "event.a == events.one.a",
        "event.b > events.one.b",
        "not (event.a == events.one.b)",
        "event.c contains events.one.a",
    ]
)
SECOND = st.lists(JOINED | TESTS, min_size=1, max_size=4).flatmap(
    lambda some: st.lists(st.sampled_from(["and", "and", "or"]), min_size=len(some) - 1, max_size=len(some) - 1).map(
        lambda words: some[0] + "".join(f" {word} {one}" for word, one in zip(words, some[1:], strict=True))
    )
)


@given(TEXTS, SECOND, EVENTS, EVENTS)
def test_what_an_event_meets_of_a_join_is_what_the_engine_says(
    first: str, second: str, one: dict[str, Any], other: dict[str, Any]
) -> None:
    condition = {"all": [f"events.one << {first}", second]}
    made = compiled(condition)
    rule = made.live[0]
    for event in (one, other):
        found = tree(condition, event)
        assert [part["holds"] is not False for part in found["parts"]] == [
            branch.holds(event) for branch in rule.branches
        ]
        assert (found["holds"] is None) == any(branch.holds(event) for branch in rule.branches)
        alone = chains.split(rule.rule.condition, leaves.Tally(), chains.Shared())[1].alone
        test = rule.rule.condition.patterns[1].test
        if alone is not None and "events." not in second:
            order = conditions.leaves(test)
            before = len(conditions.leaves(rule.rule.condition.patterns[0].test))
            assert [number - before for number in sorted(looked_at(found["parts"][1]))] == asked(alone, event, order)
    session = engine.Session(made)
    session.post(one, 0)
    for match in session.post(other, 1):
        found = tree(condition, {"events": match.matches}, fired=True)
        assert [found["holds"], *(part["holds"] for part in found["parts"])] == [True, True, True]
