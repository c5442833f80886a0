"""What a session remembers is bounded, and goes from everywhere at once."""

from __future__ import annotations

import random
from typing import Any

import pytest

from healer import engine, testing
from healer.engine import joins, memory

ALL = {"all": ["event.i == 1", "event.j == 2"]}
FIRST = "events.first << event.a == 1"


def book(*conditions: Any, **keys: Any) -> list[dict[str, Any]]:
    made = [{"name": f"r{n}", "condition": one, "action": {"none": None}} for n, one in enumerate(conditions)]
    return [{"name": "s", "hosts": "all", "sources": [], "rules": made, **keys}]


def test_what_waits_is_bounded_the_oldest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "PLACES_MAX", 10)
    session = engine.Session(testing.load(book({"all": [FIRST, "event.b == events.first.k"]}))[0])
    for number in range(100):
        assert session.post({"a": 1, "k": number}, number, number) == []
    assert session.counters["events_evicted"] == 89
    assert [match.refs for match in session.post({"b": 95}, 100, 100)] == [{"first": 95, "m_1": 100}]
    assert session.post({"b": 5}, 100, 101) == []


def test_what_one_event_leads_to_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joins, "MATCHES_MAX", 5)
    session = engine.Session(testing.load(book(ALL))[0])
    for number in range(8):
        session.post({"i": 1}, number)
    assert len(session.post({"j": 2}, 9)) == 5
    assert session.counters["matches_cut"] == 3


def test_what_went_is_not_kept_by_what_waits_for_a_third() -> None:
    """A fact on the left lets rights come that meet nothing for as long as the third pattern has nobody."""
    three = {"all": ["event.i == 1", "event.j == 1", "event.k == 1"]}
    session = engine.Session(testing.load(book(three, default_events_ttl="5 seconds"))[0])
    session.assert_fact({"i": 1}, 0)
    session.post({"j": 1}, 0)
    assert len(session.post({"k": 1}, 0)) == 1
    for number in range(20_000):
        session.post({"j": 1}, number / 10)
    (chain,) = session.chains.values()
    assert all(len(join.late.kept) < 3 * joins.SLACK for join in chain.joins)


def test_what_fired_is_not_kept_until_its_window_is_over() -> None:
    keyed = {"all": [FIRST, "event.b == events.first.k"], "timeout": "1 day"}
    session = engine.Session(testing.load(book(keyed))[0])
    session.post({"a": 1, "k": "waits"}, 0)
    for number in range(20_000):
        session.post({"a": 1, "k": 0}, number / 1000)
        assert len(session.post({"b": 0}, number / 1000)) == 1
    (chain,) = session.chains.values()
    assert len(chain._recent.kept) < 3 * joins.SLACK


def test_nothing_is_left_of_what_went() -> None:
    """Whatever comes and goes, a place is held by what is there, and by nothing else."""
    conditions = {"all": [FIRST, "event.b == events.first.k", "event.c > 0 and event.c == events.m_1.b"]}
    session = engine.Session(testing.load(book(conditions, {"all": ["event.a == 1", "event.c > 0"]}))[0])
    draw = random.Random(7)
    for second in range(3000):
        body = {draw.choice("abck"): draw.randint(0, 2) for _ in range(2)}
        if draw.random() < 0.1:
            session.assert_fact(body, second)
        elif draw.random() < 0.1:
            session.retract_fact({"a": 1}, True, [], second)
        else:
            session.post(body, second)
    chains = list(session.chains.values())
    sides = [side for chain in chains for side in chain._sides]
    assert session.memory.places == sum(side.size for side in sides)
    session.retract_fact({}, True, [], 3000)
    session.advance(3000 + 7200)
    assert (session.memory.places, len(session.memory.events), session.facts.stored) == (0, 0, [])
    assert all(side.size == 0 and not side.by_key for side in sides)


def test_a_key_meets_its_own_kind_only() -> None:
    """However many wait, an event is joined with those of its key."""
    session = engine.Session(testing.load(book({"all": [FIRST, "event.b == events.first.k"]}))[0])
    for number in range(1000):
        session.post({"a": 1, "k": f"h{number}"}, 0, number)
    (chain,) = session.chains.values()
    (join,) = chain.joins
    assert {len(met) for met in join.left.by_key.values()} == {1}
    assert [match.refs["first"] for match in session.post({"b": "h7"}, 1, 2000)] == [7]
