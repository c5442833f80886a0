"""Zabbix's problems, as the script of a media type posts them, become one event each."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from healer.formats import zabbix

BODY = {
    "event_id": "10528", "event_value": "1", "event_update_status": "0", "event_name": "Disk is full on web1", "event_severity": "High",
    "host": "web1", "host_ip": "192.0.2.7", "trigger_id": "14032", "event_date": "2026.11.26", "event_time": "10:00:00",
    "event_recovery_date": "{EVENT.RECOVERY.DATE}", "event_recovery_time": "{EVENT.RECOVERY.TIME}",
    "event_tags": "scope:capacity, team", "message": "Problem started",
}  # fmt: skip
RECOVERY = {**BODY, "event_value": "0", "event_recovery_date": "2026.11.26", "event_recovery_time": "10:30:00"}


def test_real_bodies_give_the_expected_values(corpus: Callable[..., Any], meets: Callable[..., None]) -> None:
    for case in corpus("zabbix"):
        meets(zabbix.read(case.body, case.headers), case.wanted)


def test_a_problem() -> None:
    [element] = zabbix.read(BODY)
    assert element.event["payload"] == BODY
    assert element.event["alert"] == {
        "name": "Disk is full on web1", "target": "web1", "status": "firing", "severity": "error", "severity_raw": "High", "key": "10528",
        "started_at": "2026.11.26 10:00:00", "summary": "Problem started", "link": "", "labels": {"scope": "capacity", "team": ""},
    }  # fmt: skip


def test_a_recovery_has_the_key_of_its_problem_and_its_own_time(alert: Callable[..., Any]) -> None:
    found = alert(zabbix.read(RECOVERY))
    assert (found["status"], found["key"], found["started_at"]) == ("resolved", "10528", "2026.11.26 10:30:00")


@pytest.mark.parametrize("body", [BODY, RECOVERY])
def test_an_update_neither_opens_nor_closes_a_problem(alert: Callable[..., Any], body: dict[str, str]) -> None:
    found = alert(zabbix.read({**body, "event_update_status": "1"}))
    assert (found["status"], found["started_at"]) == ("event", "2026.11.26 10:00:00")


@pytest.mark.parametrize(
    ("raw", "severity"),
    [("Disaster", "critical"), ("High", "error"), ("Average", "warning"), ("Information", "info"), ("Not classified", "unknown"),
     ("5", "critical"), (2, "warning"), ("0", "unknown"), ("of our own", "unknown")],
)  # fmt: skip
def test_severities(alert: Callable[..., Any], raw: Any, severity: str) -> None:
    found = alert(zabbix.read({**BODY, "event_severity": raw}))
    assert (found["severity"], found["severity_raw"]) == (severity, str(raw))


@pytest.mark.parametrize(
    "body",
    [
        {"EVENT.ID": 7, "EVENT.NAME": "x", "HOST.HOST": "web1", "EVENT.STATUS": "PROBLEM"},
        {"eventId": "7", "triggerName": "x", "HostName": "web1", "TriggerStatus": "PROBLEM"},
        {"problem_id": "7", "title": "x", "host_name": "*UNKNOWN*", "ip": "web1", "state": "alerting"},
    ],
)
def test_names_are_found_however_a_script_writes_them(alert: Callable[..., Any], body: dict[str, Any]) -> None:
    found = alert(zabbix.read(body))
    assert (found["key"], found["name"], found["target"], found["status"]) == ("7", "x", "web1", "firing")


@pytest.mark.parametrize(
    ("time", "same"), [(1764150000, 1764150000), ("1764150000", "1764150000"), ("", "2026.11.26 10:00:00")]
)
def test_a_time_stays_as_it_is(alert: Callable[..., Any], time: Any, same: Any) -> None:
    assert alert(zabbix.read({**BODY, "event_timestamp": time}))["started_at"] == same


def test_without_an_id_the_key_is_the_host_and_the_name(alert: Callable[..., Any]) -> None:
    assert alert(zabbix.read({"trigger": "Disk full", "host": "web1", "status": "OK"}))["key"] == "web1/Disk full"


@pytest.mark.parametrize(
    ("tags", "labels"),
    [([{"tag": "a", "value": "b"}], {"a": "b"}), ('[{"tag":"a","value":"b"}]', {}), ("a:b", {"a": "b"}), (None, {})],
)
def test_tags_are_labels(alert: Callable[..., Any], tags: Any, labels: dict[str, str]) -> None:
    assert alert(zabbix.read({**BODY, "event_tags": tags}))["labels"] == labels


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (None, "body"),
        ({}, "event_name"),
        ({"event_name": "{EVENT.NAME}", "event_value": "1"}, "event_name"),
        ({"event_name": "x" * 1025}, "alert.name"),
        ({"event_name": "x", "host": "h" * 1025}, "alert.target"),
    ],
)
def test_what_is_no_body_of_zabbix_is_refused(path_of: Callable[..., str], body: Any, field: str) -> None:
    assert path_of(zabbix.read, body) == field


def test_the_parameters_that_are_to_be_entered_are_read_in_full(alert: Callable[..., Any]) -> None:
    entered = set(re.findall(r"(\w+) \{[A-Z.]+\}", zabbix.SETUP))
    assert set(BODY) == entered
    assert all(
        alert(zabbix.read(BODY))[word] for word in ("name", "target", "severity_raw", "key", "summary", "labels")
    )


def test_any_body_gives_elements_or_a_named_mistake(withstands: Callable[..., None]) -> None:
    withstands(zabbix.read, BODY, RECOVERY)
