"""Events of Kubernetes, by themselves, of a watch or in a list: a warning fires, the rest opens nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from healer import plugins
from healer.formats import kubernetes

CORE = {
    "apiVersion": "v1", "kind": "Event", "type": "Warning", "reason": "BackOff", "message": "Back-off restarting", "count": 3,
    "metadata": {"name": "web-1.17", "namespace": "shop", "uid": "e1", "resourceVersion": "99"},
    "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "web-1", "uid": "p1", "fieldPath": "spec.containers{app}"},
    "firstTimestamp": "2026-11-26T09:00:00Z", "lastTimestamp": "2026-11-26T10:00:00Z",
    "source": {"component": "kubelet", "host": "worker1"},
}  # fmt: skip
EVENTS = {
    "apiVersion": "events.k8s.io/v1", "kind": "Event", "type": "Warning", "reason": "FailedScheduling", "note": "no node fits",
    "action": "Scheduling", "metadata": {"uid": "e2", "resourceVersion": "100"}, "eventTime": "2026-11-26T10:00:00.000001Z",
    "series": {"count": 4, "lastObservedTime": "2026-11-26T10:05:00.000001Z"}, "reportingController": "default-scheduler",
    "regarding": {"kind": "Pod", "namespace": "shop", "name": "web-2", "uid": "p2"}, "deprecatedFirstTimestamp": None,
}  # fmt: skip


def about(**fields: Any) -> dict[str, Any]:
    return {**CORE, "involvedObject": fields}


def test_real_bodies_give_the_expected_values(corpus: Callable[..., Any], meets: Callable[..., None]) -> None:
    for case in corpus("kubernetes"):
        meets(kubernetes.read(case.body, case.headers), case.wanted)


def test_a_warning_of_the_core_api() -> None:
    [element] = kubernetes.read(CORE)
    assert element.event["payload"] == CORE
    assert element.delivery == "e1#99"
    assert element.event["alert"] == {
        "name": "BackOff", "target": "shop/pod/web-1", "status": "firing", "severity": "warning", "severity_raw": "Warning",
        "key": "p1/spec.containers{app}/BackOff", "started_at": "2026-11-26T10:00:00Z", "summary": "Back-off restarting", "link": "",
        "labels": {"namespace": "shop", "kind": "Pod", "name": "web-1", "container": "app", "component": "kubelet", "node": "worker1"},
    }  # fmt: skip


def test_a_warning_of_the_events_api(alert: Callable[..., Any]) -> None:
    found = alert(kubernetes.read(EVENTS))
    assert (found["name"], found["target"], found["key"]) == (
        "FailedScheduling",
        "shop/pod/web-2",
        "p2/FailedScheduling",
    )
    assert (found["started_at"], found["summary"]) == ("2026-11-26T10:05:00.000001Z", "no node fits")
    assert found["labels"]["component"] == "default-scheduler"


def test_it_is_counted_up_under_one_key_and_each_time_is_another_delivery() -> None:
    again = {**CORE, "count": 4, "metadata": {**CORE["metadata"], "resourceVersion": "101"}}
    [first], [second] = kubernetes.read(CORE), kubernetes.read(again)
    assert first.event["alert"]["key"] == second.event["alert"]["key"]
    assert first.delivery != second.delivery


@pytest.mark.parametrize(
    ("kind", "status"), [("Warning", "firing"), ("Normal", "event"), (None, "event"), ("Odd", "event")]
)
def test_statuses(alert: Callable[..., Any], kind: Any, status: str) -> None:
    assert alert(kubernetes.read({**CORE, "type": kind}))["status"] == status


@pytest.mark.parametrize(
    ("kind", "status"), [("ADDED", "firing"), ("MODIFIED", "firing"), ("DELETED", "event"), (7, "event")]
)
def test_an_event_of_a_watch(kind: Any, status: str) -> None:
    body = {"type": kind, "object": CORE}
    [element] = kubernetes.read(body)
    assert element.event["payload"] == body
    assert (element.event["alert"]["status"], element.event["alert"]["name"]) == (status, "BackOff")


def test_the_events_of_a_list_are_taken_one_by_one() -> None:
    first, wrong, last = kubernetes.read({"kind": "EventList", "items": [CORE, {"reason": "x"}, EVENTS]})
    assert first.event["payload"] is CORE
    assert first.event["group"] == {"kind": "EventList"}
    assert first.event["group"] is last.event["group"]
    assert isinstance(wrong, plugins.Wrong)
    assert wrong.error.message.startswith("items[1].involvedObject: ")


def test_exporters_may_leave_out_the_kind_and_a_node_lies_in_no_namespace(alert: Callable[..., Any]) -> None:
    body = {
        name: value
        for name, value in about(kind="Node", name="worker1").items()
        if name not in ("kind", "apiVersion", "source")
    }
    found = alert(kubernetes.read(body))
    assert (found["target"], found["key"], found["labels"]["node"]) == (
        "node/worker1",
        "node/worker1/BackOff",
        "worker1",
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "body"),
        ({}, "involvedObject"),
        ({**CORE, "kind": "Pod"}, "kind"),
        ({**CORE, "reason": None}, "reason"),
        ({**CORE, "type": []}, "type"),
        ({**CORE, "metadata": "x"}, "metadata"),
        ({**CORE, "involvedObject": "x"}, "involvedObject"),
        (about(kind="Pod", name=7), "involvedObject.name"),
        ({**EVENTS, "regarding": None}, "regarding"),
        ({"type": "ADDED", "object": 5}, "object"),
        ({"type": "BOOKMARK", "object": {"kind": "Status"}}, "object.kind"),
        ({"items": [about(namespace=[])]}, "items[0].involvedObject.namespace"),
    ],
)
def test_a_wrong_shape_is_told_with_its_path(path_of: Callable[..., str], body: Any, field: str) -> None:
    assert path_of(kubernetes.read, body) == field


def test_any_body_gives_elements_or_a_named_mistake(withstands: Callable[..., None]) -> None:
    withstands(kubernetes.read, CORE, EVENTS, {"type": "ADDED", "object": CORE}, {"items": [CORE, EVENTS]})
