"""GitLab's events: what runs again under one name fires and is over; incidents, alerts and vulnerabilities fire until they are closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from healer import plugins
from healer.formats import gitlab

PROJECT = {"path_with_namespace": "acme/shop", "web_url": "https://gitlab.example/acme/shop"}
BODIES: dict[str, dict[str, Any]] = {
    "pipeline": {"object_attributes": {"id": 5, "ref": "main", "status": "failed", "finished_at": "2026-01-02"}},
    "build": {"ref": "main", "build_name": "test", "build_status": "failed", "build_finished_at": "2026-01-02"},
    "deployment": {"environment": "prod", "status": "failed", "status_changed_at": "2026-01-02", "deployment_id": 4},
    "push": {"ref": "refs/heads/main", "after": "abc1", "commits": [{"id": "a", "timestamp": "1"}, {"id": "abc1", "timestamp": "2"}]},
    "issue": {"object_attributes": {"iid": 3, "type": "Incident", "state": "opened", "severity": "high", "created_at": "2026-01-01"}},
    "alert": {"object_attributes": {"title": "Slow", "url": "https://g/1", "status": "triggered", "started_at": "1"}},
    "vulnerability": {"object_attributes": {"title": "DoS", "url": "https://g/2", "state": "detected", "updated_at": "1"}},
    "merge_request": {"object_attributes": {"iid": 7, "title": "Mend", "action": "open", "updated_at": "1"}},
}  # fmt: skip


def body(kind: str, **over: Any) -> dict[str, Any]:
    return {"object_kind": kind, "project": PROJECT, **BODIES[kind], **over}


def told(kind: str, **attributes: Any) -> dict[str, Any]:
    given = body(kind)
    if "object_attributes" in given:
        given["object_attributes"] = {**given["object_attributes"], **attributes}
    else:
        given |= attributes
    [element] = gitlab.read(given)
    assert isinstance(element, plugins.Element)
    assert element.event["payload"] is given
    return dict(element.event["alert"])


def test_real_bodies_give_the_expected_values(corpus: Callable[..., Any], meets: Callable[..., None]) -> None:
    for case in corpus("gitlab"):
        meets(gitlab.read(case.body, case.headers), case.wanted)


@pytest.mark.parametrize(
    ("kind", "field", "key"),
    [
        ("pipeline", "status", "acme/shop/pipeline/main"),
        ("build", "build_status", "acme/shop/build/main/test"),
        ("deployment", "status", "acme/shop/deployment/prod"),
    ],
)
def test_what_runs_again_fires_and_is_over_under_one_key(kind: str, field: str, key: str) -> None:
    for raw, status in [
        ("failed", "firing"),
        ("success", "resolved"),
        ("running", "event"),
        ("canceled", "event"),
        ("skipped", "event"),
    ]:
        found = told(kind, **{field: raw})
        assert (found["name"], found["status"], found["key"], found["target"]) == (kind, status, key, "acme/shop"), raw
        assert (found["severity_raw"], found["started_at"]) == (raw, "2026-01-02")


def test_a_job_that_may_fail_opens_nothing() -> None:
    found = told("build", build_allow_failure=True)
    assert (found["status"], found["severity"]) == ("event", "warning")
    assert told("build", build_allow_failure=True, build_status="success")["status"] == "resolved"
    assert told("build", build_allow_failure=False)["status"] == "firing"


def test_an_incident_fires_until_it_is_closed() -> None:
    found = told("issue")
    assert (found["status"], found["key"], found["severity"], found["started_at"]) == (
        "firing",
        "acme/shop/incident/3",
        "error",
        "2026-01-01",
    )
    closed = told("issue", state="closed", closed_at="2026-01-03")
    assert (closed["status"], closed["key"], closed["started_at"]) == ("resolved", found["key"], "2026-01-03")
    assert told("issue", type="Issue")["status"] == "event"


@pytest.mark.parametrize(
    ("kind", "field", "open_as", "closed_as"),
    [("alert", "status", "acknowledged", "resolved"), ("alert", "status", "triggered", "ignored"),
     ("vulnerability", "state", "confirmed", "dismissed"), ("vulnerability", "state", "detected", "resolved")],
)  # fmt: skip
def test_alerts_and_vulnerabilities_are_known_by_their_address(
    kind: str, field: str, open_as: str, closed_as: str
) -> None:
    opened, closed = told(kind, **{field: open_as}), told(kind, **{field: closed_as})
    assert (opened["status"], closed["status"]) == ("firing", "resolved")
    assert opened["key"] == closed["key"] == BODIES[kind]["object_attributes"]["url"]


def test_a_push_is_known_by_its_commit_and_a_deletion_by_its_ref() -> None:
    assert (told("push")["key"], told("push")["status"], told("push")["started_at"]) == ("abc1", "event", "2")
    assert told("push", after="0" * 40, commits=[])["key"] == "refs/heads/main"


def test_anything_else_is_an_event(alert: Callable[..., Any]) -> None:
    found = told("merge_request")
    assert (found["name"], found["key"], found["status"], found["summary"]) == (
        "merge_request",
        "acme/shop/merge_request/7",
        "event",
        "Mend",
    )
    assert alert(gitlab.read({"event_name": "user_create", "name": "ana"}))["name"] == "user_create"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (5, "body"), ({}, "object_kind"), ({"object_kind": 5}, "object_kind"), ({"object_kind": "pipeline"}, "object_attributes"),
        (body("pipeline", object_attributes={"ref": []}), "object_attributes.ref"), (body("build", build_status=None), "build_status"),
        (body("pipeline", project=[]), "project"), (body("push", after=5), "after"), (body("push", after="", ref=None), "ref"),
    ],
)  # fmt: skip
def test_a_wrong_shape_is_told_with_its_path(path_of: Callable[..., str], given: Any, field: str) -> None:
    assert path_of(gitlab.read, given) == field


def test_any_body_gives_elements_or_a_named_mistake(withstands: Callable[..., None]) -> None:
    withstands(gitlab.read, *(body(kind) for kind in BODIES))
