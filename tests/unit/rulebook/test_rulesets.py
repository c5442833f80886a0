"""Whole rulebooks: what upstream's schema takes is taken, what it refuses is refused with every mistake at once."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from healer import config, engine, rulebook

BOOK: dict[str, Any] = {
    "name": "web",
    "hosts": "all",
    "sources": [{"ansible.eda.range": {"limit": 5}, "filters": [{"eda.builtin.noop": None}]}],
    "rules": [{"name": "r", "condition": "event.i == 1", "action": {"debug": {"msg": "x"}}}],
}


def read(book: Any, variables: dict[str, Any] | None = None) -> tuple[config.Document, list[engine.Ruleset]]:
    text = book if isinstance(book, str) else yaml.safe_dump(book, sort_keys=False)
    document = config.read_text(text, "r.yml", twice="warning")
    return document, rulebook.parse(document, variables or {})


def codes(book: Any, variables: dict[str, Any] | None = None) -> list[str]:
    return [found.code for found in read(book, variables)[0].diagnostics]


def changed(**keys: Any) -> list[dict[str, Any]]:
    return [{**copy.deepcopy(BOOK), **keys}]


def with_rule(**keys: Any) -> list[dict[str, Any]]:
    rule = {**BOOK["rules"][0], **keys}
    return changed(rules=[{key: value for key, value in rule.items() if value != "absent"}])


def test_a_rulebook_becomes_rulesets() -> None:
    document, (found,) = read(changed(default_events_ttl="5 minutes", match_multiple_rules=True))
    assert document.ok
    assert (found.name, found.hosts, found.default_events_ttl_s, found.match_multiple_rules) == (
        "web",
        "all",
        300,
        True,
    )
    assert found.execution_strategy == "sequential"
    (source,) = found.sources
    assert (source.name, source.type, source.args) == ("ansible.eda.range", "ansible.eda.range", {"limit": 5})
    assert source.filters == (("eda.builtin.noop", {}),)
    (rule,) = found.rules
    assert (rule.name, rule.enabled, rule.throttle, rule.index) == ("r", True, None, 0)
    assert (rule.actions[0].name, rule.actions[0].args) == ("debug", {"msg": "x"})


def test_a_key_that_stands_twice_hides_no_other_mistake() -> None:
    text = yaml.safe_dump(with_rule(condition="event.a = 1"), sort_keys=False)
    document, _ = read(
        text.replace("  hosts: all\n", "  hosts: all\n  hosts: all\n").replace("  rules:", "  ruls: []\n  rules:")
    )
    assert sorted(found.code for found in document.diagnostics) == ["condition-syntax", "duplicate-key", "unknown-key"]
    twice = next(found for found in document.diagnostics if found.code == "duplicate-key")
    assert (twice.severity, twice.try_) == ("warning", "the last one counts")  # as upstream reads it


def test_an_action_beside_actions_hides_no_other_mistake() -> None:
    book = with_rule(
        action={"debg": None}, actions=["debug", {"debug": None}, "run_playbook", {"none": None, "debug": None}]
    )
    document, _ = read(book)
    assert sorted(found.code for found in document.diagnostics) == [
        "action-keyword", "action-shape", "action-twice", "wrong-type", "wrong-type",
    ]  # fmt: skip


def test_the_default_life_of_an_event_is_two_hours() -> None:
    assert read(changed())[1][0].default_events_ttl_s == 7200


@pytest.mark.parametrize(
    ("book", "code"),
    [
        ("", "wrong-type"), ("[]", "wrong-type"), ("a: 1", "wrong-type"), ("- 5", "wrong-type"),
        (changed(hosts=["a"]), "wrong-type"), (changed(name=5), "wrong-type"), (changed(name="  "), "empty-name"),
        (changed(rules={}), "wrong-type"), (changed(rules=[1]), "wrong-type"), (changed(sources={}), "wrong-type"),
        (changed(sources=["x"]), "wrong-type"), (changed(sources=[{"name": "n"}]), "source-type"),
        (changed(sources=[{"a": None, "b": None}]), "source-type"), (changed(sources=[{"a": 5}]), "wrong-type"),
        (changed(sources=[{"a": None, "filters": ["x"]}]), "wrong-type"), (changed(hots="all"), "unknown-key"),
        (changed(execution_strategy="fast"), "wrong-type"), (changed(default_events_ttl="5m"), "wrong-type"),
        (changed(default_events_ttl="5 milliseconds"), "wrong-type"), (changed(gather_facts="yes"), "wrong-type"),
        (changed(policy={"approval": {}}), "options"), (changed(policy=5), "wrong-type"), (changed(policy={"cool": 1}), "unknown-key"),
        (changed(policy={"cooldown": "soon"}), "options"), (changed(match_multiple_rules="yes"), "wrong-type"),
        ([{"name": "x"}], "missing-key"), ([BOOK, BOOK], "duplicate-name"), (changed(rules=BOOK["rules"] * 2), "duplicate-name"),
        (with_rule(name=""), "empty-name"), (with_rule(name="{{ nope }}"), "template"), (with_rule(enabled="no"), "wrong-type"),
        (with_rule(lock="x"), "unknown-key"), (with_rule(policy={"windows": {"allow": 5}}), "options"), (with_rule(policy={"timeout": "0s"}), "options"), (with_rule(condition=5), "wrong-type"),
        (with_rule(action="absent"), "missing-key"), (with_rule(action="absent", actions=[]), "missing-key"),
        (with_rule(actions=[]), "action-twice"), (with_rule(actions=[{"none": None}]), "action-twice"),
        (with_rule(action={"debg": None}), "action-keyword"), (with_rule(action={"run_job_template": {}}), "missing-key"),
        (with_rule(action={}), "action-shape"), (with_rule(action={"none": None, "debug": None}), "action-shape"),
        (with_rule(action={"run_playbook": {}}), "missing-key"), (with_rule(action={"run_playbook": None}), "wrong-type"),
        (with_rule(action={"run_playbook": {"name": "x", "extra": 1}}), "unknown-key"),
        (with_rule(action={"run_playbook": {"name": "x", "verbosity": True}}), "wrong-type"),
        (with_rule(action={"run_playbook": {"name": "x", "lock": 5}}), "wrong-type"),
        (with_rule(action={"run_module": {"name": "ping", "module_args": "data"}}), "module-args"),
        (with_rule(action={"run_job_template": {"name": "x", "organization": "y", "labels": [1]}}), "wrong-type"),
        (with_rule(action={"shutdown": {"kind": "later"}}), "wrong-type"), (with_rule(action={"debug": {"msg": [1]}}), "wrong-type"),
        (with_rule(action={"debug": {"msg": "a", "var": "b"}}), "action-shape"),
        (with_rule(action={"run_action": {"target": "x"}}), "missing-key"),
        (with_rule(action={"run_action": {"name": "x", "targets": "y"}}), "unknown-key"),
        (with_rule(throttle={"once_within": "10s", "group_by_attributes": []}), "wrong-type"),
        (with_rule(throttle={"once_within": "10 seconds"}), "missing-key"),
        (with_rule(throttle={"once_after": "10s", "group_by_attributes": []}), "wrong-type"),
        (with_rule(throttle={"once_after": "1 hour", "once_within": "1 hour", "group_by_attributes": []}), "throttle-kind"),
        (with_rule(throttle={"group_by_attributes": []}), "throttle-kind"),
        (with_rule(throttle={"once_after": "1 hour", "threshold": 0, "group_by_attributes": []}), "wrong-type"),
        (with_rule(throttle={"once_after": "1 hour", "accumulate_within": "1h", "group_by_attributes": []}), "wrong-type"),
        (with_rule(throttle={"once_after": "1 hour", "accumulate_within": "1 hour", "threshold": 2, "group_by_attributes": []}), "throttle-kind"),
        (changed(gather_facts=True, execution_strategy="fast"), "wrong-type"),
        (with_rule(throttle={"accumulate_within": "1 hour", "group_by_attributes": []}), "missing-key"),
        (with_rule(throttle={"accumulate_within": "1 hour", "threshold": 0, "group_by_attributes": []}), "wrong-type"),
        (with_rule(throttle={"accumulate_within": "1 hour", "threshold": True, "group_by_attributes": []}), "wrong-type"),
        (with_rule(throttle={"once_after": "1 hour", "group_by_attributes": []}, condition={"any": ["event.a", "event.b"]}), "throttle-condition"),
        (with_rule(condition={"not_all": ["event.a == 1"]}), "missing-key"),
        (with_rule(condition={"all": ["event.a == 1"], "timeout": "1s"}), "wrong-type"),
        (with_rule(condition={"any": ["event.a == 1"], "timeout": "1 second"}), "condition-timeout"),
        (with_rule(condition={"all": ["event.a == 1", "event.b == events.m_0.x and events.m_0.y == events.m_0.z"]}), "condition-binding"),
        (with_rule(condition={"all": ["event.a == 1", 'events.m_0.x is search("a")']}), "condition-binding"),
        (with_rule(condition={"any": []}), "wrong-type"), (with_rule(condition={}), "condition-kind"),
        (with_rule(condition={"any": [True]}), "wrong-type"), (with_rule(condition={"some": []}), "unknown-key"),
    ],
)  # fmt: skip
def test_each_kind_of_mistake_has_its_code(book: Any, code: str) -> None:
    document, _ = read(book)
    assert code in [found.code for found in document.diagnostics if found.severity == "error"]
    assert all(found.place.file == "r.yml" for found in document.diagnostics)


def test_every_mistake_is_said_at_once_where_it_stands() -> None:
    document, found = read("""
