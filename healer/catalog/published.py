"""Actions as JSON Schema (draft 2020-12), for editors: one of `actions.yaml`, and one in metadata beside its file.

Caller: `project`. It is made of the shape and the tables that `building` checks with.
"""

from __future__ import annotations

from typing import Any, Final

from healer import plugins
from healer.catalog import building, schemas
from healer.catalog.entries import KINDS

_TEXT: Final = {"type": "string"}
_NUMBER: Final = {"type": "number"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_PART: Final = {"anyOf": [{"type": "boolean"}, {"$ref": "#/$defs/parameter"}]}
_KEYWORDS: Final = {
    **dict.fromkeys(("description", "title", "format", "pattern"), _TEXT),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _NUMBER),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), _COUNT),
    **dict.fromkeys(schemas.WITHIN, _PART),
    **{key: {"type": "array", "minItems": 1, "items": _PART} for key in schemas.LISTED},
    **{key: {"type": "object", "additionalProperties": _PART} for key in schemas.NAMED},
    "default": {"description": "what it is where nothing is given"},
    "enum": {"type": "array"},
    "required": {"type": "array", "items": _TEXT},
    "uniqueItems": {"type": "boolean"},
}
"""Of JSON Schema what parameters are mostly made of; the checks know all of it."""


def entry(*, beside: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema of one action, and the `$defs` that it refers to. `beside`: in metadata, where the file says what it runs."""
    _, defs = plugins.schemas([building.EntryShape])
    made = defs.pop(building.EntryShape.__name__)
    made["properties"]["parameters"] |= {
        "propertyNames": {"pattern": whole(building.PARAMETER.pattern)},
        "maxProperties": building.PARAMETERS_MAX,
        "additionalProperties": {"$ref": "#/$defs/parameter"},
    }
    one = plugins.exactly_one(*KINDS)
    made |= {"oneOf": [*one["oneOf"], {"not": {"anyOf": one["oneOf"]}}]} if beside else one
    return made, {**defs, "parameter": _parameter()}


def _parameter() -> dict[str, Any]:
    types = {"enum": list(schemas.TYPES)}
    several = {"type": "array", "items": types, "minItems": 1, "uniqueItems": True}
    return {
        "type": "object",
        "description": "JSON Schema of the parameter",
        "properties": {"type": {"anyOf": [types, several]}, **_KEYWORDS},
        "propertyNames": {
            "anyOf": [{"enum": sorted({*schemas.KEYWORDS} - {*schemas.REFUSED})}, {"pattern": f"^{schemas.OWN}"}]
        },
    }


def whole(pattern: str) -> str:
    """A pattern that has to match the whole text."""
    return f"^(?:{pattern})$"
