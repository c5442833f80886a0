"""Strict JSON: each kind of bad body by its code, and what is good comes back exactly."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer import errors
from healer.intake import strict

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "not-json"),
        (b"nul", "not-json"),
        (b'{"a":1}x', "not-json"),
        (b'{"a":1,"a":2}', "duplicate-key"),
        (b'{"a": {"b":1, "b":1}}', "duplicate-key"),
        (b"[NaN]", "not-a-number"),
        (b"[-Infinity]", "not-a-number"),
        (b"18446744073709551616", "number-too-large"),
        (b"9" * 5000, "number-too-large"),
        (b"1e999", "number-too-large"),
        (b'"\\u0000"', "bad-text"),
        (b'"\\ud800"', "bad-text"),
        (b'"\xff"', "bad-text"),
        (b'"' + b"x" * 300_000 + b'"', "bad-text"),
        (b"[" * 65 + b"]" * 65, "too-deep"),
        (b"[" * 100_000, "too-deep"),
        (b"[" + b"1," * 60_000 + b"1]", "too-many-values"),
    ],
)
def test_bad_bodies_are_named(body: bytes, code: str) -> None:
    nodes = {"nodes_max": 50_000}
    with pytest.raises(errors.RequestError) as caught:
        strict._bound(orjson.loads(body), 64, 50_000, 262_144) if code == "too-many-values" else strict.parse(
            body, **nodes
        )
    assert caught.value.code == code


@given(VALUES)
def test_what_is_good_comes_back(value: Any) -> None:
    assert strict.parse(orjson.dumps(value)) == value
    assert strict.parse(json.dumps(value).encode()) == value


@given(st.binary(max_size=200))
def test_no_bytes_give_anything_but_a_value_or_a_refusal(body: bytes) -> None:
    with contextlib.suppress(errors.RequestError):
        assert orjson.loads(orjson.dumps(strict.parse(body))) == strict.parse(body)


def test_lines_name_the_bad_one() -> None:
    assert strict.lines(b'{"a":1}\n\n{"b":2}\n') == [{"a": 1}, {"b": 2}]
    with pytest.raises(errors.InvalidField, match="line 2"):
        strict.lines(b"{}\n{")
