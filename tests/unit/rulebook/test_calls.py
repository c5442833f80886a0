"""The right sides of `is`."""

from __future__ import annotations

from typing import Any

import pytest

from healer.engine import conditions
from healer.rulebook import grammar, words

PATH = conditions.Path(("a",))


def parse(text: str) -> Any:
    made = grammar.Parser(
        text, {"p": "x+", "n": 5}.__getitem__, lambda part: part, lambda offset: (1, offset + 1)
    ).parse()
    return conditions.leaves(made.test)[0].test


def test_patterns_and_options() -> None:
    assert parse('event.a is match("x", ignorecase=true, multiline = false)') == conditions.Search(
        PATH, True, "x", True, False, False
    )
    assert parse("event.a is not regex(vars.p)") == conditions.Search(PATH, False, "x+", False, False, True)


def test_select_and_selectattr() -> None:
    assert parse('event.a is select("!=", vars.n)') == conditions.Select(PATH, None, "!=", conditions.Literal(5), False)
    assert parse('event.a is not selectattr("x.y", "in", [1])') == conditions.Select(
        PATH, ("x", "y"), "in", conditions.Literal([1]), True
    )
    assert parse('event.a is select("==", event.b)').operand == conditions.Path(("b",))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("event.a is search()", "condition-syntax"), ("event.a is search(1)", "regex-operand"),
        ("event.a is search(event.p)", "regex-operand"), ('event.a is search("x", "y")', "condition-call"),
        ('event.a is search("x", dotall=true)', "regex-option"), ('event.a is search("x", ignorecase=1)', "regex-option"),
        ('event.a is search("a++")', "regex-unsupported"), ('event.a is search("(?P<x>a)")', "regex-bad"),
        ('event.a is select("in", [1])', "condition-operator"), ('event.a is select("==")', "condition-call"),
        ('event.a is select("search", "(?=a)")', "regex-unsupported"), ("event.a is select(1, 1)", "condition-operator"),
        ('event.a is selectattr("x", "bad", 1)', "condition-operator"), ('event.a is selectattr(1, "==", 1)', "condition-call"),
        ('event.a is selectattr("x", "==", event.b)', "condition-call"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused(text: str, code: str) -> None:
    with pytest.raises(words.Wrong) as caught:
        parse(text)
    assert caught.value.code == code
