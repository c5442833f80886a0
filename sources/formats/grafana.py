"""Grafana's webhook contact point (Alertmanager's body and more: each alert of the group is one event), and the body of the alerting
before it, which ended with Grafana 11: one event a rule.

Used by `healer.webhook: {format: grafana}`. Shapes:
https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/ and
https://grafana.com/docs/grafana/v8.5/alerting/old-alerting/notifications/#webhook.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from healer import plugins
from healer.formats import _part, _words, alertmanager

LAST_LABELS: Final = ("zone",)
"""Labels that name the target where none of `_words.TARGET_LABELS` does: rules over metrics of a zone have no other."""
SEVERITY_LABELS: Final = ("severity", "priority", "level")

_STATUSES: Final = {"alerting": "firing", "ok": "resolved", "no_data": "unknown"}
"""States of the old alerting; `pending` and `paused` neither open nor close anything."""


def read(body: Any, headers: Mapping[str, str] = plugins.NO_HEADERS) -> list[plugins.Element | plugins.Wrong]:
    """One element an alert: `event.alert` and `event.group`, as of Alertmanager; of the old alerting one with `event.payload`.

    Raises `errors.InvalidField`, which names the path, for a body that is neither.
    """
    whole = _part.whole(body)
    if "alerts" not in whole.values and "ruleName" in whole.values:
        return [_old(whole)]
    elements: list[plugins.Element | plugins.Wrong] = alertmanager.read(body, headers)
    for element in elements:
        if isinstance(element, plugins.Element):
            alert = element.event["alert"]
            zone = _words.first(alert["labels"], LAST_LABELS)
            alert["target"] = alert["target"] or (zone if len(zone) <= _words.TEXT_MAX else "")
    return elements


def remark(body: Any) -> str:
    """That alerts were cut off: nothing is known of those."""
    if not alertmanager.remark(body):
        return ""
    return f"{body['truncatedAlerts']} alerts of a group were not sent (truncatedAlerts): set Max Alerts of the contact point to 0"


def _old(body: _part.Part) -> plugins.Element:
    labels = {**_words.flat(body.values.get("tags")), **_agreed(body.values.get("evalMatches"))}
    raw = _words.first(labels, SEVERITY_LABELS)
    name = body.needed("ruleName")
    alert = _part.alert(
        body.word("ruleId") or name,
        name=name,
        target=_words.first(labels, _words.TARGET_LABELS),
        status=_STATUSES.get(body.text("state"), "event"),
        severity=_words.severity(raw),
        severity_raw=raw,
        summary=body.line("message", "title"),
        link=body.line("ruleUrl"),
        labels=labels,
    )
    return plugins.Element({"payload": body.values, "alert": alert})


def _agreed(matches: Any) -> dict[str, str]:
    """The tags that all series over the threshold share: with two hosts nobody can say which of them is to be healed."""
    given = matches if isinstance(matches, list) else []
    each = [_words.flat(one.get("tags")) for one in given if isinstance(one, Mapping)]
    found = each[0] if each else {}
    return {name: value for name, value in found.items() if all(one.get(name) == value for one in each)}


FIELDS = (
    *alertmanager.FIELDS, "alert.values.*",
    *(f"alert.{name}" for name in ("silenceURL", "dashboardURL", "panelURL", "imageURL", "valueString", "orgId")),
    *(f"group.{name}" for name in ("orgId", "title", "state", "message")),
    *(f"payload.{name}" for name in ("ruleId", "ruleName", "ruleUrl", "state", "title", "message", "imageUrl", "orgId", "dashboardId")),
    "payload.panelId", "payload.evalMatches.*", "payload.tags.*",
)  # fmt: skip
SETUP = """Alerting -> Contact points -> Add contact point, integration Webhook:
  URL: HOOK_URL                HTTP method: POST
  Optional: HMAC signature, secret TOKEN (Grafana 12 and later; header X-Grafana-Alerting-Signature, a timestamp header too)
    or: Authorization request header, scheme Bearer, credentials TOKEN
  Max Alerts: 0                Disable resolved message: off      Custom payload: empty
"""
FORMAT = plugins.Format(
    "grafana", resolves=True, read=read, fields=FIELDS, remark=remark, setup=SETUP,
    auth=("grafana", "bearer", "basic", "header", "url_token"), marks=("alerts", "groupKey", "orgId", "receiver", "version"),
)  # fmt: skip
