"""Entries, their parameters, and every mistake in them with its place."""

from __future__ import annotations

import dataclasses
import json
import pickle
import time
from typing import Any

import hypothesis
import jsonschema_specifications
import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer import catalog, config, wording
from healer.catalog import schemas

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
    assert restart.gates == {"timeout": 300, "max_age": 600, "defer_for": 3600, "cooldown": 90, "attempts": 2}
    assert (restart.concurrency, restart.impact, restart.impact_declared) == (3, "medium", True)
    assert (restart.idempotent, restart.tags, restart.events) == (True, ("service",), ("service_down",))
    assert pickle.loads(pickle.dumps(restart)) == restart


def test_absent_keys_fail_closed() -> None:
    entry = read("a: {command: [/bin/true, x]}")[0].entries["a"]
    assert (entry.idempotent, entry.impact, entry.impact_declared, entry.target) == (False, "high", False, "required")
    assert (entry.kind, entry.subject) == ("command", ("/bin/true", "x"))


@pytest.mark.parametrize(("written", "subject"), [
    ("restart", "roles/restart"), ("roles/restart", "roles/restart"), ("team/restart", "roles/team/restart"), ("acme.restart", "roles/acme.restart"),
    ("acme.web.restart", "acme.web.restart"), ("roles/acme.web.restart", "roles/acme.web.restart"), ("acme.web.re-start", "roles/acme.web.re-start"),
    ("../acme.web.restart", "roles/../acme.web.restart"), ("acme.web.restart\\n", "roles/acme.web.restart\n"),
])  # fmt: skip
def test_a_role_is_a_folder_or_a_name_of_a_collection(written: str, subject: str) -> None:
    found, document = read(f'a: {{role: "{written}", parameters: {{p: {{}}}}}}')
    assert document.diagnostics == []
    entry = found.entries["a"]
    assert (entry.kind, entry.subject, entry.impact, entry.target) == ("role", subject, "high", "required")


def test_a_role_is_a_kind_of_its_own() -> None:
    [told] = read("a: {role: x, playbook: y.yml}")[1].diagnostics
    assert (told.code, told.message) == (
        "action-kind",
        "the action 'a' needs exactly one of playbook, script, module, role, command, oc, http, check, got playbook, role",
    )
    assert (told.place.line, told.place.column) == (1, 5)


def test_a_check_has_no_effect_by_its_nature() -> None:
    found, document = read(
        """\
a: {check: {http: {url: "http://x/{{ parameters.p }}"}}, parameters: {p: {type: string}}, required: [p]}
b: {check: {disk: }, impact: high, target: required, idempotent: true}
c: {check: {http: {url: "http://x/{{ parameters.p }}"}}, parameters: {p: {type: string, default: y}}}
"""
    )
    assert document.diagnostics == []
    a, b, c = found.entries.values()
    assert (a.kind, a.subject) == ("check", {"http": {"url": "http://x/{{ parameters.p }}"}})
    assert (a.impact, a.impact_declared, a.target, a.idempotent) == ("low", True, "none", True)
    assert (b.impact, b.target, b.idempotent, b.subject) == ("high", "required", True, {"disk": None})
    assert len({a.digest, b.digest, c.digest}) == 3
    assert catalog.fill(a.subject, {"p": "z"}) == {"http": {"url": "http://x/z"}}
    assert catalog.used([a.subject, "{{ parameters.q }} {{parameters.r}}", 5, None]) == {"p", "q", "r"}


