"""What a comment ignores is told at no start and reload either; what is told of comments is tested in tests/unit/lint/test_ignoring.py."""

from __future__ import annotations

import pathlib

import pytest

from healer import errors, project
from healer.project import comments

BOOK = """\
- name: web
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - name: r  # healer: ignore[no-brake]
      condition: event.a == 1
      action: {run_action: {name: look}}
"""


@pytest.mark.parametrize(
    ("text", "wanted"), [(BOOK, []), (BOOK.replace("  # healer: ignore[no-brake]", ""), ["no-brake"])]
)
def test_what_is_ignored_is_not_told_by_a_load(tmp_path: pathlib.Path, text: str, wanted: list[str]) -> None:
    (tmp_path / "rulebooks").mkdir()
    (tmp_path / "rulebooks/web.yml").write_text(text)
    (tmp_path / "actions.yaml").write_text("actions: {look: {command: [df], impact: low, target: none}}\n")
    loaded = project.load(tmp_path, {})
    assert loaded.revision is not None
    assert [one.code for one in loaded.diagnostics] == wanted
    assert [one.code for one in loaded.revision.diagnostics] == wanted


def test_an_error_keeps_a_project_from_being_taken(tmp_path: pathlib.Path) -> None:
    (tmp_path / "actions.yaml").write_text("nonsense: 1  # healer: ignore[unknown-key]\n")
    loaded = project.load(tmp_path, {})
    assert loaded.revision is None
    assert [one.code for one in loaded.diagnostics] == ["unknown-key"]


def test_the_comments_of_a_file() -> None:
    found = list(comments.read("a.yml", ["x: 1", "y: 2  # healer: ignore[a-b, c] since", "  # healer: ignore[d]"]))
    assert [(one.line, one.column, one.codes, one.alone) for one in found] == [
        (2, 7, {"a-b": 24, "c": 29}, False), (3, 3, {"d": 20}, True),
    ]  # fmt: skip


def test_a_code_is_noted_where_it_is_used_and_where_it_is_an_error() -> None:
    told = [errors.Diagnostic("a", "x", errors.Place("f", 1, 1), severity) for severity in ("warning", "error")]  # type: ignore[arg-type]
    left, (found,) = comments.apply(told, {"f": ["x # healer: ignore[a]"]}, lambda _: ())
    assert [one.severity for one in left] == ["error"]
    assert (found.used, found.errors) == ({"a"}, {"a"})
