"""Canonical bytes against the plain way of making them, and what has none."""

from __future__ import annotations

import ast
import json
import pathlib
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

import healer
from healer.audit import records

texts = st.text(st.characters(exclude_categories=["Cs"]))
keys = st.text(st.characters(codec="ascii"), max_size=8)
integers = st.integers(-records.INTEGER_MAX, records.INTEGER_MAX)
allowed = st.recursive(
    st.one_of(st.none(), st.booleans(), integers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=20,
)
any_json = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        texts,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=20,
)


def plainly(value: Any) -> bytes:
    """JCS within the bounds, by the standard library: it escapes DEL no more than JCS does, and sorts ASCII keys alike."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@hypothesis.given(st.dictionaries(keys, allowed, max_size=6))
def test_canonical_is_sorted_and_tight(record: dict[str, Any]) -> None:
    assert records.canonical(record) == plainly(record)


@hypothesis.given(st.dictionaries(keys, allowed, max_size=6))
def test_canonical_is_a_fixed_point(record: dict[str, Any]) -> None:
    data = records.canonical(record)
    assert records.canonical(json.loads(data)) == data


@pytest.mark.parametrize(("value", "said"), [
    (1.0, "1.0 has no"), (0.5, "0.5 has no"), (float("nan"), "nan has no"), (2**53 + 1, "9007199254740993 is beyond"),
    (-(2**53) - 1, "-9007199254740993 is beyond"), ({"ü": 1}, "'ü' is not ASCII"), ({1: 2}, "1 is not ASCII"), ([{"é": 0}], "'é' is not ASCII"),
    ({"a": [1, [2.5]]}, "2.5 has no"), (b"bytes", "b'bytes' has no"), ({1, 2}, "{1, 2} has no"), (object(), "has no"),
])  # fmt: skip
def test_what_has_no_canonical_form(value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        records.canonical({"value": value})


@pytest.mark.parametrize("value", [2**53, -(2**53), True, "ü\n\x7f\u2028", ["a", None], ("a", 1), {}])
def test_what_has_one(value: Any) -> None:
    assert records.canonical({"value": value})


@hypothesis.given(any_json)
def test_embedding_gives_what_canonical_takes_and_loses_nothing(value: Any) -> None:
    shown = json.loads(records.canonical({"value": records.embed(value)}))["value"]
    assert shown == value if not isinstance(shown, str) or isinstance(value, str) else json.loads(shown) == value


@hypothesis.given(any_json)
def test_what_was_embedded_has_the_bytes_of_what_was_not(value: Any) -> None:
    try:
        plain = records.canonical({"b": value, "a": 1})
    except ValueError:
        hypothesis.assume(False)
    assert records.canonical({"b": records.embed(value), "a": 1}) == plain


def test_what_needs_no_text_stays_as_it_is() -> None:
    assert (
        records.canonical({"value": records.embed({"b": [1, "x"], "a": None})}) == b'{"value":{"a":null,"b":[1,"x"]}}'
    )
    assert records.embed({"load": 0.5}) == '{"load":0.5}'


def written(path: pathlib.Path) -> set[str]:
    """The kinds that a file gives to `Transaction.audit` and `Note`."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call) and node.args]
    kinds = [call.args[0] for call in calls if getattr(call.func, "attr", "") in ("audit", "Note")]
    return {
        one.value
        for kind in kinds
        for one in ((kind.body, kind.orelse) if isinstance(kind, ast.IfExp) else (kind,))
        if isinstance(one, ast.Constant) and isinstance(one.value, str)
    }


def test_every_kind_that_the_code_writes_is_known() -> None:
    """Who asks for the records of another is refused."""
    folder = pathlib.Path(healer.__file__).parent
    assert set().union(*map(written, folder.rglob("*.py"))) == set(records.KINDS)


def test_each_kind_says_what_it_is() -> None:
    assert all(kind.isascii() and meaning for kind, meaning in records.KINDS.items())
