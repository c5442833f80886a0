"""The files of a project as JSON Schema. That they say what the checks say: tests/rulebooks/test_schema.py."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from healer import plugins, project
from healer.project import settings


def parts(part: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in a schema."""
    if isinstance(part, dict):
        yield part
        for inner in part.values():
            yield from parts(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from parts(inner)


@pytest.mark.parametrize("kind", project.SCHEMAS)
def test_each_is_whole_and_the_same_each_time(kind: str) -> None:
    made = project.schema(kind)
    jsonschema.Draft202012Validator.check_schema(made)
    assert json.dumps(project.schema(kind)) == json.dumps(made)
    named = {part["$ref"] for part in parts(made) if isinstance(part.get("$ref"), str)}
    assert named <= {f"#/$defs/{name}" for name in made["$defs"]}
    assert {f"#/$defs/{name}" for name in made["$defs"]} == named


@pytest.mark.parametrize("kind", project.SCHEMAS)
def test_a_default_is_what_may_be_written(kind: str) -> None:
    made = project.schema(kind)
    for part in parts(made):
        if "default" in part and isinstance(part.get("type", part.get("anyOf", part.get("enum"))), str | list):
            assert jsonschema.Draft202012Validator({**part, "$defs": made["$defs"]}).is_valid(part["default"]), part


def test_the_settings_are_those_of_the_shape() -> None:
    names = {one.alias or name for name, one in settings.Settings.model_fields.items()}
    assert names <= set(project.schema("healer")["properties"])


def test_the_types_of_controllers_are_those_that_ship() -> None:
    made = project.schema("controllers")["$defs"]
    assert {name for name in made if name.startswith("controller_")} == {
        f"controller_{name}" for name in plugins.builtin_names("controllers")
    }


def test_the_shapes_of_a_channel_say_whose_they_are() -> None:
    """In a schema they stand beside those of everything else."""
    made = project.schema("healer")["$defs"]
    for name in plugins.builtin_names("notifiers"):
        assert {f"{name.title()}Account", f"{name.title()}Options"} <= made.keys()
    assert not {"Options", "Account", "Workspace"} & made.keys()
