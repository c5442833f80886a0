"""Google Cloud Monitoring's incidents, versions 1.1 and 1.2: one event a delivery.

Used by `healer.webhook: {format: gcp_monitoring}`, and by `gcp_pubsub` for incidents that come through a topic. Shape:
https://cloud.google.com/monitoring/support/notification-options#webhooks. Times are seconds since 1970. What Test Connection sends
(`version: test`) would stay open for ever, and is a greeting.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from healer import plugins
from healer.formats import _part, _words

TEST: Final = "test"
STATES: Final = {"open": "firing", "acknowledged": "firing", "closed": "resolved"}


def read(body: Any, _headers: Mapping[str, str] = plugins.NO_HEADERS) -> list[plugins.Element | plugins.Wrong]:
    """One element with the whole body as `event.payload`. Raises `errors.InvalidField`, which names the path."""
    return [plugins.Element({"payload": body, "alert": alert(_part.whole(body))})]


def greeting(body: Any, _headers: Mapping[str, str] = plugins.NO_HEADERS) -> plugins.Greeting | None:
    """What Test Connection sends."""
    if isinstance(body, Mapping) and body.get("version") == TEST and "incident" in body:
        return plugins.Greeting("Google Cloud Monitoring sent its test notification")
    return None


def alert(whole: _part.Part) -> dict[str, Any]:
    """`event.alert` of a body. Raises `errors.InvalidField`, which names the path."""
    incident = whole.wanted("incident")
    status, raw = STATES.get(incident.needed("state").lower(), "event"), incident.line("severity")
    policy, condition = incident.text("policy_name"), incident.line("condition_name")
    same = (policy, condition, incident.line("resource_name"), incident.line("url"), incident.when("started_at"))
    made: dict[str, Any] = _part.alert(
        incident.word("incident_id") or _words.digest(same),
        name=policy,
        target=incident.word("resource_display_name", "resource_name"),
        status=status,
        severity=_words.severity(raw),
        severity_raw=raw,
        started_at=incident.when("ended_at") if status == "resolved" else incident.when("started_at"),
        summary=incident.line("summary"),
        link=incident.line("url"),
        labels=_labels(incident),
    )
    return made


def _labels(incident: _part.Part) -> dict[str, str]:
    """Those of the resource, the metric and the policy; the policy's count most."""
    metadata = incident.part("metadata")
    return {
        **incident.flat("condition_name", "resource_id", "resource_type_display_name", "scoping_project_id"),
        **_words.flat(metadata.values.get("system_labels")),
        **_words.flat(metadata.values.get("user_labels")),
        **_words.flat(incident.part("resource").values.get("labels")),
        **_words.flat(incident.part("metric").values.get("labels")),
        **_words.flat(incident.values.get("policy_user_labels")),
    }


SETUP = """Monitoring -> Alerting -> Edit notification channels -> Webhooks -> Add new:
  Endpoint URL: HOOK_URL
  Use HTTP Basic Auth: a user and the password TOKEN
The policy: Notify on incident closure: on; the channel under Notification channels.
"""
FORMAT = plugins.Format(
    "gcp_monitoring", resolves=True, read=read, fields=("payload.*",), greeting=greeting, setup=SETUP, auth=("basic", "url_token"),
    marks=("incident", "version"),
)  # fmt: skip