def test_what_verifies_is_one_of_three() -> None:
    found, document = read(
        "a: {command: [x], verify: {check: {disk: {path: /}}, within: 2 minutes}}\nb: {command: [x], verify: {resolved_within: 1m}}"
    )
    assert document.diagnostics == []
    assert found.entries["a"].verify == {
        "action": None,
        "parameters": {},
        "within": 120.0,
        "check": {"disk": {"path": "/"}},
    }
    assert found.entries["b"].verify == {"action": None, "parameters": {}, "within": 60.0}
    for wrong, said in {
        "{check: {disk: {}}}": "within: how long the check may take to be well has to be given",
        "{action: x}": "within: how long the action may take to succeed has to be given", "{resolved_within: 1m, within: 1m}": "within belongs to",
        "{check: {disk: {}}, resolved_within: 1m}": "exactly one of 'action', 'check' and 'resolved_within' is wanted",
        "{check: {disk: {}}, within: 1m, parameters: {a: 1}}": "parameters belong to an action", "{check: {}, within: 1m}": "a mapping of at least 1 key",
    }.items():  # fmt: skip
        told = read(f"a: {{command: [x], verify: {wrong}}}")[1].diagnostics
        assert [one for one in told if said in one.message], (wrong, told)


def test_parameters_are_filled_and_checked(restart: catalog.Entry) -> None:
    assert restart.parameters_of({"service": "nginx"}) == {"service": "nginx", "wait_s": 30}
    problems = restart.parameters_of({"wait_s": "x", "tree": {"n": "1", "m": 2}, "sevice": 1})
    assert problems == [
        "sevice: is not declared, did you mean 'service'?",
        "service: is required",
        "wait_s: a whole number is wanted, got 'x'",
        "tree: 'm' is not declared",
        "tree.n: a whole number is wanted, got '1'",
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
        "gates": {"timeout": 1.0},
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
        ("a: {command: }", "action-kind", "got none"),
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
        (
            "a: {command: [x], parameters: {p: {unevaluatedProperties: {type: string}}}}",
            "schema",
            "unevaluatedProperties",
        ),
        ("a: {command: [x], parameters: {p: {default: .nan}}}", "schema", "no JSON number"),
        ("a: {command: [x], parameters: {p: {enum: [!!binary aGk=]}}}", "schema", "bytes"),
        ("a: {command: [x], parameters: {p: {type: integer, default: x}}}", "schema", "default"),
        *((f"a: {{command: [x], {key}: {{}}}}", "not-yet", key) for key in ("storm", "policy")),
        ("a: {job_template: x}", "not-yet", "job_template"),
    ],
)
def test_mistakes(text: str, code: str, part: str) -> None:
    found, document = read(text)
    assert [d.code for d in document.diagnostics] == [code]
    assert part in document.diagnostics[0].message
    assert document.diagnostics[0].place.line == 1
    assert found.entries == {}


@pytest.mark.parametrize(("schema", "said", "try_"), [
    ("{type: string, required: ⟦true}", "required stands beside parameters: as a list of names, got true", "required: [p]"),
    ("{type: string, required: ⟦false}", "required stands beside parameters: as a list of names, got false", "leave it out"),
    ("{type: object, required: ⟦x}", "required: a list is wanted, got 'x'", ""),
    ("{type: ⟦strin}", "the type 'strin' is not known", "did you mean 'string'?"),
    ("{type: ⟦[string, nul]}", "the type 'nul' is not known", "did you mean 'null'?"),
    ("{type: ⟦on}", "the type true is not known", "known: string, integer, number, boolean, array, object, null"),
    ("{items: {type: ⟦txt}}", "the type 'txt' is not known", "known: string, integer, number, boolean, array, object, null"),
    ("{minLength: ⟦-1}", "minLength: at least 0 is wanted, got -1", ""),
    ("{minimum: ⟦x}", "minimum: a number is wanted, got 'x'", ""),
    ("{enum: ⟦x}", "enum: a list is wanted, got 'x'", ""),
    ("{properties: {a: ⟦5}}", "properties: a: a mapping or true or false is wanted, got 5", ""),
    ("{properties: {type: ⟦5}}", "properties: type: a mapping or true or false is wanted, got 5", ""),
    ("{properties: {a: {type: ⟦5}}}", "the type 5 is not known", "known: string, integer, number, boolean, array, object, null"),
    ("{type: integer, default: ⟦x}", "its default is wrong: a whole number is wanted, got 'x'", ""),
    ("{type: string, ⟦patern: ^a$}", "the keyword 'patern' is not known", "did you mean 'pattern'?"),
    ("{items: {anyOf: [{⟦minLenght: 3}]}}", "the keyword 'minLenght' is not known", "did you mean 'minLength'?"),
    ("{properties: {patern: {⟦maxlength: 3}}}", "the keyword 'maxlength' is not known", "did you mean 'maxLength'?"),
    ("{type: string, ⟦nullable: true}", "the keyword 'nullable' is not known", "keywords of JSON Schema 2020-12, and x-… for your own"),
    ("{⟦dependencies: {a: [b]}}", "the keyword 'dependencies' is not known", "did you mean 'dependentRequired'?"),
    ("{type: object, properties: {on: ⟦{}}}", "a key has to be a text, got true", wording.OF_TRUTH),
])  # fmt: skip
def test_a_schema_that_is_wrong_is_told_in_plain_words(schema: str, said: str, try_: str) -> None:
    text = f"a: {{command: [x], parameters: {{p: {schema}}}}}"
    (found,) = read(text.replace("⟦", ""))[1].diagnostics
    assert (found.message, found.try_) == (f"the parameter 'p': {said}", try_)
    assert found.place.column == text.index("⟦") + 1


