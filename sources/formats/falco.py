"""Falco's alerts, as its `http_output` and the webhook of falcosidekick send them: each is one event without a lifecycle.

Used by `healer.webhook: {format: falco}`. Shape: https://falco.org/docs/outputs/formatting/ (`json_output: true`); `uuid` is of
falcosidekick alone. What stands in `output` and `output_fields` (command lines, names of files) was written by whoever set the rule
off: it is no parameter of an action.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from healer import plugins
from healer.formats import _part, _words

NOTHING: Final = "<NA>"
"""What Falco writes for a field without a value."""
LABELS: Final = (
    "k8s.ns.name", "k8s.pod.name", "container.id", "container.name", "container.image.repository", "proc.name", "user.name",
    "ka.target.namespace", "ka.target.name", "ka.target.resource", "ka.user.name", "ka.verb",
)  # fmt: skip
"""The `output_fields` that become labels, where they are there."""


def read(body: Any, _headers: Mapping[str, str] = plugins.NO_HEADERS) -> list[plugins.Element | plugins.Wrong]:
    """One element with the whole body as `event.payload`. Raises `errors.InvalidField`, which names the path."""
    whole = _part.whole(body)
    rule, raw = whole.needed("rule"), whole.needed("priority")
    fields = {
        name: value for name, value in _words.flat(whole.part("output_fields").values).items() if value != NOTHING
    }
    target = _pod(fields) or whole.text("hostname")
    alert = _part.alert(
        _words.key(rule, target, fields.get("container.id", "")),
        name=rule,
        target=target,
        severity=_words.severity(raw),
        severity_raw=raw,
        started_at=whole.when("time"),
        summary=whole.line("output"),
        labels={**_words.tags(whole.values.get("tags")), **{name: fields[name] for name in LABELS if name in fields}},
    )
    return [plugins.Element({"payload": body, "alert": alert}, delivery=_part.delivery(whole.line("uuid")))]


def _pod(fields: Mapping[str, str]) -> str:
    """The pod as a target, `NAMESPACE/pod/NAME`: the one that a process ran in, or the one that a request to the cluster was about."""
    about = [fields.get(f"ka.target.{name}", "") for name in ("namespace", "resource", "name")]
    asked = _words.of_cluster(about[0], "pod", about[2]) if about[1] == "pods" else ""
    return _words.of_cluster(fields.get("k8s.ns.name", ""), "pod", fields.get("k8s.pod.name", "")) or asked


FIELDS = (
    "payload.output", "payload.output_fields.*", "payload.priority", "payload.rule", "payload.time", "payload.source", "payload.tags.*",
    "payload.hostname", "payload.uuid",
)  # fmt: skip
SETUP = """By falcosidekick (its configuration):
  webhook: {address: "HOOK_URL", customHeaders: {Authorization: "Bearer TOKEN"}, minimumpriority: notice}
By Falco itself, which has no headers of its own, so with a user in the address (falco.yaml):
  json_output: true
  json_include_output_property: true
  http_output: {enabled: true, url: "HOOK_URL"}        # https://USER:TOKEN@… and `auth: {basic: …}` here
"""
FORMAT = plugins.Format(
    "falco", resolves=False, read=read, fields=FIELDS, setup=SETUP, auth=("bearer", "header", "basic", "url_token"),
    marks=("rule", "priority", "output_fields"),
)  # fmt: skip
