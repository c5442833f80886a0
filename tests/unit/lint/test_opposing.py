"""Tests that no event meets both: what is told is so by the engine, and what may hold is not told."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from healer import config, rulebook
from healer.engine import leaves, normal
from healer.lint import reach

TESTS = (
    "event.x == event.y", "event.y != event.x", "event.x < event.y", "event.y < event.x", "event.x >= event.y", "event.x <= event.y",
    "event.x contains 1", "event.x not contains 1", "1 in event.x", 'event.x is search("a")', 'event.x is not search("a")',
    'event.x is match("a")', 'event.x is select("==", 1)', 'event.x is not select("==", 1)', "event.x", "event.x in event.y",
    'event.x is selectattr("k", "==", 1)', 'event.x is not selectattr("k", "==", 1)', "event.x is defined", "event.x + 1 < event.y",
    "event.x + 1 > event.y", "event.x not in [1, 2]", "event.x == 1", "event.x > 1",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    ..., None, 0, 1, 2, 1.5, True, False, "", "a", "ba", "null", [1], [1, 2], [2], [], ["a"], [None], {}, {"k": 1}, {"k": 2},
    [{"k": 1}, {"k": 2}], [{}],
)  # fmt: skip
EVENTS = [
    {name: value for name, value in (("x", one), ("y", other)) if value is not ...}
    for one, other in itertools.product(VALUES, VALUES)
]


def parsed(*texts: str) -> list[Any]:
    rules = [{"name": f"r{number}", "condition": text, "action": {"none": {}}} for number, text in enumerate(texts)]
    document = config.read_text(json.dumps([{"name": "a", "hosts": "all", "sources": [], "rules": rules}]), "a.yml")
    (ruleset,) = rulebook.parse(document, {})
    assert document.ok, document.diagnostics
    return [normal.normal(rule.condition.patterns[0].test) for rule in ruleset.rules]


def why(text: str) -> str:
    (node,) = parsed(text)
    found = reach.never(node)
    return found.why if found else ""


@pytest.mark.parametrize(
    ("text", "last", "before"),
    [
        ("event.l contains 1 and event.l not contains 1", "event.l not contains 1", "event.l contains 1"),
        ("event.l contains event.b and not (event.l contains event.b)", "not (event.l contains event.b)", "event.l contains event.b"),
        ('event.x is search("a") and event.x is not search("a")', 'event.x is not search("a")', 'event.x is search("a")'),
        ('event.x is search("a") and not (event.x is search("a"))', 'not (event.x is search("a"))', 'event.x is search("a")'),
        ("event.x == event.y and event.x != event.y", "event.x != event.y", "event.x == event.y"),
        ("event.x == event.y and event.b == 1 and event.y != event.x", "event.y != event.x", "event.x == event.y"),
        ("event.x > event.y and event.x < event.y", "event.x < event.y", "event.x > event.y"),
        ("event.x > event.y and event.y > event.x", "event.y > event.x", "event.x > event.y"),
        ("event.x == event.y and event.x < event.y", "event.x < event.y", "event.x == event.y"),
        ("event.x < event.y and not (event.y > event.x)", "not (event.y > event.x)", "event.x < event.y"),
        ('event.x is select("==", 1) and not (event.x is select("==", 1))', 'not (event.x is select("==", 1))', 'event.x is select("==", 1)'),
        ("event.x + 1 > 5 and event.x + 1 < 5", "event.x + 1 < 5", "event.x + 1 > 5"),
        ("(event.x == event.y or event.l contains 1) and not (event.x == event.y or event.l contains 1)", "event.x == event.y", "not (event.x == event.y)"),
    ],
)  # fmt: skip
def test_two_that_exclude_each_other(text: str, last: str, before: str) -> None:
    assert why(text) == f"`{last}` holds only where `{before}` does not"


@pytest.mark.parametrize(
    "text",
    [
        'event.x is select("==", 1) and event.x is not select("==", 1)', "event.x <= event.y and event.x >= event.y",
        'not (event.x is search("a")) and not (event.x is not search("a"))', "not (event.x < event.y) and not (event.x >= event.y)",
        "event.l contains 1 and event.l not contains 2", 'event.x is search("a") and event.x is not search("b")',
        'event.x is search("a") and event.x is not match("a")', "event.x == event.y and event.x != event.z",
        "event.x contains 1 or event.x not contains 1", "(event.x == event.y or event.b) and event.x != event.y",
        "event.x == event.y and not (event.x <= event.y)",
    ],
)  # fmt: skip
def test_two_that_may_hold(text: str) -> None:
    assert why(text) == ""


def test_what_is_told_is_so() -> None:
    signed = [
        text.format(one)
        for one in TESTS
        for text in ("{}", "not ({})")
        if (one, text[0]) != ("event.x is defined", "n")
    ]
    pairs = [*itertools.product(signed, signed)]
    nodes = parsed(*(f"{one} and {other}" for one, other in pairs))
    told = 0
    for pair, node in zip(pairs, nodes, strict=True):
        if reach.never(node) is not None:
            told += 1
            holds = leaves.condition(node, leaves.Tally())
            assert not any(map(holds, EVENTS)), pair
    assert told > 100


def test_of_an_earlier_event_nothing_is_told() -> None:
    text = "event.a == events.first.a and event.a != events.first.a"
    rule = {"name": "r", "condition": {"all": ["events.first << event.b == 1", text]}, "action": {"none": {}}}
    document = config.read_text(json.dumps([{"name": "a", "hosts": "all", "sources": [], "rules": [rule]}]), "a.yml")
    (ruleset,) = rulebook.parse(document, {})
    assert reach.never(normal.normal(ruleset.rules[0].condition.patterns[1].test)) is None
