"""`explain` says for each rule what it would do and why, and changes nothing."""

from __future__ import annotations

import collections
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer import engine, testing

BOOK = """
- name: s
  hosts: all
  sources: []
  rules:
    - name: idle
      condition: event.a == 1
      action: {none: }
      enabled: false
    - name: disk
      condition: event.a == 1 and not (event.labels.host == "x")
      action: {none: }
      throttle: {once_within: 10 seconds, group_by_attributes: [event.h]}
    - name: later
      condition: event.a is defined
      action: {none: }
"""


def session() -> engine.Session:
    return engine.Session(testing.load(BOOK)[0])


def test_each_simple_test_has_its_text_place_value_and_verdict() -> None:
    told = session().explain({"a": 1, "labels": {"host": "x"}})[1]
    assert (told["rule"], told["reason"], told["fires"]) == ("disk", "no-match", False)
    assert [(test["text"], test["place"], test["negated"], test["holds"], test["seen"]) for test in told["tests"]] == [
        ("event.a == 1", "<text>:11:18", False, True, [{"path": "event.a", "missing": False, "value": 1}]),
        (
            'event.labels.host == "x"',
            "<text>:11:40",
            True,
            False,
            [{"path": "event.labels.host", "missing": False, "value": "x"}],
        ),
    ]


def test_reasons() -> None:
    made, event = session(), {"a": 1, "h": "w", "labels": {"host": "y"}}
    assert [(one["rule"], one["reason"], one["taken_by"]) for one in made.explain(event)] == [
        ("idle", "disabled", None),
        ("disk", "fires", None),
        ("later", "taken", "disk"),
    ]
    made.post(event, 5)
    throttled = made.explain(event, 7)[1]
    assert (throttled["reason"], throttled["throttle"]) == (
        "throttled",
        {"once_within": "10 SECONDS", "grouped": True, "closed": True, "until": 15.0},
    )
    assert made.explain(event, 15)[1]["reason"] == "fires"


def test_what_is_missing_is_said() -> None:
    (seen,) = session().explain({})[2]["tests"][0]["seen"]
    assert seen == {"path": "event.a", "missing": True}


EVENTS = st.fixed_dictionaries(
    {}, optional={"a": st.integers(0, 2), "h": st.sampled_from("wx"), "labels": st.just({"host": "y"})}
)


@given(st.lists(st.tuples(EVENTS, st.integers(0, 8)), max_size=10))
def test_what_it_says_is_what_happens_and_it_changes_nothing(steps: list[tuple[dict[str, Any], int]]) -> None:
    made, now = session(), 0
    for event, wait in steps:
        now += wait
        before = json.dumps(made.snapshot())
        told = json.loads(json.dumps(made.explain(event, now)))
        assert json.dumps(made.snapshot()) == before
        fired = [match.rule.name for match in made.post(event, now)]
        assert [one["rule"] for one in told if one["fires"]] == fired


TIMED = """
- name: s
  hosts: all
  sources: []
  rules:
    - {name: gathers, condition: event.g == 1, action: {none: }, throttle: {once_after: 3 seconds, group_by_attributes: [event.h]}}
    - name: third
      condition: event.c == 1
      action: {none: }
      throttle: {accumulate_within: 5 seconds, threshold: 3, group_by_attributes: [event.h]}
    - {name: alone, condition: {not_all: [event.a == 1, event.b == 1], timeout: 9 seconds}, action: {none: }}
    - {name: plain, condition: event.h is defined, action: {none: }}
"""


