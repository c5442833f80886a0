"""Secrets are read when used and never shown; masking is the same however the stream is cut."""

from __future__ import annotations

import base64
import itertools
import os
import pathlib
import urllib.parse

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import errors, model, secrets


def test_env(tmp_path: pathlib.Path) -> None:
    found = secrets.Secrets(tmp_path, {"TOKEN": "s3cret"}).resolve("env:TOKEN")
    assert (found.reveal(), found.reference) == ("s3cret", "env:TOKEN")
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize(
    ("raw", "value"), [(b"abc\n", "abc"), (b"abc\r\n", "abc"), (b" abc \n\n", " abc \n"), (b"a", "a")]
)
def test_file_without_its_last_newline(tmp_path: pathlib.Path, raw: bytes, value: str) -> None:
    (tmp_path / "key").write_bytes(raw)
    assert secrets.Secrets(tmp_path, {}).resolve("file:key").reveal() == value


def test_file_is_read_again(tmp_path: pathlib.Path) -> None:
    known = secrets.Secrets(tmp_path, {})
    (tmp_path / "one").write_text("first")
    (tmp_path / "key").symlink_to("one")
    assert known.resolve("file:key").reveal() == "first"
    (tmp_path / "one").write_text("other")
    assert known.resolve(f"file:{tmp_path}/key").reveal() == "other"


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("env:NONE", "not set"),
        ("env:EMPTY", "empty"),
        ("env:A-B", "no name"),
        ("file:none", "No such file"),
        ("file:empty", "empty"),
        ("file:newline", "empty"),
        ("file:folder", "Is a directory"),
        ("file:pipe", "no regular file"),
        ("file:large", "more than"),
        ("file:binary", "not UTF-8"),
        ("file:nul", "NUL"),
        ("file:a\0b", "embedded null"),
        ("vault:x", "wanted"),
        ("hunter2", "wanted"),
        ("env:", "wanted"),
    ],
)
def test_what_cannot_be_read_is_told_without_a_value(tmp_path: pathlib.Path, reference: str, says: str) -> None:
    for name, raw in {
        "empty": b"",
        "newline": b"\n",
        "large": b"x" * 65537,
        "binary": b"hunter2\xff",
        "nul": b"hunter2\0",
    }.items():
        (tmp_path / name).write_bytes(raw)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(errors.SecretUnavailable) as caught:
        secrets.Secrets(tmp_path, {"EMPTY": "", "A-B": "x"}).resolve(reference)
    assert says in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def cut(text: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({min(place, len(text)) for place in cuts} | {0, len(text)})
    return [text[one:other] for one, other in itertools.pairwise(places)]


def masked(values: list[str], pieces: list[bytes]) -> bytes:
    masker = secrets.Masker(values)
    return b"".join([*(masker.feed(piece) for piece in pieces), masker.flush()])


FEW = st.text("ab/ \n", max_size=12)


@hypothesis.given(st.lists(FEW, max_size=4), st.lists(FEW, max_size=6), st.lists(st.integers(0, 80), max_size=8))
def test_any_cut_of_the_stream_gives_the_same(values: list[str], between: list[str], cuts: list[int]) -> None:
    parts = [part for pair in zip(between, [*values, *[""] * 6], strict=False) for part in pair]
    text = "".join(parts).encode()
    once = masked(values, [text])
    assert masked(values, cut(text, cuts)) == once
    assert once == secrets.Masker(values).whole(text)


@hypothesis.given(
    st.text(min_size=4, max_size=40).filter(lambda value: "*" not in value and value.isprintable()),
    st.binary(max_size=20),
    st.binary(max_size=20),
)
def test_no_form_of_a_value_is_left(value: str, before: bytes, after: bytes) -> None:
    for form in (
        value.encode(),
        urllib.parse.quote(value, safe="").encode(),
        urllib.parse.quote_plus(value).encode(),
        base64.b64encode(value.encode()),
    ):
        assert secrets.Masker([value]).whole(b"\0" + form + b"\0") == b"\0***\0"
        assert value.encode() not in masked([value], [before, form, after])


@pytest.mark.parametrize("user", ["a", "ab", "abc", "root"])
def test_base64_of_a_longer_text_hides_it_too(user: str) -> None:
    value = "correct horse battery staple"
    header = base64.b64encode(f"{user}:{value}\n".encode())
    left = secrets.Masker([value]).whole(header)
    assert b"***" in left
    assert len(left) < 18


def test_lines_of_a_long_value_are_masked_alone() -> None:
    value = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nend\n-----END KEY-----"
    assert secrets.Masker([value]).whole(b"> MIIEvQIBADANBg <") == b"> *** <"


def test_json_form_is_masked() -> None:
    assert secrets.Masker(['pa"ss\nword']).whole(rb'{"p": "pa\"ss\nword"}') == b'{"p": "***"}'


def test_short_values_are_not_masked() -> None:
    assert masked(["abc"], [b"abc abc"]) == b"abc abc"


def test_what_cannot_be_a_value_is_shown_at_once() -> None:
    masker = secrets.Masker(["password-of-mine"])
    assert masker.feed(b"line one\n") == b"line one\n"
    assert masker.feed(b"it is passw") == b"it is "
    assert masker.feed(b"ork\n") == b"passwork\n"


def test_each_value_that_is_given_out_is_told(tmp_path: pathlib.Path) -> None:
    told: list[tuple[str, str]] = []
    made = secrets.Secrets(tmp_path, {"A": "s3cret"}, lambda *one: told.append(one))
    made.resolve("env:A")
    with pytest.raises(errors.SecretUnavailable):
        made.resolve("env:B")
    assert told == [("env:A", "s3cret")]


def test_a_vaulted_reference_is_opened_by_whoever_can(tmp_path: pathlib.Path) -> None:
    reference = model.Reference.of("$ANSIBLE_VAULT;1.1;AES256\nabc")
    heard: list[tuple[str, str]] = []
    known = secrets.Secrets(tmp_path, {"A": "1"}, lambda *told: heard.append(told), lambda text: text.upper())
    assert known.resolve(reference.reference).reveal() == "$ANSIBLE_VAULT;1.1;AES256\nABC"
    assert heard[0][1] == "$ANSIBLE_VAULT;1.1;AES256\nABC"
    assert known.revealed({"a": [reference, {"secret": "env:A"}, "x"], "secret": 1}) == {
        "a": ["$ANSIBLE_VAULT;1.1;AES256\nABC", "1", "x"], "secret": 1,
    }  # fmt: skip


def test_one_that_does_not_open_is_told_without_its_text(tmp_path: pathlib.Path) -> None:
    def opens(text: str) -> str:
        raise ValueError("no password opens it")

    with pytest.raises(errors.SecretUnavailable) as caught:
        secrets.Secrets(tmp_path, {}, vaulted=opens).resolve("ansible-vault:$ANSIBLE_VAULT;1.1;AES256\nabc")
    assert "no password opens it" in caught.value.message
    assert "abc" not in str(caught.value)
    with pytest.raises(errors.SecretUnavailable, match="env:NAME or file:PATH"):
        secrets.Secrets(tmp_path, {}).resolve("ansible-vault:$ANSIBLE_VAULT;1.1;AES256\nabc")


def test_a_live_masker_masks_what_becomes_known_while_the_stream_runs() -> None:
    known = ["first-secret"]
    masker = secrets.LiveMasker(lambda: list(known))
    shown = masker.feed(b"a first-secret, the tok")
    known.append("token-9f2c")
    shown += masker.feed(b"en-9f2c, tok")
    shown += masker.feed(b"en-9f2c and first-secret") + masker.flush()
    assert shown == b"a ***, the token-9f2c, *** and ***"


def test_a_live_masker_loses_nothing_that_was_held_back() -> None:
    known = ["token-9f2c"]
    masker = secrets.LiveMasker(lambda: list(known))
    shown = masker.feed(b"x token-9f")
    known[:] = []
    assert shown + masker.feed(b"2") + masker.flush() == b"x token-9f2"
