"""What the rules remembered at earlier times: which snapshots stay for explanations, how much, and until when."""

from __future__ import annotations

from typing import Any

import pytest

from healer.store import deciding, trimming

S = 1_000_000


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot of the past for each ten rows."""
    monkeypatch.setattr(deciding, "PAST_ROWS", 10)


def decide(kit: Any, rows: int, every: int, data: str = "{}") -> None:
    """So many rows, of which each `every`th brings a snapshot that needs the row before it."""
    for number in range(1, rows + 1):
        kit.decide(snapshot=deciding.Snapshot(kit.position, data) if number % every == 0 else None)


def past(kit: Any) -> list[int]:
    return [seq for (seq,) in kit.rows("SELECT seq FROM past ORDER BY seq")]


def kept(kit: Any) -> list[int]:
    return [seq for (seq,) in kit.rows("SELECT seq FROM snapshot ORDER BY seq")]


@pytest.mark.usefixtures("near")
@pytest.mark.parametrize(("every", "gap"), [(1, 10), (3, 10), (9, 10), (10, 10), (25, 25)])
def test_no_row_of_the_past_is_far_behind_one(kit: Any, every: int, gap: int) -> None:
    decide(kit, 200, every)
    found = [*past(kit), *kept(kit)]
    assert len(kept(kit)) == 2
    assert max(after - before for before, after in zip([1, *found], found, strict=False)) <= gap
    assert len(past(kit)) <= 200 // gap * 2


def test_those_for_a_start_stay_two(kit: Any) -> None:
    decide(kit, 5, 1)
    assert (len(kept(kit)), past(kit)) == (2, [])


@pytest.mark.usefixtures("near")
def test_the_oldest_go_where_all_are_too_much(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding, "PAST_SIZE_MAX", 1_000)
    decide(kit, 200, 10, data='{"a":"' + "x" * 300 + '"}')
    assert len(past(kit)) == 3
    assert past(kit)[-1] > 150


@pytest.mark.usefixtures("near")
def test_one_that_is_too_large_is_not_kept(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding, "PAST_EACH_MAX", 100)
    decide(kit, 60, 10, data='{"a":"' + "x" * 300 + '"}')
    assert past(kit) == []


@pytest.mark.usefixtures("near")
def test_what_the_journal_has_no_rows_for_any_more_goes_and_keeps_no_row(kit: Any) -> None:
    decide(kit, 50, 10)
    kit.now_us += 10 * S
    decide(kit, 50, 10)
    before = past(kit)
    kit.do(trimming.TrimJournal(kit.now_us))
    ((first,),) = kit.rows("SELECT min(seq) FROM journal WHERE kind <> 'revision'")
    assert first == 52
    assert past(kit) == [seq for seq in before if seq - 1 >= first]
    assert 0 < len(past(kit)) < len(before)
