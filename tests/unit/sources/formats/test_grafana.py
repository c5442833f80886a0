"""Grafana's groups become one event an alert, as Alertmanager's do; a body of the old alerting becomes one event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from healer import plugins
from healer.formats import grafana

GROUP = {
    "receiver": "healer", "status": "firing", "orgId": 1, "groupKey": "{}:{}", "truncatedAlerts": 0, "title": "[FIRING:1]",
    "alerts": [{
        "status": "firing", "labels": {"alertname": "DiskFull", "instance": "web1:9100", "severity": "page"},
        "annotations": {"summary": "full"}, "startsAt": "2026-11-26T10:00:00Z", "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": "f1", "values": {"B": 97.5}, "generatorURL": "https://g/1",
    }],
}  # fmt: skip
OLD = {
    "ruleId": 12, "ruleName": "CPU of a host", "ruleUrl": "https://g/d/1", "state": "alerting", "title": "[Alerting] CPU", "tags": {},
    "message": "too much", "evalMatches": [{"value": 99.1, "metric": "cpu", "tags": {"instance": "web1", "job": "node", "cpu": "0"}}],
}  # fmt: skip


def test_real_bodies_give_the_expected_values(corpus: Callable[..., Any], meets: Callable[..., None]) -> None:
    for case in corpus("grafana"):
        meets(grafana.read(case.body, case.headers), case.wanted)


def test_an_alert_has_its_own_object_and_the_rest_of_the_group() -> None:
    [element] = grafana.read(GROUP)
    own = GROUP["alerts"][0]
    alert, group = element.event["alert"], element.event["group"]
    assert {name: alert[name] for name in own} == own
    assert (alert["name"], alert["target"], alert["severity"], alert["key"]) == (
        "DiskFull",
        "web1:9100",
        "critical",
        "f1",
    )
    assert (alert["started_at"], alert["summary"], alert["link"]) == (own["startsAt"], "full", "https://g/1")
    assert group["orgId"] == 1
    assert "alerts" not in group
    assert "payload" not in element.event
    assert element.repeat


def test_a_resolved_alert_has_the_key_of_the_firing_one_and_its_own_time(alert: Callable[..., Any]) -> None:
    ended = {**GROUP["alerts"][0], "status": "resolved", "endsAt": "2026-11-26T11:00:00Z"}
    found = alert(grafana.read({**GROUP, "alerts": [ended]}))
    assert (found["status"], found["key"], found["started_at"]) == ("resolved", "f1", "2026-11-26T11:00:00Z")


@pytest.mark.parametrize(
    ("labels", "target"),
    [
        ({"zone": "eu-1", "pod": "p"}, "p"),
        ({"zone": "eu-1"}, "eu-1"),
        ({"zone": "x" * 1025}, ""),
        ({"team": "blue"}, ""),
    ],
)
def test_a_zone_is_the_target_where_nothing_else_names_it(
    alert: Callable[..., Any], labels: dict[str, str], target: str
) -> None:
    assert alert(grafana.read({"alerts": [{"status": "firing", "labels": labels}]}))["target"] == target


def test_a_group_that_also_has_a_name_of_a_rule_is_a_group(alert: Callable[..., Any]) -> None:
    assert alert(grafana.read({**GROUP, "ruleName": "x"}))["name"] == "DiskFull"


def test_a_bad_alert_keeps_no_other_from_being_read() -> None:
    good, bad = grafana.read({"alerts": [GROUP["alerts"][0], {"status": "firing", "labels": 5}]})
    assert isinstance(good, plugins.Element)
    assert isinstance(bad, plugins.Wrong)


def test_a_body_of_the_old_alerting(alert: Callable[..., Any]) -> None:
    [element] = grafana.read(OLD)
    found = element.event["alert"]
    assert element.event["payload"] == OLD
    assert (found["name"], found["target"], found["status"], found["key"]) == ("CPU of a host", "web1", "firing", "12")
    assert (found["summary"], found["link"]) == ("too much", "https://g/d/1")
    ended = alert(grafana.read({**OLD, "state": "ok", "evalMatches": []}))
    assert (ended["status"], ended["key"], ended["target"]) == ("resolved", "12", "")


def test_two_hosts_over_the_threshold_are_no_target(alert: Callable[..., Any]) -> None:
    other = {"value": 98.0, "metric": "cpu", "tags": {"instance": "web2", "job": "node", "severity": "crit"}}
    found = alert(grafana.read({**OLD, "evalMatches": [*OLD["evalMatches"], other]}))
    assert found["target"] == ""
    assert found["labels"] == {"job": "node"}


@pytest.mark.parametrize(
    ("state", "status"),
    [("no_data", "unknown"), ("pending", "event"), ("paused", "event"), (None, "event"), ("ok", "resolved")],
)
def test_states_of_the_old_alerting(alert: Callable[..., Any], state: Any, status: str) -> None:
    found = alert(grafana.read({**OLD, "state": state, "tags": {"severity": "warn"}}))
    assert (found["status"], found["severity"], found["severity_raw"]) == (status, "warning", "warn")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "body"),
        ({}, "alerts"),
        ({"alerts": {}}, "alerts"),
        ({"alerts": [{"status": "firing", "labels": {"instance": 7}}]}, "alerts[0].labels.instance"),
        ({**OLD, "ruleName": 7}, "ruleName"),
        ({**OLD, "ruleId": []}, "ruleId"),
        ({**OLD, "state": 1}, "state"),
    ],
)
def test_a_wrong_shape_is_told_with_its_path(path_of: Callable[..., str], body: Any, field: str) -> None:
    assert path_of(grafana.read, body) == field


@pytest.mark.parametrize(("cut", "said"), [(3, True), (0, False), (None, False), ("3", False)])
def test_alerts_that_were_cut_off_are_told(cut: object, said: bool) -> None:
    told = grafana.remark({"alerts": [], "truncatedAlerts": cut})
    assert told.startswith("3 alerts of a group were not sent") if said else told == ""


def test_any_body_gives_elements_or_a_named_mistake(withstands: Callable[..., None]) -> None:
    withstands(grafana.read, GROUP, OLD)
