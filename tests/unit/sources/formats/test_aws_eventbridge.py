"""EventBridge: alarms and AWS Health have a lifecycle, a failure of Auto Scaling fires, everything else is an event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from healer.formats import aws_eventbridge

ARN = "arn:aws:cloudwatch:eu-west-1:1:alarm:cpu"
DETAILS: dict[str, dict[str, Any]] = {
    "CloudWatch Alarm State Change": {
        "alarmName": "cpu", "state": {"value": "ALARM", "reason": "too high"},
        "configuration": {"metrics": [{"metricStat": {"metric": {"dimensions": {"InstanceId": "i-1", "Zone": "a"}}}}]},
    },
    "CloudWatch Alarm Configuration Change": {"alarmName": "cpu", "operation": "update", "state": {"value": "ALARM"}},
    "AWS Health Event": {
        "eventArn": "arn:health:1", "eventTypeCode": "AWS_EC2_ISSUE", "eventTypeCategory": "issue", "statusCode": "open",
        "startTime": "s", "endTime": "e", "affectedEntities": [{"entityValue": "i-1"}], "eventDescription": [{"latestDescription": "bad"}],
    },
    "EC2 Instance Launch Unsuccessful": {"StatusCode": "Failed", "EC2InstanceId": "i-1"},
    "EC2 Instance State-change Notification": {"instance-id": "i-1", "state": "stopped"},
    "Odd": {"severity": "high", "SourceIdentifier": "db1", "Message": "failover"},
}  # fmt: skip


def body(kind: str, **detail: Any) -> dict[str, Any]:
    return {
        "version": "0", "id": "e1", "detail-type": kind, "source": "aws.x", "account": "1", "region": "eu-west-1", "time": "t",
        "resources": [ARN], "detail": {**DETAILS[kind], **detail},
    }  # fmt: skip


def told(kind: str, **detail: Any) -> dict[str, Any]:
    [element] = aws_eventbridge.read(body(kind, **detail))
    return dict(element.event["alert"])


def test_real_bodies_give_the_expected_values(corpus: Callable[..., Any], meets: Callable[..., None]) -> None:
    for case in corpus("aws_eventbridge"):
        meets(aws_eventbridge.read(case.body, case.headers), case.wanted)


@pytest.mark.parametrize(
    ("state", "status"), [("ALARM", "firing"), ("OK", "resolved"), ("INSUFFICIENT_DATA", "unknown")]
)
def test_an_alarm_is_known_by_its_arn(state: str, status: str) -> None:
    found = told("CloudWatch Alarm State Change", state={"value": state})
    assert (found["status"], found["key"], found["name"], found["target"]) == (status, ARN, "cpu", "i-1")
    assert found["started_at"] == "t"


def test_an_alarm_of_suppressed_actions_fires_and_says_so() -> None:
    found = told(
        "CloudWatch Alarm State Change", state={"value": "ALARM", "actionsSuppressedBy": "Alarm"}, configuration={}
    )
    assert (found["status"], found["target"], found["labels"]["actionsSuppressedBy"]) == ("firing", "cpu", "Alarm")


def test_a_changed_configuration_changes_no_alarm() -> None:
    found = told("CloudWatch Alarm Configuration Change")
    assert (found["status"], found["key"], found["severity_raw"]) == ("event", ARN, "ALARM")


@pytest.mark.parametrize(
    ("detail", "wanted"),
    [
        ({}, ("firing", "error", "s")),
        ({"statusCode": "closed"}, ("resolved", "error", "e")),
        ({"statusCode": "upcoming"}, ("event", "error", "s")),
        ({"eventTypeCategory": "investigation"}, ("firing", "warning", "s")),
        ({"eventTypeCategory": "scheduledChange"}, ("event", "info", "s")),
        ({"startTime": None}, ("firing", "error", "t")),
    ],
)
def test_of_aws_health_an_issue_is_over_one_day_and_a_plan_is_none(
    detail: dict[str, Any], wanted: tuple[str, ...]
) -> None:
    found = told("AWS Health Event", **detail)
    assert (found["status"], found["severity"], found["started_at"]) == wanted
    assert (found["name"], found["key"], found["target"], found["summary"]) == (
        "AWS_EC2_ISSUE",
        "1/arn:health:1",
        "i-1",
        "bad",
    )


def test_of_several_machines_none_is_the_target() -> None:
    assert told("AWS Health Event", affectedEntities=[{"entityValue": "i-1"}, {"entityValue": "i-2"}])["target"] == ""


def test_an_instance_that_could_not_be_started_fires() -> None:
    found = told("EC2 Instance Launch Unsuccessful")
    assert (found["status"], found["key"], found["target"]) == ("firing", "e1", "i-1")


@pytest.mark.parametrize(("kind", "target"), [("EC2 Instance State-change Notification", "i-1"), ("Odd", "db1")])
def test_anything_else_is_an_event(kind: str, target: str) -> None:
    found = told(kind)
    assert (found["name"], found["status"], found["key"], found["target"]) == (kind, "event", "e1", target)


def test_the_id_names_the_delivery_and_the_whole_body_is_the_payload() -> None:
    [element] = aws_eventbridge.read(body("Odd"))
    assert (element.delivery, element.event["payload"]) == ("e1", body("Odd"))


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ([], "body"), ({}, "detail-type"), ({"detail-type": "Odd"}, "detail"), ({**body("Odd"), "source": ""}, "source"),
        ({**body("Odd"), "detail": []}, "detail"), (body("CloudWatch Alarm State Change", state=5), "detail.state"),
        (body("CloudWatch Alarm State Change", alarmName=5), "detail.alarmName"),
        (body("AWS Health Event", eventArn=None), "detail.eventArn"),
        (body("CloudWatch Alarm State Change", configuration={"metrics": [{"metricStat": 5}]}),
            "detail.configuration.metrics[0].metricStat"),
        (body("Odd", SourceIdentifier="x" * 1025), "alert.target"),
    ],
)  # fmt: skip
def test_a_wrong_shape_is_told_with_its_path(path_of: Callable[..., str], given: Any, field: str) -> None:
    assert path_of(aws_eventbridge.read, given) == field


def test_any_body_gives_elements_or_a_named_mistake(withstands: Callable[..., None]) -> None:
    withstands(aws_eventbridge.read, *(body(kind) for kind in DETAILS))