@pytest.mark.parametrize(("schema", "value", "said"), [
    ("type: string", 1, "a text is wanted, got 1"), ("type: [string, 'null']", [1], "a text or nothing is wanted, got a list"),
    ("type: boolean", "yes", "true or false is wanted, got 'yes'"), ("type: object", None, "a mapping is wanted, got nothing"),
    ("type: number", True, "a number is wanted, got true"), ("type: array", {}, "a list is wanted, got an empty mapping"),
    ("enum: [nginx, postgresql, 5]", "ngnix", "'nginx', 'postgresql' or 5 is wanted, got 'ngnix', did you mean 'nginx'?"),
    ("enum: [abc]", "abd" * 100, f"'abc' is wanted, got {config.shown('abd' * 100)}"),
    ("enum: [on]", "on", "true is wanted, got 'on'"), ("enum: [1, 2]", 3, "1 or 2 is wanted, got 3"),
    ("pattern: '^a$'", "b\n", "a text that matches '^a$' is wanted, got 'b\\n'"),
    ("minimum: 1", 0, "at least 1 is wanted, got 0"), ("maximum: 1.5", 2, "at most 1.5 is wanted, got 2"),
    ("exclusiveMinimum: 1", 1, "more than 1 is wanted, got 1"), ("exclusiveMaximum: 1", 1, "less than 1 is wanted, got 1"),
    ("multipleOf: 5", 7, "a multiple of 5 is wanted, got 7"), ("const: x", "y", "'x' is wanted, got 'y'"),
    ("minLength: 1", "", "a text of at least 1 character is wanted, got ''"), ("maxLength: 2", "abc", "a text of at most 2 characters is wanted, got 'abc'"),
    ("minItems: 1", [], "a list of at least 1 item is wanted, got an empty list"), ("maxItems: 1", [1, 2], "a list of at most 1 item is wanted, got 2"),
    ("uniqueItems: true", [1, 1], "a list without the same item twice is wanted, got a list"),
    ("maxProperties: 1", {"a": 1, "b": 2}, "a mapping of at most 1 key is wanted, got 2"),
    ("required: [q]", {}, "the key 'q' is missing"), ("additionalProperties: false", {"q": 1}, "'q' is not declared"),
    ("anyOf: [{type: string}, {type: 'null'}, {minimum: 3}]", 1, "a text or nothing or at least 3 is wanted, got 1"),
    ("oneOf: [{type: string}, {properties: {a: {type: string}}, type: object}]", {"a": 1}, "{'a': 1} is not valid under any of the given schemas"),
    ("enum: []", 1, "1 is not one of []"), ("anyOf: [{enum: []}]", 1, "1 is not valid under any of the given schemas"),
    ("not: {type: string}", "x", "'x' should not be valid under {'type': 'string'}"),
    ("type: string", "x" * 500, ""), ("maxLength: 400", "x" * 500, f"a text of at most 400 characters is wanted, got {config.shown('x' * 500)}"),
])  # fmt: skip
def test_a_parameter_that_is_wrong_is_told_in_plain_words(schema: str, value: Any, said: str) -> None:
    entry = read(f"a: {{command: [x], parameters: {{p: {{{schema}}}}}}}")[0].entries["a"]
    assert entry.parameters_of({"p": value}) == ([f"p: {said}"] if said else {"p": value})


