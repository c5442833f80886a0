"""Which paths a text of a rulebook reads."""

from __future__ import annotations

import pytest

from healer.lint import texts


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ('event.alert.name == "x"', [("event", ("alert", "name"), "")]),
        ('event.a["b c"][0] == event.d', [("event", ("a", ("b c",), 0), ""), ("event", ("d",), "")]),
        ('event["a"].b is defined', [("event", ("a", "b"), "")]),
        ('event.a == "event.b.c"', [("event", ("a",), "")]),
        ("event.a == 'event.b'", [("event", ("a",), "")]),
        ("fact.os == 'x'", [("fact", ("os",), "")]),
        ("facts.os == 'x'", [("facts", (), "")]),
        ("events.first.x == event.x", [("events", ("x",), "first"), ("event", ("x",), "")]),
        ("events.other.x == 1", [("events", ("other", "x"), "")]),
        ("vars.event.x == 1", []),
        ("my_event.x == 1", []),
        ("true", []),
    ],
)
def test_of_a_condition(text: str, read: list[object]) -> None:
    assert [(one.root, one.steps, one.name) for one in texts.of_condition(text, ("first",))] == read


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("{{ event.alert.target }}", [("event.alert.target", ("alert", "target"))]),
        ("{{event.a}}", [("event.a", ("a",))]),
        ("x-{{ event.a.b }}-{{ event['c d'].e }}", [("event.a.b", ("a", "b")), ("event.c d.e", ("c d", "e"))]),
        ("{{ event.a[0].b }}", [("event.a[0].b", ("a", 0, "b"))]),
        ("{{ event.a.split(':')[0] }}", [("event.a", ("a",))]),
        ("{{ event.a.get(event.b) }}", [("event.a", ("a",)), ("event.b", ("b",))]),
        ("{{ event.a[event.b] }}", [("event.a", ("a",))]),
        ("{{ event.a[event.b].c }}", [("event.a", ("a",))]),
        ("{{ event.a | default(event.b) }}", [("event.a", ("a",)), ("event.b", ("b",))]),
        ("{{ events.m_0.x }}", [("events.m_0.x", ("x",))]),
        ("{{ events.m_0 }}", []),
        ("{{ event }}", []),
        ("{{ vars.x }} {{ other.event.x }}", []),
        ("{% for event in events.m.l %}{{ event.x }}{% endfor %}", [("events.m.l", ("l",))]),
        ("event.a", []),
        ("{{ event.a +", []),
        ("{{ event.a + }}", []),
    ],
)
def test_of_a_template(text: str, read: list[object]) -> None:
    assert [(one.shown, one.steps) for one in texts.of_template(text)] == read


def test_of_an_attribute() -> None:
    found = texts.of_attribute("event.alert.labels.x")
    assert found is not None
    assert found.steps == ("alert", "labels", "x")
    assert texts.of_attribute("no path at all") is None
