"""Variables and Jinja: each statement of section 9 of the measured semantics, held to by our engine and by the real one."""

from __future__ import annotations

from typing import Any

import pytest

from healer import templates

VARIABLES = {"a": {"b": 42}, "l": ["x", 1], "t": True, "m": {"k": 1}, "x": 42}


def test_9_1_a_variable_is_replaced_by_its_value_at_load(on: Any) -> None:
    on.table({
        "event.i == vars.a.b": [({"i": 42}, True), ({"i": "42"}, False)], "event.i in vars.l": [({"i": "x"}, True), ({"i": 1}, True), ({"i": 2}, False)],
        "event.i == vars.t": [({"i": True}, True), ({"i": 1}, False), ({"i": "true"}, False)],
    }, variables=VARIABLES)  # fmt: skip


@pytest.mark.parametrize("condition", ["event.i == vars.nope", "event.i == vars.a.nope", "event.i == vars.m"])
def test_9_1_a_missing_key_and_a_map_are_errors_at_load(on: Any, condition: str) -> None:
    assert on.refuses(condition, variables=VARIABLES)


def test_9_2_templates_work_inside_string_literals_only(on: Any) -> None:
    """And give a text."""
    on.table({'event.a == "{{ x }}"': [({"a": "42"}, True), ({"a": 42}, False)]}, variables=VARIABLES)
    assert on.refuses("{{ cond }}", variables={"cond": "event.a == 1"})


def test_9_3_the_name_of_a_rule_is_templated_at_load(on: Any) -> None:
    assert on.rules({"rule {{ x }}": "event.a == 1"}, {"a": 1}, variables=VARIABLES) == [["rule 42"]]


@pytest.mark.parametrize("value", [2, 1.5, True, [1, "a"], {"k": 1}, "text"])
def test_9_3_arguments_of_actions_keep_native_types(on: Any, value: Any) -> None:
    assert rendered(on, "{{ my }}", {"my": value}) == value


@pytest.mark.parametrize(("text", "there"), [("{{ my }}", 5), ("{{ my }}{{ my }}", 55), ("[{{ my }}]", [5])])
def test_9_3_anything_else_than_one_expression_is_a_text_here(on: Any, text: str, there: Any) -> None:
    """We differ on purpose: the peer evaluates what comes out as a literal, also a text that an event brought."""
    here = {"{{ my }}": "5", "{{ my }}{{ my }}": "55", "[{{ my }}]": "[5]"}
    assert rendered(on, text, {"my": "5"}) == (here[text] if on.ours else there)


def rendered(on: Any, text: str, variables: dict[str, Any]) -> Any:
    """What an argument becomes as the action runs."""
    if on.ours:
        return templates.render(text, variables)
    from ansible_rulebook.util import substitute_variables

    return substitute_variables(text, variables)
