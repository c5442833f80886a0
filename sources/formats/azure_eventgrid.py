"""Azure Event Grid: arrays of events in its own schema or that of CloudEvents, and its handshake. One event each.

Used by `healer.webhook: {format: azure_eventgrid}`. Shapes: https://learn.microsoft.com/en-us/azure/event-grid/event-schema,
https://learn.microsoft.com/en-us/azure/event-grid/event-schema-health-resources. What Azure Resource Notifications tell of the health of
a resource has a lifecycle; everything else is an event.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from healer import plugins
from healer.formats import _part, _words

VALIDATION: Final = "Microsoft.EventGrid.SubscriptionValidationEvent"
DELETION: Final = "Microsoft.EventGrid.SubscriptionDeletedEvent"
CODE_MAX: Final = 256

_STATES: Final = {
    "unavailable": ("firing", "error"), "degraded": ("firing", "warning"), "available": ("resolved", "info"),
    "unknown": ("unknown", "unknown"),
}  # fmt: skip
"""`availabilityState` -> status, severity."""


def read(body: Any, _headers: Mapping[str, str] = plugins.NO_HEADERS) -> list[plugins.Element | plugins.Wrong]:
    """One element an event, which is `event.payload`. Raises `errors.InvalidField`, which names the path."""
    if isinstance(body, list):
        elements: list[plugins.Element | plugins.Wrong] = _words.each("", body, _element)
        return elements
    return [_element("", body)]


def greeting(body: Any, _headers: Mapping[str, str] = plugins.NO_HEADERS) -> plugins.Greeting | None:
    """The handshake of a subscription, answered with its code, or the news that it is gone. `validationUrl` is never visited.

    https://learn.microsoft.com/en-us/azure/event-grid/end-point-validation-event-grid-events-schema.
    """
    event = body[0] if isinstance(body, list) and len(body) == 1 else body
    kind = (event.get("eventType") or event.get("type")) if isinstance(event, Mapping) else None
    if kind == DELETION:
        return plugins.Greeting("the subscription was deleted at Event Grid: nothing more comes from it")
    data = event.get("data") if isinstance(event, Mapping) and kind == VALIDATION else None
    code = data.get("validationCode") if isinstance(data, Mapping) else None
    if not isinstance(code, str) or not 0 < len(code) <= CODE_MAX:
        return None
    return plugins.Greeting("Event Grid validated a subscription", answer={"validationResponse": code})


def _element(field: str, given: Any) -> plugins.Element:
    event = _part.Part(field, _words.an_object(field or "body", given))
    cloud = "specversion" in event.values
    kind = event.needed("type" if cloud else "eventType")
    identity, subject = event.needed("id"), event.line("subject")
    topic = event.text("source" if cloud else "topic")
    found = {
        "name": kind,
        "started_at": event.when("time" if cloud else "eventTime"),
        "target": _last(subject),
        "key": identity,
    }
    found |= _health(event)
    labels = _of_resource(subject) | _words.flat({"subject": subject, "topic": topic}) | found.pop("labels", {})
    alert = _part.alert(**found, labels=labels)
    return plugins.Element({"payload": event.values, "alert": alert}, delivery=_part.delivery(topic, identity))


def _health(event: _part.Part) -> dict[str, Any]:
    """What a change of a resource's availability says; nothing for other events."""
    data = event.values.get("data")
    info = data.get("resourceInfo") if isinstance(data, Mapping) else None
    given = info.get("properties") if isinstance(info, Mapping) else None
    properties = _part.Part(event.at("data.resourceInfo.properties"), given if isinstance(given, Mapping) else {})
    raw, resource = properties.line("availabilityState"), properties.text("targetResourceId")
    if raw.lower() not in _STATES or not resource:
        return {}
    status, severity = _STATES[raw.lower()]
    return {
        "target": _last(resource), "key": resource, "status": status, "severity": severity, "severity_raw": raw,
        "labels": _of_resource(resource) | properties.flat("targetResourceType", "previousAvailabilityState"),
    }  # fmt: skip


def _last(resource: str) -> str:
    """The last word of a resource's id, which is its name."""
    return resource.rstrip("/").rpartition("/")[2]


def _of_resource(resource: str) -> dict[str, str]:
    """Subscription and resource group in the id of a resource: `/subscriptions/S/resourceGroups/G/providers/…`."""
    words = resource.split("/", 5)
    named = dict(zip((word.lower() for word in words[1:5:2]), words[2:6:2], strict=False))
    found = {"subscription": named.get("subscriptions", ""), "resource_group": named.get("resourcegroups", "")}
    return {name: value for name, value in found.items() if value}


SETUP = """az eventgrid event-subscription create --name healer --source-resource-id RESOURCE --endpoint "HOOK_URL/TOKEN"
The token stands in the address, for `auth: {url_token: …}`: the handshake has it too. A header of yours
(--delivery-attribute-mapping) is promised for events alone. --event-delivery-schema: the default or cloudeventschemav1_0.
Health of machines: a system topic of the type Microsoft.ResourceNotifications.HealthResources.
"""
FORMAT = plugins.Format(
    "azure_eventgrid", resolves=True, read=read, fields=("payload.*",), greeting=greeting, setup=SETUP,
    auth=("url_token", "bearer", "header"), media=("application/cloudevents+json", "application/cloudevents-batch+json"),
    marks=("header:aeg-event-type",),
)  # fmt: skip