@pytest.mark.parametrize("argument", ["{{ parameters.a }}", "x{% if y %}{{ z }}"])
def test_an_argument_of_a_command_is_no_template(argument: str) -> None:
    found, document = read(f"a: {{command: [echo, '{argument}', y], parameters: {{a: {{}}}}}}")
    (told,) = document.diagnostics
    assert (told.code, told.severity, told.place.column) == ("not-rendered", "warning", 21)
    assert found.entries["a"].subject == ("echo", argument, "y")
    assert read("a: {command: [echo, '{x}', '{']}")[1].diagnostics == []


def test_a_name_that_yaml_reads_as_true_is_told() -> None:
    (told,) = read("a: {command: [x], parameters: {on: {}}}")[1].diagnostics
    assert (told.code, told.message) == ("options", "the action 'a': parameters.true: a text is wanted, got true")
    assert (told.place.column, told.try_) == (32, wording.OF_TRUTH)


def test_all_mistakes_at_once() -> None:
    _, document = read("a: {command: [x], impact: huge, storm: 1, parameters: {p: {type: x}}, required: [q]}\nb: {}")
    assert sorted(d.code for d in document.diagnostics) == [
        "action-kind", "not-yet", "options", "schema", "unknown-parameter",
    ]  # fmt: skip


def test_each_keyword_of_the_draft_is_known_and_values_have_none() -> None:
    registry = jsonschema_specifications.REGISTRY
    known = {key for uri in registry if "/2020-12/meta/" in uri for key in registry.contents(uri)["properties"]}
    assert known - set(schemas.KEYWORDS) == set()
    assert set(schemas.KEYWORDS) - known == {"definitions"}
    value = "{patern: 1, a: {patern: 2}}"
    text = f"a: {{command: [x], parameters: {{p: {{x-of-mine: {value}, default: {value}, const: {value}, enum: [{value}], examples: [{value}]}}}}}}"
    assert read(text)[1].diagnostics == []


def test_all_unknown_keywords_are_told_beside_what_is_wrong() -> None:
    text = "a: {command: [x], parameters: {p: {type: strin, patern: x}, q: {minLenght: 1, maxLenght: 2}}}"
    said = [one.message for one in read(text)[1].diagnostics]
    assert said == [
        "the parameter 'p': the keyword 'patern' is not known", "the parameter 'p': the type 'strin' is not known",
        "the parameter 'q': the keyword 'minLenght' is not known", "the parameter 'q': the keyword 'maxLenght' is not known",
    ]  # fmt: skip


def test_local_references_work() -> None:
    text = "a: {command: [x], parameters: {p: {$ref: '#/$defs/n', $defs: {n: {type: integer}}}}}"
    entry = read(text)[0].entries["a"]
    assert entry.parameters_of({"p": 1}) == {"p": 1}
    assert entry.parameters_of({"p": "x"}) == ["p: a whole number is wanted, got 'x'"]


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


def test_what_is_only_ever_simulated_does_not_follow_on_another_action() -> None:
    text = "a: {command: [x], dry_run: true}\nb: {command: [x], escalate: [{action: a}]}\n"
    found, document = read(text)
    assert found.entries["a"].dry_run
    (one,) = [one for one in document.diagnostics if one.severity == "error"]
    assert (one.code, one.message) == (
        "dry-run",
        "escalate: a is only ever simulated (dry_run: true), so it would not help",
    )
