"""PagerDuty's webhooks, version 3: one event a delivery, of an incident, a service or what hangs on one.

Used by `healer.webhook: {format: pagerduty}`. Shape: https://developer.pagerduty.com/docs/webhooks-overview. An incident that somebody has
acknowledged still fires. The one that is sent by Send Test Event (`pagey.ping`) is a greeting.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from healer import plugins
from healer.formats import _part, _words

PING: Final = "pagey.ping"
STATUSES: Final = {"triggered": "firing", "acknowledged": "firing", "resolved": "resolved"}


def read(body: Any, _headers: Mapping[str, str] = plugins.NO_HEADERS) -> list[plugins.Element | plugins.Wrong]:
    """One element with the whole body as `event.payload`. Raises `errors.InvalidField`, which names the path."""
    event = _part.whole(body).wanted("event")
    data = event.wanted("data")
    kind = event.needed("event_type")
    of_incident = data.text("type") == "incident"
    incident = data if of_incident else data.part("incident")  # of a note, a responder, an update: a reference to it
    service = data if data.text("type") == "service" else data.part("service")
    severity, raw = _severity(data)
    alert = _part.alert(
        incident.word("id") or data.word("id") or _words.digest(data.values),
        name=kind,
        target=service.text("summary"),
        status=STATUSES.get(data.text("status"), "event") if of_incident else "event",
        severity=severity,
        severity_raw=raw,
        started_at=event.when("occurred_at"),
        summary=data.line("title", "content", "message") or incident.line("summary"),
        link=data.line("html_url") or incident.line("html_url"),
        labels=_labels(data, service),
    )
    return [plugins.Element({"payload": body, "alert": alert}, delivery=_part.delivery(event.line("id")))]


def greeting(body: Any, _headers: Mapping[str, str] = plugins.NO_HEADERS) -> plugins.Greeting | None:
    """The test event."""
    event = body.get("event") if isinstance(body, Mapping) else None
    if isinstance(event, Mapping) and event.get("event_type") == PING:
        return plugins.Greeting("PagerDuty sent its test event")
    return None


def _severity(data: _part.Part) -> tuple[str, str]:
    """By the priority where its name says something (an account makes its own), else by the urgency."""
    for raw in (data.part("priority").line("summary", "name"), data.line("urgency")):
        severity = _words.severity(raw)
        if severity != "unknown":
            return severity, raw
    return "unknown", data.line("urgency")


def _labels(data: _part.Part, service: _part.Part) -> dict[str, str]:
    teams = [team.line("summary") for team in data.objects("teams")]
    labels = {
        "service": service.line("summary"),
        "service_id": service.line("id"),
        "priority": data.part("priority").line("summary"),
        "urgency": data.line("urgency"),
        "escalation_policy": data.part("escalation_policy").line("summary"),
        "team": teams[0] if teams else "",
        "number": data.line("number"),
    }
    return {name: value for name, value in labels.items() if value}


SETUP = """Integrations -> Generic Webhooks (v3) -> New Webhook:
  Webhook URL: HOOK_URL
  Scope: a service, a team or the account
  Event Subscription: incident.triggered and incident.resolved at least
  Add Webhook shows the secret once: it is SECRET, for `auth: {pagerduty: …}`
"""
FORMAT = plugins.Format(
    "pagerduty", resolves=True, read=read, fields=("payload.*",), greeting=greeting, setup=SETUP, auth=("pagerduty", "header", "bearer"),
    marks=("event.event_type", "event.resource_type", "event.data"),
)  # fmt: skip
