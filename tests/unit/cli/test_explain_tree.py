"""Conditions as trees, in text and Markdown; runs of before there were trees keep their list."""

from __future__ import annotations

import json

import pytest

from healer import engine, testing
from healer.cli import explanation, terminal

CONDITION = {
    "any": [
        'event.alert.name == "DiskFull" and not (event.alert.team == "@db" or event.n > 1) and event.alert.key is defined',
        'events.big << event.disks is selectattr("used", ">", 90)',
        "event.n == 1",
    ]
}
EVENT = {"alert": {"name": "DiskFull", "team": "```@db"}, "n": 5, "disks": [{"used": 10}, {"used": 95}]}
GOLDEN = """\
web/alerts/r: did not fire: the event went to an earlier rule
  conditions
    ✓ any
      ✗ and
        ✓ event.alert.name == "DiskFull"              event.alert.name = "DiskFull"
        ✗ not
          ✗ and
            ✓ not (event.alert.team == "@db")         event.alert.team = "```@db"
            ✗ not (event.n > 1)                       event.n = 5
        · event.alert.key is defined                  event.alert.key is missing
      ✓ big << event.disks is selectattr("used", ">", 90)  event.disks = [{"used": 10}, {"used": 95}], decided by [1] = {"used": 95}
      · event.n == 1                                  event.n = 5
"""
LIST = """\
- ✓ `any`
  - ✗ `and`
    - ✓ `event.alert.name == "DiskFull"` `event.alert.name = "DiskFull"`
    - ✗ `not`
      - ✗ `and`
        - ✓ `not (event.alert.team == "@db")` ````event.alert.team = "```@db"````
        - ✗ `not (event.n > 1)` `event.n = 5`
    - · `event.alert.key is defined` `event.alert.key is missing`
  - ✓ `big << event.disks is selectattr("used", ">", 90)` `event.disks = [{"used": 10}, {"used": 95}], decided by [1] = {"used": 95}`
  - · `event.n == 1` `event.n = 5`
"""


@pytest.fixture
def answer():
    rule = {"name": "r", "condition": CONDITION, "action": {"none": None}}
    made = testing.load([{"name": "s", "hosts": "all", "sources": [], "rules": [rule]}])[0].rules[0]
    tests = engine.tests_of(made, {"": EVENT})
    told = {
        "rule": "web/alerts/r",
        "fired": False,
        "reason": "taken",
        "conditions": tests,
        "tree": engine.tree_of(made, tests),
    }
    return json.loads(json.dumps(told))


@pytest.fixture
def shown(ask, daemon, answer):
    """`shown("--format", "markdown")`: what `explain` says."""
    daemon["GET /api/v1/explain/e-1"] = {"event": {"id": "e-1", "event": EVENT}, "rules": [answer]}
    return lambda *args: ask("explain", "e-1", *args).stdout


def test_in_text(shown):
    assert shown().partition("\n\n")[2] == GOLDEN


def test_in_markdown_it_is_a_list_of_spans(shown):
    assert f"\n\n{LIST}" in shown("--format", "markdown")


def test_simulate_shows_the_same(ask, daemon, answer):
    daemon["POST /api/v1/simulate"] = {
        "items": [{"event": {"id": "e-1"}, "listening": 1, "rules": [answer]}],
        "more": 0,
    }
    assert GOLDEN.partition("\n")[2] in ask("simulate", "e-1", "--why").stdout
    assert LIST in ask("simulate", "e-1", "--why", "--format", "markdown").stdout
    for more in ([], ["--format", "markdown"]):
        assert "selectattr" not in ask("simulate", "e-1", *more).stdout


def test_the_list_of_a_run_of_before_there_were_trees(shown, answer):
    answer["tree"] = None
    answer["fired"] = True
    lines = shown().splitlines()
    assert "  conditions (not all of them have to hold)" in lines
    assert '    ✓ event.alert.name == "DiskFull"                  event.alert.name = "DiskFull"' in lines
    # What was found out is told, whether or not it was asked then.
    assert "    ✗ event.alert.key is defined                      event.alert.key is missing" in lines


