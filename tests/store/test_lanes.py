"""Lanes: a sequential ruleset takes effect one run after the other, in the order of its firings; a lock holds back what shares it."""

from __future__ import annotations

import random
from typing import Any

import pytest

from healer import policy
from healer.store import notes

S = 1_000_000
FREE = policy.Limits(timeout_s=10, lock_targets=False)
IN_ORDER, LOCKED = "sequence:a/b", "lock:a/b/disk"


def ask(kit: Any, key: str, lane: str = IN_ORDER, **more: Any) -> Any:
    return kit.asked(key, "host:web1", limits=FREE, lane=lane, upstream=True, **more)


def keys(kit: Any, claims: Any) -> list[str]:
    known = dict(kit.rows("SELECT id, detail FROM run"))
    assert set(known) >= {one.run["id"] for one in claims.claimed}
    return [NAMES[one.run["id"]] for one in claims.claimed]


NAMES: dict[str, str] = {}


def named(asked: Any, name: str) -> Any:
    NAMES[asked.candidate.run] = name
    return asked


def test_one_runs_at_a_time_in_the_order_of_the_firings(kit: Any) -> None:
    for name in "abc":
        kit.decide(named(ask(kit, name), name))
    order = []
    for _ in range(3):
        claims = kit.claim()
        (one,) = claims.claimed
        assert kit.claim().claimed == []
        order += keys(kit, claims)
        kit.finish(one)
    assert order == ["a", "b", "c"]
    assert kit.rows("SELECT * FROM lock") == []


def test_several_firings_of_one_event_go_in_their_order(kit: Any) -> None:
    kit.decide(*(named(ask(kit, name), name) for name in "zyx"))
    order = []
    while claims := kit.claim().claimed:
        order.append(NAMES[claims[0].run["id"]])
        kit.finish(claims[0])
    assert order == ["z", "y", "x"]


def test_other_lanes_and_none_go_beside(kit: Any) -> None:
    kit.decide(*(ask(kit, f"{lane}{n}", lane) for n in range(2) for lane in (IN_ORDER, "sequence:a/c", LOCKED, "")))
    assert sorted(one.run["lane"] for one in kit.claim().claimed) == ["", "", LOCKED, IN_ORDER, "sequence:a/c"]


def test_what_is_next_in_a_list_goes_before_what_fired_later(kit: Any) -> None:
    first = named(ask(kit, "1"), "first")
    second = named(ask(kit, "2", after=first.candidate.run), "second")
    kit.decide(first, second)
    kit.decide(named(ask(kit, "3"), "later"))
    (one,) = kit.claim().claimed
    kit.finish(one, "failed")  # upstream's list goes on
    assert kit.claim().claimed == []  # the second step is looked at before the later firing may go
    kit.decide(look=True)
    claims = kit.claim()
    assert keys(kit, claims) == ["second"]
    kit.finish(claims.claimed[0])
    assert keys(kit, kit.claim()) == ["later"]


def test_what_waits_for_a_person_steps_aside_with_its_list(kit: Any) -> None:
    pause = {"scope": "--all", "who": "a", "since": "n", "reason": "x"}
    kit.standing = policy.Standing(enabled=True, mode="active", paused=pause)
    first = ask(kit, "1")
    kit.decide(first, ask(kit, "2", after=first.candidate.run))
    kit.standing = policy.Standing(enabled=True, mode="active")
    kit.decide(named(ask(kit, "3"), "later"))
    claims = kit.claim()
    assert keys(kit, claims) == ["later"]
    kit.finish(claims.claimed[0])
    kit.do(notes.Wake("paused"))
    kit.decide(look=True)
    assert [one.run["id"] for one in kit.claim().claimed] == [first.candidate.run]


def test_a_sequence_goes_on_where_an_end_is_unknown_and_a_lock_does_not(kit: Any) -> None:
    kit.decide(ask(kit, "1"), ask(kit, "2"), ask(kit, "3", LOCKED), ask(kit, "4", LOCKED))
    for one in kit.claim().claimed:
        kit.finish(one, "unknown")
    assert [one.run["lane"] for one in kit.claim().claimed] == [IN_ORDER]
    assert kit.rows("SELECT target FROM lock WHERE target LIKE 'lock:%'") == [(LOCKED,)]


def test_who_waits_says_for_whom_and_nothing_once_its_turn_has_come(kit: Any) -> None:
    first, second = ask(kit, "1"), ask(kit, "2")
    kit.decide(first, second)
    shown = kit.rows("SELECT reason, detail FROM run WHERE id = ?", second.candidate.run)[0]
    assert shown[0] == "lane_busy"
    assert first.candidate.run in shown[1]
    for _ in range(2):
        (one,) = kit.claim().claimed
        kit.finish(one)
    assert kit.rows("SELECT DISTINCT reason FROM run") == [("unverified",)]


def test_what_holds_it_is_told(kit: Any) -> None:
    first, second = ask(kit, "1"), ask(kit, "2")
    kit.decide(first, second)
    view = kit.rows("SELECT explanation FROM run WHERE id = ?", second.candidate.run)[0][0]
    assert f'"held_by":"{first.candidate.run}"' in view.replace(" ", "")


@pytest.mark.parametrize("seed", range(10))
def test_whatever_ends_how_nothing_overlaps_and_nothing_is_left(kit: Any, seed: int) -> None:
    dice = random.Random(seed)
    lanes = [IN_ORDER, "sequence:x/y", LOCKED, ""]
    expected: dict[str, list[str]] = {lane: [] for lane in lanes}
    running: list[Any] = []
    began: dict[str, list[str]] = {lane: [] for lane in lanes}
    for number in range(40):
        lane = dice.choice(lanes)
        extra = {"retries": {"times": 1, "delay_ms": 0}} if dice.random() < 0.3 else {}
        asked = ask(kit, str(number), lane, extra=extra)
        expected[lane].append(asked.candidate.run)
        kit.decide(asked)
        running += claim(kit, began)
        held = [one.run["lane"] for one in running if one.run["lane"]]
        assert len(held) == len(set(held))
        if running and dice.random() < 0.7:
            kit.finish(running.pop(dice.randrange(len(running))), dice.choice(["succeeded", "failed", "timed_out"]))
    while running:
        kit.finish(running.pop(), "succeeded")
        running += claim(kit, began)
    assert {lane: list(dict.fromkeys(order)) for lane, order in began.items()} == expected
    assert kit.rows("SELECT count(*) FROM attempt WHERE state IN ('queued', 'running')") == [(0,)]


def claim(kit: Any, began: dict[str, list[str]]) -> list[Any]:
    found: list[Any] = kit.claim().claimed
    for one in found:
        began[one.run["lane"]].append(one.run["id"])
    return found
