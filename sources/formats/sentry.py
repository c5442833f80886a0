"""Sentry's webhooks of an integration: issues, metric alerts, issue alerts, errors, and whatever else it tells.

Used by `healer.webhook: {format: sentry}`. Shapes: https://docs.sentry.io/organization/integrations/integration-platform/webhooks/. Which
resource it is says the header Sentry-Hook-Resource, else what lies in `data`. Issues and metric alerts have a lifecycle; an issue alert
and an error are told once, and are events, with the key of their issue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from healer import errors, plugins
from healer.formats import _part, _words

RESOURCE: Final = "sentry-hook-resource"
TIMESTAMP: Final = "sentry-hook-timestamp"

_ISSUE: Final = {
    "created": "firing", "unresolved": "firing", "resolved": "resolved", "archived": "resolved", "ignored": "resolved",
}  # fmt: skip
"""What an action means; one that is archived is not to be healed any more. `assigned` changes nothing."""
_METRIC: Final = {"critical": "firing", "warning": "firing", "resolved": "resolved"}
_LIES_IN: Final = {"metric_alert": "metric_alert", "issue": "issue", "event": "event_alert", "error": "error"}
"""`data.NAME` -> the resource, where no header says it."""


def read(body: Any, headers: Mapping[str, str] = plugins.NO_HEADERS) -> list[plugins.Element | plugins.Wrong]:
    """One element with the whole body as `event.payload`. Raises `errors.InvalidField`, which names the path."""
    whole = _part.whole(body)
    data, action = whole.wanted("data"), whole.needed("action")
    resource = headers.get(RESOURCE) or next((_LIES_IN[name] for name in _LIES_IN if data.values.get(name)), "")
    if not resource:
        named = ", ".join(_LIES_IN)
        raise errors.InvalidField(field="data", detail=f"one of {named} is wanted, or the header {RESOURCE}")
    tell = _TOLD.get(resource)
    if tell is None:
        name = f"{resource}.{action}"
        alert = _part.alert(
            _words.key(name, _words.digest(data.values)), name=name, started_at=headers.get(TIMESTAMP, "")
        )
    else:
        alert = tell(data, action, headers.get(TIMESTAMP, ""))
    return [plugins.Element({"payload": body, "alert": alert})]


def _issue(data: _part.Part, action: str, sent_at: str) -> dict[str, Any]:
    issue = data.wanted("issue")
    project, raw = issue.part("project"), issue.line("level")
    made: dict[str, Any] = _part.alert(
        _words.key("issue", issue.word("id")),
        name=issue.line("title")[: _words.TEXT_MAX],
        target=project.text("slug"),
        status=_ISSUE.get(action, "event"),
        severity=_words.severity(raw),
        severity_raw=raw,
        started_at=issue.when("firstSeen") if action == "created" else sent_at or issue.when("lastSeen"),
        summary=issue.line("culprit", "title"),
        link=issue.line("web_url", "permalink"),
        labels=issue.flat("shortId", "level", "platform", "status", "substatus")
        | _named("project", project.line("slug")),
    )
    return made


def _metric(data: _part.Part, action: str, _sent_at: str) -> dict[str, Any]:
    incident = data.wanted("metric_alert")
    rule = incident.part("alert_rule")
    projects = incident.values.get("projects")
    times = (
        ("date_closed", "date_detected") if action == "resolved" else ("date_started", "date_detected", "date_created")
    )
    made: dict[str, Any] = _part.alert(
        _words.key("metric_alert", incident.word("id")),
        name=rule.text("name") or incident.text("title"),
        target=_words.text("data.metric_alert.projects[0]", projects[0]) if isinstance(projects, list) and projects else "",
        status=_METRIC.get(action, "event"),
        severity=_words.severity(action),
        severity_raw=action,
        started_at=incident.when(*times),
        summary=data.line("description_text", "description_title"),
        link=data.line("web_url"),
        labels=rule.flat("environment", "query", "aggregate", "dataset"),
    )  # fmt: skip
    return made


def _event_alert(data: _part.Part, action: str, _sent_at: str) -> dict[str, Any]:
    return _once(data.wanted("event"), data.text("triggered_rule"), action)


def _error(data: _part.Part, action: str, _sent_at: str) -> dict[str, Any]:
    return _once(data.wanted("error"), "", action)


def _once(event: _part.Part, rule: str, action: str) -> dict[str, Any]:
    """An event of an issue, with the name of the rule that told it, if one did."""
    raw, title = event.line("level"), event.line("title")
    labels = _tags(event.values.get("tags"))
    made: dict[str, Any] = _part.alert(
        _words.key("issue", event.word("issue_id", "event_id") or _words.digest(title)),
        name=rule or title[: _words.TEXT_MAX] or action,
        target=_words.text(event.at("tags.server_name"), labels.get("server_name")) or event.text("project_slug"),
        severity=_words.severity(raw),
        severity_raw=raw,
        started_at=event.when("datetime", "timestamp"),
        summary=title,
        link=event.line("web_url"),
        labels=labels | event.flat("platform", "environment", "culprit"),
    )
    return made


def _tags(value: Any) -> dict[str, str]:
    """`[["browser", "Chrome"], …]` as labels; the first of a name counts."""
    found: dict[str, str] = {}
    for one in value if isinstance(value, list) else ():
        if isinstance(one, list) and len(one) == 2 and all(isinstance(item, str) for item in one):
            found.setdefault(one[0], one[1])
    return found


def _named(name: str, value: str) -> dict[str, str]:
    return {name: value} if value else {}


_TOLD: Final[Mapping[str, Callable[[_part.Part, str, str], dict[str, Any]]]] = {
    "issue": _issue, "metric_alert": _metric, "event_alert": _event_alert, "error": _error,
}  # fmt: skip
SETUP = """Settings -> Custom Integrations -> Create New Integration -> Internal Integration:
  Webhook URL: HOOK_URL              Alert Rule Action: on
  Permissions, Issue & Event: Read   Webhooks: issue (with it Sentry tells what was resolved)
  The Client Secret below is SECRET, for `auth: {sentry: …}`
Name the integration as an action of the alerts that are to be healed.
"""
FORMAT = plugins.Format(
    "sentry", resolves=True, read=read, fields=("payload.*",), setup=SETUP, auth=("sentry", "url_token"), delivery_ids=("Request-ID",),
    marks=("header:sentry-hook-resource", "action", "data"),
)  # fmt: skip
