"""Falco's alerts become one event each, which opens nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from healer.formats import falco

BODY = {
    "uuid": "2b1e1e2c-0000-4000-8000-000000000001", "output": "A shell in a container (cmdline=sh; rm x)", "priority": "Warning",
    "rule": "Shell in a container", "time": "2026-11-26T10:00:00.123456789Z", "source": "syscall", "hostname": "worker1", "tags": ["shell"],
    "output_fields": {
        "container.id": "c1", "k8s.ns.name": "shop", "k8s.pod.name": "web-1", "proc.cmdline": "sh; rm x", "proc.name": "sh",
        "evt.time": 1764151200123456789, "user.name": "<NA>", "fd.name": None,
    },
}  # fmt: skip


def fields(**more: Any) -> dict[str, Any]:
    return {**BODY, "output_fields": {name.replace("__", "."): value for name, value in more.items()}}


def test_real_bodies_give_the_expected_values(corpus: Callable[..., Any], meets: Callable[..., None]) -> None:
    for case in corpus("falco"):
        [element] = falco.read(case.body, case.headers)
        meets([element], {**case.wanted, "status": "event"})
        assert element.event["alert"]["target"].count("/pod/") == 1


def test_an_alert_of_a_pod() -> None:
    [element] = falco.read(BODY)
    assert element.event["payload"] == BODY
    assert element.delivery == BODY["uuid"]
    assert element.event["alert"] == {
        "name": "Shell in a container", "target": "shop/pod/web-1", "status": "event", "severity": "warning", "severity_raw": "Warning",
        "key": "Shell in a container/shop/pod/web-1/c1", "started_at": BODY["time"], "summary": BODY["output"], "link": "",
        "labels": {"shell": "", "container.id": "c1", "k8s.ns.name": "shop", "k8s.pod.name": "web-1", "proc.name": "sh"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "target"),
    [
        (fields(container__id="host"), "worker1"),
        (fields(k8s__ns__name="shop", k8s__pod__name="<NA>"), "worker1"),
        (fields(k8s__ns__name="shop", k8s__pod__name="a/node/b"), "worker1"),
        (fields(ka__target__namespace="shop", ka__target__name="web-1", ka__target__resource="pods"), "shop/pod/web-1"),
        (fields(ka__target__namespace="shop", ka__target__name="x", ka__target__resource="secrets"), "worker1"),
        ({**BODY, "output_fields": None, "hostname": None}, ""),
    ],
)
def test_the_target_is_the_pod_else_the_host(alert: Callable[..., Any], body: dict[str, Any], target: str) -> None:
    assert alert(falco.read(body))["target"] == target


@pytest.mark.parametrize(
    ("raw", "severity"),
    [("Emergency", "critical"), ("Alert", "critical"), ("Critical", "critical"), ("Error", "error"), ("Notice", "info"),
     ("Informational", "info"), ("Debug", "info"), ("odd", "unknown")],
)  # fmt: skip
def test_priorities(alert: Callable[..., Any], raw: str, severity: str) -> None:
    assert alert(falco.read({**BODY, "priority": raw}))["severity"] == severity


def test_falco_itself_gives_no_id() -> None:
    assert falco.read({name: value for name, value in BODY.items() if name != "uuid"})[0].delivery == ""


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("x", "body"),
        ({}, "rule"),
        ({**BODY, "rule": []}, "rule"),
        ({**BODY, "priority": 4}, "priority"),
        ({**BODY, "output_fields": []}, "output_fields"),
        ({**fields(), "hostname": 5}, "hostname"),
        ({**BODY, "rule": "x" * 1025}, "rule"),
    ],
)
def test_a_wrong_shape_is_told_with_its_path(path_of: Callable[..., str], body: Any, field: str) -> None:
    assert path_of(falco.read, body) == field


def test_any_body_gives_elements_or_a_named_mistake(withstands: Callable[..., None]) -> None:
    withstands(falco.read, BODY)
