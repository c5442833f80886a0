"""What stands on a page: nothing in it hides, and whoever reads it knows when and who."""

from __future__ import annotations

import datetime
import unicodedata

import markupsafe
import pytest

from healer.web.ui import texts

NOW = datetime.datetime(2026, 3, 1, 3, 10, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("web01", "web01"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x9b1m", "\\x9b1m"),
        ("host\u202egpj.exe", "host\\u202egpj.exe"),
        ("\u2066a\u2069", "\\u2066a\\u2069"),
        ("we\u200bb", "we\\u200bb"),
        ("we\xadb", "we\\xadb"),
        ("a\U000e0041", "a\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("{{7*7}}<script>", "{{7*7}}<script>"),
        ("größer 日本 🙂", "größer 日本 🙂"),
    ],
)
def test_what_hides_is_written_out(text: str, seen: str) -> None:
    assert texts.visible(text) == seen


def test_no_control_and_no_mark_of_direction_is_left() -> None:
    for code in range(0x110000):
        char = chr(code)
        if unicodedata.category(char) in ("Cc", "Zl", "Zp", "Cs") or unicodedata.bidirectional(char) in (
            "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI",
        ):  # fmt: skip
            assert texts.visible(char) != char, hex(code)
            if char not in "\n\t":
                assert char not in texts.lines(char)


def test_text_of_several_lines_keeps_them() -> None:
    made = texts.lines("a <b>\r\n\tc\x1b[0m\r\u202e")
    assert made == "a &lt;b&gt;\n\tc\\x1b[0m\\r\\u202e"
    assert isinstance(made, markupsafe.Markup)


@pytest.mark.parametrize(
    ("value", "seen"),
    [(None, ""), (True, "yes"), (False, "no"), (1234567, "1,234,567"), (1.5, "1.5"), ("a\n", "a\\n"), (["\x1b"], "['\\x1b']"),
     (markupsafe.Markup("<b>\n"), "<b>\n")],
)  # fmt: skip
def test_every_value_that_is_put_out(value: object, seen: str) -> None:
    assert texts.shown(value) == seen


def test_times() -> None:
    assert texts.when("2026-03-01T03:07:12.123456Z") == "2026-03-01 03:07:12 UTC"
    assert texts.when("2026-03-01T04:07:12+01:00") == "2026-03-01 03:07:12 UTC"
    assert (texts.when(None), texts.when("soon"), texts.when("2026-03-01T03:07:12")) == (
        "",
        "soon",
        "2026-03-01 03:07:12 UTC",
    )
    assert (
        texts.in_sentence("Not allowed now; next window 2026-03-01T07:00:00.000000Z.")
        == "Not allowed now; next window 2026-03-01 07:00:00 UTC."
    )
    assert texts.ago("2026-03-01T03:06:00Z", NOW) == "4 min ago"
    assert texts.ago("2026-03-01T03:39:00Z", NOW) == "in 29 min"
    assert texts.ago("never", NOW) == ""
    assert (texts.span(14), texts.span(None), texts.span(True), texts.span("x")) == ("14 s", "", "", "")


def test_who() -> None:
    assert texts.who("key:laptop = ana") == "ana (API key laptop)"
    assert texts.who("link:0a1b = ana") == "ana (signed link 0a1b)"
    assert texts.who("os:root") == "root (os user)"
    assert texts.who("rule:web/alerts/restart = x") == "rule:web/alerts/restart = x"
    assert texts.who(None) == "?"


def test_commands_and_values() -> None:
    assert texts.command("script", "scripts/a.sh") == "script scripts/a.sh"
    assert texts.command("command", ["rm", "-r", "ä"]) == 'command ["rm", "-r", "ä"]'
    assert texts.command(None, None) == "? null"
    assert texts.pairs({"service": "nginx", "wait_s": 30, "hosts": ["a"]}) == 'service=nginx, wait_s=30, hosts=["a"]'
    assert len(texts.as_json("x" * 50_000)) < 21_000
    assert texts.mappings([{"a": 1}, 2, "x"]) == [{"a": 1}]
    assert texts.mappings("abc") == texts.mappings(None) == texts.mappings({"a": 1}) == []
