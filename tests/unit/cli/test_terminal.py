"""What is printed: nothing from outside steers a terminal, and times are local with their offset."""

from __future__ import annotations

import datetime
import json
import unicodedata

import hypothesis
import pytest
from hypothesis import strategies

from healer.cli import terminal

BAD = {
    *map(chr, range(32)),
    *map(chr, range(0x7F, 0xA0)),
    *"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c",
}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain – ü 火", "plain – ü 火"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[1;1Hclear", "clear"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred", "red"),
        ("\x1bPq#0\x1b\\six", "six"),
        ("\x1bcreset", "reset"),
        ("\x1b", "\\x1b"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("nul\x00", "nul\\x00"),
        ("c1\x85", "c1\\x85"),
        ("ab\u202edc", "ab\\u202edc"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("half\ud800", "half\\ud800"),
    ],
)
def test_clean(text, shown):
    assert terminal.clean(text) == shown


@hypothesis.given(strategies.text(strategies.characters()))
def test_clean_leaves_nothing_that_steers(text):
    shown = terminal.clean(text)
    assert not BAD & set(shown)
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in shown)


@hypothesis.given(strategies.text(strategies.sampled_from("\x1b[]0;m\x07\\Pqa\x9b\x9c\n\t\r 火")))
def test_clean_lines_keeps_line_breaks_and_tabs_alone(text):
    shown = terminal.clean_lines(text)
    assert not (BAD - {"\n", "\t"}) & set(shown)


def test_clean_lines():
    assert terminal.clean_lines("a\tb\r\nc\rd\x1b[1mX\x1b[0m\n") == "a\tb\nc\ndX\n"


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("火火", 3, "火…"), ("e\u0301e\u0301", 2, "e\u0301e\u0301")],
)
def test_cut(text, limit, shown):
    assert terminal.cut(text, limit) == shown
    assert terminal.columns(shown) <= limit


def test_times_are_local_with_offset():
    assert terminal.when("2026-03-01T02:07:12.000000Z") == "2026-03-01 03:07:12 +01:00"
    assert terminal.when("2026-07-01T02:07:12Z") == "2026-07-01 04:07:12 +02:00"
    assert terminal.when_us(1_772_330_832_000_000) == "2026-03-01 03:07:12 +01:00"


@pytest.mark.parametrize("text", ["yesterday", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "\x1b[31m", None, 5])
def test_what_is_no_time_is_shown_harmless(text):
    assert not BAD & set(terminal.when(text))


@pytest.mark.parametrize("at_us", [10**30, -(10**30), None, "x", 1.5])
def test_what_is_no_microseconds_raises_nothing(at_us):
    terminal.when_us(at_us)


def test_since():
    now = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
    assert terminal.since("2h", now) == "2026-03-01T10:00:00.000000Z"
    assert terminal.since("30 minutes", now) == "2026-03-01T11:30:00.000000Z"
    assert terminal.since("2026-03-01T03:07", now) == "2026-03-01T02:07:00.000000Z"
    assert terminal.since("2026-03-01T03:07+05:00", now) == "2026-02-28T22:07:00.000000Z"


@pytest.mark.parametrize("text", ["", "soon", "99999999 days", "0001-01-01", "2h ago"])
def test_since_says_what_is_wanted(text):
    with pytest.raises(ValueError, match=r"wanted|shown"):
        terminal.since(text, datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC))


def test_json_is_ascii(capsys):
    terminal.echo_json({"x": "\x1b\u202e\x7f火"})
    shown = capsys.readouterr().out
    assert shown.isascii()
    assert not BAD - {"\n"} & set(shown)
    assert json.loads(shown) == {"x": "\x1b\u202e\x7f火"}


@pytest.mark.parametrize(("text", "shown"), [
    ("Paused by x since 2026-03-01T02:05:00Z: release.", "Paused by x since 2026-03-01 03:05:00 +01:00: release."),
    ("(pid 3, since 2026-07-01T02:05:00+0000)", "(pid 3, since 2026-07-01 04:05:00 +02:00)"),
    ("at 2026-03-01T02:05:00.123456Z, and 9999-99-99T99:99:99Z", "at 2026-03-01 03:05:00 +01:00, and 9999-99-99T99:99:99Z"),
    ("2026-03-01T02:05 has no zone", "2026-03-01T02:05 has no zone"),
])  # fmt: skip
def test_times_in_a_sentence_are_local(text, shown):
    assert terminal.local_times(text) == shown


@pytest.mark.parametrize(("actor", "who"), [
    ("os:ana", ("ana", "os user")), ("key:ci", ("ci", "API key")), ("key:laptop = ana", ("ana", "API key laptop")),
    ("os:ameier = ana", ("ana", "os user ameier")), ("slack:T02AB/U7XYZ = ana", ("ana", "Slack T02AB/U7XYZ")),
    ("link:0a1b2c3d4e = ana", ("ana", "signed link 0a1b2c3d4e")),
    ("rule:a/b/c = d", ("rule:a/b/c = d", "")), ("daemon", ("daemon", "")), ("", ("?", "")), (None, ("?", "")), ("os:", ("os:", "")),
])  # fmt: skip
def test_who_somebody_is(actor, who):
    assert terminal.who(actor) == who


@pytest.mark.parametrize(
    ("environ", "shown"),
    [
        ({}, "\x1b[31mno\x1b[0m"),
        ({"NO_COLOR": ""}, "\x1b[31mno\x1b[0m"),
        ({"NO_COLOR": "1"}, "no"),
        ({"TERM": "dumb"}, "no"),
    ],
)
def test_colour_is_for_terminals_that_want_it(monkeypatch, environ, shown):
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert terminal.paint("no", "red") == shown
    assert terminal.paint("no", None) == "no"
