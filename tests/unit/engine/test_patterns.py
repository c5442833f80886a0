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
        ("[]a]", "]", True), ("[^]a]", "b", True), ("(?i)A", "a", True), ("(?i-:b)", "B", True), (r"\p{IsGreek}", "α", True), (r"\e", "\x1b", True),
    ],
)  # fmt: skip
def test_patterns_match_as_in_java(pattern: str, text: str, wanted: bool) -> None:
    assert patterns.finder(pattern, anchored=False)(text) is wanted


@pytest.mark.parametrize(
    "pattern",
    ["a++", "a*+", "a?+", "a{1,2}+", "(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "(?>a)", r"(a)\1", r"\k<n>", "[a[b]]", "[a&&b]",
     r"\G", "(?x)a", "a{2000}", "a" * 20_000, r"\p{InGreek}", r"\p{IsAlphabetic}", r"[\p{sc=Greek}]", "(?iu)k", r"(?i)\P{Lu}"],
)  # fmt: skip
def test_what_a_linear_engine_cannot_do_is_unsupported(pattern: str) -> None:
    with pytest.raises(patterns.Unsupported):
        patterns.finder(pattern, anchored=False, ignorecase=True)


@pytest.mark.parametrize("pattern", ["(?P<x>a)", "(", ")", "[a", "*a", "a{", "\\", r"\y", r"\xZZ", r"\p{", "(?<1>a)",
    "(?<n>a)(?<n>b)", r"[a-\d]", "[z-a]", r"[\b]", r"[\R]", r"[\Z]", "a)"])  # fmt: skip
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
    assert patterns.finder("^b$", anchored=True, multiline=True)("a\nb")


def test_of_the_alternatives_of_match_only_the_first_is_at_the_start() -> None:
    find = patterns.finder("a|b", anchored=True)
    assert [find(text) for text in ("ax", "xa", "bx", "xb")] == [True, False, True, True]


@pytest.mark.parametrize(
    ("pattern", "loose"),
    [
        ("a|b", True), ("^a|b", True), ("a|^b|c", True), ("a|", True), ("a|^*b", True), (r"a|\Ab|\Bc", True), ("a|(^b|c)", True), ("a|(^b)?", True),
        ("a|x^b", True), ("a|(?=^b)c", True), ("a|.b", True), ("a|[^b]", True), (r"a|\^b", True), ("a|(?i)b", True), ("a|((^b|c)|^d)", True),
        ("ab", False), (r"(a|b)[|]\|\Q|\E", False), ("^a|^b", False), ("a|^b", False), (".*a|.*b", False), (r"a|\Ab", False), ("a|.*?b|^c", False),
        ("a|(^b)", False), ("a|(?:^b|^c)x", False), ("a|(?i)^b", False), ("a|(?i:^b)+", False), ("a|(?<n>(^b|.*c))", False), ("a|^", False),
    ],
)  # fmt: skip
def test_whether_an_alternative_of_match_may_be_found_elsewhere(pattern: str, loose: bool) -> None:
    assert patterns.loose(pattern) is loose
    if not loose and ".*" not in pattern:
        find = patterns.finder(pattern, anchored=True)
        assert find("z") or not any(find(f"z{text}") for text in ("a", "b", "c", "bx", "cx", "ab"))


@pytest.mark.parametrize(
    ("pattern", "holds", "not_"),
    [
        ("(?m)^b$", ["b", "a\nb", "a\rb\rc", "a\r\nb\r\nc", "a\x85b", "a\u2028b", "b\n"], ["ab", "bc", "a\nbc"]),
        ("(?m)^\\s", [" ", "a\n b", "a\r\n b"], ["a\r\nb", "a\n"]),
        ("(?m)(?:^|x)b(?:$|y)", ["b", "xby", "a\rb\r"], ["ab", "abc"]),
        ("(?m)b$\\nc", ["b\nc"], ["b\r\nc"]),
        ("(?m)(^a)+c", ["ac"], ["a\nba"]),
        ("^b|c$", ["b\na", "ac", "ac\n", "ac\r\n"], ["a\nb", "c\na"]),
        (r"\bfoo\b", ["foo", "a foo.", "-foo\n"], ["éfoo", "fooé", "_foo", "foo1", "\u0663foo", "e\u0301foo"]),
        (r"\b(?:foo|bar)\b", ["bar!", "a foo"], ["rebar", "éfoo", "fooé"]),
        (r"\Bfoo", ["xfoo", "éfoo"], ["foo", " foo"]),
        (r"foo\B", ["foox", "fooé"], ["foo", "foo "]),
        (r"[a-c]\b", ["a", "xb "], ["aé", "ab1"]),
        ("(?i)k", ["k", "K"], ["\u212a"]),
        ("(?i)s", ["S"], ["\u017f"]),
        ("(?i)é", ["é"], ["É"]),
        ("(?i)[a-c]", ["B"], ["É", "d"]),
        ("(?i)[Z-a]", ["z", "A", "^"], ["b", "B"]),
        ("(?i)[^k]", ["a", "\u212a"], ["k", "K"]),
        (r"(?i)\p{Lower}", ["A", "a"], ["É"]),
        (r"(?i)\QaB\E", ["Ab"], ["b"]),
        (r"(?i)\x41", ["a"], ["b"]),
        ("a(?i)b", ["aB", "ab"], ["AB"]),
        ("(a(?i)b)c", ["aBc"], ["aBC"]),
        ("(?i:a)b", ["Ab"], ["AB"]),
        ("(?i)a(?-i:b)c", ["AbC"], ["ABC"]),
        ("a.b(?s)c.d", ["axbc\nd"], ["a\nbcxd", "a\rbcxd", "a\u2028bcxd"]),
        ("(?s:a.)b.", ["a\nbx"], ["a\nb\r", "a\nb\n"]),
        ("(?s)a.b", ["a\rb", "a\nb"], ["ab"]),
        ("a$(?m)", ["a", "a\n"], ["a\nb"]),
        (r"a[\s\S]*b", ["a\n\r\x0b\u2028b"], ["a"]),
        (r"^[^\S\n]+$", [" \t", "\x0b", "\r"], ["\n", "a", "\u00a0"]),
        (r"^[\w\S]+$", ["é-"], [" ", "\x0b"]),
        (r"^\S$", ["\u00a0", "a"], ["\x0b", " "]),
        (r"^\H\V$", ["ab"], ["\u2003b", "a\x0b", "a\u2028"]),
        (r"^[\P{Lower}]$", ["A", "é"], ["a"]),
        (r"^[^\P{Lower}]$", ["a"], ["A", "é"]),
        (r"[\w-]", ["-", "a"], ["."]),
        (r"[\Qa-]\E]", ["-", "]"], ["b"]),
    ],
)  # fmt: skip
def test_what_re2_has_not_is_written_out(pattern: str, holds: list[str], not_: list[str]) -> None:
    find = patterns.finder(pattern, anchored=False)
    assert ([text for text in holds if not find(text)], [text for text in not_ if find(text)]) == ([], [])


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
