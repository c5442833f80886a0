"""Uptime Kuma's webhook (Notifications, type Webhook, body `Preset - application/json`): one event a change of a monitor.

Used by `healer.webhook: {format: uptime_kuma}`. Shape: `heartbeat`, `monitor` and `msg`, as
https://github.com/louislam/uptime-kuma/blob/master/server/notification-providers/webhook.js sends them. `heartbeat` and `monitor` are
null for its Test button and for certificates that run out.
"""

from __future__ import annotations

import contextlib
import urllib.parse
from collections.abc import Mapping
from typing import Any, Final

from healer import errors, plugins
from healer.formats import _part, _words

STATES: Final = {0: ("DOWN", "firing"), 1: ("UP", "resolved"), 2: ("PENDING", "event"), 3: ("MAINTENANCE", "event")}
"""`heartbeat.status` -> its name there, and what it means: while it still tries again, or is being worked on, nothing is opened."""

LABELS: Final = ("type", "url", "port")
"""Of the monitor, beside its tags."""


def read(body: Any, _headers: Mapping[str, str] = plugins.NO_HEADERS) -> list[plugins.Element | plugins.Wrong]:
    """One element with the whole body as `event.payload`. Raises `errors.InvalidField`, which names the path."""
    whole = _part.whole(body)
    if "heartbeat" not in whole.values:
        raise errors.InvalidField(field="heartbeat", detail="an object or null is wanted, got nothing")
    beat, monitor = whole.part("heartbeat"), whole.part("monitor")
    raw, status = _state(beat.values.get("status")) if beat.values else ("", "event")
    name = monitor.text("name")
    message = beat.line("msg") or whole.line("msg")
    alert = _part.alert(
        monitor.word("id") or beat.word("monitorID") or name or _words.digest(message),
        name=name,
        target=monitor.text("hostname") or _host(monitor.line("url")) or name,
        status=status,
        severity_raw=raw,  # it knows no severities
        started_at=beat.when("time", "localDateTime"),
        summary=message,
        labels={**_words.tags(monitor.values.get("tags")), **monitor.flat(*LABELS)},
    )
    return [plugins.Element({"payload": body, "alert": alert})]


def _state(value: Any) -> tuple[str, str]:
    if isinstance(value, bool) or not isinstance(value, int) or value not in STATES:
        raise errors.InvalidField(field="heartbeat.status", detail=f"one of {', '.join(map(str, STATES))} is wanted")
    return STATES[value]


def _host(address: str) -> str:
    """The host of the address that is looked at, as a name; it is not asked."""
    with contextlib.suppress(ValueError):  # what is no address
        return urllib.parse.urlsplit(address[: _words.TEXT_MAX]).hostname or ""
    return ""


FIELDS = ("payload.msg", "payload.heartbeat.*", "payload.monitor.*")
SETUP = """Settings -> Notifications -> Setup Notification, type Webhook:
  Post URL: HOOK_URL            Request Body: Preset - application/json
  Additional Headers: {"Authorization": "Bearer TOKEN"}
Add it to the monitors. With Resend Notification a healing that failed gets another try.
"""
FORMAT = plugins.Format(
    "uptime_kuma", resolves=True, read=read, fields=FIELDS, setup=SETUP, auth=("bearer", "header", "basic", "url_token"),
    marks=("heartbeat", "monitor", "msg"),
)  # fmt: skip
