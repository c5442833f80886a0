"""The statements by name: each there once, and in a form that every Python from 3.11 on binds."""

from __future__ import annotations

import re

import pytest

from healer.store import journal, names


def test_statements_are_found_by_their_name_without_comments() -> None:
    found = names.load()
    assert found["attempt_targets"] == "SELECT targets FROM attempt WHERE run = ? AND number = ?"
    assert not [name for name, text in found.items() if "--" in text or text.endswith(";")]


@pytest.mark.parametrize("number", [1, 3])
def test_placeholders_have_no_number(number: int) -> None:
    """Values come as a sequence: with `?1` Python 3.12 warns of that and 3.14 refuses it."""
    for text in [*names.load().values(), journal._statement(number), journal._guarded_statement(number)]:
        assert not re.search(r"\?\d", text), text


def test_migrations_are_numbered_without_a_gap() -> None:
    numbers = [number for number, _ in names.schema()]
    assert numbers == list(range(1, len(numbers) + 1))
