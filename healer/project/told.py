"""Gives each key of a schema its description and an example, where the shape that it was made of has none. Caller: `published`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from healer.project import captions, samples

NOT_FOR_READING: Final = frozenset({"not", "if", "dependentSchemas"})
"""Parts that say what must not be, or when something holds: nobody writes what stands there."""
ALTERNATIVES: Final = frozenset({"allOf", "anyOf", "oneOf", "then", "else"})
VALUES: Final = frozenset({"properties", "default", "const", "enum", "examples", "$defs"})
SAID: Final = frozenset({"default", "const", "enum", "examples"})
"""Beside one of these no example is needed."""

Found = TypeVar("Found")


def of(schema: Any, parent: str, kind: str = "") -> Any:
    """A schema with what is told of its keys. `parent`: what it is called: a definition, a kind of file, or a key."""
    if isinstance(schema, list):
        return [of(part, parent, kind) for part in schema]
    if not isinstance(schema, dict):
        return schema
    properties = schema.get("properties")
    left = left_alone(schema)
    made = {name: part if name in left else of(part, parent, kind) for name, part in schema.items()}
    if isinstance(properties, dict):
        made["properties"] = {key: _key(part, parent, key, kind) for key, part in properties.items()}
    return made


def left_alone(schema: Mapping[str, Any]) -> frozenset[str]:
    """The parts of a schema in which nothing is told: beside `properties` alternatives only narrow what those are."""
    return NOT_FOR_READING | VALUES | (ALTERNATIVES if "properties" in schema else frozenset())


def _key(part: Any, parent: str, key: str, kind: str) -> Any:
    if not isinstance(part, dict) or set(part) <= NOT_FOR_READING:
        return part
    more: dict[str, Any] = {}
    if "description" not in part and (text := _within(part) or named(captions.DESCRIPTIONS, parent, key, kind)):
        more["description"] = text
    if not SAID & set(part) and (example := named(samples.EXAMPLES, parent, key, kind)) is not None:
        more["examples"] = [example]
    return {**of(part, key, kind), **more}


def _within(part: Mapping[str, Any]) -> str:
    """The description that stands at the first alternative that has one."""
    inner = part.get("anyOf")
    texts = (
        (str(one["description"]) for one in inner if isinstance(one, dict) and "description" in one)
        if isinstance(inner, list)
        else ()
    )
    return next(iter(texts), "")


def named(table: Mapping[str, Found], parent: str, key: str, kind: str = "") -> Found | None:
    """What a table has of a key: of that parent in that kind of file, of that parent, or of the key wherever it stands."""
    return next((table[name] for name in names(parent, key, kind) if name in table), None)


def names(parent: str, key: str, kind: str) -> tuple[str, str, str]:
    """What a key may be called in a table, the most exact first."""
    return f"{kind}/{parent}.{key}", f"{parent}.{key}", key
