"""Paths, equality, keys and Java's text form."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.engine import values

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
STEPS = st.tuples(
    st.sampled_from("ab"), st.sampled_from(["a", "b", 0, -1, 7, ("a",)]), st.sampled_from(["a", 0, ("b",)])
)


@given(st.dictionaries(st.sampled_from("ab"), JSON), STEPS, st.integers(1, 3))
def test_a_getter_gives_what_following_the_steps_gives(event: dict[str, Any], steps: values.Steps, length: int) -> None:
    assert values.getter(steps[:length])(event) == values.follow(event, steps[:length])


@given(JSON, JSON)
def test_values_of_one_key_are_the_same_values(a: Any, b: Any) -> None:
    assert (values.typed_key(a) == values.typed_key(b)) is values.same(a, b)


@given(JSON)
def test_every_value_is_the_same_as_itself_and_has_a_text(value: Any) -> None:
    assert values.same(value, value)
    assert values.equal(value, value)
    assert isinstance(values.java_text(value), str)


def test_one_true_and_the_text_are_four_keys() -> None:
    assert len({values.typed_key(value) for value in (1, 1.0, True, "1")}) == 4


def test_the_keys_of_a_map_have_no_order() -> None:
    assert values.typed_key({"a": 1, "b": 2}) == values.typed_key({"b": 2, "a": 1})


def test_values_nested_without_end_are_compared_without_an_error() -> None:
    deep: Any = 1
    for _ in range(5_000):
        deep = [deep]
    assert not values.same(deep, deep)
    assert values.typed_key(deep) == values.typed_key(deep)
    assert isinstance(values.java_text(deep), str)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.0"), (1.5, "1.5"), (1e7, "1.0E7"), (123456789.5, "1.234567895E8"), (1e-4, "1.0E-4"), (1e100, "1.0E100"),
        (float("inf"), "Infinity"), (0.001, "0.001"), (True, "true"), (None, "null"), ([1, "a"], "[1, a]"),
        ({"x": {"y": None}}, "{x={y=null}}"), (10**400, "Infinity"),
    ],
)  # fmt: skip
def test_java_text(value: Any, text: str) -> None:
    assert values.java_text(value) == text
