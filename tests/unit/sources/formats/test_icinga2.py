"""Icinga 2's API events become one event each: hard states open and close, what Icinga tells nobody of does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from healer.formats import icinga2

CHANGE = {
    "type": "StateChange", "timestamp": 1764150000.25, "host": "web1", "service": "disk", "state": 2.0, "state_type": 1.0,
    "downtime_depth": 0, "acknowledgement": False, "check_result": {"output": "DISK CRITICAL", "check_source": "master", "state": 2.0},
}  # fmt: skip
RESULT = {
    "type": "CheckResult", "timestamp": 1764150000.25, "host": "web1", "service": "disk",
    "check_result": {"output": "DISK CRITICAL", "state": 2.0, "vars_after": {"attempt": 3.0, "state": 2.0, "state_type": 1.0}},
}  # fmt: skip
NOTE = {
    "type": "Notification", "timestamp": 5, "host": "web1", "service": "disk", "notification_type": "PROBLEM", "users": ["ana"],
    "check_result": {"state": 2.0, "output": "DISK CRITICAL"},
}  # fmt: skip


def test_real_bodies_give_the_expected_values(corpus: Callable[..., Any], meets: Callable[..., None]) -> None:
    for case in corpus("icinga2"):
        meets(icinga2.read(case.body, case.headers), case.wanted)


def test_a_change_of_state() -> None:
    [element] = icinga2.read(CHANGE)
    assert element.event["payload"] == CHANGE
    assert element.event["alert"] == {
        "name": "disk", "target": "web1", "status": "firing", "severity": "critical", "severity_raw": "CRITICAL", "key": "web1!disk",
        "started_at": 1764150000.25, "summary": "DISK CRITICAL", "link": "", "labels": {"type": "StateChange", "check_source": "master"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("more", "status", "raw"),
    [
        ({"state": 0}, "resolved", "OK"),
        ({"state": 1}, "firing", "WARNING"),
        ({"state": 3}, "unknown", "UNKNOWN"),
        ({"state_type": 0}, "event", "CRITICAL"),
        ({"downtime_depth": 1}, "event", "CRITICAL"),
        ({"state": 0, "downtime_depth": 1, "state_type": 0}, "resolved", "OK"),
        ({"service": None, "state": 0}, "resolved", "UP"),
        ({"service": "", "state": 1}, "firing", "DOWN"),
    ],
)
def test_states(alert: Callable[..., Any], more: dict[str, Any], status: str, raw: str) -> None:
    found = alert(icinga2.read({**CHANGE, **more}))
    assert (found["status"], found["severity_raw"]) == (status, raw)
    assert found["key"] == ("web1" if "service" in more else "web1!disk")
    assert found["name"] == ("Host" if "service" in more else "disk")


@pytest.mark.parametrize(
    ("service", "state", "state_type", "status", "raw"),
    [
        ("disk", 2.0, 1.0, "firing", "CRITICAL"),
        ("disk", 2.0, 0.0, "event", "CRITICAL"),
        ("disk", 0.0, 1.0, "resolved", "OK"),
        (None, 1.0, 1.0, "resolved", "UP"),
        (None, 2.0, 1.0, "firing", "DOWN"),
    ],
)
def test_results_of_checks(
    alert: Callable[..., Any], service: Any, state: float, state_type: float, status: str, raw: str
) -> None:
    result = {"state": state, "vars_after": {"state_type": state_type}}
    found = alert(icinga2.read({**RESULT, "service": service, "check_result": result}))
    assert (found["status"], found["severity_raw"]) == (status, raw)


@pytest.mark.parametrize(
    ("kind", "state", "status"),
    [
        ("PROBLEM", 2, "firing"), ("Problem", 2, "firing"), ("RECOVERY", 0, "resolved"), ("PROBLEM", 3, "unknown"),
        ("ACKNOWLEDGEMENT", 2, "event"), ("DOWNTIMESTART", 2, "event"), ("CUSTOM", 0, "event"),
    ],
)  # fmt: skip
def test_notifications(alert: Callable[..., Any], kind: str, state: int, status: str) -> None:
    body = {**NOTE, "notification_type": kind, "check_result": {"state": state}}
    assert alert(icinga2.read(body))["status"] == status


def test_what_is_told_of_no_state_is_an_event_of_its_object(alert: Callable[..., Any]) -> None:
    downtime = {"type": "DowntimeAdded", "timestamp": 1.5, "downtime": {"host_name": "web1", "service_name": "disk"}}
    found = alert(icinga2.read(downtime))
    assert (found["status"], found["target"], found["key"]) == ("event", "web1", "web1!disk")
    acknowledged = {**CHANGE, "type": "AcknowledgementSet", "comment": "on it", "check_result": None}
    assert alert(icinga2.read(acknowledged))["status"] == "event"
    made = alert(icinga2.read({"type": "ObjectCreated", "object_name": "x", "object_type": "Host"}))
    assert (made["name"], made["target"], made["status"], made["started_at"]) == ("ObjectCreated", "", "event", "")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (7, "body"),
        ({}, "type"),
        ({**CHANGE, "host": ["web1"]}, "host"),
        ({**CHANGE, "state": "2"}, "state"),
        ({**CHANGE, "state": 1.5}, "state"),
        ({**CHANGE, "state": 4}, "state"),
        ({**CHANGE, "state": -1}, "state"),
        ({**CHANGE, "state": None}, "state"),
        ({**CHANGE, "state_type": True}, "state_type"),
        ({**RESULT, "check_result": []}, "check_result"),
        ({**RESULT, "check_result": {"state": 2, "vars_after": 5}}, "check_result.vars_after"),
        ({**NOTE, "notification_type": None}, "notification_type"),
    ],
)
def test_a_wrong_shape_is_told_with_its_path(path_of: Callable[..., str], body: Any, field: str) -> None:
    assert path_of(icinga2.read, body) == field


def test_any_body_gives_elements_or_a_named_mistake(withstands: Callable[..., None]) -> None:
    withstands(icinga2.read, CHANGE, RESULT, NOTE)
