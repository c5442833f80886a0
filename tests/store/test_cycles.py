"""The cycle of a row that was decided long ago, whatever part of the openings is still kept."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.store import cycles

OPENED = st.lists(st.integers(1, 60), unique=True, max_size=8).map(sorted)


def rows(opened: list[int]) -> list[dict[str, Any]]:
    return [{"source": "am", "key": "k", "seq": seq, "cycle": n} for n, seq in enumerate(opened, 1)]


@given(OPENED, st.integers(0, 61), st.integers(0, 8))
def test_a_row_has_the_cycle_that_held_then(opened: list[int], seq: int, forgotten: int) -> None:
    kept = rows(opened)[min(forgotten, max(len(opened) - 1, 0)) :]
    wanted = sum(at <= seq for at in opened)
    if kept and seq < kept[0]["seq"]:
        wanted = (
            kept[0]["cycle"] - 1
        )  # of rows before what is kept only the last cycle is told: older ones are trimmed with them
    assert cycles.Openings(kept).cycle("am", "k", seq, len(opened)) == wanted


def test_an_alert_without_openings_has_its_present_cycle() -> None:
    assert cycles.Openings(rows([3])).cycle("am", "other", 1, 7) == 7


@pytest.mark.parametrize("alert", [
    None, "x", {}, {"key": "k"}, {"key": "k", "status": "open"}, {"key": 1, "status": "firing"}, {"key": "", "status": "firing"},
    {"key": "k" * 513, "status": "firing"},
])  # fmt: skip
def test_what_has_no_lifecycle(alert: Any) -> None:
    assert cycles.lifecycle(alert) is None


@pytest.mark.parametrize("status", ["firing", "resolved"])
def test_what_has_one(status: str) -> None:
    for key in ("k", "k" * 512):
        assert cycles.lifecycle({"key": key, "status": status}) == (key, status == "firing")
