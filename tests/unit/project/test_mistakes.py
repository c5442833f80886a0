"""Of more mistakes than anybody reads the first are told, and how many more there are."""

from __future__ import annotations

from typing import Any

import hypothesis
from hypothesis import strategies as st

from healer import errors
from healer.project import mistakes


def many(count: int, file: str = "f.yml", severity: errors.Severity = "error") -> list[errors.Diagnostic]:
    return [errors.Diagnostic("c", "m", errors.Place(file, line, 1), severity) for line in range(1, count + 1)]


def test_as_many_as_are_shown_are_shown() -> None:
    found = [*many(mistakes.OF_FILE), *many(mistakes.OF_FILE, "g.yml", "warning")]
    assert mistakes.bounded(found) == tuple(found)


def test_of_one_file_the_first_are_shown_and_the_rest_counted() -> None:
    found = many(mistakes.OF_FILE + 1_234)
    *first, last = mistakes.bounded([*found, *many(1, "g.yml")])[:-1]
    assert first == found[: mistakes.OF_FILE]
    assert str(last) == "f.yml: error[more]: … and 1234 more errors"
    assert last.as_json()["more"] == 1_234
    assert "more" not in first[0].as_json()
    assert str(mistakes.bounded(many(mistakes.OF_FILE + 1))[-1]).endswith("… and 1 more error")


def test_errors_are_shown_before_warnings_and_in_their_order() -> None:
    warnings, wrong = many(500, severity="warning"), many(5)
    shown = mistakes.bounded([*many(3, severity="hint"), *warnings, *wrong])
    assert shown[-8:-2] == (warnings[mistakes.OF_FILE - 6], *wrong)
    assert [str(one) for one in shown[-2:]] == [
        "f.yml: warning[more]: … and 405 more warnings", "f.yml: hint[more]: … and 3 more hints",
    ]  # fmt: skip


def test_of_very_many_files_the_first_are_shown_and_the_rest_counted() -> None:
    found = [one for n in range(10_000) for one in many(3, f"{n}.yml")]
    shown = mistakes.bounded(found)
    assert shown[: mistakes.IN_ALL] == tuple(found[: mistakes.IN_ALL])
    assert len(shown) <= mistakes.IN_ALL + 2
    assert (
        str(shown[-1])
        == f"…: error[more]: … and {mistakes.counted(found[mistakes.IN_ALL + 1 :], 'error')} more errors in other files"
    )
    assert mistakes.counted(shown, "error") == 30_000


@hypothesis.given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["error", "warning", "hint"]), st.integers(1, 300)))
)
def test_nothing_is_lost_of_the_count(parts: list[tuple[str, Any, int]]) -> None:
    found = [one for file, severity, count in parts for one in many(count, file, severity)]
    shown = mistakes.bounded(found)
    for severity in ("error", "warning", "hint"):
        assert mistakes.counted(shown, severity) == mistakes.counted(found, severity)  # type: ignore[arg-type]
    assert mistakes.bounded(shown) == shown
