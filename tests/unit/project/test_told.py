"""Each key of each kind of file has a description and an example in its schema, and each example is valid where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from healer import harness, project
from healer.project import captions, samples, told

SCHEMAS = {**project.SCHEMAS, **harness.SCHEMAS}
KINDS = list(SCHEMAS)


def keys(part: Any, parent: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(parent, key, schema) of each key that somebody may write."""
    if isinstance(part, list):
        for one in part:
            yield from keys(one, parent)
    if not isinstance(part, dict):
        return
    for key, one in (part.get("properties") or {}).items():
        if isinstance(one, dict) and not set(one) <= told.NOT_FOR_READING:
            yield parent, key, one
            yield from keys(one, key)
    for name, one in part.items():
        if name not in told.left_alone(part):
            yield from keys(one, parent)


def all_keys(kind: str) -> Iterator[tuple[dict[str, Any], str, str, dict[str, Any]]]:
    """As `keys`, of a kind, each with the definitions that it may refer to."""
    schema = project.schema(kind, SCHEMAS)
    found = list(keys({name: part for name, part in schema.items() if name != "$defs"}, kind))
    for name, part in schema["$defs"].items():
        found += list(keys(part, name.rpartition("__")[2]))
    for parent, key, part in found:
        yield schema["$defs"], parent, key, part


@pytest.mark.parametrize("kind", KINDS)
def test_each_key_has_a_description(kind):
    missing = [f"{parent}.{key}" for defs, parent, key, part in all_keys(kind) if not described(defs, part)]
    assert missing == [], "healer/project/captions.py"


def described(defs: dict[str, Any], part: dict[str, Any]) -> bool:
    """Whether a key's schema says what it is for, or what it refers to does."""
    return "description" in part or "description" in defs.get(str(part.get("$ref")).rpartition("/")[2], {})


@pytest.mark.parametrize("kind", KINDS)
def test_each_key_has_an_example_or_its_values(kind):
    missing = [f"{parent}.{key}" for _, parent, key, part in all_keys(kind) if not told.SAID & set(part)]
    assert missing == [], "healer/project/samples.py"


@pytest.mark.parametrize("kind", KINDS)
def test_each_example_is_valid(kind):
    wrong = []
    for defs, parent, key, part in all_keys(kind):
        checker = jsonschema.Draft202012Validator({**part, "$defs": defs})
        for example in part.get("examples", ()):
            wrong += [f"{parent}.{key}: {error.message[:200]}" for error in checker.iter_errors(example)]
    assert wrong == []


def test_nothing_is_left_over_in_the_tables():
    used: set[str] = set()
    for kind in KINDS:
        for _, parent, key, _part in all_keys(kind):
            for table in (captions.DESCRIPTIONS, samples.EXAMPLES):
                used.add(next((name for name in told.names(parent, key, kind) if name in table), ""))
    assert sorted(set(captions.DESCRIPTIONS) - used) == []
    assert sorted(set(samples.EXAMPLES) - used) == []


def test_what_a_shape_says_itself_stays():
    part = {
        "properties": {
            "controllers": {"description": "its own", "default": 1},
            "tags": {"anyOf": [{"description": "within"}, {}]},
        }
    }
    assert told.of(part, "x")["properties"] == {
        "controllers": {"description": "its own", "default": 1},
        "tags": {"description": "within", "examples": [["web"]], "anyOf": [{"description": "within"}, {}]},
    }


def test_what_must_not_be_is_left_alone():
    part = {
        "not": {"properties": {"tags": {}}},
        "if": {"properties": {"tags": {}}},
        "default": {"properties": {"tags": {}}},
    }
    assert told.of(part, "x") == part
