"""Steps of a replay."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer import errors
from healer.testing import steps


@pytest.mark.parametrize(
    "raw",
    [
        5, {}, {"event": {}, "fact": {}}, {"event": 5}, {"evnt": {}}, {"advance_s": "x"}, {"advance_s": -1},
        {"advance_s": True}, {"advance_s": float("nan")}, {"event": {}, "at": "1"}, {"event": {}, "ruleset": "nope"},
        {"event": {}, "partial": True}, {"retract": {}, "partial": 1}, {"retract": {}, "exclude_keys": "meta"},
        {"fact": {}, "exclude_keys": []},
    ],
)  # fmt: skip
def test_a_wrong_step_names_its_line(raw: Any) -> None:
    with pytest.raises(errors.InvalidField, match="line 3: ") as caught:
        steps.read(2, raw, ["s"])
    assert caught.value.message == f"line 3: {caught.value.fields['field']}: {caught.value.fields['detail']}"


def test_a_step_is_read_with_its_defaults() -> None:
    step = steps.read(0, {"retract": {"a": [{"b": 1}]}, "at": 3}, ["s"])
    assert (step.kind, step.body, step.at, step.partial, step.exclude_keys) == (
        "retract",
        {"a": [{"b": 1}]},
        3,
        True,
        None,
    )


@given(
    st.dictionaries(
        st.sampled_from([*steps.KEYS, "x"]), st.none() | st.integers() | st.text() | st.just({}) | st.floats()
    )
)
def test_any_step_is_read_or_refused(raw: dict[str, Any]) -> None:
    with contextlib.suppress(errors.InvalidField):
        assert steps.read(0, raw, ["s"]).kind in steps.KINDS
