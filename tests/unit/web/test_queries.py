"""Parameters of requests: cursors, times, words."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
import yarl
from aiohttp import test_utils
from hypothesis import strategies as st

from healer import errors
from healer.web import queries

KNOWN = ("limit", "after", "since", "flag", "word")


def query(**values: str) -> queries.Query:
    return queries.Query(test_utils.make_mocked_request("GET", str(yarl.URL("/x").with_query(values))), *KNOWN)


@hypothesis.given(st.integers(0, 2**61), st.text(st.characters(blacklist_categories=("Cs",)), max_size=50))
def test_a_cursor_leads_back(number: int, text: str) -> None:
    assert query(after=queries.cursor(number, text)).after(int, str) == (number, text)


@hypothesis.given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60))
def test_any_other_text_is_no_cursor_or_a_sound_one(text: str) -> None:
    try:
        parts = query(after=text).after(int, str)
    except errors.InvalidField as refusal:
        parts = (0, str(refusal.fields["field"]))
    assert parts is not None
    assert [type(part) for part in parts] == [int, str]


@pytest.mark.parametrize(
    "parts", [(1,), (1, 2), ("a", "b"), (True, "a"), (1.5, "a"), (1, "a", "b"), (2**63, "a"), (-(2**62), "a"), ()]
)
def test_a_cursor_of_another_list_is_refused(parts: Any) -> None:
    with pytest.raises(errors.InvalidField):
        query(after=queries.cursor(*parts)).after(int, str)


@pytest.mark.parametrize(
    ("text", "at_us"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01T01:00:00.000001+01:00", 1),
        ("1970-01-01T01:00:00 01:00", 0),  # a plus that the sender forgot to encode
        ("1960-01-01T00:00:00Z", 0),
        ("10s", 90_000_000),
        ("1 minute", 40_000_000),
        ("1h", 0),
        ("9999-12-31T23:59:59Z", 253_402_300_799_000_000),
    ],
)
def test_times(text: str, at_us: int) -> None:
    assert query(since=text).time_us("since", 100_000_000) == at_us


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "1970-01-01T00:00:01",
        "now",
        "0001-01-01T00:00:00+23:59x",
        "-1s",
        "1970-13-01T00:00:00Z",
        "9" * 400 + " days",
    ],
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(errors.InvalidField):
        query(since=text).time_us("since", 0)


def test_times_are_written_to_the_microsecond() -> None:
    assert queries.iso(1) == "1970-01-01T00:00:00.000001Z"
    assert queries.iso(0) == "1970-01-01T00:00:00.000000Z"
    assert queries.iso(None) is None
    assert queries.iso(1_790_000_000_123_456) == "2026-09-21T14:13:20.123456Z"


@hypothesis.given(st.integers(0, 250_000_000_000_000_000))
def test_a_written_time_is_read_back(at_us: int) -> None:
    assert query(since=str(queries.iso(at_us))).time_us("since", 0) == at_us


def test_an_unknown_parameter_is_refused_with_the_near_one() -> None:
    with pytest.raises(errors.InvalidField) as caught:
        query(limits="5")
    assert caught.value.try_ == "did you mean 'limit'?"


def test_words_and_flags() -> None:
    assert query(word="a, b,").words("word", ("a", "b")) == ("a", "b")
    assert query().words("word", ("a",)) == ()
    assert query(flag="").flag("flag")
    assert query(flag="True").flag("flag")
    assert not query(flag="0").flag("flag")
    assert not query().flag("flag")
    with pytest.raises(errors.InvalidField):
        query(word="c").words("word", ("a", "b"))
    with pytest.raises(errors.InvalidField):
        query(word="c").word("word", ("a", "b"))


def test_limits() -> None:
    assert query().limit() == queries.LIMIT_DEFAULT
    assert query(limit="500").limit() == queries.LIMIT_MAX
    for text in ("0", "501", "1.5", "٣", "9" * 30):
        with pytest.raises(errors.InvalidField):
            query(limit=text).limit()
