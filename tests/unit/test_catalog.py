"""Entries, their parameters, and every mistake in them with its place."""

from __future__ import annotations

import dataclasses
import json
import pickle
import time
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer import catalog, config

FULL = """\
restart:
  playbook: restart.yml
  description: Restart one service
  controller: site
  parameters:
    service: {type: string, pattern: "^[a-z]{1,20}$"}
    wait_s: {type: integer, default: 30, minimum: 0, maximum: 600}
    tree: {type: object, properties: {n: {type: integer}}, additionalProperties: false}
  required: [service]
  payload_parameters: [wait_s]
  target: required
  timeout: 5 minutes
  idempotent: true
  impact: medium
  tags: [service]
  events: [service_down]
  max_age: 10m
  defer_for: 1 hour
  cooldown: 90s
  attempts: 2
  concurrency: 3
"""


def read(text: str) -> tuple[catalog.Catalog, config.Document]:
    document = config.read_text(text, "actions.yaml")
    value = document.value
    assert isinstance(value, config.Map)
    written = [catalog.Written(str(name), document, value[name], value.keys_at[name]) for name in value]
    return catalog.build(written), document


@pytest.fixture
def restart() -> catalog.Entry:
    found, document = read(FULL)
    assert document.diagnostics == []
    return found.entries["restart"]


def test_all_keys_are_read(restart: catalog.Entry) -> None:
    assert (restart.kind, restart.subject, restart.controller) == ("playbook", "playbooks/restart.yml", "site")
    assert (restart.timeout_s, restart.max_age_s, restart.defer_for_s, restart.cooldown_s) == (300, 600, 3600, 90)
    assert (restart.attempts, restart.concurrency, restart.impact, restart.impact_declared) == (2, 3, "medium", True)
    assert (restart.idempotent, restart.tags, restart.events) == (True, ("service",), ("service_down",))
    assert pickle.loads(pickle.dumps(restart)) == restart


def test_absent_keys_fail_closed() -> None:
    entry = read("a: {command: [/bin/true, x]}")[0].entries["a"]
    assert (entry.idempotent, entry.impact, entry.impact_declared, entry.target) == (False, "high", False, "required")
    assert (entry.kind, entry.subject) == ("command", ("/bin/true", "x"))


def test_parameters_are_filled_and_checked(restart: catalog.Entry) -> None:
    assert restart.parameters_of({"service": "nginx"}) == {"service": "nginx", "wait_s": 30}
    problems = restart.parameters_of({"wait_s": "x", "tree": {"n": "1", "m": 2}, "sevice": 1})
    assert problems == [
        "sevice: is not declared, did you mean 'service'?",
        "service: is required",
        "wait_s: 'x' is not of type 'integer'",
        "tree: 'm' is not declared",
        "tree.n: '1' is not of type 'integer'",
    ]


def test_defaults_are_copies() -> None:
    entry = read("a: {command: [x], parameters: {list: {type: array, default: []}}}")[0].entries["a"]
    made = entry.parameters_of({})
    assert isinstance(made, dict)
    made["list"].append(1)
    assert entry.parameters_of({}) == {"list": []}


def test_payload_parameters_bound_what_an_event_may_set(restart: catalog.Entry) -> None:
    assert restart.payload_of({"service": "x", "wait_s": 1}) == ["service: may not be set by an event"]
    entry = read("a: {command: [x], parameters: {n: {}}}")[0].entries["a"]
    assert entry.payload_of({"n": 1}) == {"n": 1}


@pytest.mark.parametrize(("target", "given", "said"), [
    ("required", "web01", ""), ("required", None, ""), ("none", None, ""), ("none", "", ""), ("none", [], ""),
    ("none", "h1", "target: the action works on none (target: none), got 'h1'"),
    ("none", ["h1"], "target: the action works on none (target: none), got ['h1']"),
    ("none", 0, "target: the action works on none (target: none), got 0"),
])  # fmt: skip
def test_a_target_is_wrong_for_an_action_that_works_on_none(target: str, given: object, said: str) -> None:
    entry = read(f"a: {{command: [x], target: {target}}}")[0].entries["a"]
    assert entry.unwanted_target(given) == said


@pytest.mark.parametrize("value", ["nginx\n", "nginx\nreboot", "NGINX", "", "\ud800"])
def test_patterns_mean_the_whole_text(restart: catalog.Entry, value: str) -> None:
    """Python's `$` also stands before a last line break; RE2's does not."""
    assert isinstance(restart.parameters_of({"service": value}), list)


def test_patterns_cannot_be_made_slow() -> None:
    entry = read(
        """a: {command: [x], parameters: {s: {pattern: "^(a+)+$"}, o: {type: object, patternProperties: {"^(a+)+$": {}}}}}"""
    )
    started = time.monotonic()
    entry[0].entries["a"].parameters_of({"s": "a" * 5000 + "!", "o": {"a" * 5000 + "!": 1}})
    assert time.monotonic() - started < 30  # by backtracking it would not end


