"""Prometheus Alertmanager's webhook body, version 4, and the version 3 before it: each alert of the group is one event.

Used by `healer.webhook: {format: alertmanager}`. The status of each alert counts, not that of the group: a group is
`firing` while any of its alerts is. Shape: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config.
How it is asked which alerts fire stands in `_alertmanager_api`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from healer import errors, model, plugins
from healer.formats import _alertmanager_api, _words

NEVER = "0001-01-01T00:00:00Z"
"""`endsAt` of an alert that fires."""


def read(body: Any, _headers: Mapping[str, str] = plugins.NO_HEADERS) -> list[plugins.Element | plugins.Wrong]:
    """One element an alert: `event.alert` and `event.group` (the group's fields without its alerts, shared by all).

    Raises `errors.InvalidField`, which names the path, for a body that is none of Alertmanager's.
    """
    body = _words.an_object("body", body)
    alerts = body.get("alerts")
    if not isinstance(alerts, list):
        got = "nothing" if alerts is None else _words.kind(alerts)
        raise errors.InvalidField(field="alerts", detail=f"a list of alerts is wanted, got {got}")
    group = dict(body)
    del group["alerts"]
    elements: list[plugins.Element | plugins.Wrong] = _words.each(
        "alerts", alerts, lambda field, alert: _element(field, alert, group)
    )
    return elements


def remark(body: Any) -> str:
    """That alerts were cut off: of those nothing is known here until they are asked for."""
    cut = body.get("truncatedAlerts") if isinstance(body, Mapping) else None
    if not isinstance(cut, int) or isinstance(cut, bool) or cut <= 0:
        return ""
    return f"{cut} alerts of a group were not sent (truncatedAlerts): set max_alerts: 0 at the receiver, or `reconcile` here"


def _element(field: str, given: Any, group: dict[str, Any]) -> plugins.Element:
    alert = _words.an_object(field, given)
    labels = _words.texts(field, alert.get("labels"), ".labels")
    notes = _words.texts(field, alert.get("annotations"), ".annotations")
    starts = _words.text(field, alert.get("startsAt"), ".startsAt")
    ends = _words.text(field, alert.get("endsAt"), ".endsAt")
    status = _words.text(field, alert.get("status"), ".status")
    if not status:
        raise errors.InvalidField(field=f"{field}.status", detail="firing or resolved is wanted, got nothing")
    key = _words.text(field, alert.get("fingerprint"), ".fingerprint") or _words.digest(labels)
    raw = _words.first(labels, ("severity", "priority", "level"))
    found = {
        "name": _words.text(field, labels.get("alertname"), ".labels.alertname"),
        "target": _words.text(field, _words.first(labels, _words.TARGET_LABELS), ".labels"),
        "severity": _words.severity(raw),
        "severity_raw": raw,
        "key": key,
        "started_at": ends if status == "resolved" and ends else starts,  # since when this status holds
        "summary": _words.first(notes, ("summary", "title", "message", "description")),
        "link": _words.text(field, alert.get("generatorURL"), ".generatorURL"),
        "labels": labels,
    }
    event = {"alert": _words.fill(field, alert, found), "group": group}
    return plugins.Element(event, f"{key}|{status}|{_alertmanager_api.moment(starts)}|{_alertmanager_api.moment(ends)}")


# --- what it says when it is asked ----------------------------------------------------------------------------------------


def _firing(fires: model.Fires, receiver: str) -> plugins.Element:
    """As a delivery would have it; of the group only what is known."""
    alert = {"status": "firing", **fires.alert, "endsAt": NEVER}
    return _element("alert", alert, {"version": "4", "status": "firing", "receiver": receiver})


def _resolved(event: Mapping[str, Any], at: str) -> plugins.Element:
    """The end of what an event said that fires."""
    said, group = event.get("alert"), event.get("group")
    alert = dict(said) if isinstance(said, Mapping) else {}
    since = {"started_at": at} if alert.get("started_at") == alert.get("startsAt") else {}
    alert |= {"status": "resolved", "endsAt": at} | since
    ended = {**event, "alert": alert}
    if isinstance(group, Mapping):
        ended["group"] = {**group, "status": "resolved"}
    return plugins.Element(ended)


def _receiver(event: Mapping[str, Any]) -> str:
    group = event.get("group")
    named = group.get("receiver") if isinstance(group, Mapping) else None
    return named if isinstance(named, str) else ""


INQUIRY = model.Inquiry(
    _alertmanager_api.ALERTS, _alertmanager_api.STATUS, _alertmanager_api.read, _alertmanager_api.up_since_us, _firing, _resolved, _receiver
)  # fmt: skip
FIELDS = (
    "alert.status", "alert.labels.*", "alert.annotations.*", "alert.startsAt", "alert.endsAt", "alert.generatorURL", "alert.fingerprint",
    *(f"group.{name}" for name in (
        "receiver", "status", "version", "groupKey", "externalURL", "truncatedAlerts", "numFiring", "numResolved",
    )),
    *(f"group.{name}.*" for name in ("groupLabels", "commonLabels", "commonAnnotations")),
)  # fmt: skip
SETUP = """receivers:
  - name: healer
    webhook_configs:
      - url: HOOK_URL
        send_resolved: true            # healer must know when to stop
        http_config: {authorization: {credentials_file: TOKEN_FILE}}
        # leave max_alerts at 0: truncated alerts are not sent at all
"""
FORMAT = plugins.Format(
    "alertmanager", resolves=True, read=read, fields=FIELDS, inquiry=INQUIRY, remark=remark, setup=SETUP, auth=("bearer", "basic"),
    marks=("alerts", "groupKey", "receiver", "version"),
)  # fmt: skip
