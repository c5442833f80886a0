"""The storm brake in rows: once nothing counts as a storm any more, nothing of the last one is left."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from healer import policy
from healer.policy import brakes
from healer.store import deciding, notes, pausing, seeing

S = 1_000_000
WIDE = policy.Limits(timeout_s=10)


@pytest.fixture
def stormy(kit: Any) -> Any:
    """Five matches within ten seconds, of which three are too many."""
    kit.standing = dataclasses.replace(kit.standing, storm=brakes.StormLimit(2, 10, 60))
    kit.decide(*(kit.asked(f"k{n}", f"host:k{n}", limits=WIDE) for n in range(5)))
    assert kit.claim().claimed == []
    assert kit.rows("SELECT count(*) FROM storm") == [(1,)]
    assert kit.rows("SELECT scope, what FROM ramp") == [("all", "the storm")]
    return kit


def holds(kit: Any, how: str, storm: bool) -> None:
    """Another revision, or a start with other flags."""
    if how == "start":
        kit.do(notes.Start("daemon", storm=storm, version="0"))
        return
    row, kit.revision = kit.do(deciding.UseRevision("e" * 64, "", "daemon", {}, storm=storm))
    kit.do(deciding.Decide(row.seq - 1, row.seq, kit.now_us, kit.revision, [], lambda _: kit.standing))
    kit.position = row.seq


@pytest.mark.parametrize("how", ["reload", "start"])
def test_without_storms_all_of_it_comes_back_at_once(stormy: Any, how: str) -> None:
    stormy.standing = dataclasses.replace(stormy.standing, storm=None)
    holds(stormy, how, storm=False)
    assert stormy.rows("SELECT * FROM storm") == stormy.rows("SELECT * FROM ramp") == []
    stormy.now_us += 61 * S
    stormy.decide(look=True)
    assert len(stormy.claim().claimed) == 5
    assert stormy.verify().ok


@pytest.mark.parametrize("how", ["reload", "start"])
def test_with_storms_it_goes_on(stormy: Any, how: str) -> None:
    holds(stormy, how, storm=True)
    assert stormy.rows("SELECT count(*) FROM storm") == [(1,)]
    stormy.now_us += 61 * S
    stormy.decide(look=True)
    assert len(stormy.claim().claimed) == 1


def test_what_a_pause_held_comes_back_slowly_all_the_same(kit: Any) -> None:
    kit.do(pausing.Pause("all", "os:ana", ""))
    kit.decide(*(kit.asked(f"k{n}", f"host:k{n}", limits=WIDE) for n in range(5)))
    kit.do(pausing.Resume("all", "os:ana"))
    holds(kit, "reload", storm=False)
    assert kit.rows("SELECT what FROM ramp") == [("the pause of everything",)]


def ends(kit: Any) -> list[tuple[int, int, int]]:
    """Of each storm that is told to be over: since when it was one, since when it is calm, its peak."""
    found = kit.rows("SELECT record FROM audit WHERE kind = 'storm_over' ORDER BY seq")
    return [(one["since_us"], one["calm_us"], one["peak"]) for (text,) in found for one in (json.loads(text),)]


def told(kit: Any) -> list[str]:
    return [kind for (kind,) in kit.rows("SELECT kind FROM audit WHERE kind LIKE 'storm%' ORDER BY seq")]


def test_that_it_is_over_is_told_once(stormy: Any) -> None:
    limit = stormy.standing.storm
    ((since_us, last_us),) = stormy.rows("SELECT since_us, last_us FROM storm")
    stormy.do(seeing.Calm(limit))
    stormy.now_us = last_us + 60 * S - 1
    stormy.do(seeing.Calm(limit))
    assert ends(stormy) == []
    stormy.now_us += 1_000 * S
    for _ in range(2):
        stormy.do(seeing.Calm(limit))
    assert ends(stormy) == [(since_us, last_us + 60 * S, 5)], "since it was, not since somebody looked"
    stormy.decide(*(stormy.asked(f"l{n}", f"host:l{n}", limits=WIDE) for n in range(4)))
    stormy.do(seeing.Calm(limit))
    assert len(ends(stormy)) == 1, "another one has begun"
    stormy.now_us += 1_000 * S
    stormy.do(seeing.Calm(limit))
    assert len(ends(stormy)) == 2
    assert stormy.verify().ok


def test_the_next_one_says_that_the_last_one_ended(stormy: Any) -> None:
    """Also where nobody looked in between."""
    stormy.now_us += 1_000 * S
    stormy.decide(*(stormy.asked(f"l{n}", f"host:l{n}", limits=WIDE) for n in range(4)))
    assert told(stormy) == ["storm", "storm_over", "storm"]


@pytest.mark.parametrize("calm_s", [1, 60, 10_000])
def test_one_that_was_told_to_be_over_is_over(stormy: Any, calm_s: float) -> None:
    """Whatever the settings call calm since: what comes then is another one, which is told by itself, and once."""
    ((since_us, last_us),) = stormy.rows("SELECT since_us, last_us FROM storm")
    stormy.now_us = last_us + 60 * S
    stormy.do(seeing.Calm(stormy.standing.storm))
    limit = brakes.StormLimit(2, 10, calm_s)
    stormy.standing = dataclasses.replace(stormy.standing, storm=limit)
    stormy.now_us += 20 * S
    (run,) = stormy.decide(stormy.asked("before", "host:before", limits=WIDE)).runs
    assert stormy.rows("SELECT state, reason FROM run WHERE id = ?", run) == [("queued", "")]
    for n in range(6):
        stormy.now_us += S // 10
        stormy.decide(stormy.asked(f"l{n}", f"host:l{n}", limits=WIDE))
    stormy.do(seeing.Calm(limit))
    assert told(stormy) == ["storm", "storm_over", "storm"]
    stormy.now_us += round(calm_s * S)
    for _ in range(2):
        stormy.do(seeing.Calm(limit))
    assert told(stormy) == ["storm", "storm_over"] * 2
    assert ends(stormy)[0] == (since_us, last_us + 60 * S, 5)
    assert ends(stormy)[1][0] > last_us + 80 * S, "since it began, not since the one before did"
    assert stormy.verify().ok


@pytest.mark.parametrize("how", ["reload", "start"])
def test_where_nothing_is_a_storm_any_more_it_is_over(stormy: Any, how: str) -> None:
    holds(stormy, how, storm=False)
    assert [one[1] for one in ends(stormy)] == [stormy.now_us]
    holds(stormy, how, storm=False)
    assert len(ends(stormy)) == 1
