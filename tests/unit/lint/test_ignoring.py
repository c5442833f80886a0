"""Comments that ignore: on the line or above it, warnings and hints only, and never for nothing."""

from __future__ import annotations

import pytest

from healer import errors
from healer.lint import ignoring


def at(
    line: int, code: str = "no-brake", severity: errors.Severity = "warning", file: str = "a.yml"
) -> errors.Diagnostic:
    return errors.Diagnostic(code, "it is so", errors.Place(file, line, 5), severity)


def applied(lines: list[str], *told: errors.Diagnostic) -> list[tuple[int, str]]:
    found = ignoring.apply(told, {"a.yml": lines}, lambda _: ["# healer: ignore[no-file]", "x"])
    return [(one.place.line, one.code) for one in found]


@pytest.mark.parametrize(
    "lines",
    [
        ["x: 1  # healer: ignore[no-brake]"],
        ["x: 1 # because  # healer:ignore[ no-brake ]"],
        ["x: 1  # healer: ignore[no-hosts, no-brake] it is meant"],
    ],
)
def test_on_the_same_line(lines):
    told = [at(1), at(1, "no-hosts")] if "no-hosts" in lines[0] else [at(1)]
    assert applied(lines, *told) == []


def test_on_the_line_above_and_only_that():
    lines = ["# healer: ignore[no-brake]", "x: 1", "y: 1"]
    assert applied(lines, at(2)) == []
    assert applied(lines, at(2), at(3)) == [(3, "no-brake")]
    assert applied(["  # healer: ignore[no-brake]", "  # more", "", "x: 1"], at(4)) == []


def test_one_behind_something_is_about_its_line_alone():
    assert applied(["x: 1  # healer: ignore[no-brake]", "y: 1"], at(1), at(2)) == [(2, "no-brake")]


def test_other_codes_are_told():
    assert applied(["x: 1  # healer: ignore[no-brake]"], at(1), at(1, "no-hosts")) == [(1, "no-hosts")]


def test_what_ignores_nothing_is_told():
    found = ignoring.apply([at(2, "no-hosts")], {"a.yml": ["x: 1  # healer: ignore[no-brake]", "y"]}, lambda _: [])
    assert [(str(one.place), one.code, one.severity) for one in found] == [
        ("a.yml:2:5", "no-hosts", "warning"), ("a.yml:1:24", "unused-ignore", "hint"),
    ]  # fmt: skip


def test_an_error_is_never_ignored():
    found = ignoring.apply([at(1, "no-file", "error")], {"a.yml": ["x  # healer: ignore[no-file]"]}, lambda _: [])
    assert [(one.code, one.severity) for one in found] == [("no-file", "error"), ("ignored-error", "error")]
    assert found[1].message == "no-file is an error here, and errors are not ignored"


def test_a_code_that_there_is_not_has_its_near_name():
    (found,) = ignoring.apply([], {"a.yml": ["x  # healer: ignore[no-brak]"]}, lambda _: [])
    assert (found.code, found.severity, found.try_) == ("unknown-code", "warning", "did you mean 'no-brake'?")


@pytest.mark.parametrize("text", ["x # healer: ignore", "x # healer: ignore[]"])
def test_a_comment_without_a_code_ignores_nothing(text):
    assert [code for _, code in applied([text], at(1))] == ["no-brake", "unused-ignore"]


@pytest.mark.parametrize(
    "text", ["x: healer: ignore[no-brake]", "x#healer: ignore[no-brake]", "# healer ignore[no-brake]"]
)
def test_what_is_no_such_comment(text):
    assert applied([text, "y"], at(1)) == [(1, "no-brake")]


def test_a_comment_about_comments_is_not_silenced_by_one():
    assert applied(["x  # healer: ignore[unused-ignore]"]) == [(1, "unused-ignore")]


def test_files_that_nobody_has_read_are_read_for_their_comments():
    found = ignoring.apply([at(2, "no-file", file="b.yml")], {}, lambda _: ["# healer: ignore[no-file]", "x"])
    assert found == []


def test_in_a_project(linted, rules):
    text = 'condition: event.alert.lables == "x"  # healer: ignore[unknown-path]'
    assert linted(rules(text)) == []
    found = linted(rules("# healer: ignore[unknown-path]\n" + text.partition("  #")[0]))
    assert found == []


@pytest.mark.parametrize(
    "lines",
    [
        ["x: 'r # healer: ignore[no-brake]'"],
        ['x: "r # healer: ignore[no-brake]"'],
        ["x: 'one", "  # healer: ignore[no-brake]", "  two'"],
        ["x: |", "  # healer: ignore[no-brake]", "  two"],
        ["x: >-", "  # healer: ignore[no-brake]", "y: 1"],
    ],
)
def test_what_stands_in_a_text_is_no_comment(lines):
    assert applied(lines, at(1), at(2), at(3)) == [(1, "no-brake"), (2, "no-brake"), (3, "no-brake")]


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        (["x: |  # healer: ignore[no-brake]", "  text"], 1),
        (["x: 'a' # healer: ignore[no-brake]"], 1),
        (["x: |", "  text", "# healer: ignore[no-brake]", "y: 1"], 4),
        (["x: a", "  b # healer: ignore[no-brake]"], 2),
        (["x: 'ä€😀' # healer: ignore[no-brake]"], 1),
    ],
)
def test_what_stands_beside_a_text_is_one(lines, line):
    assert applied(lines, at(line)) == []


def test_of_a_file_that_is_no_yaml_lines_alone_count():
    assert applied(["x: [", "y: 1 # healer: ignore[no-brake]"], at(2)) == []
