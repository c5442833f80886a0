"""Icinga 2's API events (`/v1/events`), each line of that stream posted by itself: states of services and hosts, and notifications.

Used by `healer.webhook: {format: icinga2}`. Shapes:
https://icinga.com/docs/icinga-2/latest/doc/12-icinga2-api/#event-stream-types. Numbers there are floats. What Icinga itself would tell
nobody of (a soft state, a downtime) is an `event` here, which opens nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from healer import errors, plugins
from healer.formats import _part, _words

HOST: Final = "Host"
"""The name of the alert where a host itself is meant and no service of it."""
SERVICE_STATES: Final = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
HOST_STATES: Final = ("UP", "DOWN")
SOFT: Final = 0
"""`state_type` while it still tries again. A good state is never soft."""
TOLD: Final = {"problem": "firing", "recovery": "resolved"}
"""`notification_type`, in small letters; the others (`ACKNOWLEDGEMENT`, `DOWNTIMESTART`, `FLAPPINGSTART`, `CUSTOM` ...) are events."""

_STATUSES: Final = {
    "OK": "resolved", "UP": "resolved", "WARNING": "firing", "CRITICAL": "firing", "DOWN": "firing", "UNKNOWN": "unknown",
}  # fmt: skip
_SEVERITIES: Final = {"UP": "info", "DOWN": "critical"}


def read(body: Any, _headers: Mapping[str, str] = plugins.NO_HEADERS) -> list[plugins.Element | plugins.Wrong]:
    """One element with the whole body as `event.payload`. Raises `errors.InvalidField`, which names the path."""
    whole = _part.whole(body)
    kind = whole.needed("type")
    about = _place(whole)
    host, service = (about.text(name) or about.text(f"{name}_name") for name in ("host", "service"))
    result = whole.part("check_result")
    raw, status = _told(kind, whole, result, service)
    alert = _part.alert(
        "!".join(part for part in (host, service) if part) or _words.digest(body),
        name=service or (HOST if host else kind),
        target=host,
        status=status,
        severity=_SEVERITIES.get(raw) or _words.severity(raw),
        severity_raw=raw,
        started_at=whole.when("timestamp"),
        summary=result.line("output") or whole.line("text", "comment"),
        labels={"type": kind, **result.flat("check_source")},
    )
    return [plugins.Element({"payload": body, "alert": alert})]


def _place(whole: _part.Part) -> _part.Part:
    """Where host and service stand: comments and downtimes are objects of their own."""
    for name in ("comment", "downtime"):
        if isinstance(whole.values.get(name), Mapping):
            return whole.part(name)
    return whole


def _told(kind: str, whole: _part.Part, result: _part.Part, service: str) -> tuple[str, str]:
    """The state in Icinga's words, '' where none is told, and the status."""
    if kind == "StateChange":
        return _judged(whole, service, _number(whole, "state"), _number(whole, "state_type"))
    state = _number(result, "state")
    if not service and state is not None:
        state = int(state > 1)  # of a host the plugin's own: up to WARNING it is UP
    if kind == "CheckResult":
        return _judged(whole, service, state, _number(result.part("vars_after"), "state_type"))
    if kind == "Notification":
        raw, told = _word(service, state), TOLD.get(whole.needed("notification_type").lower(), "event")
        return raw, "unknown" if told == "firing" and raw == "UNKNOWN" else told
    return "", "event"


def _judged(whole: _part.Part, service: str, state: int | None, state_type: int | None) -> tuple[str, str]:
    raw = _word(service, state)
    if not raw:
        raise errors.InvalidField(field=whole.at("state"), detail="the number of a state is wanted")
    status = _STATUSES[raw]
    planned = (_number(whole, "downtime_depth") or 0) > 0
    return raw, "event" if status != "resolved" and (planned or state_type == SOFT) else status


def _word(service: str, state: int | None) -> str:
    states = SERVICE_STATES if service else HOST_STATES
    return states[state] if state is not None and 0 <= state < len(states) else ""


def _number(part: _part.Part, name: str) -> int | None:
    """A whole number, also one that is written as `2.0`."""
    value = part.values.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise errors.InvalidField(field=part.at(name), detail=f"a whole number is wanted, got {_words.kind(value)}")
    return int(value)


FIELDS = (
    *(f"payload.{name}" for name in (
        "type", "timestamp", "host", "service", "state", "state_type", "downtime_depth", "acknowledgement", "notification_type", "author",
        "text", "command",
    )),
    "payload.check_result.*", "payload.users.*", "payload.comment", "payload.comment.*", "payload.downtime.*",
)  # fmt: skip
SETUP = """Icinga 2 posts to nobody by itself. A service on the master that has an ApiUser with the permission events/statechange
(its name and password in the first file, as curl's `user = "healer:…"`):
  curl -sSN -K /etc/healer/icinga-api.conf -H 'Accept: application/json' -X POST https://localhost:5665/v1/events \\
    -d '{"queue": "healer", "types": ["StateChange"]}' |
  while IFS= read -r line; do printf '%s' "$line" | curl -fsS --retry 8 --retry-connrefused -H "Authorization: Bearer $(cat TOKEN_FILE)" \\
    -H 'Content-Type: application/json' --data-binary @- HOOK_URL; done
What happens while it is down is not told later: add CheckResult (permission events/checkresult), which repeats every state.
"""
FORMAT = plugins.Format(
    "icinga2", resolves=True, read=read, fields=FIELDS, setup=SETUP, auth=("bearer", "basic", "header", "hmac", "url_token"),
    marks=("type", "timestamp", "host"),
)  # fmt: skip
