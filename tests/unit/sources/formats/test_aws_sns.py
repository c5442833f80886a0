"""SNS: alarms and events in its envelope are alerts, other messages events of their topic, confirmations greetings."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from healer import plugins
from healer.formats import aws_sns

TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"
ALARM = {
    "AlarmName": "cpu", "AlarmArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:cpu", "NewStateValue": "ALARM",
    "StateChangeTime": "2026-01-01T00:00:00.000+0000",
    "Trigger": {"Dimensions": [{"name": "InstanceId", "value": "i-1"}], "MetricName": "CPU"},
}  # fmt: skip
EVENT = {
    "id": "e1",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "detail": {"instance-id": "i-2", "state": "stopped"},
}


def body(message: Any = "hello", **over: Any) -> dict[str, Any]:
    text = message if isinstance(message, str) else json.dumps(message)
    return {
        "Type": "Notification",
        "MessageId": "m1",
        "TopicArn": TOPIC,
        "Timestamp": "2026-01-01T00:00:01.000Z",
        "Message": text,
        **over,
    }


def test_real_bodies_give_the_expected_values(corpus: Callable[..., Any], meets: Callable[..., None]) -> None:
    for case in corpus("aws_sns"):
        meets(aws_sns.read(case.body, case.headers), case.wanted)


@pytest.mark.parametrize(
    ("state", "status"), [("ALARM", "firing"), ("OK", "resolved"), ("INSUFFICIENT_DATA", "unknown"), ("ODD", "event")]
)
def test_an_alarm_is_known_by_its_arn(alert: Callable[..., Any], state: str, status: str) -> None:
    found = alert(aws_sns.read(body({**ALARM, "NewStateValue": state})))
    assert (found["status"], found["key"], found["name"], found["target"]) == (status, ALARM["AlarmArn"], "cpu", "i-1")
    assert (found["severity_raw"], found["started_at"]) == (state, ALARM["StateChangeTime"])


def test_an_alarm_without_an_arn_has_the_time_of_the_envelope(alert: Callable[..., Any]) -> None:
    found = alert(aws_sns.read(body({**ALARM, "AlarmArn": None, "AWSAccountId": "1", "Region": "EU"})))
    assert (found["key"], found["started_at"]) == ("1/EU/cpu", "2026-01-01T00:00:01.000Z")


def test_an_alarm_over_other_metrics_is_about_itself(alert: Callable[..., Any]) -> None:
    assert (
        alert(aws_sns.read(body({**ALARM, "Trigger": {"Dimensions": [{"name": "Stage", "value": "prod"}]}})))["target"]
        == "cpu"
    )
    named = [{"name": "InstanceId", "value": name} for name in ("i-1", "i-2")]
    assert alert(aws_sns.read(body({**ALARM, "Trigger": {"Dimensions": named}})))["target"] == "i-1"
    metrics = [{"Id": "e1"}, {"MetricStat": {"Metric": {"Dimensions": [{"name": "InstanceId", "value": "i-9"}]}}}]
    assert alert(aws_sns.read(body({**ALARM, "Trigger": {"Metrics": metrics}})))["target"] == "i-9"


def test_an_event_of_eventbridge_is_read_as_one(alert: Callable[..., Any]) -> None:
    found = alert(aws_sns.read(body(EVENT)))
    assert (found["name"], found["target"], found["status"], found["key"]) == (
        EVENT["detail-type"],
        "i-2",
        "event",
        "e1",
    )


@pytest.mark.parametrize("message", ["hello", {"a": 1}, [1], '{"a": 1, "a": 2}', {"AlarmName": "no state"}])
def test_any_other_message_is_an_event_of_its_topic(message: Any) -> None:
    [element] = aws_sns.read(body(message))
    assert isinstance(element, plugins.Element)
    found = element.event["alert"]
    assert (found["name"], found["status"], found["key"], found["target"]) == ("Notification", "event", "m1", TOPIC)
    assert element.event.get("data") == (None if isinstance(message, str) else message)
    assert (element.delivery, element.event["payload"]["Type"]) == ("m1", "Notification")


def test_a_bad_record_keeps_no_other_from_being_taken() -> None:
    good, bad = {"Sns": body(ALARM)}, {"Sns": {}}
    first, wrong = aws_sns.read({"Records": [good, bad]})
    assert isinstance(first, plugins.Element)
    assert (first.event["payload"], first.event["alert"]["status"]) == (good, "firing")
    assert isinstance(wrong, plugins.Wrong)
    assert wrong.error.fields["field"] == "Records[1].Sns.Type"


def test_raw_delivery_of_an_alarm_is_read(alert: Callable[..., Any]) -> None:
    assert alert(aws_sns.read(ALARM))["started_at"] == ALARM["StateChangeTime"]
    assert alert(aws_sns.read({**ALARM, "AlarmArn": None}))["started_at"] == ALARM["StateChangeTime"]


def test_only_a_confirmation_has_an_address_to_visit() -> None:
    address = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=1"
    for kind, visit in [("SubscriptionConfirmation", address), ("UnsubscribeConfirmation", "")]:
        given = body(Type=kind, SubscribeURL=address)
        found = aws_sns.greeting(given, {})
        assert found is not None
        assert (found.visit, found.answer, TOPIC in found.told) == (visit, None, True)
        assert len(aws_sns.read(given)) == 1
    assert aws_sns.greeting(body(), {}) is None
    for odd in (5, None, "x" * 3000):
        found = aws_sns.greeting(body(Type="SubscriptionConfirmation", SubscribeURL=odd, TopicArn=odd), {})
        assert found is not None
        assert found.visit == ""


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ([], "body"), ({}, "Type"), ({"Type": 5}, "Type"), (body(MessageId=None), "MessageId"), (body(TopicArn=5), "TopicArn"),
        ({"Records": [5]}, "Records[0]"), ({"Records": [{}]}, "Records[0].Sns"), (body({**ALARM, "AlarmName": 5}), "Message.AlarmName"),
        (body({**ALARM, "Trigger": 5}), "Message.Trigger"), (body({**EVENT, "detail": 5}), "Message.detail"),
    ],
)  # fmt: skip
def test_a_wrong_shape_is_told_with_its_path(path_of: Callable[..., str], given: Any, field: str) -> None:
    assert path_of(aws_sns.read, given) == field


def test_any_body_gives_elements_or_a_named_mistake(withstands: Callable[..., None]) -> None:
    withstands(aws_sns.read, body(), body(ALARM), body(EVENT), ALARM, {"Records": [{"Sns": body(ALARM)}]})