- name: web
  hosts: all
  sorces: []
  sources: []
  rules:
    - name: one
      condition: event.a = 1
      action: {run_playbok: {name: x}}
    - name: two
      condition: >
        event.a == 1 and
        event.b is serch("x")
      actions:
        - debug: {mesg: x}
      throttle: {once_within: 10 second, group_by_attributes: [event.a]}
""")
    assert [(one.code, one.place.line, one.place.column, one.try_) for one in document.diagnostics] == [
        ("unknown-key", 4, 3, "did you mean 'sources'?"),
        ("condition-syntax", 8, 26, "write == to compare"),
        ("action-keyword", 9, 16, "did you mean 'run_playbook'?"),
        ("condition-is", 13, 20, "did you mean 'search'?"),
        ("unknown-key", 15, 19, "did you mean 'msg'?"),
    ]
    assert found == []


def test_traps_are_warnings_and_do_not_stop() -> None:
    document, found = read(with_rule(condition="event.a == 1 or event.b == 1 and event.c is defined"))
    assert [(one.severity, one.code) for one in document.diagnostics] == [("warning", "trap-precedence")]
    assert document.ok
    assert len(found) == 1
    assert codes(with_rule(condition="event.a is not defined")) == ["trap-absence"]


SCALARS = st.sampled_from(
    [None, True, 1, 1.5, "", "x", "1 second", [], {}, ["x"], {"name": "x"}, "sequential", {"fact": {}}]
)
KEYS = st.sampled_from(
    ["name", "hosts", "sources", "rules", "condition", "action", "actions", "enabled", "throttle", "filters", "debug", "none",
     "set_fact", "fact", "event", "post_event", "run_playbook", "retract_fact", "partial", "shutdown", "delay", "var", "msg",
     "print_event", "pretty", "once_within", "group_by_attributes", "any", "verbosity", "extra_vars", "default_events_ttl",
     "match_multiple_rules", "execution_strategy", "bogus", "run_module", "module_args"]
)  # fmt: skip


@given(
    st.recursive(
        SCALARS | st.text(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4)
    )
)
def test_any_yaml_gives_rulesets_or_diagnostics(value: Any) -> None:
    for book in (value, [value], changed(rules=[value]), with_rule(condition=value), with_rule(action=value)):
        document, found = read(yaml.safe_dump(book, sort_keys=False))
        assert found or not document.ok
