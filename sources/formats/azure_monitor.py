"""Azure Monitor's alerts in the common alert schema: one event a delivery.

Used by `healer.webhook: {format: azure_monitor}`. Shape:
https://learn.microsoft.com/en-us/azure/azure-monitor/alerts/alerts-common-schema. Alerts of the activity log are always `Fired`: those of
Resource Health and Service Health say in their context what is over, and are known by rule and resource or by tracking id; the others
(somebody did something) are events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from healer import errors, plugins
from healer.formats import _part, _words

SCHEMA: Final = "azureMonitorCommonAlertSchema"
SEVERITIES: Final = {"sev0": "critical", "sev1": "error", "sev2": "warning", "sev3": "info", "sev4": "info"}
"""Its names for them: Critical, Error, Warning, Informational, Verbose."""

_CONDITIONS: Final = {"fired": "firing", "resolved": "resolved"}
_HEALTH: Final = {"available": "resolved", "unknown": "unknown"}


def read(body: Any, _headers: Mapping[str, str] = plugins.NO_HEADERS) -> list[plugins.Element | plugins.Wrong]:
    """One element with the whole body as `event.payload`. Raises `errors.InvalidField`, which names the path."""
    whole = _part.whole(body)
    schema = whole.text("schemaId")
    if schema != SCHEMA:
        detail = f"{SCHEMA} is wanted (an action group: Enable the common alert schema), got {schema or 'nothing'}"
        raise errors.InvalidField(field="schemaId", detail=detail)
    data = whole.wanted("data")
    essentials, context = data.wanted("essentials"), data.part("alertContext")
    name, target, raw = essentials.needed("alertRule"), _target(essentials), essentials.line("severity")
    status, key = _lifecycle(essentials, context)
    ended = essentials.when("resolvedDateTime") if status == "resolved" else ""
    alert = _part.alert(
        key or _words.key(name, _resource(essentials)),
        name=name,
        target=target,
        status=status,
        severity=SEVERITIES.get(raw.lower(), "unknown"),
        severity_raw=raw,
        started_at=ended or essentials.when("firedDateTime"),
        summary=essentials.line("description") or context.part("properties").line("title"),
        link=essentials.line("investigationLink"),
        labels=_labels(data, essentials, context),
    )
    return [plugins.Element({"payload": body, "alert": alert})]


def _target(essentials: _part.Part) -> str:
    """The first resource: by its name, else the last word of its id."""
    for name in ("configurationItems", "alertTargetIDs"):
        items = essentials.values.get(name)
        if isinstance(items, list) and items:
            return str(_words.text(f"{essentials.at(name)}[0]", items[0])).rpartition("/")[2]
    return ""


def _resource(essentials: _part.Part) -> str:
    """The id of the first resource, which is written in large and small letters as it comes."""
    ids = essentials.values.get("alertTargetIDs")
    return ids[0].lower() if isinstance(ids, list) and ids and isinstance(ids[0], str) else _target(essentials)


def _lifecycle(essentials: _part.Part, context: _part.Part) -> tuple[str, str]:
    """The status, and by what the alert is known; '' for its rule and the resource."""
    service = essentials.line("monitoringService").replace(" ", "").lower()
    if service in ("resourcehealth", "servicehealth"):
        over, properties = context.line("status").lower() == "resolved", context.part("properties")
        status = "resolved" if over else _HEALTH.get(properties.line("currentHealthStatus").lower(), "firing")
        of_service = service == "servicehealth"
        return status, _words.key(properties.line("trackingId"), essentials.line("alertRule")) if of_service else ""
    if service.startswith("activitylog"):
        return "event", essentials.word("alertId")
    status = _CONDITIONS.get(essentials.needed("monitorCondition").lower(), "event")
    return status, essentials.word("originAlertId", "alertId")


def _labels(data: _part.Part, essentials: _part.Part, context: _part.Part) -> dict[str, str]:
    """What was added to the rule, the dimensions of its conditions, and where the alert comes from."""
    labels: dict[str, str] = essentials.flat(
        "monitoringService", "signalType", "targetResourceType", "targetResourceGroup"
    )
    for condition in context.part("condition").objects("allOf"):
        for one in condition.objects("dimensions"):
            if one.line("name") and one.line("value"):
                labels.setdefault(one.line("name"), one.line("value"))
    labels |= context.part("properties").flat("cause", "currentHealthStatus")
    labels |= _words.flat(data.values.get("customProperties"))
    return labels


SETUP = """Monitor -> Alerts -> Action groups -> the group -> Actions, action type Webhook:
  URI: HOOK_URL/TOKEN
  Enable the common alert schema: Yes
It sends no header of yours, so that the token stands in the address, for `auth: {url_token: …}`.
The rule: Automatically resolve alerts: on.
"""
FORMAT = plugins.Format(
    "azure_monitor", resolves=True, read=read, fields=("payload.*",), setup=SETUP, auth=("url_token",),
    marks=("schemaId", "data.essentials"),
)  # fmt: skip