def test_what_a_variable_stands_for(shown, answer):
    answer["tree"] = {
        "kind": "test", "holds": False, "test": 0,
        "sides": [{"path": "vars.name", "missing": False, "value": "x\x1b[2J"}, {"path": "vars.y", "missing": True}],
    }  # fmt: skip
    assert 'event.alert.name = "DiskFull", vars.name = "x\\u001b[2J", vars.y is missing\n' in shown()


def test_words_where_the_output_has_no_such_signs(monkeypatch, answer):
    monkeypatch.setattr(terminal, "can_show", lambda _: False)
    monkeypatch.setenv("NO_COLOR", "1")
    lines = [*explanation.condition_lines(answer["conditions"], fired=True, tree=answer["tree"])]
    assert [line.rstrip() for line in lines[1:4]] == [
        "    yes any", "      no  and", '        yes event.alert.name == "DiskFull"              event.alert.name = "DiskFull"',
    ]  # fmt: skip
    assert lines[-1].strip().startswith("-   event.n == 1")


@pytest.mark.parametrize(
    ("encoding", "can"), [("utf-8", True), ("ascii", False), ("latin-1", False), ("none-such", False), (None, False)]
)
def test_which_output_has_them(monkeypatch, encoding, can):
    monkeypatch.setattr(terminal.sys, "stdout", type("Out", (), {"encoding": encoding})())
    assert terminal.can_show("✓✗·") is can


def test_colour_unless_somebody_wants_none(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("TERM", raising=False)
    assert [explanation.mark(holds) for holds in (True, False, None)] == ["\x1b[32m✓\x1b[0m", "\x1b[31m✗\x1b[0m", "·"]
    monkeypatch.setenv("NO_COLOR", "1")
    assert [explanation.mark(holds) for holds in (True, False, None)] == ["✓", "✗", "·"]


EVIL = "\x1b[2J\u202e`<b>@all\n- x"


def test_hostile_trees_steer_nothing(shown, answer):
    side = {"path": EVIL, "missing": False, "value": EVIL}
    test = {
        "kind": "test",
        "holds": EVIL,
        "test": 0,
        "pattern": EVIL,
        "sides": [side, EVIL],
        "element": {"at": EVIL, "value": EVIL},
    }
    answer["tree"] = {
        "kind": EVIL,
        "holds": EVIL,
        "pattern": EVIL,
        "parts": [test, EVIL, {"kind": EVIL, "parts": EVIL}],
    }
    answer["conditions"][0] |= {"text": EVIL, "seen": [side]}
    text, listed = shown(), shown("--format", "markdown")
    assert not {"\x1b", "\u202e"} & set(text + listed)
    made = [line for line in listed.splitlines() if "@all" in line and line.lstrip().startswith("- ")]
    assert made
    assert all(line.lstrip().startswith(("- ✓ ``", "- · ``")) for line in made)


def test_what_is_of_an_earlier_event_is_not_called_missing():
    condition = {"all": ["events.s << event.kind == 1", "event.host == events.s.host and event.t < events.s.t + 5"]}
    rule = {"name": "r", "condition": condition, "action": {"none": None}}
    made = testing.load([{"name": "s", "hosts": "all", "sources": [], "rules": [rule]}])[0].rules[0]
    tests = engine.tests_of(made, {"": {"host": "h", "t": 1}})
    lines = "\n".join(explanation.condition_lines(tests, fired=True, tree=engine.tree_of(made, tests, fired=True)))
    assert 'event.host = "h", events.s.host is of an earlier event, not shown\n' in lines
    assert lines.endswith("event.t = 1, events.s.t is of an earlier event, not shown")
    assert "missing" not in lines.partition("event.host ==")[2]
    assert "+ 5 =" not in lines
