"""Classes of characters as re2 reads them."""

from __future__ import annotations

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from healer.engine import classes

RANGES = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 40)).map(lambda one: (one[0], sum(one))), max_size=5)


@given(RANGES, st.integers(0, 400))
def test_the_others_are_those_that_are_in_none(ranges: list[tuple[int, int]], point: int) -> None:
    within = any(low <= point <= high for low, high in ranges)
    assert any(low <= point <= high for low, high in classes.others(ranges)) is not within


@given(RANGES, st.integers(0, 127))
def test_folded_has_the_other_case_of_ascii_letters_and_nothing_more(ranges: list[tuple[int, int]], point: int) -> None:
    cases = {ord(one) for one in (chr(point), chr(point).swapcase())}
    within = any(low <= one <= high for low, high in ranges for one in cases)
    assert any(low <= point <= high for low, high in classes.folded(ranges)) is within


@pytest.mark.parametrize(
    ("pattern", "word"),
    [
        ("[a-z0-9_]", True), (r"[\w]", True), (r"[\d\x41]", True), ("[é]", True), ("[^a]", False), ("[a-]", False), ("[A-z]", False),
        (r"[\s]", False), (r"[\pL]", False),
    ],
)  # fmt: skip
def test_a_class_ends_at_its_bracket_and_says_whether_it_is_of_words(pattern: str, word: bool) -> None:
    made, end, words = classes.read(pattern + "]x", 0, fold=False)
    assert (end, words) == (len(pattern), word)
    assert re2.compile(made)


@pytest.mark.parametrize(
    ("text", "point"),
    [(r"\x41", 65), (r"\x{1F600}", 0x1F600), (r"\u00e9", 233), (r"\011", 9), (r"\e", 27), (r"\.", 46)],
)
def test_an_escape_is_a_character(text: str, point: int) -> None:
    assert classes.code_point(text + "9", 0) == (point, len(text))


@pytest.mark.parametrize("text", [r"\xZZ", r"\ud800", r"\x{110000}", r"\y", r"\0"])
def test_what_is_no_character_is_bad(text: str) -> None:
    with pytest.raises(classes.Bad):
        classes.code_point(text, 0)
