"""Texts as people read them: nothing that cannot be seen, nothing that moves what stands beside it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.notify.channels import _visible as visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("web01", "web01"), ("Überlast: 17 % · ≥ 3", "Überlast: 17 % · ≥ 3"), ("服务器", "服务器"),
        ("web\u202e10bew", "web\\u202e10bew"), ("a\u2066b\u2069", "a\\u2066b\\u2069"), ("a\u200bb\ufeff", "a\\u200bb\\ufeff"),
        ("a\nneeds  0 of 1", "a\\nneeds  0 of 1"), ("a\r\nb\tc", "a\\r\\nb\\tc"), ("\x1b]8;;http://x\x07", "\\x1b]8;;http://x\\x07"),
        ("a\x00b\x85c", "a\\x00b\\x85c"), ("a\u2028b\u2029", "a\\u2028b\\u2029"), ("a\u00a0b\u3000c", "a b c"),
        ("a\u3164b\u115f", "a\\u3164b\\u115f"), ("\U000e0041", "\\U000e0041"), ("\ud800", "\\ud800"), ("\u00ad", "\\xad"),
        ("e\u0301", "e\u0301"), ("e" + "\u0301" * 6, "e" + "\u0301" * 4 + "\\u0301\\u0301"),
    ],
)  # fmt: skip
def test_a_line(text: str, shown: str) -> None:
    assert visible.line(text) == shown


def test_lines_stay_where_they_may() -> None:
    assert visible.lines("a\r\n\tb\x1b[0m\u202e") == "a\n\tb\\x1b[0m\\u202e"
    assert visible.lines("plain\ttext\nof two lines") == "plain\ttext\nof two lines"


@given(st.text())
def test_a_line_is_one_and_prints(text: str) -> None:
    assert visible.line(text).isprintable()
    assert visible.line(visible.line(text)) == visible.line(text)
    assert visible.lines(text).replace("\n", "").replace("\t", "").isprintable()


def test_what_is_left_out_is_counted() -> None:
    assert visible.cut("a" * 100, 100) == "a" * 100
    assert visible.cut("a" * 1101, 100) == "a" * 60 + " … 1,041 more characters"
    assert len(visible.cut("a" * 10**6, 100)) <= 100
