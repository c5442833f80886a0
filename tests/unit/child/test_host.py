"""What the host of a source makes of events: JSON or a named refusal. Whole processes are in supervise/test_eda.py."""

from __future__ import annotations

import datetime
import decimal
import json
import uuid
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer.child import host

ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary(max_size=8)
    | st.datetimes()
    | st.dates()
    | st.decimals()
    | st.uuids()
    | st.frozensets(st.integers(), max_size=2)
    | st.builds(object),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(st.text() | st.integers() | st.none() | st.tuples(st.integers()), inner, max_size=3)
    ),
    max_leaves=10,
)


@hypothesis.given(ANY | st.dictionaries(st.text(), ANY, max_size=4))
def test_any_value_is_strict_json_or_refused(value: Any) -> None:
    try:
        text = host.encode(value)
    except host.NoEvent:
        return
    read = json.loads(text, parse_constant=pytest.fail)
    assert isinstance(read, dict)
    assert b"\n" not in text


TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
)


@hypothesis.given(st.dictionaries(st.text("abc"), JSON))
def test_json_stays_as_it_is(value: dict[str, Any]) -> None:
    assert json.loads(host.encode(value)) == value


def test_values_that_become_text() -> None:
    number = uuid.UUID(int=1)
    event = {"a": datetime.date(2026, 1, 2), "b": decimal.Decimal("1.50"), "c": number, "d": bytearray(b"x"), 7: True}
    assert json.loads(host.encode(event)) == {"a": "2026-01-02", "b": "1.50", "c": str(number), "d": "x", "7": True}


def nested(levels: int) -> dict[str, Any]:
    """So many levels around an empty one."""
    event: dict[str, Any] = {}
    for _ in range(levels):
        event = {"x": event}
    return event


@pytest.mark.parametrize(
    "event", [nested(63), {"x": [nested(61)]}, {"x": ({"y": nested(60)},)}], ids=["objects", "list", "tuple"]
)
def test_an_event_has_64_levels_the_empty_one_counted(event: dict[str, Any]) -> None:
    assert host.encode(event).count(b"{") + host.encode(event).count(b"[") == 64


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ([1], "has to be a dict"),
        (nested(64), "deeper than 64 levels"),
        ({"x": [nested(62)]}, "deeper than 64 levels"),
        (nested(100_000), "deeper than 64"),
        ({"x": "y" * (4 << 20)}, "at most"),
        ({"x": 1 << 64}, "64 bits"),
        ({"x": float("inf")}, "JSON"),
        ({"\0": 1}, "NUL"),
        ({b"x": 1}, "key"),
        ({"x": {1}}, "set"),
    ],
)
def test_refusals_say_why(event: Any, says: str) -> None:
    with pytest.raises(host.NoEvent, match=says):
        host.encode(event)


def test_whose_an_error_is_is_said_once() -> None:
    error = KeyError("x")
    assert host.words_of(error) == "KeyError: 'x'"
    for _ in range(3):
        host.note(error, "the filter 1 of 2, /f.py")
    assert host.words_of(error) == "KeyError: 'x' (in the filter 1 of 2, /f.py)"
