"""Amazon EventBridge's events, as an API destination sends them: CloudWatch's alarms, AWS Health, Auto Scaling, EC2, and any other.

Used by `healer.webhook: {format: aws_eventbridge}`, and by `aws_sns` for rules whose target is a topic. Shapes:
https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html and the pages of each service. What is not known here is
an event of the name of its `detail-type`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from healer import plugins
from healer.formats import _cloudwatch, _part, _words

TARGETS: Final = (
    "instance-id",
    "EC2InstanceId",
    "InstanceId",
    "instanceId",
    "SourceIdentifier",
    "AutoScalingGroupName",
)
"""Fields of `detail` that name a machine, in the order in which they count."""

_HEALTH: Final = {
    "issue": "error",
    "investigation": "warning",
    "scheduledChange": "info",
    "accountNotification": "info",
}
"""Category of AWS Health -> severity. Only the first two are over one day."""
_HEALTH_STATUSES: Final = {"open": "firing", "closed": "resolved"}


def read(body: Any, _headers: Mapping[str, str] = plugins.NO_HEADERS) -> list[plugins.Element | plugins.Wrong]:
    """One element with the whole body as `event.payload`. Raises `errors.InvalidField`, which names the path."""
    event = _part.whole(body)
    return [plugins.Element({"payload": body, "alert": alert(event)}, delivery=_part.delivery(event.line("id")))]


def alert(event: _part.Part) -> dict[str, Any]:
    """`event.alert` of an event. Raises `errors.InvalidField`, which names the path."""
    kind, detail = event.needed("detail-type"), event.wanted("detail")
    event.needed("source")
    tell = _TOLD.get(kind, _other)
    known = {
        "name": kind,
        "started_at": event.when("time"),
        "labels": event.flat("source", "account", "region"),
        "key": event.word("id") or _words.digest(event.values),
    }
    found = tell(event, detail)
    labels = {"detail_type": kind} | known["labels"] | found.pop("labels", {})
    made: dict[str, Any] = _part.alert(**known | found | {"labels": labels})
    return made


def _alarm(event: _part.Part, detail: _part.Part) -> dict[str, Any]:
    """An alarm's new state. One whose actions are suppressed is in alarm all the same: the label `actionsSuppressedBy` says so."""
    state, name = detail.wanted("state"), detail.needed("alarmName")
    metrics = [
        one.part("metricStat").part("metric").part("dimensions") for one in detail.part("configuration").objects("metrics")
    ]  # fmt: skip
    dimensions = {key: value for one in reversed(metrics) for key, value in _words.flat(one.values).items()}
    return {
        "name": name,
        "target": _cloudwatch.target(dimensions, name),
        "key": _alarm_key(event, name),
        "summary": state.line("reason"),
        "labels": dimensions | state.flat("actionsSuppressedBy"),
        **_cloudwatch.state(state.needed("value")),
    }


def _alarm_changed(event: _part.Part, detail: _part.Part) -> dict[str, Any]:
    """Somebody changed an alarm: what state it is in then is nothing new."""
    name, raw = detail.needed("alarmName"), detail.part("state").line("value")
    return {
        "name": name, "target": name, "key": _alarm_key(event, name), "labels": detail.flat("operation"),
        **_cloudwatch.state(raw), "status": "event",
    }  # fmt: skip


def _alarm_key(event: _part.Part, name: str) -> str:
    """The alarm's ARN."""
    resources = event.values.get("resources")
    arn = resources[0] if isinstance(resources, list) and resources else ""
    return arn if isinstance(arn, str) and arn else _words.key(event.line("account"), event.line("region"), name)


def _failed(event: _part.Part, detail: _part.Part) -> dict[str, Any]:
    """A group could not start or end an instance. Nothing closes this but time."""
    return _other(event, detail) | {
        "status": "firing", "severity": "error", "severity_raw": detail.line("StatusCode"),
        "summary": detail.line("StatusMessage", "Cause"),
    }  # fmt: skip


def _health(event: _part.Part, detail: _part.Part) -> dict[str, Any]:
    """An event of AWS Health: its key is its ARN in the account that it is about."""
    category, code = detail.line("eventTypeCategory"), detail.line("statusCode")
    status = _HEALTH_STATUSES.get(code, "event") if category in ("issue", "investigation") else "event"
    entities = [one.line("entityValue") for one in detail.objects("affectedEntities")]
    described = detail.objects("eventDescription")
    times = ("endTime", "lastUpdatedTime") if status == "resolved" else ("startTime",)
    return {
        "name": detail.needed("eventTypeCode"),
        "target": entities[0] if len(entities) == 1 else "",  # of several nobody can say which one is to be healed
        "status": status,
        "severity": _HEALTH.get(category, "unknown"),
        "severity_raw": category,
        "key": _words.key(detail.word("affectedAccount") or event.line("account"), detail.needed("eventArn")),
        "started_at": detail.when(*times) or event.when("time"),
        "summary": described[0].line("latestDescription") if described else "",
        "labels": detail.flat("service", "eventRegion", "eventScopeCode", "statusCode"),
    }


def _other(_event: _part.Part, detail: _part.Part) -> dict[str, Any]:
    raw = detail.line("severity", "state", "StatusCode", "status")
    return {
        "target": detail.line(*TARGETS), "severity": _words.severity(raw), "severity_raw": raw,
        "summary": detail.line("Message", "message", "description", "Cause"), "labels": detail.flat("AutoScalingGroupName", "state"),
    }  # fmt: skip


_TOLD: Final[Mapping[str, Callable[[_part.Part, _part.Part], dict[str, Any]]]] = {
    "CloudWatch Alarm State Change": _alarm, "CloudWatch Alarm Configuration Change": _alarm_changed, "AWS Health Event": _health,
    "EC2 Instance Launch Unsuccessful": _failed, "EC2 Instance Terminate Unsuccessful": _failed,
}  # fmt: skip
SETUP = """EventBridge -> API destinations -> Create:
  Endpoint: HOOK_URL            Method: POST
  Connection: authorization type API key, name Authorization, value Bearer TOKEN
A rule with the pattern {"source": ["aws.cloudwatch"], "detail-type": ["CloudWatch Alarm State Change"]} (or another), target the API
destination, input Matched event: not transformed.
"""
FORMAT = plugins.Format(
    "aws_eventbridge", resolves=True, read=read, fields=("payload.*",), setup=SETUP, auth=("bearer", "header", "basic"),
    marks=("detail-type", "source", "detail", "region"),
)  # fmt: skip
