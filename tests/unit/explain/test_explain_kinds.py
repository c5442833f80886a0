"""What is said of each kind of condition, where the words for a plain one would be wrong."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

Make = Callable[..., Awaitable[Any]]


def files(*conditions: str) -> dict[str, str]:
    """A project with a rule for each condition; each of them hears of each event."""
    rules = [
        {"name": f"r{number}", "condition": condition, "action": {"none": {}}}
        for number, condition in enumerate(conditions)
    ]
    ruleset = {
        "name": "rs", "hosts": "all", "match_multiple_rules": True, "sources": [{"healer.api": {}}], "rules": rules,
    }  # fmt: skip
    return {"rulebooks/act.yml": json.dumps([ruleset])}


async def said(box: Any, rule: str = "r0") -> tuple[str, list[tuple[bool, list[Any]]]]:
    """(`fired` or why not, what is shown of its conditions) for the last event."""
    (one,) = (await box.why(rule=rule))["rules"]
    shown = [(test["holds"], [seen.get("value", "missing") for seen in test["seen"]]) for test in one["conditions"]]
    return "fired" if one["fired"] else one["reason"], shown


async def test_what_is_missing_fires_once_and_then_has_had_its_turn(make_box: Make) -> None:
    box = await make_box(files("event.a is not defined"))
    box.post({"b": 1})
    assert await said(box) == ("fired", [(True, ["missing"])])
    box.post({"b": 1})
    assert await said(box) == ("absence-over", [(True, ["missing"])])


async def test_what_is_there_is_not_missing(make_box: Make) -> None:
    box = await make_box(files("event.a is not defined"))
    box.post({"a": 1})
    assert await said(box) == ("absence", [(False, [1])])
    box.post({"b": 1})
    assert await said(box) == ("absence-over", [(True, ["missing"])])


@pytest.mark.parametrize("event", [{"a": 1}, {"b": 1}])
async def test_under_not_it_looks_at_no_field_at_all(make_box: Make, event: dict[str, Any]) -> None:
    box = await make_box(files("not (event.a is not defined)"))
    box.post(event)
    assert await said(box) == ("fired", [(True, [])])
    box.post(event)
    assert await said(box) == ("absence-over", [(True, [])])


async def test_what_is_not_decided_yet_had_no_turn(make_box: Make) -> None:
    box = await make_box(files("event.a is not defined"))
    box.post({"b": 1}, decided=False)
    assert (await said(box))[0] == "not-decided-yet"


async def test_joined_with_another_test_it_is_about_the_event(make_box: Make) -> None:
    box = await make_box(files("event.a is not defined and event.b == 1"))
    for _ in range(2):
        box.post({"b": 1})
        assert (await said(box))[0] == "fired"
    box.post({"b": 2})
    assert (await said(box))[0] == "no-match"


def throttled(condition: str) -> dict[str, str]:
    """A project with one rule that fires once in five minutes."""
    made = json.loads(files(condition)["rulebooks/act.yml"])
    made[0]["rules"][0]["throttle"] = {"once_within": "5 minutes", "group_by_attributes": ["event.a"]}
    return {"rulebooks/act.yml": json.dumps(made)}


async def test_a_closed_window_is_named(make_box: Make) -> None:
    box = await make_box(throttled("event.a == 1"))
    for reason, throttle in (("", None), ("throttled", "5 minutes")):
        box.post({"a": 1})
        (one,) = (await box.why())["rules"]
        assert (one["reason"], one.get("throttle")) == (reason, throttle)
