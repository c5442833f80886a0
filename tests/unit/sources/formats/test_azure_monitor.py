"""Azure Monitor: the condition is the lifecycle, save for the activity log, where only health is ever over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from healer import errors
from healer.formats import azure_monitor

ESSENTIALS = {
    "alertId": "a1", "originAlertId": "o1", "alertRule": "cpu", "severity": "Sev1", "monitorCondition": "Fired",
    "monitoringService": "Platform",
    "alertTargetIDs": ["/subscriptions/S/resourceGroups/g/providers/microsoft.compute/virtualMachines/web1"],
    "configurationItems": ["web1"],
    "firedDateTime": "2026-01-01", "resolvedDateTime": "2026-01-02",
}  # fmt: skip


def body(context: dict[str, Any] | None = None, **essentials: Any) -> dict[str, Any]:
    data = {
        "essentials": {**ESSENTIALS, **essentials},
        "alertContext": context,
        "customProperties": {"team": "web", "n": [1]},
    }
    return {"schemaId": azure_monitor.SCHEMA, "data": data}


def told(context: dict[str, Any] | None = None, **essentials: Any) -> dict[str, Any]:
    [element] = azure_monitor.read(body(context, **essentials))
    return dict(element.event["alert"])


def test_real_bodies_give_the_expected_values(corpus: Callable[..., Any], meets: Callable[..., None]) -> None:
    for case in corpus("azure_monitor"):
        meets(azure_monitor.read(case.body, case.headers), case.wanted)


def test_an_alert_fires_and_is_over_under_one_key() -> None:
    fired, resolved = told(), told(monitorCondition="Resolved")
    assert (fired["status"], fired["key"], fired["started_at"]) == ("firing", "o1", "2026-01-01")
    assert (resolved["status"], resolved["key"], resolved["started_at"]) == ("resolved", "o1", "2026-01-02")
    assert (fired["name"], fired["target"], fired["labels"]["team"]) == ("cpu", "web1", "web")


@pytest.mark.parametrize(
    ("raw", "severity"),
    [
        ("Sev0", "critical"),
        ("Sev1", "error"),
        ("Sev2", "warning"),
        ("Sev3", "info"),
        ("Sev4", "info"),
        ("?", "unknown"),
    ],
)
def test_severities_are_its_own(raw: str, severity: str) -> None:
    assert (told(severity=raw)["severity"], told(severity=raw)["severity_raw"]) == (severity, raw)


def test_without_a_name_the_target_is_the_last_word_of_the_resource() -> None:
    assert told(configurationItems=[])["target"] == "web1"
    assert told(configurationItems=None, alertTargetIDs=[])["target"] == ""


def test_dimensions_are_labels() -> None:
    context = {
        "condition": {
            "allOf": [
                {"dimensions": [{"name": "disk", "value": "C:"}]},
                {"dimensions": [{"name": "disk", "value": "D:"}]},
            ]
        }
    }
    assert told(context)["labels"]["disk"] == "C:"


@pytest.mark.parametrize(
    ("status", "health", "wanted"),
    [("Active", "Unavailable", "firing"), ("Active", "Degraded", "firing"), ("Resolved", "Unavailable", "resolved"),
     ("Active", "Available", "resolved"), ("InProgress", "Unknown", "unknown")],
)  # fmt: skip
def test_resource_health_is_over_by_its_context_whatever_its_ids(status: str, health: str, wanted: str) -> None:
    context = {"status": status, "properties": {"currentHealthStatus": health, "cause": "UserInitiated"}}
    found = told(context, monitoringService="Resource Health", originAlertId=f"{status}{health}")
    assert (found["status"], found["labels"]["cause"]) == (wanted, "UserInitiated")
    assert found["key"] == f"cpu/{ESSENTIALS['alertTargetIDs'][0].lower()}"


def test_service_health_is_known_by_its_tracking_id() -> None:
    found = told({"status": "Resolved", "properties": {"trackingId": "T1"}}, monitoringService="ServiceHealth")
    assert (found["status"], found["key"]) == ("resolved", "T1/cpu")


def test_what_somebody_did_is_an_event() -> None:
    found = told({"status": "Succeeded"}, monitoringService="Activity Log - Administrative")
    assert (found["status"], found["key"]) == ("event", "a1")


def test_another_schema_is_told_with_what_to_do() -> None:
    with pytest.raises(errors.InvalidField, match="Enable the common alert schema"):
        azure_monitor.read({"schemaId": "AzureMonitorMetricAlert", "data": {}})


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ([], "body"), ({}, "schemaId"), ({"schemaId": azure_monitor.SCHEMA}, "data"), (body(alertRule=5), "data.essentials.alertRule"),
        ({"schemaId": azure_monitor.SCHEMA, "data": {}}, "data.essentials"),
        (body(monitorCondition=None), "data.essentials.monitorCondition"),
        (body(configurationItems=[5]), "data.essentials.configurationItems[0]"), (body({"condition": 5}), "data.alertContext.condition"),
    ],
)  # fmt: skip
def test_a_wrong_shape_is_told_with_its_path(path_of: Callable[..., str], given: Any, field: str) -> None:
    assert path_of(azure_monitor.read, given) == field


def test_any_body_gives_elements_or_a_named_mistake(withstands: Callable[..., None]) -> None:
    withstands(azure_monitor.read, body(), body({"status": "Active"}, monitoringService="Resource Health"))
