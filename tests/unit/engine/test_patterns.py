"""Java's regular expressions on re2."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.engine import patterns


@pytest.mark.parametrize(
    ("pattern", "text", "wanted"),
    [
        ("(?<name>a)b", "ab", True), (r"\p{Alpha}+\d", "ab1", True), (r"\p{Lower}", "A", False), (r"\P{Lower}", "A", True),
        (r"[\p{Digit}x]$", "x", True), (r"\Qa.b\E", "axb", False), (r"\Qa.b\E", "a.b", True), ("a.b", "a\nb", False),
        ("a.b", "a\rb", False), ("(?s)a.b", "a\nb", True), ("a$", "a\n", True), ("a$", "a\r\n", True), ("a$", "a\nb", False),
        (r"a\z", "a\n", False), (r"a\Z", "a\n", True), (r"\s", "\x0b", True), (r"[\s]", "\x0b", True), (r"\h", "\u2003", True),
        (r"\u0041\x42\x{43}", "ABC", True), (r"\011", "\t", True), (r"\R", "\r\n", True), (r"\w", "ä", False),
        ("[]a]", "]", True), ("[^]a]", "b", True), ("(?i)A", "a", True), (r"\p{IsGreek}", "α", True), (r"\e", "\x1b", True),
    ],
)  # fmt: skip
def test_patterns_match_as_in_java(pattern: str, text: str, wanted: bool) -> None:
    assert patterns.finder(pattern, anchored=False)(text) is wanted


@pytest.mark.parametrize(
    "pattern",
    ["a++", "a*+", "a?+", "a{1,2}+", "(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "(?>a)", r"(a)\1", r"\k<n>", "[a[b]]", "[a&&b]",
     r"\G", "(?x)a", "a{2000}", "a" * 20_000],
)  # fmt: skip
def test_what_a_linear_engine_cannot_do_is_unsupported(pattern: str) -> None:
    with pytest.raises(patterns.Unsupported):
        patterns.finder(pattern, anchored=False, ignorecase=True)


@pytest.mark.parametrize("pattern", ["(?P<x>a)", "(", ")", "[a", "*a", "a{", "\\", r"\y", r"\xZZ", r"\p{", "(?<1>a)"])
def test_what_java_refuses_is_bad(pattern: str) -> None:
    with pytest.raises(patterns.Bad):
        patterns.finder(pattern, anchored=False)


@pytest.mark.parametrize("ignorecase", [True, False])
def test_anchored_is_at_the_start_only(ignorecase: bool) -> None:
    find = patterns.finder("b", anchored=True, ignorecase=ignorecase)
    assert (find("bc"), find("ab"), find("a\nb")) == (True, False, False)


def test_options() -> None:
    assert patterns.finder("A", anchored=False, ignorecase=True)("xa")
    assert patterns.finder("^b$", anchored=False, multiline=True)("a\nb")
    assert not patterns.finder("^b$", anchored=True, multiline=True)("a\nb")


def test_hostile_text_takes_no_longer() -> None:
    assert not patterns.finder("(a+)+$", anchored=True)("a" * 50_000 + "!")


@given(st.text(alphabet="ab.*+?()[]{}|^$\\dwsQEpux0k<>=!&-,1", max_size=12), st.text(alphabet="ab1\n", max_size=5))
def test_any_pattern_is_used_or_refused(pattern: str, text: str) -> None:
    try:
        find = patterns.finder(pattern, anchored=False)
    except (patterns.Bad, patterns.Unsupported):
        return
    assert find(text) in (True, False)


@given(st.text(alphabet="ab.^|()1", max_size=8), st.text(alphabet="ab1", max_size=6))
def test_plain_patterns_mean_what_they_mean_everywhere(pattern: str, text: str) -> None:
    try:
        find = patterns.finder(pattern, anchored=False)
    except patterns.Bad:
        return
    assert find(text) is bool(re.search(pattern, text))
