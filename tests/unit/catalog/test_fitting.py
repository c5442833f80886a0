"""What an action cannot do with the values and targets that it is given is known before it is tried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from healer import catalog, config, model
from healer.catalog import clusters, fitting
from healer.controllers import _oc_objects


def told(entry: str, parameters: Mapping[str, Any] | None = None, *targets: str) -> list[tuple[str, str, str]]:
    document = config.read_text(f"a: {{{entry}, impact: low}}", "actions.yaml")
    found = catalog.build([catalog.Written("a", document, document.value["a"], (1, 1, 1))])
    assert document.diagnostics == []
    on = [model.Target(*one.split(":", 1)) for one in targets]
    return [(one.code, one.detail, one.target) for one in fitting.misfits(found.entries["a"], parameters or {}, on)]


def test_a_verb_is_for_some_kinds() -> None:
    pod, node, app = "k8s:c/shop/pod/cart-1-a", "k8s:c/node/n1", "k8s:c/shop/deployment/cart"
    assert told("oc: {verb: rollout restart}", {}, app, pod) == [
        ("unknown_target", "'rollout restart' is for deployment or statefulset or daemonset, and this is a pod", pod)
    ]
    assert told("oc: {verb: patch, patch: {a: b}}", {}, app, node) == [
        ("unknown_target", "'patch' is for what lies in a namespace, and this is a node", node)
    ]
    assert told("oc: {verb: drain}", {}, node) == []
    assert told("oc: {verb: apply, manifest: a.yaml}", {}, app) == []


def test_the_controller_has_the_same_kinds() -> None:
    assert dict(clusters.ON) == dict(_oc_objects.ON)


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        (3, True),
        ("12", True),
        (0, True),
        (-1, False),
        (10_001, False),
        (True, False),
        ("x", False),
        (1.5, False),
        (None, False),
    ],
)
def test_replicas_are_a_whole_number(value: Any, fits: bool) -> None:
    entry = 'oc: {verb: scale, replicas: "{{ parameters.n }}"}, parameters: {n: {}}, required: [n]'
    found = told(entry, {"n": value}, "k8s:c/shop/deployment/cart")
    assert [(code, "replicas is a whole number up to 10000" in said) for code, said, _ in found] == [
        ("invalid_parameters", True)
    ] * (not fits)


@pytest.mark.parametrize(("value", "says"), [
    ("a", ""), ("a/b", ""), (5, ""), (True, ""), ("..", ". or .."), (".", ". or .."), ("%2e%2e", ". or .."), ("", "is empty"), ([1], "a text, a number, true or false"),
    ("\ud800", "half of a surrogate pair"), ("a\nb", "control character"), (model.Reference("x"), ""), (model.Secret("x", ".."), ""), (None, "a text, a number, true or false"),
])  # fmt: skip
@pytest.mark.parametrize(("url", "target", "on"), [
    ("https://h/{{ parameters.v }}/x", "none", []), ("c/{{ parameters.v }}", "required", ["url:https://h/b"]),
])  # fmt: skip
def test_a_value_in_an_address_stays_one_part_of_its_path(
    value: Any, says: str, url: str, target: str, on: list[str]
) -> None:
    entry = f'http: {{method: GET, url: "{url}"}}, target: {target}, parameters: {{v: {{}}}}, required: [v]'
    found = told(entry, {"v": value}, *on)
    assert [(code, says in said) for code, said, _ in found] == [("invalid_parameters", True)] * bool(says)


def test_a_secret_is_no_part_of_a_text_and_what_is_not_given_has_no_place() -> None:
    entry = 'http: {method: POST, url: "https://h/x", json: {a: "b {{ parameters.v }}"}}, target: none, parameters: {v: {default: x}, w: {}}'
    assert told(entry, {"v": "c"}) == []
    for value in (model.Secret("x", "y"), model.Reference("x")):
        assert told(entry, {"v": value}) == [
            ("invalid_parameters", "the parameter 'v' is a secret, which cannot be a part of a text", "")
        ]
    assert told(entry, {}) == [("invalid_parameters", "the parameter 'v' is not given", "")]


def test_a_program_in_a_pod_gets_texts() -> None:
    entry = 'oc: {verb: exec, container: "{{ parameters.c }}", command: [x, "{{ parameters.v }}"]}, parameters: {v: {}, c: {}}, required: [v, c]'
    on = "k8s:c/shop/pod/cart-1-a"
    assert told(entry, {"v": "a", "c": "app"}, on) == []
    assert told(entry, {"v": 5, "c": "app"}, on) == [
        ("invalid_parameters", "each argument of exec is a text, got 5", "")
    ]
    assert told(entry, {"v": "a", "c": "--help"}, on) == [
        ("invalid_parameters", "'--help' is no name of a container", "")
    ]


@pytest.mark.parametrize("entry", ["command: [x]", "script: x.sh", "check: {disk: {path: /}}, target: none"])
def test_what_its_controller_alone_knows_is_not_guessed(entry: str) -> None:
    assert told(entry, {"v": object()}, "host:web01") == []
