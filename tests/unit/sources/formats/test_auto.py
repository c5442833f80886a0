"""What names no sender yet is read as `generic` reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from healer import errors
from healer.formats import auto, generic

BODY = {"name": "DiskFull", "host": "web1", "status": "PROBLEM", "alerts": [{"status": "resolved"}]}


def test_a_body_is_read_as_generic_does() -> None:
    assert auto.FORMAT.read(BODY, {"x-a": "b"}) == generic.FORMAT.read(BODY, {"x-a": "b"})
    assert (auto.FORMAT.fields, auto.FORMAT.resolves, auto.FORMAT.auth) == (
        generic.FORMAT.fields, generic.FORMAT.resolves, generic.FORMAT.auth,
    )  # fmt: skip
    with pytest.raises(errors.NotAnObject):
        auto.FORMAT.read([BODY], {})


def test_it_says_where_to_name_the_format_and_is_suggested_to_nobody() -> None:
    assert (auto.FORMAT.name, auto.FORMAT.marks) == ("auto", ())
    assert "format: auto" in auto.FORMAT.setup
    assert "HOOK_URL" in auto.FORMAT.setup


def test_any_body_gives_elements_or_a_named_mistake(withstands: Callable[..., Any]) -> None:
    withstands(auto.FORMAT.read, BODY)
