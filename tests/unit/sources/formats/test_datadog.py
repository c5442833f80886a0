"""Datadog's payloads, as operators lay them out, become one event each."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from healer.formats import datadog

BODY = {
    "id": "8001", "date": "1764150000000", "event_title": "[Triggered on {host:web1,env:prod}] Disk full", "alert_transition": "Triggered",
    "alert_cycle_key": "c-17", "alert_id": "4711", "alert_scope": "env:prod,host:web1", "hostname": "web1",
    "tags": "env:prod,monitor,role:web", "alert_priority": "P2", "alert_status": "disk.used was > 95", "link": "https://d/1",
}  # fmt: skip
PLAIN = {
    "event_type": "query_alert_monitor",
    "title": "[Recovered on {host:web1}] Disk full",
    "body": "text",
    "date": "17",
}


def test_real_bodies_give_the_expected_values(corpus: Callable[..., Any], meets: Callable[..., None]) -> None:
    for case in corpus("datadog"):
        meets(datadog.read(case.body, case.headers), case.wanted)


def test_real_bodies_of_one_alert_have_one_name_key_and_target(
    corpus: Callable[..., Any], alert: Callable[..., Any]
) -> None:
    cases = corpus("datadog", "monitor_triggered", "monitor_recovered")
    firing, resolved = (alert(datadog.read(case.body)) for case in cases)
    for word in ("name", "key", "target"):
        assert firing[word] == resolved[word] != ""
    assert firing["target"] == firing["labels"]["host"]
    assert not firing["name"].startswith("[")


def test_a_monitor_that_triggers() -> None:
    [element] = datadog.read(BODY)
    alert = element.event["alert"]
    assert element.event["payload"] == BODY
    assert alert == {
        "name": "Disk full", "target": "web1", "status": "firing", "severity": "error", "severity_raw": "P2", "key": "c-17",
        "started_at": "1764150000000", "summary": "disk.used was > 95", "link": "https://d/1",
        "labels": {"host": "web1", "env": "prod", "monitor": "", "role": "web"},
    }  # fmt: skip
    assert element.delivery == "8001#1764150000000#Triggered"


@pytest.mark.parametrize(
    ("transition", "status"),
    [
        ("Re-Triggered", "firing"), ("Warn", "firing"), ("Re-Warn", "firing"), ("Renotify", "firing"), ("Recovered", "resolved"),
        ("No Data", "unknown"), ("Re-No Data", "unknown"), ("$ALERT_TRANSITION", "event"), ("other", "event"),
    ],
)  # fmt: skip
def test_transitions(alert: Callable[..., Any], transition: str, status: str) -> None:
    assert alert(datadog.read({**BODY, "alert_transition": transition}))["status"] == status


def test_the_title_says_what_the_first_payload_does_not(alert: Callable[..., Any]) -> None:
    found = alert(datadog.read(PLAIN))
    assert (found["name"], found["target"], found["status"], found["key"]) == (
        "Disk full",
        "web1",
        "resolved",
        "Disk full/host:web1",
    )
    again = alert(datadog.read({**PLAIN, "title": "[TEST] [Warn on {host:web1}] Disk full"}))
    assert (again["status"], again["key"]) == ("firing", found["key"])


@pytest.mark.parametrize("title", ["Disk full", "[Disk] full", "[Triggered", "[Deploy] [Triggered] x"])
def test_a_title_of_another_form_is_the_name_and_says_nothing(alert: Callable[..., Any], title: str) -> None:
    found = alert(datadog.read({"title": title}))
    assert (found["name"], found["status"], found["target"]) == (title, "event", "")


def test_the_groups_of_a_monitor_are_alerts_of_their_own(alert: Callable[..., Any]) -> None:
    body = {"alert_id": 4711, "title": "Disk full", "transition": "Triggered"}
    keys = {
        alert(datadog.read({**body, **more}))["key"]
        for more in ({"scope": "host:a"}, {"host": "b"}, {"tags": "host:c"}, {})
    }
    assert keys == {"4711/host:a", "4711/b", "4711/c", "4711"}


def test_the_host_tag_is_the_target_before_all_others(alert: Callable[..., Any]) -> None:
    body = {"title": "Disk full", "transition": "Triggered", "tags": "instance:i-1,host:web1,pod:p"}
    assert alert(datadog.read(body))["target"] == "web1"


def test_an_id_alone_names_no_delivery() -> None:
    assert datadog.read({"id": "4711", "title": "x", "transition": "Triggered"})[0].delivery == ""
    first, second = (
        datadog.read({"id": "4711", "title": "x", "transition": word, "date": "1"})
        for word in ("Triggered", "Recovered")
    )
    assert first[0].delivery != second[0].delivery


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("text", "body"),
        ({}, "title"),
        ({"title": ["x"], "transition": "Triggered"}, "title"),
        ({"title": "x" * 1025}, "alert.name"),
        ({"title": "x", "host": "h" * 1025}, "alert.target"),
    ],
)
def test_what_is_no_body_of_datadog_is_refused(path_of: Callable[..., str], body: Any, field: str) -> None:
    assert path_of(datadog.read, body) == field


def test_the_payload_that_is_to_be_entered_is_read_in_full() -> None:
    payload = json.loads(datadog.SETUP.partition("Payload: ")[2].partition("  Custom Headers")[0])
    [element] = datadog.read(payload)
    found = element.event["alert"]
    words = {word: found[word] for word in ("name", "target", "key", "started_at", "severity_raw", "summary", "link")}
    assert words == {
        "name": "$EVENT_TITLE", "target": "$HOSTNAME", "key": "$ALERT_CYCLE_KEY", "started_at": "$DATE",
        "severity_raw": "$ALERT_PRIORITY", "summary": "$ALERT_STATUS", "link": "$LINK",
    }  # fmt: skip
    assert element.delivery == "$ID#$DATE#$ALERT_TRANSITION"


def test_any_body_gives_elements_or_a_named_mistake(withstands: Callable[..., None]) -> None:
    withstands(datadog.read, BODY, PLAIN)
