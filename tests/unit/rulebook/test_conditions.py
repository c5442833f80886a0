"""The key `condition`: names of matches, variables and templates, by the numbers of the measured semantics (7, 9)."""

from __future__ import annotations

from typing import Any

import pytest

from healer import config, engine, errors, rulebook, testing


def load(condition: Any, variables: dict[str, Any] | None = None, name: str = "r") -> engine.Session:
    rule = {"name": name, "condition": condition, "action": {"none": None}}
    return engine.Session(testing.load([{"name": "s", "hosts": "all", "sources": [], "rules": [rule]}], variables)[0])


def matches(condition: Any, event: dict[str, Any], variables: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    return [match.matches for match in load(condition, variables).post(event, 0)]


def codes(condition: Any, variables: dict[str, Any]) -> list[str]:
    with pytest.raises(errors.ConfigurationError) as caught:
        load(condition, variables)
    return [found.code for found in caught.value.diagnostics]


def test_7_1_a_binding_names_the_match() -> None:
    assert matches("events.first << event.i == 1", {"i": 1}) == [{"first": {"i": 1}}]
    assert matches({"all": ["facts.first << event.i == 1"]}, {"i": 1}) == [{"first": {"i": 1}}]


def test_7_1_a_bound_absence_looks_at_the_event_at_hand() -> None:
    session = load("events.x << event.msg is not defined")
    assert [len(session.post(event, 0)) for event in ({"i": 1}, {"i": 2}, {"msg": 1})] == [1, 1, 0]


def test_7_4_in_any_the_name_is_kept() -> None:
    condition = {"any": ["events.x << event.i == 1", "events.y << event.j == 1", "event.k == 1"]}
    assert matches(condition, {"j": 1}) == [{"y": {"j": 1}}]
    assert matches(condition, {"k": 1}) == [{"m_2": {"k": 1}}]


def test_9_1_variables_are_replaced_at_load() -> None:
    variables = {"x": {"y": 42}, "l": ["a"], "t": True, "n": None}
    assert matches("event.a == vars.x.y", {"a": 42}, variables)
    assert not matches("event.a == vars.x.y", {"a": "42"}, variables)
    assert matches("event.a in vars.l", {"a": "a"}, variables)
    assert matches("event.a == vars.t", {"a": True}, variables)
    assert not matches("event.a == vars.t", {"a": 1}, variables)
    assert matches("event.a == vars.n", {"a": None}, variables)


def test_9_1_a_missing_variable_or_a_map_is_an_error() -> None:
    assert codes("event.a == vars.nope", {"x": 1}) == ["vars-missing"]
    assert codes("event.a == vars.x.y", {"x": 1}) == ["vars-missing"]
    assert codes("event.a == vars.x", {"x": {"y": 1}}) == ["vars-type"]
    assert codes("event.a in vars.x", {"x": [{}]}) == ["vars-type"]


def test_9_2_templates_work_inside_texts_and_give_a_text() -> None:
    assert matches('event.a == "{{ x }}"', {"a": "42"}, {"x": 42})
    assert not matches('event.a == "{{ x }}"', {"a": 42}, {"x": 42})
    assert matches('event.a is search("^{{ x }}$")', {"a": "v"}, {"x": "v"})
    assert codes("{{ x }}", {"x": "event.a == 1"}) == ["condition-syntax"]
    assert codes('event.a == "{{ nope }}"', {}) == ["template"]


def test_9_3_names_of_rules_are_templates() -> None:
    assert load("event.a == 1", {"x": 7}, "rule {{ x }}").compiled.rules[0].name == "rule 7"
    assert load("event.a == 1", {"x": 7}, "{{ x }}").compiled.rules[0].name == "7"


def test_names_that_become_equal_are_refused() -> None:
    text = """
- name: s
  hosts: all
  sources: []
  rules:
    - {name: "a {{ x }}", condition: event.a == 1, action: {none: }}
    - {name: a 1, condition: event.a == 1, action: {none: }}
"""
    document = config.read_text(text, "x")
    rulebook.parse(document, {"x": 1})
    assert [(found.code, found.place.line) for found in document.diagnostics] == [("duplicate-name", 7)]


@pytest.mark.parametrize(
    "text",
    [
        'event.alert.labels.token = "S3cretPassw0rd"', 'event.password == "S3cretPassw0rd" andd event.x == 1', "fact.apikey != 'S3cretPassw0rd' or",
        'event["api_token"] === "S3cretPassw0rd"', 'event.token in ["S3cretPassw0rd" event.x', 'event.token contains "S3cretPassw0rd',
    ],
)  # fmt: skip
def test_of_a_condition_that_cannot_be_read_no_secret_is_quoted(text):
    block = "\n".join(f"      {line}" for line in text.splitlines())
    book = f"- name: a\n  hosts: all\n  sources: []\n  rules:\n    - name: r\n      condition: |\n  {block}\n      action: {{none: {{}}}}\n"
    document = config.read_text(book, "a.yml")
    rulebook.parse(document, {})
    assert not document.ok
    assert "S3cret" not in "".join(map(str, document.diagnostics))
