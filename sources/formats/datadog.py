"""Datadog's webhook of its monitors: the payload is a template that the operator lays out, so the names are looked for.

Used by `healer.webhook: {format: datadog}`. Names count without regard to case, `_`, `-`, `.` and blanks, those of the variables first
(`alert_transition` for $ALERT_TRANSITION); the payload that Datadog starts with has only a title, `[Triggered on {host:web1}] Disk full`,
which says what it can. Variables: https://docs.datadoghq.com/integrations/webhooks/#variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from healer import errors, plugins
from healer.formats import _part, _words

NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "title": ("eventtitle", "title", "alerttitle", "name", "monitorname"),
    "target": ("target", "hostname", "host"),
    "transition": ("alerttransition", "transition"),
    "severity": ("alertpriority", "severity", "alerttype"),
    "cycle": ("alertcyclekey", "cyclekey", "key"),
    "aggregate": ("aggregkey", "aggregate"),
    "monitor": ("alertid", "monitorid", "monitor"),
    "scope": ("alertscope", "scope"),
    "summary": ("alertstatus", "summary", "textonlymsg", "message", "text", "eventmsg", "body"),
    "link": ("link", "url"),
}
TIMES: Final = ("date", "dateposix", "lastupdated", "timestamp")
TAGS: Final = ("eventtags", "tags", "alertscope", "scope")
HOST_TAGS: Final = ("host", *_words.TARGET_LABELS)
TRANSITIONS: Final = {
    "triggered": "firing", "re-triggered": "firing", "warn": "firing", "re-warn": "firing", "renotify": "firing",
    "recovered": "resolved", "no data": "unknown", "re-no data": "unknown",
}  # fmt: skip
"""$ALERT_TRANSITION, in small letters; where a body has none it says nothing of a lifecycle."""
TEST: Final = "[TEST] "
"""What stands before the title of a test notification."""


def read(body: Any, _headers: Mapping[str, str] = plugins.NO_HEADERS) -> list[plugins.Element | plugins.Wrong]:
    """One element with the whole body as `event.payload`. Raises `errors.InvalidField`."""
    values = _part.Part("", _words.plainly(_part.whole(body).values))
    word = {name: values.line(*names) for name, names in NAMES.items()}
    said, group, name = _title(word["title"])
    transition = word["transition"] or said
    about = _words.tags(group)
    labels = {**about, **_labels(values)}
    target = word["target"] or _words.first(labels, HOST_TAGS)
    monitor = word["aggregate"] or word["monitor"] or name
    if not (word["cycle"] or monitor):
        raise errors.InvalidField(field="title", detail="the title of a monitor is wanted, got nothing")
    alert = _part.alert(
        word["cycle"] or _words.key(monitor, word["scope"] or group or target),
        name=name,
        target=target,
        status=TRANSITIONS.get(transition.strip().lower(), "event"),
        severity=_words.severity(word["severity"]),
        severity_raw=word["severity"],
        started_at=values.when(*TIMES),
        summary=word["summary"],
        link=word["link"],
        labels=labels,
    )
    # $ID names the event; with its time and transition, since a template may have in its place an id that stays the same.
    delivery = _part.delivery(values.line("eventid", "id"), values.line(*TIMES), transition)
    return [plugins.Element({"payload": body, "alert": alert}, delivery=delivery)]


def _labels(values: _part.Part) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in TAGS:
        found = {**_words.tags(values.values.get(name)), **found}
    return found


def _title(text: str) -> tuple[str, str, str]:
    """The transition, the group and the name of `[Triggered on {host:web1,env:prod}] Disk full`; one of any other form is the name."""
    head, closed, name = text.removeprefix(TEST).partition("] ")
    said, _, group = head.removeprefix("[").partition(" on ")
    if not closed or head[:1] != "[" or said.lower() not in TRANSITIONS:
        return "", "", text
    return said, group.strip().removeprefix("{").removesuffix("}"), name.strip()


FIELDS = ("payload.*",)
SETUP = """Integrations -> Webhooks -> New Webhook:
  Name: healer     URL: HOOK_URL     Encode as form: off
  Payload: {"id": "$ID", "date": "$DATE", "event_title": "$EVENT_TITLE", "alert_transition": "$ALERT_TRANSITION",
    "alert_cycle_key": "$ALERT_CYCLE_KEY", "alert_id": "$ALERT_ID", "alert_scope": "$ALERT_SCOPE", "hostname": "$HOSTNAME", "tags": "$TAGS",
    "alert_priority": "$ALERT_PRIORITY", "alert_type": "$ALERT_TYPE", "alert_status": "$ALERT_STATUS", "link": "$LINK"}
  Custom Headers: {"Authorization": "Bearer TOKEN"}
Then write @webhook-healer into the message of the monitors.
"""
FORMAT = plugins.Format(
    "datadog", resolves=True, read=read, fields=FIELDS, setup=SETUP, auth=("bearer", "header", "basic", "url_token"),
    marks=("event_type", "title", "org"),
)  # fmt: skip
