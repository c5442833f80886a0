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
    for reason, throttle in (("", None), ("throttled", "once_within: 5 minutes")):
        box.post({"a": 1})
        (one,) = (await box.why())["rules"]
        assert (one["reason"], one.get("throttle")) == (reason, throttle)


def one_rule(condition: Any, **throttle: Any) -> dict[str, str]:
    """A project with one rule that writes a note."""
    rule = {"name": "r0", "condition": condition, "action": {"run_action": {"name": "note", "target": "localhost"}}}
    rule |= {"throttle": throttle} if throttle else {}
    book = [{"name": "rs", "hosts": "all", "sources": [{"healer.api": {}}], "rules": [rule]}]
    return {
        "controllers.yaml": "controllers: {here: {type: local}}\ndefault: here\n",
        "actions.yaml": "actions: {note: {command: [logger], impact: low}}\n",
        "rulebooks/act.yml": json.dumps(book),
    }


async def told(box: Any, event: str) -> dict[str, Any]:
    """What is said of the rule for an event."""
    (one,) = (await box.why(event, rule="r0"))["rules"]
    return dict(one)


def tick(box: Any, after_s: int) -> None:
    box.now_us += after_s * 1_000_000
    box.post({}, kind="tick", source="healer")


PAIR = ["event.a == 1", "event.b == 1"]


async def test_what_a_not_all_fires_for_names_the_run(make_box: Make) -> None:
    box = await make_box(one_rule({"not_all": PAIR, "timeout": "10 seconds"}))
    box.post({"a": 1})
    one = await told(box, "e-2")
    assert (one["reason"], one["within"], one.get("later")) == ("alone", "10 s", None)
    tick(box, 10)
    one = await told(box, "e-2")
    assert (one["fired"], one["reason"]) == (False, "alone")
    ((run, event),) = [(later["run"], later["event"]) for later in one["later"]]
    assert (await box.why(run))["event"]["id"] == event == "e-3"


async def test_what_a_not_all_was_silent_for_names_none(make_box: Make) -> None:
    box = await make_box(one_rule({"not_all": PAIR, "timeout": "10 seconds"}))
    box.post({"a": 1})
    box.post({"b": 1})
    tick(box, 20)
    assert [(one["reason"], one.get("later")) for one in [await told(box, "e-2"), await told(box, "e-3")]] == [
        ("alone", None), ("alone", None),
    ]  # fmt: skip


async def test_what_once_after_gathers_is_not_called_closed(make_box: Make) -> None:
    box = await make_box(one_rule("event.a == 1", once_after="3 seconds", group_by_attributes=["event.h"]))
    for host in ("x", "y", "x"):
        box.post({"a": 1, "h": host})
    tick(box, 3)
    found = [await told(box, event) for event in ("e-2", "e-3", "e-4")]
    assert {(one["reason"], one["throttle"]) for one in found} == {("gathered", "once_after: 3 seconds")}
    runs = [[later["run"] for later in one.get("later", [])] for one in found]
    assert len(runs[0]) == 1
    assert runs == [runs[0], runs[0], []]  # the third is only counted


async def test_what_accumulate_within_counts(make_box: Make) -> None:
    box = await make_box(
        one_rule("event.a == 1", accumulate_within="3 seconds", threshold=3, group_by_attributes=["event.h"])
    )
    for _ in range(4):
        box.post({"a": 1, "h": "x"})
    box.post({"a": 1})
    found = [await told(box, event) for event in ("e-2", "e-3", "e-5", "e-6")]
    assert [(one["reason"], one["throttle"]) for one in found] == [
        ("counted", "accumulate_within: 3 seconds, threshold: 3"),
        ("counted", "accumulate_within: 3 seconds, threshold: 3"),
        ("counted", "accumulate_within: 3 seconds, threshold: 3"),
        ("uncounted", "accumulate_within: 3 seconds, threshold: 3"),
    ]
    assert (await told(box, "e-4"))["fired"]


async def test_an_event_without_the_group_of_a_window_was_not_stopped_by_it(make_box: Make) -> None:
    box = await make_box(one_rule("event.a == 1", once_within="3 seconds", group_by_attributes=["event.h"]))
    box.post({"a": 1}, decided=False)
    box.position = 2  # decided, and nothing came of it
    assert (await told(box, "e-2"))["reason"] == "not-heard"


async def test_what_completed_a_join_is_named_to_the_events_before(make_box: Make) -> None:
    box = await make_box(one_rule({"all": PAIR}))
    box.post({"a": 1})
    assert (await told(box, "e-2")).get("later") is None
    box.post({"b": 1})
    assert (await told(box, "e-3"))["fired"]
    one = await told(box, "e-2")
    assert (one["reason"], [later["event"] for later in one["later"]]) == ("waits", ["e-3"])
    assert one["later"][0]["run"] == (await told(box, "e-3"))["run"]


async def test_a_firing_without_a_run_is_named_too(make_box: Make) -> None:
    made = files("event.a == 1")
    made["rulebooks/act.yml"] = made["rulebooks/act.yml"].replace('"event.a == 1"', json.dumps({"all": PAIR}))
    box = await make_box(made)
    box.post({"a": 1})
    box.post({"b": 1})
    assert [(later["action"], later["run"]) for later in (await told(box, "e-2"))["later"]] == [("none", None)]


@pytest.mark.parametrize(
    ("condition", "throttle"),
    [
        ({"all": PAIR}, {}),
        ({"not_all": PAIR, "timeout": "10 seconds"}, {}),
        ("event.a == 1", {"once_after": "3 seconds", "group_by_attributes": ["event.h"]}),
        ("event.a == 1", {"accumulate_within": "3 seconds", "threshold": 3, "group_by_attributes": ["event.a"]}),
    ],
)
async def test_after_a_shutdown_none_of_them_has_the_event(
    make_box: Make, condition: Any, throttle: dict[str, Any]
) -> None:
    made = one_rule(condition, **throttle)
    (ruleset,) = json.loads(made["rulebooks/act.yml"])
    ruleset["rules"].append({"name": "stop", "condition": "event.stop == 1", "action": {"shutdown": {}}})
    box = await make_box(made | {"rulebooks/act.yml": json.dumps([ruleset])})
    box.post({"stop": 1})
    box.post({"a": 1})
    assert (await told(box, "e-3"))["reason"] == "ended"
    await box.reload()
    assert (await told(box, "e-3"))["reason"] == "ended"


async def test_nor_did_an_earlier_rule_take_it(make_box: Make) -> None:
    rules = [{"name": name, "condition": "event.a == 1", "action": {"none": {}}} for name in ("before", "r0")]
    rules.append({"name": "stop", "condition": "event.stop == 1", "action": {"shutdown": {}}})
    book = [{"name": "rs", "hosts": "all", "sources": [{"healer.api": {}}], "rules": rules}]
    box = await make_box({"rulebooks/act.yml": json.dumps(book)})
    box.post({"stop": 1})
    box.post({"a": 1})
    assert (await told(box, "e-3"))["reason"] == "ended"
