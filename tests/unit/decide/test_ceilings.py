"""When rules begin to forget: told at once, then once an hour while it goes on, and not what a snapshot brought."""

from __future__ import annotations

from healer.decide import ceilings

HOUR = ceilings.AGAIN_US


def counted(**more: int) -> dict[str, dict[str, int]]:
    return {"a/b": {**dict.fromkeys(ceilings.COUNTERS, 0), "comparisons_broken": 7, **more}}


def test_a_cut_is_told_once_an_hour() -> None:
    known = ceilings.Ceilings({})
    assert known.found(counted(), 0) == {}
    assert known.found(counted(events_evicted=3, matches_cut=1), 1) == {"a/b": {"events_evicted": 3, "matches_cut": 1}}
    assert known.found(counted(events_evicted=9, matches_cut=1), HOUR) == {}
    assert known.found(counted(events_evicted=9, matches_cut=1), HOUR + 1) == {"a/b": {"events_evicted": 6}}
    assert known.found(counted(events_evicted=9, matches_cut=1), 9 * HOUR) == {}


def test_what_a_snapshot_brought_was_told() -> None:
    known = ceilings.Ceilings(counted(facts_refused=5))
    assert known.found(counted(facts_refused=5), 0) == {}
    assert known.found(counted(facts_refused=6), 0) == {"a/b": {"facts_refused": 1}}


def test_rules_that_begin_anew_count_from_nought() -> None:
    known = ceilings.Ceilings(counted(windows_evicted=50))
    assert known.found(counted(), 0) == {}
    assert known.found(counted(windows_evicted=1), 1) == {"a/b": {"windows_evicted": 1}}


def test_a_ruleset_that_came_with_a_reload_is_told_at_once() -> None:
    assert ceilings.Ceilings({}).found(counted(windows_evicted=1), 0) == {"a/b": {"windows_evicted": 1}}
