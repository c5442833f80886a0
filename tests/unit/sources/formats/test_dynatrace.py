"""Dynatrace's problems become one event an impacted entity, or one without entities."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from healer import plugins
from healer.formats import dynatrace

BODY = {
    "State": "OPEN", "PID": "-77_V2", "ProblemID": "P-26", "ProblemTitle": "CPU saturation", "ProblemSeverity": "RESOURCE_CONTENTION",
    "ProblemImpact": "INFRASTRUCTURE", "Problem URL": "https://d/p", "Tags": "[AWS]team:shop, db",
    "ProblemDetailsJSONv2": {"startTime": 1764150000000, "endTime": -1},
    "ImpactedEntities": [
        {"type": "HOST", "name": "web1", "entity": "HOST-1"},
        {"type": "SERVICE", "name": "shop", "entity": "SERVICE-2"},
    ],
}  # fmt: skip
SHORT = {"State": "OPEN", "ProblemID": "P-26", "ProblemTitle": "CPU saturation"}


def test_real_bodies_give_the_expected_values(corpus: Callable[..., Any], meets: Callable[..., None]) -> None:
    for case in corpus("dynatrace"):
        meets(dynatrace.read(case.body, case.headers), case.wanted)


def test_each_entity_is_an_event_and_the_rest_stands_beside_it() -> None:
    host, service = dynatrace.read(BODY)
    assert host.event["payload"] == BODY["ImpactedEntities"][0]
    assert host.event["group"] == {name: value for name, value in BODY.items() if name != "ImpactedEntities"}
    assert host.event["group"] is service.event["group"]
    assert host.event["alert"] == {
        "name": "CPU saturation", "target": "web1", "status": "firing", "severity": "warning", "severity_raw": "RESOURCE_CONTENTION",
        "key": "-77_V2/HOST-1", "started_at": 1764150000000, "summary": "", "link": "https://d/p",
        "labels": {"[AWS]team": "shop", "db": "", "impact": "INFRASTRUCTURE", "entity_type": "HOST", "entity": "HOST-1"},
    }  # fmt: skip
    assert (service.event["alert"]["target"], service.event["alert"]["key"]) == ("shop", "-77_V2/SERVICE-2")


def test_the_end_of_a_problem_has_the_keys_of_its_beginning() -> None:
    ended = {
        **BODY,
        "State": "RESOLVED",
        "ProblemDetailsJSONv2": {"startTime": 1764150000000, "endTime": 1764150300000},
    }
    found = [element.event["alert"] for element in dynatrace.read(ended)]
    assert [one["key"] for one in found] == [one.event["alert"]["key"] for one in dynatrace.read(BODY)]
    assert {(one["status"], one["started_at"]) for one in found} == {("resolved", 1764150300000)}


def test_a_template_without_entities_gives_one_event(alert: Callable[..., Any]) -> None:
    [element] = dynatrace.read(SHORT)
    assert (element.event["payload"], element.event["group"]) == ({}, SHORT)
    found = element.event["alert"]
    assert (found["key"], found["status"], found["target"], found["started_at"]) == ("P-26", "firing", "", "")
    assert alert(dynatrace.read({**SHORT, "ImpactedEntities": "[]"}))["key"] == "P-26"


@pytest.mark.parametrize(("names", "target"), [("web1", "web1"), ("web1, web2", ""), (None, "")])
def test_of_several_names_none_is_the_target(alert: Callable[..., Any], names: Any, target: str) -> None:
    assert alert(dynatrace.read({**SHORT, "NamesOfImpactedEntities": names}))["target"] == target


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("OPEN", "firing"),
        ("RESOLVED", "resolved"),
        ("closed", "resolved"),
        ("MERGED", "event"),
        ("", "event"),
        (None, "event"),
    ],
)
def test_states(alert: Callable[..., Any], state: Any, status: str) -> None:
    assert alert(dynatrace.read({**SHORT, "State": state}))["status"] == status


@pytest.mark.parametrize(
    ("raw", "severity"),
    [
        ("AVAILABILITY", "critical"),
        ("ERROR", "error"),
        ("PERFORMANCE", "warning"),
        ("CUSTOM_ALERT", "unknown"),
        ("", "unknown"),
    ],
)
def test_severities(alert: Callable[..., Any], raw: str, severity: str) -> None:
    assert alert(dynatrace.read({**SHORT, "ProblemSeverity": raw}))["severity"] == severity


def test_a_bad_entity_keeps_no_other_from_being_read() -> None:
    wrong, good = dynatrace.read({**BODY, "ImpactedEntities": ["x", BODY["ImpactedEntities"][0]]})
    assert isinstance(wrong, plugins.Wrong)
    assert good.event["alert"]["target"] == "web1"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "body"),
        ({"State": "OPEN"}, "ProblemTitle"),
        ({**SHORT, "ProblemTitle": 7}, "ProblemTitle"),
        ({**SHORT, "State": 1}, "State"),
        ({**BODY, "ImpactedEntities": [{"name": 7}]}, "ImpactedEntities[0].name"),
        ({**BODY, "ImpactedEntities": [[]]}, "ImpactedEntities[0]"),
    ],
)
def test_a_wrong_shape_is_told_with_its_path(path_of: Callable[..., str], body: Any, field: str) -> None:
    assert path_of(dynatrace.read, body) == field


def test_the_payload_that_is_to_be_entered_is_read_in_full() -> None:
    template = dynatrace.SETUP.partition("Custom payload: ")[2]
    for name, value in {**BODY, "ProblemURL": "https://d/p"}.items():
        template = template.replace(f"{{{name}}}", value if isinstance(value, str) else json.dumps(value))
    found = [element.event["alert"] for element in dynatrace.read(json.loads(template))]
    assert found == [element.event["alert"] for element in dynatrace.read(BODY)]


def test_any_body_gives_elements_or_a_named_mistake(withstands: Callable[..., None]) -> None:
    withstands(dynatrace.read, BODY, SHORT)
