"""Dynatrace's problem notifications (Custom integration): each impacted entity of a problem is one event.

Used by `healer.webhook: {format: dynatrace}`. The payload is a template that the operator lays out; its names count without regard to
case, `_`, `-`, `.` and blanks, and are those of the placeholders (`ProblemTitle`, `Problem URL`). `event.payload` is the entity (empty
where the template has no `ImpactedEntities`), `event.group` the rest of the body. Placeholders:
https://docs.dynatrace.com/docs/analyze-explore-automate/notifications-and-alerting/problem-notifications/webhook-integration.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from healer import errors, plugins
from healer.formats import _part, _words

ENTITIES: Final = "ImpactedEntities"
STATES: Final = {"open": "firing", "resolved": "resolved", "closed": "resolved"}
"""`State`, in small letters. `MERGED` (a problem became a part of another) neither opens nor closes anything."""
SEVERITIES: Final = {
    "AVAILABILITY": "critical", "MONITORING_UNAVAILABLE": "critical", "ERROR": "error", "PERFORMANCE": "warning",
    "RESOURCE_CONTENTION": "warning", "RESOURCE": "warning", "INFO": "info",
}  # fmt: skip
"""`ProblemSeverity`; a `CUSTOM_ALERT` says nothing of how bad it is."""
DETAILS: Final = ("problemdetailsjsonv2", "problemdetailsjson")


def read(body: Any, _headers: Mapping[str, str] = plugins.NO_HEADERS) -> list[plugins.Element | plugins.Wrong]:
    """An element an entity, else one. Raises `errors.InvalidField`, which names the path; an entity that is wrong is `Wrong`."""
    values = _part.whole(body).values
    given = values.get(ENTITIES)
    entities = given if isinstance(given, list) else []
    group = {name: value for name, value in values.items() if name != ENTITIES or value is not entities}
    problem = _problem(_part.Part("", _words.plainly(group)))
    if not entities:
        return [plugins.Element({"payload": {}, "group": group, "alert": problem})]
    elements: list[plugins.Element | plugins.Wrong] = _words.each(
        ENTITIES, entities, lambda field, entity: _element(field, entity, group, problem)
    )
    return elements


def _element(field: str, given: Any, group: dict[str, Any], problem: dict[str, Any]) -> plugins.Element:
    entity = _part.Part(field, _words.an_object(field, given))
    name, own = entity.text("name"), entity.text("entity")
    labels = {**problem["labels"], **_words.flat({"entity_type": entity.line("type"), "entity": own})}
    alert = {**problem, "target": name, "key": _words.key(problem["key"], own or name), "labels": labels}
    return plugins.Element({"payload": given, "group": group, "alert": alert})


def _problem(values: _part.Part) -> dict[str, Any]:
    """The alert without an entity. `key` is that of the problem."""
    title = _words.text("ProblemTitle", values.values.get("problemtitle"))
    if not title:
        raise errors.InvalidField(field="ProblemTitle", detail="text is wanted, got nothing")
    status = STATES.get(_words.text("State", values.values.get("state")).strip().lower(), "event")
    raw = values.line("problemseverity", "severity")
    made: dict[str, Any] = _part.alert(
        values.line("pid", "problemid") or title,
        name=title,
        target=_only(values.line("namesofimpactedentities", "impactedentitynames")),
        status=status,
        severity=SEVERITIES.get(raw.upper()) or _words.severity(raw),
        severity_raw=raw,
        started_at=_since(values, status),
        summary=values.line("problemdetailstext", "problemdetailsmarkdown", "impactedentity"),
        link=values.line("problemurl", "url", "link"),
        labels={**_words.tags(values.values.get("tags")), **_words.flat({"impact": values.line("problemimpact")})},
    )
    return made


def _since(values: _part.Part, status: str) -> Any:
    """Milliseconds since 1970, where the template has the details of the problem."""
    for name in DETAILS:
        if isinstance(values.values.get(name), Mapping):
            return values.part(name).when("endTime" if status == "resolved" else "startTime")
    return ""


def _only(names: str) -> str:
    """The name of an entity that is alone; of several nobody can say which is to be healed."""
    return "" if "," in names else names


FIELDS = ("payload.type", "payload.name", "payload.entity", "group.*")
SETUP = """Settings -> Integration -> Problem notifications -> Add notification, type Custom integration:
  Webhook URL: HOOK_URL
  Additional HTTP headers: Authorization = Bearer TOKEN
  Call webhook if problem is closed: on
  Custom payload: {"State": "{State}", "PID": "{PID}", "ProblemID": "{ProblemID}", "ProblemTitle": "{ProblemTitle}",
    "ProblemSeverity": "{ProblemSeverity}", "ProblemImpact": "{ProblemImpact}", "ProblemURL": "{ProblemURL}", "Tags": "{Tags}",
    "ImpactedEntities": {ImpactedEntities}, "ProblemDetailsJSONv2": {ProblemDetailsJSONv2}}
"""
FORMAT = plugins.Format(
    "dynatrace", resolves=True, read=read, fields=FIELDS, setup=SETUP, auth=("bearer", "header", "basic", "url_token"),
    marks=("ProblemTitle", "State"),
)  # fmt: skip
