"""Numbers, escapes, paths, advice."""

from __future__ import annotations

import pytest

from healer.engine import conditions
from healer.rulebook import words


def test_numbers() -> None:
    assert [words.number(text) for text in ("7", "+7", "1e2", "1" * 500)] == [7, 7, 100.0, float("inf")]
    assert isinstance(words.number("7"), int)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [(r"a\tb\n", "a\tb\n"), (r"\x41\101\0", "AA\0"), ("\\u00e9", "é"), (r"\d\\", r"\d\\"), ("\\ud800", "\\ud800")],
)
def test_escapes(text: str, wanted: str) -> None:
    assert words.unescaped(text) == wanted


def test_paths() -> None:
    assert words.path("event.a['b']") == conditions.Path(("a", ("b",)))
    assert words.path("facts.a") == conditions.Nowhere()
    for none in ("event", "event[0]", "events['a']", "vars.a"):
        assert words.path(none) is None
    assert words.steps(".a-b") is None
    assert words.steps(".a[" + "9" * 30 + "]") is None


def test_advice() -> None:
    assert words.advice("AND", "a AND b") == "write and"
    assert words.advice("=", "a = b") == "write == to compare"
    assert words.advice("zz", "zz") == ""
