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
        strict._bound(orjson.loads(body), 1, 50_000, 262_144) if code == "too-many-values" else strict.parse(
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


@pytest.mark.parametrize("before", [b'"a \\u0026 b"', b'"\\u0001"', b'"\\\\u0000"', b"1"])
def test_nul_is_found_behind_other_escapes(before: bytes) -> None:
    assert len(strict.parse(b"[" + before + b',"\\\\u0000"]')) == 2
    with pytest.raises(errors.BadText, match="NUL"):
        strict.parse(b"[" + before + b',"\\u0000"]')


@pytest.mark.parametrize("one", [b"1", b"[]", b'"a,b"'])
def test_as_many_values_as_the_limit_and_not_one_more(one: bytes) -> None:
    for limit in (3, 50_000):
        good = b"[" + b",".join([one] * (limit - 1)) + b"]"
        assert len(strict.parse(good, nodes_max=limit)) == limit - 1
        with pytest.raises(errors.TooManyNodes):
            strict.parse(good[:-1] + b",1]", nodes_max=limit)


def test_lines_name_the_bad_one() -> None:
    assert strict.lines(b'{"a":1}\n\n{"b":2}\n') == [(1, {"a": 1}), (3, {"b": 2})]


BAD_EVENTS: dict[bytes, str] = {
    b'{"b":1,"b":2}': "duplicate-key",
    b'{"b":NaN}': "not-a-number",
    b'{"b":}': "not-json",
    b'{"b":1e999}': "number-too-large",
    b'{"b":"\\u0000"}': "bad-text",
    b'{"b":' + b"[" * 63 + b"]" * 63 + b"}": "",
    b'{"b":' + b"[" * 64 + b"]" * 64 + b"}": "too-deep",
    b'{"b":' + b"[" * 5000 + b"]" * 5000 + b"}": "too-deep",
}


@pytest.mark.parametrize("bad", BAD_EVENTS)
def test_lines_name_the_bad_one_and_keep_its_code(bad: bytes) -> None:
    body = b'{"a":1}\n\n' + bad + b"\n"
    if not BAD_EVENTS[bad]:
        assert strict.lines(body)[1][0] == 3
        return
    with pytest.raises(errors.RequestError, match="]: line 3: ") as caught:
        strict.lines(body)
    assert caught.value.code == BAD_EVENTS[bad]
    assert "line 1" not in caught.value.message


@pytest.mark.parametrize("bad", BAD_EVENTS)
def test_an_array_names_the_bad_element_and_keeps_its_code(bad: bytes) -> None:
    code = BAD_EVENTS[bad] or "too-deep"  # the array is a level of its own
    with pytest.raises(errors.RequestError, match="]: element 2: ") as caught:
        strict.one_or_many(b' [{"a":1} , 2,\n' + bad + b',{"c":1,"c":2}]')
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"b":1,"b":2}', "duplicate-key"),
        (b"[]x", "not-json"),
        (b" [ ] x", "not-json"),
        (b'[{"a":1}]x', "not-json"),
        (b"[{} {}]", "not-json"),
        (b'[{"a":1},"\xff"]', "bad-text"),
        (b"[" + b"0," * 60_000 + b"0]", "too-many-values"),
        (b"[" + b"0," * 60_000 + b"x]", "not-json"),
    ],
)
def test_what_is_bad_of_no_single_element_names_none(body: bytes, code: str) -> None:
    with pytest.raises(errors.RequestError) as caught:
        strict.one_or_many(body)
    assert caught.value.code == code
    assert "element" not in caught.value.message


def nested(levels: int, inner: bytes) -> bytes:
    """An object of so many levels, what is in it among them."""
    return b'{"a":' * (levels - inner.count(b"[")) + inner + b"}" * (levels - inner.count(b"["))


@pytest.mark.parametrize("space", [b"", b" "], ids=["exact", "slow"])
@pytest.mark.parametrize("inner", [b"1", b"[]"])
def test_a_body_has_its_levels_whatever_form_it_has(inner: bytes, space: bytes) -> None:
    """The array around its elements is a level of the body; a line is a body of its own."""
    fits, over = strict.DEPTH_MAX, strict.DEPTH_MAX + 1
    assert strict.parse(nested(fits, inner) + space)
    assert strict.one_or_many(nested(fits, inner) + space)
    assert strict.one_or_many(b"[{}," + nested(fits - 1, inner) + b"]" + space)
    assert strict.lines(nested(fits, inner) + space)
    for read, body, place in [
        (strict.parse, nested(over, inner) + space, ""),
        (strict.one_or_many, nested(over, inner) + space, ""),
        (strict.one_or_many, b"[{}," + nested(over - 1, inner) + b"]" + space, "element 1: "),
        (strict.one_or_many, b"[{}," + nested(100_000, inner) + b"]" + space, "element 1: "),
        (strict.lines, b"{}\n" + nested(over, inner) + space, "line 2: "),
    ]:
        with pytest.raises(errors.TooDeep) as caught:
            read(body)
        assert caught.value.message == f"{place}the JSON is nested deeper than 64 levels"


@pytest.mark.parametrize("space", [b"", b" "], ids=["exact", "slow"])
def test_what_only_wraps_a_body_is_no_level_of_it(space: bytes) -> None:
    step = b'{"event":' + nested(strict.DEPTH_MAX, b"1") + b"}" + space
    assert strict.parse(step, level=0)
    with pytest.raises(errors.TooDeep, match=r"than 64 levels$"):
        strict.parse(b'{"event":' + nested(strict.DEPTH_MAX + 1, b"1") + b"}" + space, level=0)


@given(VALUES)
def test_one_or_many_takes_what_is_good(value: Any) -> None:
    assert strict.one_or_many(orjson.dumps(value)) == value


@given(st.binary(max_size=200).map(lambda inner: b"[" + inner + b"]"))
def test_an_array_is_refused_as_it_is_without_elements(body: bytes) -> None:
    def tried(read: Any) -> Any:
        try:
            return read(body)
        except errors.RequestError:
            return "refused"

    assert tried(strict.one_or_many) == tried(strict.parse)
