"""The schema of rulebooks has the keys of the tables that the checks use. That both say the same: tests/rulebooks/test_schema.py."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from healer import rulebook
from healer.rulebook import actions, conditions, rules, rulesets, throttles

SCHEMA: dict[str, Any] = rulebook.schema({"healer.x": {"type": "object", "required": ["a"]}})


def keys(name: str) -> set[str]:
    return set(SCHEMA["$defs"][name]["properties"])


def test_every_key_is_one_of_the_checks() -> None:
    assert keys("ruleset") == set(rulesets.KEYS)
    assert keys("rule") == set(rules.KEYS)
    assert keys("throttle") == set(throttles.KEYS)
    assert keys("action") == set(actions.SHAPES)
    kinds = SCHEMA["$defs"]["condition"]["anyOf"][1:]
    assert {key for one in kinds for key in one["properties"]} == {*conditions.KINDS, "timeout"}


@pytest.mark.parametrize("name", actions.SHAPES)
def test_every_argument_is_one_of_the_checks(name: str) -> None:
    made = SCHEMA["$defs"]["action"]["properties"][name]
    shape = actions.SHAPES[name]
    assert set(made.get("properties", {})) == set(shape.arguments)
    assert made.get("required", []) == list(shape.required)


@pytest.mark.parametrize(("source", "fine"), [
    ({"healer.x": {"a": 1}}, True), ({"healer.x": {}}, False), ({"x": None, "name": "n", "filters": [{"f": None}]}, True),
    ({}, False), ({"name": "n"}, False), ({"name": "n", "filters": []}, False), ({"x": None, "y": None}, False),
    ({"x": None, "filters": [{}]}, False), ({"x": None, "name": 5}, False), ({"x": []}, False),
])  # fmt: skip
def test_a_source_has_one_type(source: dict[str, Any], fine: bool) -> None:
    book = [{"name": "s", "hosts": "all", "sources": [source], "rules": []}]
    assert jsonschema.Draft202012Validator(SCHEMA).is_valid(book) is fine
