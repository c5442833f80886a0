"""Checks of mappings."""

from __future__ import annotations

from typing import Any

import pytest

from healer import config
from healer.rulebook import fields


@pytest.mark.parametrize(
    ("value", "kind", "wanted"),
    [
        ("x", "string", True), (True, "integer", False), (True, "number", False), (True, "boolean", True), (1.0, "integer", True),
        (1.5, "integer", False), (1, "number", True), (None, "null", True), ({}, "string|object", True), ([], "object", False),
    ],
)  # fmt: skip
def test_types_are_those_of_json_schema(value: Any, kind: str, wanted: bool) -> None:
    assert fields.is_a(value, kind) is wanted


def test_unknown_and_missing_keys_are_said_together() -> None:
    document = config.read_text("nmae: 1\n", "x")
    assert not fields.keys(document, document.value, ("name", "other"), ("name",), "a thing")
    assert [(one.code, one.try_) for one in document.diagnostics] == [
        ("unknown-key", "did you mean 'name'?"),
        ("missing-key", "add name: …"),
    ]


def test_a_word_that_yaml_reads_otherwise_needs_quotes() -> None:
    document = config.read_text("name: off\n", "x")
    assert not fields.typed(document, document.value, "name", "string")
    assert document.diagnostics[0].try_ == "put quotes around it"


def test_values_are_shown_short() -> None:
    shown = [fields.shown(value) for value in ({"a": 1}, [], None, True, 5, "x" * 100)]
    assert shown[:5] == ["a mapping", "an empty list", "nothing", "true", "the number 5"]
    assert len(shown[5]) < 70
