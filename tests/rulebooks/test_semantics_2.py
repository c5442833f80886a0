"""Facts: each statement of section 2 of the measured semantics, held to by our engine and by the real one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

MESSAGE = ["event.msg is defined"]
JOINT = {"all": ["event.i == 1", "event.j == 2"]}


def test_2_1_event_and_fact_are_the_same_thing(on: Any) -> None:
    for condition in ('fact.os == "linux"', 'event.os == "linux"'):
        assert on.rules([condition], {"os": "linux"}, {"fact": {"os": "linux"}}) == [["r0"], ["r0"]]


@pytest.mark.parametrize("mmr", [False, True])
def test_2_2_facts_are_not_consumed_and_ignore_the_limit_of_one_rule(on: Any, mmr: bool) -> None:
    rules = ["event.i == 1", JOINT, "event.i > 0"]
    steps = [{"fact": {"i": 1}}, {"j": 2}, {"j": 2}]
    assert on.rules(rules, *steps, mmr=mmr) == [["r0", "r2"], ["r1"], ["r1"]]


def test_2_3_an_equal_fact_is_a_second_fact(on: Any) -> None:
    fact = {"fact": {"msg": "x"}}
    assert on.rules(MESSAGE, fact, fact) == [["r0"], ["r0"]]
    assert on.fired(MESSAGE, fact, fact, {"facts": True})[2] == [{"msg": "x"}] * 2


def test_2_4_a_fact_that_passes_no_pattern_is_not_stored(on: Any) -> None:
    assert on.fired(MESSAGE, {"fact": {"i": 1}}, {"facts": True}) == [[], []]
    # Nor can it be retracted: a rule about its absence would hear of it.
    absent = ["event.i is not defined and event.j is defined", *MESSAGE]
    assert on.rules(absent, {"fact": {"i": 1}}, {"retract": {"i": 1}}) == [[], []]


@pytest.mark.parametrize(("retract", "left"), [
    ({"retract": {"msg": "x"}}, 0),
    ({"retract": {"msg": "x", "n": 1}}, 2),
    ({"retract": {"msg": "x"}, "partial": False}, 3),
    ({"retract": {"msg": "x", "n": 1}, "partial": False}, 3),
    ({"retract": {"msg": "x", "n": 1}, "partial": False, "exclude_keys": ["meta"]}, 2),
    ({"retract": {"msg": "x"}, "partial": False, "exclude_keys": ["meta", "n"]}, 0),
    ({"retract": {"msg": "y"}}, 3),
])  # fmt: skip
def test_2_5_retract_removes_every_stored_fact_that_matches(on: Any, retract: dict[str, Any], left: int) -> None:
    facts = [{"fact": {"msg": "x", "n": n, "meta": {"uuid": n}}} for n in (1, 2, 3)]
    stored = on.fired(MESSAGE, *facts, retract, {"facts": True})[-1]
    assert len(stored) == left


def test_2_6_retracting_fires_rules_about_absence_with_the_retracted_fact(on: Any) -> None:
    steps = [{"i": 1}, {"fact": {"msg": "x"}}, {"retract": {"msg": "x"}}]
    assert on.fired({"r": "event.msg is not defined"}, *steps)[2] == [("r", {"m": {"msg": "x"}})]


async def test_2_7_a_fact_that_set_fact_makes_says_so(on: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ours `tests/unit/decide/test_evaluating.py` shows it, under this number."""
    fact: dict[str, Any] = {"f": 1, "meta": {"source": SET_FACT}}
    if not on.ours:
        fact = await set_by_the_peer({"f": 1}, monkeypatch)
        assert fact["meta"]["source"] == SET_FACT
    rules = ['event.meta.source.name == "set_fact" and event.meta.source.type == "internal"']
    assert on.rules(rules, {"fact": fact}) == [["r0"]]


SET_FACT = {"name": "set_fact", "type": "internal"}


async def set_by_the_peer(fact: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What upstream's action gives its engine."""
    from ansible_rulebook.action import control, metadata, set_fact

    given: list[dict[str, Any]] = []
    monkeypatch.setattr(set_fact.lang, "assert_fact", lambda _, made: given.append(made))
    about = metadata.Metadata("r", "u", "s", "v", "now")
    held = control.Control(asyncio.Queue(), "", [], {}, "")
    await set_fact.SetFact(about, held, ruleset="s", fact=fact)()
    return given[0]
