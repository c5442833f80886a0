"""Replaying steps on a virtual clock."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from healer import errors, testing

BOOK = """
- name: first
  hosts: all
  sources: []
  rules:
    - name: disk
      condition: event.type == "disk" and event.full > vars.limit
      throttle: {once_within: 10 seconds, group_by_attributes: [event.host]}
      action: {none: }
- name: second
  hosts: all
  sources: []
  rules:
    - {name: all, condition: true, action: {none: }}
"""
FULL = {"type": "disk", "full": 95, "host": "web1"}


def fired(steps: list[dict[str, Any]], book: Any = BOOK) -> list[tuple[int, float, str, str]]:
    found = testing.replay(book, steps, {"limit": 90})
    return [(one.step, one.at, one.ruleset, one.rule) for one in found]


def test_the_clock_starts_at_zero_and_goes_by_at_and_advance() -> None:
    steps = [{"event": FULL}, {"advance_s": 9}, {"event": FULL}, {"event": FULL, "at": 10}, {"event": FULL, "at": 5}]
    assert [one for one in fired(steps) if one[2] == "first"] == [(0, 0, "first", "disk"), (3, 10, "first", "disk")]
    assert [(step, at) for step, at, ruleset, _ in fired(steps) if ruleset == "second"] == [
        (0, 0),
        (2, 9),
        (3, 10),
        (4, 10),
    ]


def test_what_adding_up_loses_is_not_going_back() -> None:
    """0.1 + 0.1 + 0.1 is a little more than 0.3 to a computer."""
    steps = [{"advance_s": 0.1}, {"advance_s": 0.1}, {"advance_s": 0.1}, {"event": {"a": 1}, "at": 0.3}]
    assert fired(steps) == [(3, 0.1 + 0.1 + 0.1, "second", "all")]


def test_a_step_may_name_its_ruleset() -> None:
    assert fired([{"event": FULL, "ruleset": "second"}]) == [(0, 0, "second", "all")]


def test_a_firing_is_one_json_object() -> None:
    (one,) = testing.replay(BOOK, [{"event": {"a": 1}}], {"limit": 1})
    assert json.loads(json.dumps(one.as_json())) == {
        "step": 0,
        "at": 0,
        "ruleset": "second",
        "rule": "all",
        "matches": {"m": {"a": 1}},
    }


def test_a_path_a_text_and_a_list_are_the_same(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "r.yml"
    path.write_text(BOOK)
    wanted = fired([{"event": FULL}])
    assert fired([{"event": FULL}], path) == wanted
    assert fired([{"event": FULL}], str(path)) == wanted
    loaded = [
        {
            "name": "second",
            "hosts": "all",
            "sources": [],
            "rules": [{"name": "all", "condition": True, "action": {"none": None}}],
        }
    ]
    assert fired([{"event": FULL}], loaded) == wanted[1:]


def test_a_wrong_rulebook_and_a_wrong_step() -> None:
    with pytest.raises(errors.ConfigurationError, match="vars-missing"):
        testing.replay(BOOK, [])
    with pytest.raises(errors.InvalidField, match="line 2"):
        fired([{"event": {}}, {"event": 1}])
    assert testing.load("- {name: a,\n  name: b, hosts: all, sources: [], rules: []}\n")[0].name == "b"  # as upstream
    with pytest.raises(errors.ConfigurationError, match="unreadable"):
        testing.replay("no/such/file.yml", [])


def test_the_callers_event_is_not_touched() -> None:
    event = {**FULL, "meta": {"uuid": "u"}}
    before = json.dumps(event)
    fired([{"event": event}])
    assert json.dumps(event) == before
