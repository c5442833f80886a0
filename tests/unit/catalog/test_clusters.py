"""What `oc:` of an action may say, and each mistake in it at its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from healer import catalog, config
from healer.catalog import clusters


def read(text: str) -> tuple[catalog.Catalog, config.Document]:
    document = config.read_text(text, "actions.yaml")
    value = document.value
    assert isinstance(value, config.Map)
    return catalog.build(
        [catalog.Written(str(name), document, value[name], value.keys_at[name]) for name in value]
    ), document


@pytest.mark.parametrize(("written", "subject"), [
    ("{verb: rollout restart}", {"verb": "rollout restart"}), ("{verb: scale, replicas: 0}", {"verb": "scale", "replicas": 0}),
    ("{verb: delete pod, grace: 30 seconds}", {"verb": "delete pod", "grace": 30.0}), ("{verb: restart-owner}", {"verb": "restart-owner"}),
    ("{verb: drain, timeout: 5m, ignore_daemonsets: true, force: false}",
     {"verb": "drain", "timeout": 300.0, "ignore_daemonsets": True, "force": False}),
    ("{verb: exec, command: [a, '-x'], container: app}", {"verb": "exec", "command": ["a", "-x"], "container": "app"}),
    ("{verb: apply, manifest: a/b.yaml}", {"verb": "apply", "manifest": "manifests/a/b.yaml"}),
    ("{verb: apply, manifest: manifests/b.yaml}", {"verb": "apply", "manifest": "manifests/b.yaml"}),
    ("{verb: patch, patch: {spec: {x: [1, null]}}}", {"verb": "patch", "patch": {"spec": {"x": [1, None]}}}),
    ("{verb: patch, type: json, patch: [{op: test}]}", {"verb": "patch", "type": "json", "patch": [{"op": "test"}]}),
])  # fmt: skip
def test_verbs_are_read(written: str, subject: Any) -> None:
    found, document = read(f"a: {{oc: {written}}}")
    assert document.diagnostics == []
    entry = found.entries["a"]
    assert (entry.kind, entry.subject) == ("oc", subject)
    assert json.loads(json.dumps(entry.subject)) == subject
    assert len(entry.digest) == 64


def test_parameters_have_places() -> None:
    found, document = read(
        'a: {oc: {verb: scale, replicas: "{{ parameters.n }}"}, parameters: {n: {type: integer}}, required: [n]}\n'
        'b: {oc: {verb: exec, command: [x, "{{ parameters.m }}"]}, parameters: {m: {type: string, default: y}}}'
    )
    assert document.diagnostics == []
    assert found.entries["a"].subject == {"verb": "scale", "replicas": "{{ parameters.n }}"}
    assert found.entries["a"].digest != found.entries["b"].digest


@pytest.mark.parametrize(("written", "code", "says"), [
    ("⟦oc: {verb: get}", "options", "'rollout restart'"), ("⟦oc: text", "options", "a mapping"), ("⟦oc: {replicas: 3}", "options", "'verb' is missing"),
    ("⟦oc: {verb: cordon, replicas: 3}", "options", "'cordon' takes no 'replicas': it takes nothing"),
    ("⟦oc: {verb: scale}", "options", "'scale' needs 'replicas'"), ("⟦oc: {verb: exec}", "options", "'exec' needs 'command'"),
    ("⟦oc: {verb: apply}", "options", "'apply' needs 'manifest'"), ("⟦oc: {verb: patch}", "options", "'patch' needs 'patch'"),
    ("oc: {verb: scale, ⟦replicas: -1}", "options", "a whole number up to 10000 or {{ parameters.NAME }}"),
    ("oc: {verb: scale, ⟦replicas: '3'}", "options", "a whole number up to 10000"), ("oc: {verb: scale, ⟦replicas: true}", "options", "a whole number"),
    ("oc: {verb: patch, ⟦patch: text}", "options", "a mapping is wanted"), ("oc: {verb: patch, ⟦patch: {}}", "options", "a mapping is wanted"),
    ("⟦oc: {verb: patch, patch: [a]}", "options", "a patch of the type strategic is a mapping"),
    ("⟦oc: {verb: patch, type: json, patch: {a: b}}", "options", "a patch of the type json is a list"),
    ("oc: {verb: exec, ⟦command: []}", "options", "command"), ("oc: {verb: exec, command: [⟦5]}", "options", "a text"),
    ("oc: {verb: apply, ⟦manifest: /etc/x}", "options", "a file below manifests/"), ("oc: {verb: delete pod, ⟦grace: 0s}", "options", "at least"),
    ("oc: {verb: exec, command: [x, ⟦'{{ event.x }}']}", "template", "only {{ parameters.NAME }} can stand here"),
    ("oc: {verb: exec, command: [x, ⟦'{{ parameters.q }}']}", "unknown-parameter", "'q' is not declared"),
    ("parameters: {p: {}}, oc: {verb: exec, command: [x, ⟦'{{ parameters.p }}']}", "template", "'p' may be missing, and is used here"),
    ("oc: {verb: patch, patch: {a: {⟦'{{ x }}': 1}}}", "template", "a key is no template"),
    ("oc: {verb: cordon}, ⟦command: [x]", "action-kind", "got command, oc"),
])  # fmt: skip
def test_mistakes_stand_where_they_were_made(written: str, code: str, says: str) -> None:
    text = f"a: {{{written}}}"
    _, document = read(text.replace("⟦", ""))
    (told,) = [one for one in document.diagnostics if one.severity == "error"]
    assert (told.code, says in told.message) == (code, True), told.message


def test_all_that_is_wrong_between_keys_is_told_at_once() -> None:
    _, document = read("a: {oc: {verb: scale, force: true, type: json}}")
    assert [one.message for one in document.diagnostics] == [
        "the action 'a': oc: 'scale' takes no 'force': it takes replicas",
        "the action 'a': oc: 'scale' takes no 'type': it takes replicas",
        "the action 'a': oc: 'scale' needs 'replicas'",
    ]


def test_every_argument_is_of_a_verb() -> None:
    assert {key for taken in clusters.TAKES.values() for key in taken} == {*clusters.ClusterShape.model_fields} - {
        "verb"
    }
    assert all(needed in clusters.TAKES[verb] for verb, needed in clusters.NEEDS.items())


@pytest.mark.parametrize(("written", "path"), [
    ({"verb": "apply", "manifest": "a.yaml"}, "manifests/a.yaml"), ({"manifest": "manifests/a.yaml"}, "manifests/a.yaml"), ({}, ""), ("x", ""),
    ({"manifest": 5}, ""), ({"manifest": ""}, ""),
])  # fmt: skip
def test_the_manifest_of_what_is_written(written: object, path: str) -> None:
    assert clusters.manifest(written) == path
