"""Values of a test's steps, in it and in files of their own: JSON, and an object where an event is one."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from healer.harness import fixtures


@pytest.mark.parametrize(("text", "holds"), [
    ("[1]", "a list"), ('[["a", "b"]]', "a list"), ("5", "a number"), ("0.5", "a number"), ("null", "null"), ('"x"', "a text"),
    ("true", "true or false"),
])  # fmt: skip
def test_an_event_is_an_object_also_in_a_file(tmp_path: pathlib.Path, text: str, holds: str) -> None:
    (tmp_path / "e.json").write_text(text)
    known = fixtures.Fixtures(tmp_path, "")
    with pytest.raises(fixtures.Unreadable, match=rf"^'e.json' holds {holds}, and an object is wanted$"):
        known.read({"$file": "e.json"}, whole=True)
    known.read({"$file": "e.json"})  # as a body


@pytest.mark.parametrize(
    "value", [b"hello", {1, 2}, float("nan"), float("inf"), 1 << 64, -(1 << 70), "\ud800", object()]
)
def test_what_json_cannot_have_is_told(tmp_path: pathlib.Path, value: Any) -> None:
    with pytest.raises(fixtures.Unreadable):
        fixtures.Fixtures(tmp_path, "").read({"a": [value]})


def test_a_folder_is_no_file(tmp_path: pathlib.Path) -> None:
    (tmp_path / "fx").mkdir()
    with pytest.raises(fixtures.Unreadable, match="'fx' is a folder"):
        fixtures.Fixtures(tmp_path, "").read({"$file": "fx"})
