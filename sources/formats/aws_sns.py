"""Amazon SNS: its envelope with the message in a text, the records that a Lambda function passes on, and raw delivery of an alarm.

Used by `healer.webhook: {format: aws_sns}`. Shapes: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html; of
CloudWatch's message https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html. A message that is JSON is
also `event.data`. Inside may be an alarm of CloudWatch or an event of EventBridge; any other is an event of its topic.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from healer import plugins
from healer.formats import _cloudwatch, _inner, _part, _words, aws_eventbridge

NOTIFICATION: Final = "Notification"
SUBSCRIBE: Final = "SubscriptionConfirmation"
UNSUBSCRIBE: Final = "UnsubscribeConfirmation"

URL_MAX: Final = 2048


def read(body: Any, _headers: Mapping[str, str] = plugins.NO_HEADERS) -> list[plugins.Element | plugins.Wrong]:
    """One element an envelope, which is `event.payload`. Raises `errors.InvalidField`, which names the path."""
    whole = _part.whole(body)
    records = whole.values.get("Records")
    if isinstance(records, list):
        elements: list[plugins.Element | plugins.Wrong] = _words.each("Records", records, _record)
        return elements
    if "Type" not in whole.values and "AlarmName" in whole.values:
        return [plugins.Element({"payload": body, "alert": _alarm(whole, "")})]
    return [_element(whole.values, whole)]


def greeting(body: Any, _headers: Mapping[str, str] = plugins.NO_HEADERS) -> plugins.Greeting | None:
    """A subscription that asks to be confirmed, for which its address has to be visited, or one that has ended, whose address would only
    begin it anew. Which addresses are SNS's own is looked at where they are visited."""
    kind = body.get("Type") if isinstance(body, Mapping) else None
    if kind not in (SUBSCRIBE, UNSUBSCRIBE):
        return None
    topic, address = (_line(body.get(name)) for name in ("TopicArn", "SubscribeURL"))
    if kind == UNSUBSCRIBE:
        return plugins.Greeting(f"the subscription to {topic} was ended at SNS: nothing more comes from it")
    return plugins.Greeting(
        f"SNS wants the subscription to {topic} confirmed: its SubscribeURL has to be visited", visit=address
    )


def _line(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= URL_MAX else ""


def _record(field: str, given: Any) -> plugins.Element:
    record = _part.Part(field, _words.an_object(field, given))
    return _element(record.values, record.wanted("Sns"))


def _element(payload: Mapping[str, Any], envelope: _part.Part) -> plugins.Element:
    kind, topic = envelope.needed("Type"), envelope.text("TopicArn")
    envelope.needed("MessageId")
    text = envelope.line("Message")
    data = _inner.of_text(text) if kind == NOTIFICATION else None
    message = _part.Part(envelope.at("Message"), data if isinstance(data, Mapping) else {})
    if "AlarmName" in message.values and "NewStateValue" in message.values:
        alert = _alarm(message, envelope.when("Timestamp"))
    elif "detail-type" in message.values and "detail" in message.values:
        alert = aws_eventbridge.alert(message)
    else:
        alert = _part.alert(
            envelope.word("MessageId"), name=kind, target=topic, started_at=envelope.when("Timestamp"),
            summary=envelope.line("Subject") or text[: _words.TEXT_MAX],
        )  # fmt: skip
    alert["labels"] = {**alert["labels"], **envelope.flat("TopicArn")}
    event = {"payload": payload, "alert": alert} | ({} if data is None else {"data": data})
    return plugins.Element(event, delivery=_part.delivery(envelope.line("MessageId")))


def _alarm(message: _part.Part, sent_at: Any) -> dict[str, Any]:
    """What CloudWatch says. Since when is its own time; for alarms without an ARN, as they were once, that of the envelope."""
    name, trigger, arn = message.needed("AlarmName"), message.part("Trigger"), message.text("AlarmArn")
    dimensions = _cloudwatch.listed(trigger.objects("Dimensions"))
    for one in trigger.objects("Metrics"):
        for key, value in _cloudwatch.listed(one.part("MetricStat").part("Metric").objects("Dimensions")).items():
            dimensions.setdefault(key, value)
    changed_at = message.when("StateChangeTime")
    made: dict[str, Any] = _part.alert(
        arn or _words.key(message.line("AWSAccountId"), message.line("Region"), name),
        name=name,
        target=_cloudwatch.target(dimensions, name),
        started_at=changed_at if arn or not sent_at else sent_at,
        summary=message.line("NewStateReason", "AlarmDescription"),
        labels=dimensions | message.flat("AWSAccountId", "Region") | trigger.flat("MetricName", "Namespace"),
        **_cloudwatch.state(message.needed("NewStateValue")),
    )
    return made


SETUP = """SNS -> the topic -> Create subscription:
  Protocol: HTTPS               Endpoint: HOOK_URL
  Enable raw message delivery: off (raw messages are not signed)
  It stays pending until its SubscribeURL was visited: `confirm: true` at the source, or by hand: `healer sources show` has it then
CloudWatch -> the alarm -> Notification: the topic for In alarm and for OK.
"""
FORMAT = plugins.Format(
    "aws_sns", resolves=True, read=read, fields=("payload.*", "data.*"), greeting=greeting, media=("text/plain",), setup=SETUP,
    auth=("sns", "basic", "url_token"), marks=("Type", "MessageId", "TopicArn"),
)  # fmt: skip
