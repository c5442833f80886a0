"""How deaths at one position are counted."""

from __future__ import annotations

from typing import Any

import pytest

from healer.store import stumbling


@pytest.fixture
def waiting(kit: Any) -> Any:
    """A position with rows behind it."""
    kit.decide()
    kit.append()
    kit.append()
    return kit


def begin(kit: Any) -> tuple[int, int]:
    begun = kit.do(stumbling.Begin())
    return begun.deaths, begun.poison


def test_the_first_process_of_all_follows_nobody(waiting: Any) -> None:
    assert begin(waiting) == (0, 0)


def test_deaths_at_one_place_are_counted(waiting: Any) -> None:
    assert [begin(waiting) for _ in range(3)] == [(0, 0), (1, 0), (2, 0)]


def test_the_row_that_was_tried_alone_at_the_third_is_the_one(waiting: Any) -> None:
    for _ in range(3):
        begin(waiting)
    waiting.do(stumbling.Try(waiting.position + 1))
    assert begin(waiting) == (3, waiting.position + 1)


def test_who_goes_row_by_row_and_dies_before_the_first_is_not_counted(waiting: Any) -> None:
    for _ in range(3):
        begin(waiting)
    assert [begin(waiting) for _ in range(3)] == [(2, 0)] * 3


def test_the_count_goes_along_with_who_goes_row_by_row(waiting: Any) -> None:
    for _ in range(3):
        begin(waiting)
    waiting.do(stumbling.Try(waiting.position + 1))
    waiting.connection.execute("UPDATE position SET seq = seq + 1")
    waiting.do(stumbling.Try(waiting.position + 2))
    assert begin(waiting) == (3, waiting.position + 2)


def test_progress_begins_anew(waiting: Any) -> None:
    begin(waiting)
    begin(waiting)
    waiting.connection.execute("UPDATE position SET seq = seq + 1")
    assert begin(waiting) == (1, 0)


def test_getting_past_begins_anew(waiting: Any) -> None:
    for _ in range(3):
        begin(waiting)
    waiting.do(stumbling.Past())
    assert begin(waiting) == (1, 0)


def test_a_clean_stop_begins_anew(waiting: Any) -> None:
    for _ in range(3):
        begin(waiting)
    waiting.do(stumbling.Stop())
    assert begin(waiting) == (0, 0)


def test_nothing_that_waits_nothing_to_count(kit: Any) -> None:
    kit.decide()
    assert [begin(kit) for _ in range(4)] == [(0, 0)] * 4
