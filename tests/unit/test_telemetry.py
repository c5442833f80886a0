"""Counters and gauges: one table for the process, given out as a copy."""

from __future__ import annotations

import collections
import threading

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import telemetry


@pytest.fixture(autouse=True)
def _own_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests counted is not seen here, and what is counted here is not seen there."""
    monkeypatch.setattr(telemetry, "_COUNTS", collections.Counter())


def test_nothing_counted_is_nothing_read() -> None:
    assert telemetry.read() == {}


def test_a_counter_adds_one_or_as_many_as_told() -> None:
    telemetry.count("events")
    telemetry.count("events", 41)
    telemetry.count("none", 0)
    assert telemetry.read() == {"events": 42, "none": 0}


def test_a_gauge_is_what_it_was_set_to_last() -> None:
    telemetry.gauge("depth", 7)
    telemetry.gauge("depth", 3)
    assert telemetry.read() == {"depth": 3}
    telemetry.gauge("depth", 0)
    assert telemetry.read() == {"depth": 0}


def test_names_are_counted_apart_and_read_in_order() -> None:
    for name in ("b", "a_long", "a", "c"):
        telemetry.count(name)
    telemetry.gauge("B", 1)
    assert list(telemetry.read()) == ["B", "a", "a_long", "b", "c"]


def test_what_was_read_is_a_copy() -> None:
    telemetry.count("events")
    before = telemetry.read()
    telemetry.count("events")
    assert before == {"events": 1}
    before["events"] = 99
    before["more"] = 1
    assert telemetry.read() == {"events": 2}
    assert type(before) is dict


_STEPS = st.lists(st.tuples(st.booleans(), st.sampled_from("abc"), st.integers(-(2**70), 2**70)))


@hypothesis.given(_STEPS)
def test_any_order_of_counting_and_setting(steps: list[tuple[bool, str, int]]) -> None:
    telemetry._COUNTS.clear()
    wanted: dict[str, int] = {}
    for sets, name, value in steps:
        (telemetry.gauge if sets else telemetry.count)(name, value)
        wanted[name] = value + (0 if sets else wanted.get(name, 0))
    assert telemetry.read() == wanted


def test_what_only_would_take_place_is_not_counted_and_others_go_on() -> None:
    before = telemetry.read().get("apart", 0)

    def elsewhere() -> None:
        telemetry.count("apart", 10)

    with telemetry.uncounted():
        telemetry.count("apart")
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    telemetry.count("apart")
    assert telemetry.read()["apart"] == before + 11
