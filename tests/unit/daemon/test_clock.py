"""Journal time: goes on evenly whatever the wall clock does, never before what the journal has."""

from __future__ import annotations

import pytest

from healer.daemon import clock

S = 1_000_000


class Clocks:
    """Both clocks by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall_us = 1_700_000_000 * S
        self.monotonic_us = 50 * S
        monkeypatch.setattr(clock.time, "time_ns", lambda: self.wall_us * 1000)
        monkeypatch.setattr(clock.time, "monotonic_ns", lambda: self.monotonic_us * 1000)

    def go(self, us: int) -> None:
        self.wall_us += us
        self.monotonic_us += us


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    return Clocks(monkeypatch)


def test_it_begins_with_the_wall_clock_and_goes_on_with_the_other(clocks: Clocks) -> None:
    made = clock.JournalClock()
    assert made() == 1_700_000_000 * S
    clocks.go(5 * S)
    assert made() == 1_700_000_005 * S


@pytest.mark.parametrize("step_us", [-3600 * S, 3600 * S])
def test_a_step_of_the_wall_clock_moves_nothing_and_is_told_once(clocks: Clocks, step_us: int) -> None:
    made = clock.JournalClock()
    clocks.go(S)
    clocks.wall_us += step_us
    assert made() == 1_700_000_001 * S
    assert made.stepped() == step_us
    clocks.go(S)
    assert (made.stepped(), made()) == (0, 1_700_000_002 * S)


@pytest.mark.parametrize(("drift_us", "told"), [(0, 0), (S, 0), (-S, 0), (S + 1, S + 1), (-S - 1, -S - 1)])
def test_a_second_is_no_step(clocks: Clocks, drift_us: int, told: int) -> None:
    made = clock.JournalClock()
    clocks.wall_us += drift_us
    assert made.stepped() == told


def test_it_goes_on_from_the_journal_where_the_wall_clock_was_set_back(clocks: Clocks) -> None:
    made = clock.JournalClock()
    made.not_before(1_700_000_100 * S)
    assert made() == 1_700_000_100 * S
    assert made.stepped() == 0
    clocks.go(S)
    assert made() == 1_700_000_101 * S
    made.not_before(1)
    assert made() == 1_700_000_101 * S
