"""Windows: their bound and their end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer import engine, errors, testing
from healer.engine import rules, throttles

SECOND_US = 1_000_000


def windows(window_s: int = 10) -> throttles.Windows:
    place = errors.Place("x")
    throttle = rules.Throttle("once_within", window_s * SECOND_US, "10 SECONDS", (("h",),), ("h",), place)
    return throttles.Windows({0: throttle, 3: throttle})


def at(made: throttles.Windows, second: float, group: Any, number: int = 0) -> bool:
    made.advance(round(second * SECOND_US))
    return made.passes(number, made.by_rule[number].group({"h": group}), 0)


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abc"), st.sampled_from([0, 3])), max_size=40))
def test_windows_are_what_a_table_of_last_firings_says(steps: list[tuple[int, str, int]]) -> None:
    made, last, now = windows(), {}, 0
    for wait, group, number in steps:
        now += wait
        wanted = now - last.get((group, number), -100) >= 10
        if wanted:
            last[group, number] = now
        assert at(made, now, group, number) is wanted
    assert made.open == sum(now - then < 10 for then in last.values())


def test_what_is_over_is_forgotten() -> None:
    made = windows()
    for number in range(100):
        at(made, 0, number)
    assert made.open == 100
    made.advance(10 * SECOND_US)
    assert (made.open, made.by_rule[0].open, made.ending) == (0, {}, [])


def test_the_number_of_groups_is_bounded_and_the_oldest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttles, "GROUPS_MAX", 3)
    made = windows()
    for group in "abcd":
        assert at(made, 0, group)
    assert (made.open, made.evicted) == (3, 1)
    assert at(made, 1, "a")
    assert not at(made, 1, "d")


def test_counts_that_were_reached_leave_nothing_behind() -> None:
    """A count that ends before its window is over stands in the order of ends no longer than it has to."""
    place = errors.Place("x")
    throttle = rules.Throttle("accumulate_within", 3600 * SECOND_US, "1 HOURS", (("h",),), ("h",), place, 2)
    made = throttles.Windows({0: throttle})
    for number in range(10_000):
        assert at(made, number / 1000, "x") is (number % 2 == 1)
    assert made.open == 0
    assert len(made.by_rule[0].order) < 3 * throttles.SLACK


def test_zero_and_minus_zero_are_two_groups() -> None:
    """As there, where a group is a key of a map."""
    (made,) = testing.load("""
- name: s
  hosts: all
  sources: []
  rules:
    - {name: r, condition: event.n is defined, action: {none: }, throttle: {once_within: 9 seconds, group_by_attributes: [event.h]}}
""")
    session = engine.Session(made)
    assert [len(session.post({"n": n, "h": h}, 1)) for n, h in enumerate((0.0, -0.0, 0.0, -0.0, 0))] == [1, 1, 0, 0, 1]
