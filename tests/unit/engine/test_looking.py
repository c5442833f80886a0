"""`look` says what an event would fire in a session that goes on, and changes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer import engine, testing
from healer.engine import looking

RULES = [
    {"name": "windowed", "condition": "event.i == 1", "throttle": {"once_within": "10 seconds", "group_by_attributes": ["h"]}},
    {"name": "counted", "condition": "event.i == 2", "throttle": {"accumulate_within": "9 seconds", "threshold": 2, "group_by_attributes": ["h"]}},
    {"name": "gathered", "condition": "event.i == 4", "throttle": {"once_after": "5 seconds", "group_by_attributes": ["h"]}},
    {"name": "joined", "condition": {"all": ["events.first << event.i == 0", "event.i == 3 and event.h == events.first.h"]}},
    {"name": "three", "condition": {"all": ["event.h == 1", "event.i > 0", "event.msg == 1"], "timeout": "8 seconds"}},
    {"name": "apart", "condition": {"not_all": ['event.h == "x"', "event.msg == 2"], "timeout": "7 seconds"}},
    {"name": "plain", "condition": "event.i >= 1"},
]  # fmt: skip
BODIES = st.fixed_dictionaries(
    {}, optional={"i": st.integers(0, 4), "h": st.sampled_from(["x", "y", 1]), "msg": st.integers(1, 2)}
)
STEPS = st.lists(st.tuples(st.sampled_from(["event", "event", "fact"]), BODIES, st.integers(0, 6)), max_size=15)


def compiled(rules: list[dict[str, Any]], **more: Any) -> engine.Compiled:
    written = [{"action": {"none": None}, **rule} for rule in rules]
    (made,) = testing.load([{"name": "s", "hosts": "all", "sources": [], "rules": written, **more}])
    return made


MADE = {
    multiple: compiled(RULES, match_multiple_rules=multiple, default_events_ttl="10 seconds")
    for multiple in (False, True)
}


def told(found: list[engine.Match]) -> list[Any]:
    return sorted(json.dumps([one.rule.name, one.matches, one.refs], sort_keys=True) for one in found)


@pytest.mark.parametrize("multiple", [False, True])
@given(STEPS)
def test_what_it_says_is_what_the_event_does_then_and_it_changes_nothing(
    multiple: bool, steps: list[tuple[str, dict[str, Any], int]]
) -> None:
    session, now = engine.Session(MADE[multiple]), 0
    for ref, (kind, body, wait) in enumerate(steps, 1):
        now += wait
        session.advance(now)
        if kind == "fact":
            session.assert_fact(body, now, ref)
            continue
        before = json.dumps(session.snapshot())
        seen = session.look(body, now, ref)
        assert json.dumps(session.snapshot()) == before
        assert told([match for one in seen for match in one.fires]) == told(session.post(body, now, ref))


def test_it_says_why_a_rule_that_the_event_concerns_stays_silent() -> None:
    session = engine.Session(MADE[False])
    session.post({"i": 1, "h": "x"}, 5, 1)
    seen = {one.rule.name: (one.told["reason"], one.told["taken_by"]) for one in session.look({"i": 1, "h": "x"}, 6)}
    assert seen == {"windowed": ("throttled", None), "apart": ("taken", "windowed"), "plain": ("taken", "windowed"), "three": ("taken", "windowed")}  # fmt: skip


def test_an_event_that_is_too_old_to_join_is_none_though_nothing_has_let_it_go_yet() -> None:
    session = engine.Session(MADE[False])
    session.post({"i": 0, "h": "x"}, 0, 1)
    (one, *_) = [one for one in session.look({"i": 3, "h": "x"}, 9.9) if one.rule.name == "joined"]
    assert one.told["reason"] == "fires"
    (one, *_) = [one for one in session.look({"i": 3, "h": "x"}, 10) if one.rule.name == "joined"]
    assert (one.told["reason"], one.fires) == ("waits", [])


def test_the_other_half_is_found_by_its_key_among_more_than_are_gone_through() -> None:
    session = engine.Session(MADE[False])
    waiting = 5 * looking.TRIES_MAX
    for number in range(waiting):
        session.post({"i": 0, "h": f"host{number}"}, 0, number + 1)
    (one,) = [one for one in session.look({"i": 3, "h": f"host{waiting - 1}"}, 1, 77) if one.rule.name == "joined"]
    assert [match.refs for match in one.fires] == [{"first": waiting, "m_1": 77}]


def test_of_many_firings_of_one_rule_it_tells_some_and_that_there_are_more() -> None:
    session = engine.Session(MADE[False])
    for number in range(looking.MATCHES_MAX + 1):
        session.post({"i": 0, "h": "x"}, 0, number + 1)
    (one,) = [one for one in session.look({"i": 3, "h": "x"}, 1) if one.rule.name == "joined"]
    assert (len(one.fires), one.cut) == (looking.MATCHES_MAX, True)


def test_comparisons_that_break_are_not_counted() -> None:
    session = engine.Session(compiled([{"name": "r", "condition": "event.a > 3"}]))
    session.look({"a": "text"}, 1)
    assert session.counters["comparisons_broken"] == 0
