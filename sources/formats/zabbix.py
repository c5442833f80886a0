"""Zabbix's problems, as the script of a media type `Webhook` posts its parameters: one event a problem, recovery or update.

Used by `healer.webhook: {format: zabbix}`. The body is what that script makes, so the names are looked for without regard to case, `_`,
`-`, `.` and blanks: those of the macros (`EVENT.ID`, `event_id`) and those that are usual. Macros:
https://www.zabbix.com/documentation/current/en/manual/appendix/macros/supported_by_location.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from healer import errors, plugins
from healer.formats import _part, _words

NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "name": ("eventname", "triggername", "trigger", "problem", "title", "name", "alertsubject", "subject"),
    "target": ("target", "hosthost", "host", "hostname", "hostip", "ip"),
    "status": ("eventvalue", "eventstatus", "triggerstatus", "triggervalue", "status", "state"),
    "severity": ("eventseverity", "triggerseverity", "severity", "eventnseverity", "triggernseverity", "nseverity"),
    "key": ("eventid", "problemid", "alertuid", "triggerid"),
    "summary": ("alertmessage", "message", "eventopdata", "opdata", "triggerdescription", "description", "item"),
    "link": ("link", "url", "eventurl", "problemurl", "triggerurl", "linktoupstreamdetails"),
}
BEGAN: Final = (("eventtimestamp",), ("eventdate", "eventtime"), ("timestamp",), ("date", "time"), ("clock",))
ENDED: Final = (("eventrecoverytimestamp",), ("recoverytimestamp",), ("eventrecoverydate", "eventrecoverytime"))
"""Where the time of a problem and that of its end stand: one value, or a date and a time."""
UPDATE: Final = "eventupdatestatus"
"""`1` where somebody acknowledges, comments or changes a problem, which neither opens nor closes it."""
TAGS: Final = ("eventtagsjson", "eventtags", "tags")

_STATUSES: Final = {"1": "firing", "0": "resolved"}
_SEVERITIES: Final = {
    "not classified": "unknown", "information": "info", "warning": "warning", "average": "warning", "high": "error", "disaster": "critical",
    "0": "unknown", "1": "info", "2": "warning", "3": "warning", "4": "error", "5": "critical",
}  # fmt: skip


def read(body: Any, _headers: Mapping[str, str] = plugins.NO_HEADERS) -> list[plugins.Element | plugins.Wrong]:
    """One element with the whole body as `event.payload`. Raises `errors.InvalidField`."""
    plain = _words.plainly(_part.whole(body).values)
    values = _part.Part("", {name: value for name, value in plain.items() if not _unknown(value)})
    word = {name: values.line(*names) for name, names in NAMES.items()}
    if not word["name"]:
        raise errors.InvalidField(field="event_name", detail="the name of a problem is wanted, got nothing")
    status = "event" if values.line(UPDATE) == "1" else _STATUSES.get(word["status"]) or _words.status(word["status"])
    alert = _part.alert(
        word["key"] or _words.key(word["target"], word["name"]),
        name=word["name"],
        target=word["target"],
        status=status,
        severity=_SEVERITIES.get(word["severity"].lower()) or _words.severity(word["severity"]),
        severity_raw=word["severity"],
        started_at=(_time(values, ENDED) if status == "resolved" else "") or _time(values, BEGAN),
        summary=word["summary"],
        link=word["link"],
        labels=next((_words.tags(values.values[name]) for name in TAGS if _are_tags(values.values.get(name))), {}),
    )
    return [plugins.Element({"payload": body, "alert": alert})]


def _unknown(value: Any) -> bool:
    """Whether a macro had no value: it is `*UNKNOWN*` then, or stands there as it was written (`{EVENT.RECOVERY.DATE}`)."""
    return isinstance(value, str) and (value == "*UNKNOWN*" or (value[:1] == "{" and value[-1:] == "}"))


def _are_tags(value: Any) -> bool:
    """Not the text of a JSON list, which a macro leaves where the script does not parse it."""
    return value is not None and not (isinstance(value, str) and value[:1] == "[")


def _time(values: _part.Part, places: tuple[tuple[str, ...], ...]) -> Any:
    for names in places:
        parts = [values.when(name) for name in names]
        if all(part != "" for part in parts):
            return parts[0] if len(parts) == 1 else " ".join(map(str, parts))
    return ""


FIELDS = ("payload.*",)
SETUP = """Alerts -> Media types -> Create media type, type Webhook (Zabbix 5.4 and later; with its message templates):
  Parameters: url HOOK_URL   token TOKEN   event_id {EVENT.ID}   event_value {EVENT.VALUE}   event_update_status {EVENT.UPDATE.STATUS}
    event_name {EVENT.NAME}   event_severity {EVENT.SEVERITY}   host {HOST.HOST}   host_ip {HOST.IP}   trigger_id {TRIGGER.ID}
    event_date {EVENT.DATE}   event_time {EVENT.TIME}   event_recovery_date {EVENT.RECOVERY.DATE}
    event_recovery_time {EVENT.RECOVERY.TIME}   event_tags {EVENT.TAGS}   message {ALERT.MESSAGE}
  Script: var p = JSON.parse(value), r = new HttpRequest(), url = p.url;
    r.addHeader('Content-Type: application/json'); r.addHeader('Authorization: Bearer ' + p.token);
    delete p.url; delete p.token;
    var answer = r.post(url, JSON.stringify(p));
    if (r.getStatus() > 299) throw 'healer: ' + r.getStatus() + ' ' + answer;
    return 'OK';
Then give a user this medium (send to: healer), and an action its operations and its recovery operations.
"""
FORMAT = plugins.Format(
    "zabbix", resolves=True, read=read, fields=FIELDS, setup=SETUP, auth=("bearer", "header", "hmac", "basic", "url_token"),
    marks=("event_id", "event_value", "event_name"),
)  # fmt: skip
