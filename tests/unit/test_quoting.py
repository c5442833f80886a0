"""What messages quote: a password never, and a line such that the caret still stands where the mistake is."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import config, errors, quoting


@pytest.mark.parametrize(("text", "told"), [
    ("https://u:pw@a.org/x", "https://***@a.org/x"), ("https://u:p/w?#@a@a.org", "https://***@a.org"), ("//u:pw@a.org", "//***@a.org"),
    ("see https://u:pw@a.org, amqp://v:qw@b", "see https://***@a.org, amqp://***@b"), ("HTTPS://u@a.org", "HTTPS://***@a.org"),
    ("ops:pw@bastion:22", "ops:***@bastion:22"), ("ops@bastion:22", "ops@bastion:22"), ("[ops:p@w@b]", "[ops:***@b]"),
    ("git@example.org:a/b", "git@example.org:a/b"), ("host:22/a@1", "host:22/a@1"), ("https://a.org/x", "https://a.org/x"), ("@", "@"),
])  # fmt: skip
def test_who_is_named_in_an_address_is_left_out(text: str, told: str) -> None:
    assert quoting.without_password(text) == told
    assert quoting.shown(text) == repr(told)
    assert quoting.shown([text]) == repr([told])


@pytest.mark.parametrize(("text", "told"), [
    ("X-A", "X-A"), ("X-A\r\nB", "X-A\\r\\nB"), ("a\x1b[2J", "a\\x1b[2J"), ("ä'", "ä'"), ("x" * 200, "x" * 100), ("a\u202eb", "a\\u202eb"),
])  # fmt: skip
def test_a_name_ends_no_line(text: str, told: str) -> None:
    assert quoting.bare(text) == told


def test_a_password_is_left_out_before_a_text_is_cut() -> None:
    assert "pw" not in quoting.shown(f"https://u:{'pw' * 500}@a.org")


@pytest.mark.parametrize(
    "piece", ["a", "a:", "//", "a@", "a-", "token", "token: ", "token: a # ", "token=a ", "'", "{token: "]
)
def test_long_texts_are_looked_through_once(piece: str) -> None:
    """Looked at from each place anew, they would take hours."""
    text = piece * (1_000_000 // len(piece))
    assert quoting.without_password(f"{text} u:pw@a").endswith(" u:***@a")
    assert quoting.excerpt(f"{text}\n", 1, 1)[2] >= 1


@pytest.mark.parametrize(("line", "told"), [
    ('auth: {bearer: "PLAIN-42"}', "auth: {bearer: ***}"), ("token: PLAIN, more   # why", "token: ***   # why"),
    ("  s: {token: PLAIN, ca: x}", "  s: {token: ***, ca: x}"), ("'api_key': 'it''s'  # x", "'api_key': ***  # x"),
    ('{"password":"a\\"b", "x": 1}', '{"password":***, "x": 1}'), ("web01 ansible_password=PLAIN port=22", "web01 ansible_password=*** port=22"),
    ('token: {secret: "env:T"}', 'token: {secret: "env:T"}'), ('token: {secret: "PLAIN"}', "token: {secret: ***}"), ("secret: file:/x", "secret: file:/x"),
    ("password: |", "password: |"), ("password: !vault |", "password: !vault |"), ("token: null", "token: null"), ("token:", "token:"),
    ("verify_token: yes", "verify_token: yes"), ('condition: event.token == "x"', 'condition: event.token == "x"'), ("- name: token of x", "- name: token of x"),
    ("url: https://u:pw@a.org", "url: https://***@a.org"), ("tokens_of: x", "tokens_of: x"), ("token: '{{ x }}'", "token: '{{ x }}'"),
    ("password: a#b", "password: ***"), ("db.password: x", "db.password: ***"),
])  # fmt: skip
def test_a_line_says_nothing_that_its_keys_call_a_secret(line: str, told: str) -> None:
    assert quoting.excerpt(line, 1, 1)[0] == told


@pytest.mark.parametrize(
    ("marked", "under"),
    [("x", "x"), ("PLAIN", "***"), ("later", "later"), ('"https://u:pw@a.org"', '"https://***@a.org"')],
)
def test_the_caret_stands_under_what_is_marked(marked: str, under: str) -> None:
    line = 'x: {token: PLAIN, url: "https://u:pw@a.org", later: 5}'
    document = config.Document("f.yml", line)
    document.error("c", "m", (1, line.index(marked) + 1, len(marked)))
    shown, caret = str(document.diagnostics[0]).splitlines()[1:]
    assert caret.index("^") == shown.index(under)
    assert caret.count("^") == len(under)


def test_what_is_concealed_is_quoted_nowhere() -> None:
    text = 'key: "BEGIN\n  END"\nmore: {key: PEM, x: 1}\n'
    document = config.Document("f.yml", text)
    for mark in ((1, 6, 1), (3, 13, 3), None, (9, 1, 1)):
        document.conceal(mark)
    document.error("c", "m", (1, 1, 3))
    document.error("c", "m", (3, 18, 1))
    assert [one.text for one in document.diagnostics] == ["key: ***", "more: {key: ***, x: 1}"]


@hypothesis.given(
    st.text(alphabet="ab:/@ '\"{},token=", max_size=60),
    st.integers(1, 70),
    st.integers(1, 70),
    st.lists(st.tuples(st.integers(-5, 70), st.integers(-5, 70))),
)
def test_whatever_is_masked_the_caret_stays_on_the_line(
    line: str, column: int, width: int, hidden: list[tuple[int, int]]
) -> None:
    text, moved, wide = quoting.excerpt(line, column, width, hidden)
    assert column + moved >= 1
    assert wide >= 1
    if column + width - 1 <= len(line):
        assert column - 1 + moved + wide <= len(text)
    told = str(errors.Diagnostic("c", "m", errors.Place("f", 1, column), text=text, width=wide, moved=moved))
    assert told.startswith(f"f:1:{column}: ")
