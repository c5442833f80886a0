"""`not_all` by itself: who waits, in which order, how many, and what a snapshot may hold. What it fires is in `test_timers` and in tests/rulebooks."""

from __future__ import annotations

from typing import Any

import pytest

from healer import engine, testing
from healer.engine import memory, notall


def session(*others: str, names: str = "ab") -> engine.Session:
    condition = {"not_all": [f"event.{name} == 1" for name in names], "timeout": "10 seconds"}
    rules = [{"name": str(n), "condition": one, "action": {"none": None}} for n, one in enumerate([condition, *others])]
    return engine.Session(testing.load([{"name": "s", "hosts": "all", "sources": [], "rules": rules}])[0])


def rule_of(of: engine.Session) -> notall.NotAll:
    (found,) = (one for one in of.timers.by_rule.values() if isinstance(one, notall.NotAll))
    return found


def test_who_is_left_when_one_goes_stands_in_the_other_order() -> None:
    queue = notall.Queue()
    first, second, third, fourth, fifth = (memory.Entry(number, {}, 0, 0, False) for number in range(5))
    for entry in (first, second, third):
        queue.add(entry)
    assert queue.take() is first
    queue.turn()
    queue.add(fourth)
    queue.put_back(fifth)
    assert list(queue) == [fifth, third, second, fourth]
    assert [queue.take() for _ in range(2)] == [fifth, third]
    queue.turn()
    assert list(queue) == [fourth, second]


def test_what_rules_took_is_not_kept_waiting() -> None:
    """Each of them waits behind the first for the length of an event only: the second rule has it."""
    of = session("event.a == 1")
    for number in range(5_000):
        of.post({"a": 1}, 0, number)
    assert len(rule_of(of)._waiting[0].entries) <= notall.SLACK + 1
    assert of.counters["events_evicted"] == 0
    assert len(of.snapshot()["entries"]) == 1


def test_as_many_as_wait_go_at_once() -> None:
    """Each end takes one more with it, so that the many that waited are over, and as many ends wait for what comes."""
    of = session()
    for number in range(20_000):
        of.post({"a": 1}, 0, number)
    assert of.post({"b": 1}, 1) == []
    assert of.next_deadline() is None
    assert of.snapshot()["entries"] == []
    assert [of.post({"a": 1}, 2), of.next_deadline()] == [[], None]
    of.post({"a": 1}, 12)
    assert of.next_deadline() == 22


def test_what_comes_last_is_seen_by_no_rule_behind_it_but_by_those_about_absence() -> None:
    """Measured: its field came and went."""
    of = session("event.b == 1", "event.b is not defined", "event.z is not defined")
    assert [[match.rule.name for match in of.post(body, 0)] for body in ({"a": 1}, {"b": 1}, {"q": 1})] == [
        ["2"],
        ["2"],
        [],
    ]


STATE: list[Any] = [[[0, 0, 0]], [[0, 0, 0]], [], [[], []], [], 1]


@pytest.mark.parametrize(
    ("place", "junk"),
    [(0, [[0, 2, 0]]), (0, [[5, 0, 0]]), (1, [[0, 0, 0]] * 2), (1, [[0, 7, 0]]), (3, [[]]), (3, [[9], []]), (4, [3]), (0, [[0]]), (5, None)],
)  # fmt: skip
def test_what_no_snapshot_of_ours_holds_is_told(place: int, junk: Any) -> None:
    of = session()
    of.post({"a": 1}, 0)
    good = of.snapshot()
    (name, digest, state) = good["timers"][0]
    assert state == STATE
    again = session()
    changed = [*state[:place], junk, *state[place + 1 :]] if junk is not None else state[:place]
    with pytest.raises(ValueError, match=r"the timer of the rule '0' is none|patterns are there|not enough values"):
        again.restore({**good, "timers": [[name, digest, changed]]})
