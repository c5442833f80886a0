"""Google Cloud Pub/Sub, push: an envelope whose `message.data` is base64. An incident of Cloud Monitoring in it is an alert of its own.

Used by `healer.webhook: {format: gcp_pubsub}`. Shape: https://cloud.google.com/pubsub/docs/push#receive_push. What is in the data, JSON
or text, is also `event.data`. Of a push without the wrapper the body is the data itself: that has another format.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from healer import plugins
from healer.formats import _inner, _part, _words, gcp_monitoring


def read(body: Any, _headers: Mapping[str, str] = plugins.NO_HEADERS) -> list[plugins.Element | plugins.Wrong]:
    """One element with the whole body as `event.payload`. Raises `errors.InvalidField`, which names the path."""
    whole = _part.whole(body)
    message = whole.wanted("message")
    names = ("messageId", "message_id")
    identity, published = message.word(*names), message.when("publishTime", "publish_time")
    if not identity:
        message.needed(names[0])
    data = _inner.of_base64(message.line("data"))
    inside = _part.Part(message.at("data"), data if isinstance(data, Mapping) else {})
    if isinstance(inside.values.get("incident"), Mapping):
        alert = gcp_monitoring.alert(inside)
        alert["started_at"] = alert["started_at"] or published  # it does not always say when it ended
    else:
        summary = data if isinstance(data, str) else ""
        alert = _part.alert(identity, started_at=published, summary=summary)
    alert["labels"] = {**_words.flat(message.values.get("attributes")), **whole.flat("subscription"), **alert["labels"]}
    event = {"payload": body, "alert": alert} | ({} if data is None else {"data": data})
    return [plugins.Element(event, delivery=_part.delivery(identity))]


def greeting(body: Any, headers: Mapping[str, str] = plugins.NO_HEADERS) -> plugins.Greeting | None:
    """The test notification of Cloud Monitoring."""
    message = body.get("message") if isinstance(body, Mapping) else None
    data = message.get("data") if isinstance(message, Mapping) else None
    return gcp_monitoring.greeting(_inner.of_base64(data), headers) if isinstance(data, str) else None


SETUP = """gcloud pubsub subscriptions create healer --topic TOPIC --push-endpoint "HOOK_URL/TOKEN" --ack-deadline 30
It sends no header of yours, so that the token stands in the address, for `auth: {url_token: …}`.
For incidents: Monitoring -> Edit notification channels -> Pub/Sub -> the topic.
"""
FORMAT = plugins.Format(
    "gcp_pubsub", resolves=True, read=read, fields=("payload.*", "data.*"), greeting=greeting, setup=SETUP, auth=("url_token",),
    marks=("message.messageId", "subscription"),
)  # fmt: skip
