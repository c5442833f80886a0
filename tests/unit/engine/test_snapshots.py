"""A session that was stopped and restored goes on as the one that was not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer import engine, testing

RULES = [
    {"name": "a", "condition": "event.msg is not defined", "action": {"none": None}},
    {
        "name": "b",
        "condition": "event.i == 1",
        "action": {"none": None},
        "throttle": {"once_within": "10 seconds", "group_by_attributes": ["h"]},
    },
    {
        "name": "n",
        "condition": {"not_all": ['event.h == "x"', "event.msg == 1"], "timeout": "7 seconds"},
        "action": {"none": None},
    },
    {
        "name": "k",
        "condition": "event.i == 2",
        "action": {"none": None},
        "throttle": {"accumulate_within": "9 seconds", "threshold": 2, "group_by_attributes": ["h"]},
    },
    {
        "name": "d",
        "condition": "event.msg is defined",
        "action": {"none": None},
        "throttle": {"once_after": "5 seconds", "group_by_attributes": ["i"]},
    },
    {"name": "j", "condition": {"all": ["event.i == 0", 'event.h == "y"']}, "action": {"none": None}},
    {"name": "c", "condition": "event.i >= 1", "action": {"none": None}},
]


def compiled(rules: list[dict[str, Any]]) -> engine.Compiled:
    ruleset = {"name": "s", "hosts": "all", "sources": [], "rules": rules, "default_events_ttl": "10 seconds"}
    return testing.load([ruleset])[0]


MADE = compiled(RULES)
BODIES = st.fixed_dictionaries(
    {}, optional={"i": st.integers(0, 2), "h": st.sampled_from(["x", "y", 1]), "msg": st.just(1)}
)
STEPS = st.lists(
    st.tuples(st.sampled_from(["event", "event", "fact", "retract"]), BODIES, st.integers(0, 6)), max_size=15
)


def play(session: engine.Session, kind: str, body: dict[str, Any], now: float, ref: int) -> list[Any]:
    if kind == "event":
        got = session.post(body, now, ref)
    elif kind == "fact":
        got = session.assert_fact(body, now, ref)
    else:
        got = session.retract_fact(body, True, [], now, ref)
    return [(match.rule.name, match.matches, match.refs, match.at) for match in got]


@given(STEPS)
def test_a_stop_at_every_position_changes_nothing(steps: list[tuple[str, dict[str, Any], int]]) -> None:
    straight, bodies, now = engine.Session(MADE), {}, 0
    stopped = engine.Session(MADE)
    for ref, (kind, body, wait) in enumerate(steps, 1):
        now += wait
        bodies[ref] = body
        snapshot = json.loads(json.dumps(stopped.snapshot()))
        stopped = engine.Session(MADE)
        stopped.restore(snapshot, bodies.__getitem__)
        assert play(stopped, kind, body, now, ref) == play(straight, kind, body, now, ref)
    assert stopped.snapshot() == straight.snapshot()


def test_a_rule_that_changed_starts_anew_and_the_others_go_on() -> None:
    other = {**RULES[1], "name": "b2"}
    before = engine.Session(compiled([RULES[1], {**other, "condition": "event.i == 2"}]))
    before.post({"i": 1, "h": "x"}, 0, 1)
    before.post({"i": 2, "h": "x"}, 0, 2)
    after = engine.Session(compiled([RULES[1], {**other, "condition": "event.i == 2 and event.h == 'x'"}]))
    after.restore(before.snapshot(), {1: {"i": 1, "h": "x"}, 2: {"i": 2, "h": "x"}}.__getitem__)
    assert after.post({"i": 1, "h": "x"}, 1) == []
    assert [match.rule.name for match in after.post({"i": 2, "h": "x"}, 1)] == ["b2"]


def test_a_snapshot_holds_numbers_and_no_bodies() -> None:
    session = engine.Session(MADE)
    session.post({"i": 1, "h": "secret-host"}, 1.5, 11)
    session.assert_fact({"msg": "secret-fact"}, 2, 12)
    text = json.dumps(session.snapshot(bodies=False))
    assert "secret" not in text
    assert json.loads(text)["entries"] == [[12, 2_000_000, 1]]
    assert json.loads(text)["windows"][0][2] == [[11, 11_500_000, 1]]


@given(STEPS)
def test_a_snapshot_with_bodies_needs_nobody(steps: list[tuple[str, dict[str, Any], int]]) -> None:
    straight, stopped, now = engine.Session(MADE), engine.Session(MADE), 0
    for kind, body, wait in steps:  # without references too
        now += wait
        snapshot = json.loads(json.dumps(stopped.snapshot()))
        stopped = engine.Session(MADE)
        stopped.restore(snapshot)
        assert play(stopped, kind, body, now, 0) == play(straight, kind, body, now, 0)
    assert stopped.snapshot() == straight.snapshot()


def test_without_bodies_somebody_has_to_give_them() -> None:
    session = engine.Session(MADE)
    session.post({"i": 1, "h": "x"}, 1.5, 11)
    with pytest.raises(ValueError, match="nothing gives them"):
        engine.Session(MADE).restore(session.snapshot(bodies=False))


def test_a_changed_rule_knows_the_facts_that_are_there() -> None:
    join = {"name": "j", "condition": {"all": ["event.i == 1", "event.j == 1"]}, "action": {"none": None}}
    before, after = (
        engine.Session(compiled([join | {"condition": {"all": ["event.i == 1", last]}}]))
        for last in ("event.j == 2", "event.j == 1")
    )
    for fact in ({"i": 1}, {"j": 1}):
        assert before.assert_fact(fact, 0) == []
    before.post({"j": 2, "i": 3}, 0)
    after.restore(before.snapshot())
    assert after.post({"i": 3}, 1) == []
    assert [match.matches for match in after.post({"j": 1, "n": 1}, 1)] == [{"m_0": {"i": 1}, "m_1": {"j": 1, "n": 1}}]


def test_after_a_stop_events_still_go_in_the_order_of_their_age() -> None:
    """The rules' memories are filled one after the other, the first with what came last."""
    conditions = [["event.i == 1", "event.i == 2"], ["event.j == 1", "event.j == 2"]]
    rules = [{"name": str(n), "condition": {"all": one}, "action": {"none": None}} for n, one in enumerate(conditions)]
    ruleset = {"name": "s", "hosts": "all", "sources": [], "rules": rules, "default_events_ttl": "10 seconds"}
    made = testing.load([ruleset])[0]
    before, after = engine.Session(made), engine.Session(made)
    before.post({"j": 1}, 0)
    before.post({"i": 1}, 5)
    after.restore(before.snapshot())
    assert after.post({"j": 2}, 11) == before.post({"j": 2}, 11) == []


def test_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="format 99"):
        engine.Session(MADE).restore({"format": 99}, dict)