def said(made: engine.Session, event: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    return {one["rule"]: (one["reason"], one["taken_by"]) for one in made.explain(event)}


def test_what_a_throttle_gathers_does_not_fire_and_is_taken() -> None:
    made = engine.Session(testing.load(TIMED)[0])
    told = said(made, {"g": 1, "a": 1, "h": "x"})
    assert (told["gathers"], told["alone"], told["plain"]) == (
        ("gathered", None), ("taken", "gathers"), ("taken", "gathers"),
    )  # fmt: skip
    assert made.post({"g": 1, "a": 1, "h": "x"}, 1) == []


def test_what_is_counted_is_told_until_the_count_is_full() -> None:
    made, event = engine.Session(testing.load(TIMED)[0]), {"c": 1, "h": "x"}
    for now in (1, 2, 3, 4):
        told = said(made, event)
        fired = [match.rule.name for match in made.post(event, now)]
        assert (told["third"][0], fired) == (("fires", ["third"]) if now == 3 else ("counted", []))
        assert told["plain"] == ("taken", "third")
    assert said(made, {"c": 1})["third"] == ("uncounted", None)


def test_what_stands_alone_goes_on_to_the_rules_after_it() -> None:
    made = engine.Session(testing.load(TIMED)[0])
    told = said(made, {"a": 1, "h": "x"})
    assert (told["alone"], told["plain"]) == (("alone", None), ("fires", None))
    assert [match.rule.name for match in made.post({"a": 1, "h": "x"}, 1)] == ["plain"]


@pytest.mark.parametrize("multiple", ["", "  match_multiple_rules: true\n"])
def test_what_completes_a_not_all_is_seen_by_no_rule_behind_it(multiple: str) -> None:
    made = engine.Session(testing.load(TIMED.replace("  sources: []\n", f"  sources: []\n{multiple}"))[0])
    made.post({"a": 1}, 1)
    event = {"b": 1, "h": "x"}
    for _ in range(2):  # to be told changes nothing
        told = said(made, event)
        assert (told["alone"], told["plain"]) == (("complete", None), ("taken", "alone"))
    assert made.post(event, 2) == []
    assert said(made, event)["alone"] == ("alone", None)


def test_what_is_told_of_a_not_all_is_what_happens_also_where_some_wait() -> None:
    """Of random streams: an event that is told as the last that was wanted goes, and any other is heard by the rule behind."""
    draw, seen = random.Random(7), collections.Counter[str]()
    for _ in range(60):
        made, now = engine.Session(testing.load(TIMED)[0]), 0.0
        for _ in range(14):
            now += draw.choice([0, 1, 4, 10])
            made.advance(now)
            event = {"h": "x", **{key: 1 for key in "ab" if draw.random() < 0.5}}
            told = said(made, event)
            fired = [match.rule.name for match in made.post(event, now)]
            seen[told["alone"][0]] += 1
            assert ("plain" in fired) == (told["alone"][0] != "complete"), (event, told)
    assert min(seen["complete"], seen["alone"], seen["no-match"]) > 50


JOINED = """
- name: s
  hosts: all
  sources: []
  rules:
    - name: joins
      condition:
        all:
          - events.s << event.kind == "a"
          - event.kind == "b" and event.host == events.s.host and event.t < events.s.t + 5
      action: {none: }
"""
LATE = {"kind": "b", "host": "h", "t": 1}


def seen_of(made: engine.Session, event: dict[str, Any]) -> dict[str, Any]:
    (told,) = made.explain(event)
    return {one["path"]: one for test in told["tests"] for one in test["seen"]}


def test_what_is_of_another_event_is_unknown_and_not_missing() -> None:
    made = engine.Session(testing.load(JOINED)[0])
    seen = seen_of(made, LATE)
    assert seen["events.s.host"] == {"path": "events.s.host", "unknown": True}
    assert seen["events.s.t"] == {"path": "events.s.t", "unknown": True}
    (told,) = made.explain(LATE)
    assert [test["holds"] for test in told["tests"]] == [False, True, None, None]
    (told,) = made.explain({"kind": "a", "host": "h"})
    assert (told["reason"], told["tests"][0]["holds"]) == ("waits", True)


def test_a_match_that_the_event_completes_shows_the_fields_of_its_partner() -> None:
    made = engine.Session(testing.load(JOINED)[0])
    made.post({"kind": "a", "host": "h", "t": 9}, 1)
    seen = seen_of(made, LATE)
    assert seen["events.s.host"] == {"path": "events.s.host", "missing": False, "value": "h"}
    assert seen["events.s.t"] == {"path": "events.s.t", "missing": False, "value": 9}
    (told,) = made.explain(LATE)
    assert (told["reason"], [test["holds"] for test in told["tests"]]) == ("fires", [True] * 4)


def test_of_several_matches_no_partner_is_shown() -> None:
    made = engine.Session(testing.load(JOINED)[0])
    made.post({"kind": "a", "host": "h", "t": 9}, 1)
    made.post({"kind": "a", "host": "h", "t": 8}, 2)
    (told,) = made.explain(LATE, 3)
    assert told["reason"] == "fires"
    assert seen_of(made, LATE)["events.s.t"] == {"path": "events.s.t", "unknown": True}
