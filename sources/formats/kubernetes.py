"""Kubernetes Events, as an exporter posts them: of the API `v1` and of `events.k8s.io`, by themselves, of a watch or in a list.

Used by `healer.webhook: {format: kubernetes}`. Shapes: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
and https://kubernetes.io/docs/reference/kubernetes-api/events/event-v1/. A `Warning` fires and nobody ever says that it is over: the
source wants an `alert_ttl`. A `Normal` one opens nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from healer import errors, plugins
from healer.formats import _part, _words

WATCH: Final = ("ADDED", "MODIFIED")
"""What a watch says of an event that happened; one that was deleted has only grown old."""
TIMES: Final = ("lastTimestamp", "eventTime", "deprecatedLastTimestamp", "firstTimestamp", "deprecatedFirstTimestamp")


def read(body: Any, _headers: Mapping[str, str] = plugins.NO_HEADERS) -> list[plugins.Element | plugins.Wrong]:
    """One element with the whole body as `event.payload`; of a list one each, with its own as `payload` and the rest as `group`.

    Raises `errors.InvalidField`, which names the path.
    """
    whole = _part.whole(body)
    items = whole.values.get("items")
    if isinstance(items, list):
        group = {name: value for name, value in whole.values.items() if name != "items"}
        elements: list[plugins.Element | plugins.Wrong] = _words.each(
            "items", items, lambda field, one: _element(_part.Part(field, _words.an_object(field, one)), one, {"group": group})
        )  # fmt: skip
        return elements
    if "object" in whole.values:
        return [_element(whole.wanted("object"), body, {}, new=whole.values.get("type") in WATCH)]
    return [_element(whole, body, {})]


def _element(event: _part.Part, payload: Any, more: Mapping[str, Any], *, new: bool = True) -> plugins.Element:
    if event.text("kind") not in ("", "Event"):  # exporters may leave it out
        raise errors.InvalidField(field=event.at("kind"), detail="Event is wanted")
    about = event.wanted("regarding" if "regarding" in event.values else "involvedObject")
    reason, raw, meta = event.needed("reason"), event.text("type"), event.part("metadata")
    target = _words.of_cluster(about.text("namespace"), about.text("kind"), about.text("name"))
    alert = _part.alert(
        _words.key(about.line("uid") or target, about.line("fieldPath"), reason),
        name=reason,
        target=target,
        status="firing" if raw == "Warning" and new else "event",
        severity=_words.severity(raw),
        severity_raw=raw,
        started_at=event.part("series").when("lastObservedTime")
        or event.when(*TIMES)
        or meta.when("creationTimestamp"),
        summary=event.line("message", "note"),
        labels=_labels(event, about),
    )
    delivery = _part.delivery(meta.line("uid"), meta.line("resourceVersion"))  # the first stays while it is counted up
    return plugins.Element({"payload": payload, "alert": alert, **more}, delivery=delivery)


def _labels(event: _part.Part, about: _part.Part) -> dict[str, str]:
    source = event.part("source")
    labels = {
        **about.flat("namespace", "kind", "name"),
        "container": about.line("fieldPath").partition("{")[2].removesuffix("}"),
        "component": source.line("component") or event.line("reportingController", "reportingComponent"),
        "node": source.line("host") or (about.line("name") if about.line("kind") == "Node" else ""),
        "action": event.line("action"),
    }
    return {name: value for name, value in labels.items() if value}


FIELDS = ("payload.*", "group.kind", "group.apiVersion", "group.metadata.*")
SETUP = """kubernetes-event-exporter (https://github.com/resmoio/kubernetes-event-exporter), in its configuration:
  route: {routes: [{match: [{type: Warning, receiver: healer}]}]}
  receivers:
    - name: healer
      webhook: {endpoint: "HOOK_URL", headers: {Authorization: "Bearer TOKEN"}}
And at the source here: alert_ttl, longer than the pause between two events of the same trouble (15 minutes will often do).
"""
FORMAT = plugins.Format(
    "kubernetes", resolves=False, read=read, fields=FIELDS, setup=SETUP, auth=("bearer", "header", "basic", "url_token"),
    marks=("involvedObject", "reason"),
)  # fmt: skip