def test_digest_is_of_the_meaning(restart: catalog.Entry) -> None:
    shuffled = read(
        "# a comment\n" + FULL.replace("  playbook: restart.yml\n", "") + "  playbook: playbooks/restart.yml\n"
    )
    assert shuffled[0].entries["restart"].digest == restart.digest
    for field, value in {
        "impact": "low",
        "timeout_s": 1.0,
        "parameters": {},
        "required": (),
        "controller": "x",
    }.items():
        assert dataclasses.replace(restart, **{field: value}).digest != restart.digest  # type: ignore[arg-type]


def test_events_map_to_actions() -> None:
    found, document = read("a: {command: [x], events: [one, two]}\nb: {command: [x], events: [three, two]}")
    assert found.by_event == {"one": "a", "two": "a", "three": "b"}
    assert [(d.code, d.place.line, d.place.column) for d in document.diagnostics] == [("duplicate-event-type", 2, 35)]


@pytest.mark.parametrize(
    ("text", "code", "part"),
    [
        ("a: {playbook: x, script: y}", "action-kind", "got playbook, script"),
        ("a: {impact: low}", "action-kind", "got none"),
        ("a: 3", "wrong-type", "mapping"),
        ("a b: {command: [x]}", "name", "'a b'"),
        ("a: {command: []}", "options", "command"),
        ("a: {command: [x], impact: huge}", "options", "impact"),
        ("a: {command: [x], timeout: 5 parsecs}", "options", "timeout"),
        ("a: {command: [x], tiemout: 5m}", "options", "'tiemout'"),
        ("a: {command: [x], events: ['a b']}", "options", "events"),
        ("a: {command: [x], required: [q]}", "unknown-parameter", "'q'"),
        ("a: {command: [x], payload_parameters: [q]}", "unknown-parameter", "'q'"),
        ("a: {command: [x], parameters: {p-q: {}}}", "name", "'p-q'"),
        ("a: {command: [x], parameters: {p: string}}", "schema", "JSON Schema"),
        ("a: {command: [x], parameters: {p: {type: strin}}}", "schema", "'strin'"),
        ("a: {command: [x], parameters: {p: {pattern: '(?=x)'}}}", "schema", "pattern"),
        ("a: {command: [x], parameters: {p: {$ref: 'http://x/y'}}}", "schema", "outside"),
        ("a: {command: [x], parameters: {p: {$ref: '#/$defs/x'}}}", "schema", "nowhere"),
        ("a: {command: [x], parameters: {p: {$id: 'http://x/y'}}}", "schema", "$id"),
        ("a: {command: [x], parameters: {p: {default: .nan}}}", "schema", "no JSON number"),
        ("a: {command: [x], parameters: {p: {enum: [!!binary aGk=]}}}", "schema", "bytes"),
        ("a: {command: [x], parameters: {p: {type: integer, default: x}}}", "schema", "default"),
        *(
            (f"a: {{command: [x], {key}: {{}}}}", "not-yet", key)
            for key in ("retries", "verify", "escalate", "approval")
        ),
        ("a: {job_template: x}", "not-yet", "job_template"),
        ("a: {oc: {verb: get}}", "not-yet", "oc"),
    ],
)
def test_mistakes(text: str, code: str, part: str) -> None:
    found, document = read(text)
    assert [d.code for d in document.diagnostics] == [code]
    assert part in document.diagnostics[0].message
    assert document.diagnostics[0].place.line == 1
    assert found.entries == {}


def test_all_mistakes_at_once() -> None:
    _, document = read("a: {command: [x], impact: huge, retries: 1, parameters: {p: {type: x}}, required: [q]}\nb: {}")
    assert sorted(d.code for d in document.diagnostics) == [
        "action-kind", "not-yet", "options", "schema", "unknown-parameter",
    ]  # fmt: skip


def test_local_references_work() -> None:
    text = "a: {command: [x], parameters: {p: {$ref: '#/$defs/n', $defs: {n: {type: integer}}}}}"
    entry = read(text)[0].entries["a"]
    assert entry.parameters_of({"p": 1}) == {"p": 1}
    assert entry.parameters_of({"p": "x"}) == ["p: 'x' is not of type 'integer'"]


def test_a_schema_that_names_itself_ends() -> None:
    entry = read("a: {command: [x], parameters: {p: {$ref: '#'}}}")[0].entries["a"]
    assert entry.parameters_of({"p": 1}) == ["p: it is nested too deep"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYWORDS = st.sampled_from(
    ["type", "pattern", "items", "properties", "$ref", "enum", "minimum", "multipleOf", "default", "anyOf"]
)


@given(schema=st.dictionaries(KEYWORDS, JSON, max_size=3), value=JSON)
def test_any_schema_and_value_give_an_answer(schema: dict[str, Any], value: Any) -> None:
    """A schema is refused or works on every value."""
    text = json.dumps({"a": {"command": ["x"], "parameters": {"p": schema}}}, ensure_ascii=False)
    hypothesis.assume(config.read_text(text, "actions.yaml").ok)
    found, document = read(text)
    if document.ok:
        answer = found.entries["a"].parameters_of({"p": value})
        assert isinstance(answer, dict | list)
