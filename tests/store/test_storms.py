"""The storm brake in rows: once nothing counts as a storm any more, nothing of the last one is left."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from healer import policy
from healer.policy import brakes
from healer.store import deciding, notes, pausing

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
