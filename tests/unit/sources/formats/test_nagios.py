"""Nagios's notifications, as a command posts its macros, become one event each."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from healer.formats import nagios

SERVICE = {
    "NAGIOS_NOTIFICATIONTYPE": "PROBLEM", "NAGIOS_HOSTNAME": "web1", "NAGIOS_HOSTADDRESS": "192.0.2.7", "NAGIOS_HOSTSTATE": "UP",
    "NAGIOS_SERVICEDESC": "Disk", "NAGIOS_SERVICESTATE": "CRITICAL", "NAGIOS_SERVICEOUTPUT": "DISK CRITICAL - 97%",
    "NAGIOS_TIMET": "1764150000",
}  # fmt: skip
HOST = {
    "NOTIFICATIONTYPE": "PROBLEM",
    "HOSTNAME": "web1",
    "HOSTSTATE": "DOWN",
    "HOSTOUTPUT": "no answer",
    "SERVICEDESC": "",
}


def test_real_bodies_give_the_expected_values(corpus: Callable[..., Any], meets: Callable[..., None]) -> None:
    for case in corpus("nagios"):
        meets(nagios.read(case.body, case.headers), case.wanted)


def test_a_problem_of_a_service() -> None:
    [element] = nagios.read(SERVICE)
    assert element.event["payload"] == SERVICE
    assert element.event["alert"] == {
        "name": "Disk", "target": "web1", "status": "firing", "severity": "critical", "severity_raw": "CRITICAL", "key": "web1/Disk",
        "started_at": "1764150000", "summary": "DISK CRITICAL - 97%", "link": "", "labels": {"hostaddress": "192.0.2.7"},
    }  # fmt: skip


def test_a_problem_of_a_host_is_another_alert_than_those_of_its_services(alert: Callable[..., Any]) -> None:
    found = alert(nagios.read(HOST))
    assert (found["name"], found["target"], found["key"]) == ("Host", "web1", "web1")
    assert (found["status"], found["severity"], found["summary"]) == ("firing", "critical", "no answer")


def test_a_recovery_has_the_key_of_the_problem(alert: Callable[..., Any]) -> None:
    ended = {**SERVICE, "NAGIOS_NOTIFICATIONTYPE": "RECOVERY", "NAGIOS_SERVICESTATE": "OK"}
    found = alert(nagios.read(ended))
    assert (found["status"], found["severity"], found["key"]) == ("resolved", "info", "web1/Disk")


@pytest.mark.parametrize(
    "kind", ["ACKNOWLEDGEMENT", "FLAPPINGSTART", "DOWNTIMESTART", "DOWNTIMEEND", "CUSTOM", "custom"]
)
def test_what_people_do_opens_and_closes_nothing(alert: Callable[..., Any], kind: str) -> None:
    assert alert(nagios.read({**SERVICE, "NAGIOS_NOTIFICATIONTYPE": kind}))["status"] == "event"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"type": "PROBLEM", "state": "UNKNOWN"}, "unknown"),
        ({"type": "PROBLEM", "state": "UNREACHABLE"}, "unknown"),
        ({"type": "RECOVERY", "state": "UP"}, "resolved"),
        ({"title": "Service RECOVERY notification", "state": "CRITICAL"}, "resolved"),
        ({"title": "Host ACKNOWLEDGEMENT notification", "state": "DOWN"}, "event"),
        ({"title": "a custom problem", "state": "WARNING"}, "firing"),
        ({"state": "OK"}, "resolved"),
        ({"state": "unreachable"}, "unknown"),
        ({}, "event"),
    ],
)
def test_statuses(alert: Callable[..., Any], body: dict[str, str], status: str) -> None:
    assert alert(nagios.read({"host": "web1", **body}))["status"] == status


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "body"),
        ({}, "HOSTNAME"),
        ({"HOSTNAME": {}, "SERVICEDESC": "x"}, "HOSTNAME"),
        ({"HOSTNAME": "h" * 1025}, "alert.target"),
        ({"HOSTNAME": "h", "SERVICEDESC": "x" * 1025}, "alert.name"),
    ],
)
def test_what_is_no_body_of_nagios_is_refused(path_of: Callable[..., str], body: Any, field: str) -> None:
    assert path_of(nagios.read, body) == field


def test_the_command_that_is_to_be_entered_takes_the_macros_that_are_read(alert: Callable[..., Any]) -> None:
    [form] = re.findall(r'test\("(.+?)"\)', nagios.SETUP)
    taken = {name: value for name, value in SERVICE.items() if re.search(form, name)}
    assert {**alert(nagios.read(taken)), "labels": {}} == {**alert(nagios.read(SERVICE)), "labels": {}}
    assert not re.search(form, "NAGIOS_ADMINEMAIL")


def test_any_body_gives_elements_or_a_named_mistake(withstands: Callable[..., None]) -> None:
    withstands(nagios.read, SERVICE, HOST)
