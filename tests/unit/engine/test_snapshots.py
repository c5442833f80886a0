"""A session that was stopped and restored goes on as the one that was not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healer import engine, testing
from healer.engine import slices

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


CONDITIONS: list[Any] = [
    "event.x == 1",
    "event.y is not defined",
    "event.x is defined and event.y != 1",
    {"any": ["event.x == 1", "event.z == 1"]},
    {"all": ["event.x == 1", "event.y == 1", "event.z == 1"], "timeout": "2 seconds"},
    {"all": ["event.x == 1", "event.y == 1", "event.z == 1"]},
    {"all": ["events.f << event.x is defined", "event.y == events.f.x", "event.z == 1"], "timeout": "3 seconds"},
    {"all": ["events.f << event.x is defined", "event.y == events.f.x"]},
    {"not_all": ["event.x == 1", "event.y == 1"], "timeout": "3 seconds"},
    {"not_all": ["event.x == 1", "event.y == 1", "event.z == 1"], "timeout": "2 seconds"},
]
THROTTLES: list[dict[str, Any] | None] = [
    None,
    {"once_within": "3 seconds"},
    {"once_after": "3 seconds"},
    {"accumulate_within": "3 seconds", "threshold": 2},
]
RULE = st.one_of(
    st.sampled_from([{"condition": one} for one in CONDITIONS]),
    st.builds(
        lambda condition, throttle, group: {"condition": condition, "throttle": {**throttle, "group_by_attributes": group}},
        st.sampled_from([CONDITIONS[0], CONDITIONS[2]]), st.sampled_from(THROTTLES[1:]), st.sampled_from([["event.x"], ["event.y", "event.z"]]),
    ),
)  # fmt: skip
VALUES = st.fixed_dictionaries(
    {}, optional={"x": st.sampled_from([1, 2]), "y": st.sampled_from([1, 2]), "z": st.just(1)}
)
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("event"), VALUES),
        st.tuples(st.just("event"), VALUES),
        st.tuples(st.just("fact"), VALUES),
        st.tuples(st.just("retract"), VALUES),
        st.tuples(st.just("advance"), st.sampled_from([0.5, 1, 2, 3])),
    ),
    max_size=14,
)


@settings(max_examples=300)
@given(st.lists(RULE, min_size=1, max_size=4), st.booleans(), st.sampled_from(["2 seconds", "10 seconds"]), MOVES)
def test_any_rules_go_on_after_a_stop_behind_each_step(
    rules: list[dict[str, Any]], mmr: bool, ttl: str, moves: list[tuple[str, Any]]
) -> None:
    """Rules of every kind together, in steps of which the order is what matters: late ones, windows that are over, what was taken."""
    named = [{"name": f"r{n}", "action": {"none": None}, **rule} for n, rule in enumerate(rules)]
    ruleset = {
        "name": "s",
        "hosts": "all",
        "sources": [],
        "rules": named,
        "default_events_ttl": ttl,
        "match_multiple_rules": mmr,
    }
    made = testing.load([ruleset])[0]
    straight, stopped, now = engine.Session(made), engine.Session(made), 0.0
    for ref, (kind, what) in enumerate(moves, 1):
        snapshot = json.loads(json.dumps(stopped.snapshot()))
        stopped = engine.Session(made)
        stopped.restore(snapshot)
        got = []
        for session in (stopped, straight):
            if kind == "advance":
                found = session.advance(now + what)
                got.append([(match.rule.name, match.matches, match.refs, match.at) for match in found])
            else:
                got.append(play(session, kind, dict(what), now, ref))
        assert got[0] == got[1]
        now += what if kind == "advance" else 0
    assert stopped.snapshot() == straight.snapshot()


def test_a_late_event_that_its_window_let_go_is_in_no_snapshot() -> None:
    """It is remembered no more, by this rule or at all; the join had it among those that still have to meet what stands on the left."""
    condition = {"all": ["event.x == 1", "event.y == 1", "event.z == 1"], "timeout": "2 seconds"}
    session = engine.Session(compiled([{"name": "r", "condition": condition, "action": {"none": None}}]))
    session.post({"x": 1}, 0)
    session.post({"y": 1}, 0)
    session.advance(3)
    session.post({"y": 1}, 3)
    again = engine.Session(session.compiled)
    again.restore(session.snapshot())
    assert [entry[3] for entry in again.snapshot()["entries"]] == [{"y": 1}]


def test_a_snapshot_of_much_is_made_in_small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """In none of them more than `CHUNK` things: as many steps as there is to do, and no list but in pieces."""
    monkeypatch.setattr(slices, "CHUNK", 10)
    joins: list[Any] = [
        {"all": ["event.x == 1", "event.y == 1"]},
        {"not_all": ["event.x == 1", "event.y == 1"], "timeout": "9 seconds"},
    ]
    rules: list[dict[str, Any]] = [
        {"name": str(n), "condition": one, "action": {"none": None}} for n, one in enumerate(joins)
    ]
    for kind, last in (("once_within", "x"), ("once_after", "y")):
        throttle = {kind: "9 seconds", "group_by_attributes": ["event.n"]}
        rules.append({"name": kind, "condition": f"event.{last} == 2", "action": {"none": None}, "throttle": throttle})
    rules.append({"name": "absent", "condition": "event.x is not defined", "action": {"none": None}})
    session = engine.Session(compiled(rules))
    for number in range(100):
        for body in ({"x": 1}, {"x": 2}, {"y": 2}):
            session.post({**body, "n": number}, 1)
    made, steps = [], session.snapshot_steps(bodies=True)
    count = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            made.append(end.value)
            break
        count += 1
    assert made == [session.snapshot()]
    things = len(made[0]["entries"]) + sum(len(windows) for _, _, windows in made[0]["windows"])
    assert count > 3 * things / 10
    again = engine.Session(session.compiled)
    assert sum(1 for _ in again.restore_steps(made[0])) > 3 * things / 10, "and it is put back in such steps"
    assert again.snapshot() == made[0]


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
