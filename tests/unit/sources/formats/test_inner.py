"""JSON within a text is read as strictly as a body, and what is none is no mistake."""

from __future__ import annotations

import base64
import json
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer.formats import _inner

VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=5).filter(lambda key: "\0" not in key), inner, max_size=4)
    ),
    max_leaves=8,
)


@hypothesis.given(VALUES)
def test_json_comes_back_as_it_was(value: Any) -> None:
    text = json.dumps(value)
    assert _inner.of_text(text) == value
    assert _inner.of_base64(base64.b64encode(text.encode()).decode()) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hello",
        '{"a": 1, "a": 2}',
        "[NaN]",
        "[Infinity]",
        "[1e999]",
        str(2**64),
        "9" * 5000,
        '["\\ud800"]',
        '["\\u0000"]',
        '{"\\u0000": 1}',
        "[" * 33 + "]" * 33,
        "[" * 5000 + "]" * 5000,
        "[" * 100_000,
        '"' + "x" * _inner.TEXT_MAX + '"',
        "null",
    ],
)
def test_what_two_readers_could_read_as_two_things_is_no_json(text: str) -> None:
    assert _inner.of_text(text) is None


def test_it_may_be_as_deep_as_that() -> None:
    assert _inner.of_text("[" * 32 + "]" * 32) is not None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("SGVsbG8=", "Hello"),
        ("eyJhIjogMX0=", {"a": 1}),
        ("... no base64 ...", None),
        ("é", None),
        ("/w==", None),
        ("", None),
        ("AA==", None),
        ("SGVsbG8", None),
        ("A" * (_inner.TEXT_MAX + 1), None),
    ],
)
def test_base64_is_json_else_a_text_else_nothing(text: str, wanted: Any) -> None:
    assert _inner.of_base64(text) == wanted


@hypothesis.given(st.text())
def test_no_text_is_a_mistake(text: str) -> None:
    json.dumps([_inner.of_text(text), _inner.of_base64(text)]).encode()
