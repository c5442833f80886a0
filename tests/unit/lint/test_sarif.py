"""SARIF 2.1.0: what its schema asks for, and what code scanning reads."""

from __future__ import annotations

import jsonschema
import pytest

from healer import errors
from healer.lint import codes, sarif

TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
REGION = {
    "type": "object", "required": ["startLine"], "additionalProperties": False,
    "properties": {name: {"type": "integer", "minimum": 1} for name in ("startLine", "startColumn", "endColumn")},
}  # fmt: skip
LEVEL = {"enum": ["none", "note", "warning", "error"]}
SHAPE = {
    "type": "object", "required": ["version", "runs", "$schema"], "additionalProperties": False,
    "properties": {
        "version": {"const": "2.1.0"}, "$schema": {"type": "string", "format": "uri"},
        "runs": {"type": "array", "minItems": 1, "items": {
            "type": "object", "required": ["tool", "results"], "additionalProperties": False,
            "properties": {
                "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                "tool": {"type": "object", "required": ["driver"], "properties": {"driver": {
                    "type": "object", "required": ["name"], "properties": {"rules": {"type": "array", "uniqueItems": True, "items": {
                        "type": "object", "required": ["id", "shortDescription", "help"], "additionalProperties": False, "properties": {
                            "id": {"type": "string"}, "shortDescription": TEXT, "help": TEXT,
                            "defaultConfiguration": {"type": "object", "properties": {"level": LEVEL}}, "properties": {"type": "object"},
                        },
                    }}},
                }}},
                "results": {"type": "array", "items": {
                    "type": "object", "required": ["message", "ruleId", "ruleIndex", "level"], "additionalProperties": False,
                    "properties": {
                        "message": TEXT, "ruleId": {"type": "string"}, "ruleIndex": {"type": "integer", "minimum": 0}, "level": LEVEL,
                        "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
                        "locations": {"type": "array", "items": {"type": "object", "properties": {"physicalLocation": {
                            "type": "object", "required": ["artifactLocation"], "properties": {"region": REGION, "artifactLocation": {
                                "type": "object", "required": ["uri"], "properties": {"uri": {"type": "string", "format": "uri-reference"}},
                            }},
                        }}}},
                    },
                }},
            },
        }},
    },
}  # fmt: skip
"""The parts of the published schema (sarif-schema-2.1.0.json) that such a log has."""

TOLD = [
    errors.Diagnostic(
        "unknown-path", "no such field", errors.Place("rulebooks/ä b.yml", 3, 5), "warning", "    x", 4, "did you mean?"
    ),
    errors.Diagnostic("no-impact", "it counts as high", errors.Place("actions.yaml"), "hint"),
    errors.Diagnostic("unknown-path", "another", errors.Place("rulebooks/a.yml", 9), "error"),
]


def test_a_log_is_as_the_schema_has_it() -> None:
    jsonschema.validate(sarif.log(TOLD), SHAPE)
    jsonschema.validate(sarif.log([]), SHAPE)


def test_results_have_their_rule_level_and_place() -> None:
    (run,) = sarif.log(TOLD, "heal")["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [one["id"] for one in rules] == ["no-impact", "unknown-path"]
    assert [(one["ruleId"], rules[one["ruleIndex"]]["id"], one["level"]) for one in run["results"]] == [
        ("unknown-path", "unknown-path", "warning"), ("no-impact", "no-impact", "note"), ("unknown-path", "unknown-path", "error"),
    ]  # fmt: skip
    first, second, third = (one["locations"][0]["physicalLocation"] for one in run["results"])
    assert first["artifactLocation"] == {"uri": "heal/rulebooks/%C3%A4%20b.yml", "uriBaseId": "%SRCROOT%"}
    assert first["region"] == {"startLine": 3, "startColumn": 5, "endColumn": 9}
    assert "region" not in second
    assert third["region"] == {"startLine": 9}
    assert run["columnKind"] == "unicodeCodePoints", "as columns are counted here"


@pytest.mark.parametrize("name", sorted(codes.TABLE))
def test_each_code_has_its_help(name: str) -> None:
    rule = sarif.log([errors.Diagnostic(name, "x", errors.Place("a"))])["runs"][0]["tool"]["driver"]["rules"][0]
    assert "What to do: " in rule["help"]["text"]
    assert rule["shortDescription"]["text"] == codes.TABLE[name].what
