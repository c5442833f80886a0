"""Cloud Monitoring's incidents: open, acknowledged, closed, known by their id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from healer.formats import gcp_monitoring

INCIDENT = {
    "incident_id": "i1", "state": "open", "started_at": 100, "ended_at": None, "policy_name": "disk", "severity": "Critical",
    "resource_name": "proj web1", "resource_display_name": "web1", "resource": {"labels": {"zone": "a", "team": "x"}}, "summary": "full",
    "metric": {"labels": {"disk": "sda"}}, "policy_user_labels": {"team": "web"}, "url": "https://console.example/i1",
}  # fmt: skip


def body(**over: Any) -> dict[str, Any]:
    return {"version": "1.2", "incident": {**INCIDENT, **over}}


def told(**over: Any) -> dict[str, Any]:
    [element] = gcp_monitoring.read(body(**over))
    return dict(element.event["alert"])


def test_real_bodies_give_the_expected_values(corpus: Callable[..., Any], meets: Callable[..., None]) -> None:
    for case in corpus("gcp_monitoring"):
        meets(gcp_monitoring.read(case.body, case.headers), case.wanted)


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        ("open", ("firing", 100)),
        ("OPEN", ("firing", 100)),
        ("acknowledged", ("firing", 100)),
        ("closed", ("resolved", 200)),
        ("?", ("event", 100)),
    ],
)
def test_an_incident_fires_until_it_is_closed(state: str, wanted: tuple[str, int]) -> None:
    found = told(state=state, ended_at=200)
    assert (found["status"], found["started_at"]) == wanted
    assert (found["name"], found["key"], found["target"], found["severity"]) == ("disk", "i1", "web1", "critical")


def test_labels_of_the_policy_count_most() -> None:
    labels = told()["labels"]
    assert (labels["zone"], labels["disk"], labels["team"]) == ("a", "sda", "web")


def test_without_an_id_an_incident_is_known_by_what_stays_the_same() -> None:
    opened, closed = told(incident_id=None), told(incident_id="", state="closed", ended_at=200)
    assert opened["key"] == closed["key"] != told(incident_id=None, started_at=101)["key"]


def test_the_test_notification_is_a_greeting() -> None:
    assert gcp_monitoring.greeting({**body(), "version": "test"}, {}) is not None
    assert gcp_monitoring.greeting(body(), {}) is None
    assert gcp_monitoring.greeting(["test"], {}) is None


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ([], "body"), ({}, "incident"), ({"incident": 5}, "incident"), (body(state=None), "incident.state"),
        (body(policy_name=5), "incident.policy_name"), (body(resource_display_name=[]), "incident.resource_display_name"),
        (body(resource=5), "incident.resource"),
    ],
)  # fmt: skip
def test_a_wrong_shape_is_told_with_its_path(path_of: Callable[..., str], given: Any, field: str) -> None:
    assert path_of(gcp_monitoring.read, given) == field


def test_any_body_gives_elements_or_a_named_mistake(withstands: Callable[..., None]) -> None:
    withstands(gcp_monitoring.read, body(), body(state="closed", incident_id=None))
