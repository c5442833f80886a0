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
    [
        (r"a\tb\n\f\r", "a\tb\n\f\r"),
        (r"\0\000", "\0\0" + "00"),
        (r"\x41\101\12", r"\x41\101\12"),
        ("\\u00e9", "\\u00e9"),
        (r"\d\\", r"\d\\"),
        (r"\\n", "\\\n"),
        (r"\a\b\v\e", r"\a\b\v\e"),
    ],
)
def test_escapes(text: str, wanted: str) -> None:
    assert words.unescaped(text) == wanted


def test_tabs_are_blanks_up_to_the_next_eighth_column() -> None:
    text = 'a ==\t"x\ty" or\nb == "\tz"'
    assert [words.untabbed(text, start, start + length) for start, length in ((5, 5), (19, 4), (0, 1))] == [
        '"x      y"',
        '"  z"',
        "a",
    ]


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
