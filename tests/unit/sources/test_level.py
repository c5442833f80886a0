"""When readings open and close an alert, with plain values for time."""

from __future__ import annotations

import itertools

import hypothesis
from hypothesis import strategies as st

from healer import plugins
from healer.sources import _level


def good(value: float = 10.0) -> plugins.Reading:
    return plugins.Reading(True, value, "well")


def bad(value: float = 95.0) -> plugins.Reading:
    return plugins.Reading(False, value, "bad")


def told(level: _level.Level, *readings: plugins.Reading, step: float = 60.0, start: float = 0.0) -> list[str]:
    """What each reading told, one every `step` seconds: its status, or `-`."""
    found = (level.take(reading, start + index * step) for index, reading in enumerate(readings))
    return [one.status if one else "-" for one in found]


def test_changes_are_told_once() -> None:
    level = _level.Level(_level.Rules())
    assert told(level, good(), good(), bad(), bad(), good(), good()) == [
        "resolved", "-", "firing", "-", "resolved", "-",
    ]  # fmt: skip


def test_first_status_is_told_whichever_it_is() -> None:
    assert told(_level.Level(_level.Rules()), bad()) == ["firing"]
    assert told(_level.Level(_level.Rules()), good()) == ["resolved"]


def test_it_takes_so_many_in_a_row() -> None:
    level = _level.Level(_level.Rules(failures=3, successes=2))
    assert told(level, bad(), bad(), good(), bad(), bad(), bad()) == ["-"] * 5 + ["firing"]
    assert told(level, good(), bad(), good(), good(), start=360) == ["-", "-", "-", "resolved"]


def test_since_is_the_first_of_the_row() -> None:
    level = _level.Level(_level.Rules(failures=3))
    level.take(bad(), 100.0)
    level.take(bad(), 160.0)
    found = level.take(bad(), 220.0)
    assert found is not None
    assert found.since == 100.0


def test_hysteresis_holds_between_clear_and_limit() -> None:
    level = _level.Level(_level.Rules(clear_below=80.0))
    assert told(level, bad(95), good(85), good(80), good(79.9)) == ["firing", "-", "-", "resolved"]


def test_hysteresis_does_not_break_a_start_below_the_limit() -> None:
    assert told(_level.Level(_level.Rules(clear_below=80.0)), good(85)) == ["resolved"]


def test_firing_is_told_again_so_that_a_failed_healing_is_tried_again() -> None:
    level = _level.Level(_level.Rules(repeat_s=120))
    assert told(level, bad(), bad(), bad(), bad(), bad()) == ["firing", "-", "firing", "-", "firing"]


def test_resolved_is_not_told_again() -> None:
    level = _level.Level(_level.Rules(repeat_s=60))
    assert told(level, good(), *[good()] * 100) == ["resolved"] + ["-"] * 100


@hypothesis.given(st.lists(st.tuples(st.booleans(), st.floats(0, 100))), st.integers(1, 4), st.integers(1, 4))
def test_what_is_told_alternates_but_for_repeats(
    readings: list[tuple[bool, float]], failures: int, successes: int
) -> None:
    level = _level.Level(_level.Rules(failures, successes, clear_below=50.0, repeat_s=1e9))
    statuses = told(level, *(plugins.Reading(ok, value, "") for ok, value in readings))
    changes = [status for status in statuses if status != "-"]
    assert all(one != other for one, other in itertools.pairwise(changes))
