"""CloudEvents over HTTP, version 1.0: structured, batched and binary. One event each, without a lifecycle.

Used by `healer.webhook: {format: cloudevents}`. Form: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-
binding.md and formats/json-format.md there. In all three modes `event.payload` is the event as its JSON form has it: the attributes, and
`data`. Data in base64 that is JSON or text stands under `data` too.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from typing import Any, Final

from healer import plugins
from healer.formats import _inner, _part, _words

PREFIX: Final = "ce-"
STRUCTURED: Final = "application/cloudevents"
NEEDED: Final = ("specversion", "type", "source", "id")

_NO_LABELS: Final = frozenset({*NEEDED, "time", "data", "data_base64"})
_NUMBERS: Final = ((20, "critical"), (16, "error"), (12, "warning"), (0, "info"))
"""`severitynumber` (of OpenTelemetry, 1 to 24) above which a severity begins."""


def read(body: Any, headers: Mapping[str, str] = plugins.NO_HEADERS) -> list[plugins.Element | plugins.Wrong]:
    """One element an event. Raises `errors.InvalidField`, which names the path, for what is no event."""
    if f"{PREFIX}type" in headers and not headers.get("content-type", "").lower().startswith(STRUCTURED):
        return [_element(PREFIX, {**_attributes(headers), "data": body})]
    if isinstance(body, list):
        elements: list[plugins.Element | plugins.Wrong] = _words.each("", body, _element)
        return elements
    return [_element("", _words.an_object("body", body))]


def _attributes(headers: Mapping[str, str]) -> dict[str, str]:
    """Those of a binary event: what is not ASCII is percent-encoded."""
    return {
        name.removeprefix(PREFIX): urllib.parse.unquote(value, errors="replace").replace("\0", "")
        for name, value in headers.items()
        if name.startswith(PREFIX)
    }


def _element(field: str, given: Any) -> plugins.Element:
    binary = field == PREFIX
    event = _part.Part("" if binary else field, _words.an_object(field or "body", given))
    kind, source, identity = (event.needed(name) for name in NEEDED[1:])
    event.needed(NEEDED[0])
    severity, raw = _severity(event)
    alert = _part.alert(
        f"{source}#{identity}",
        name=kind,
        target=source,
        severity=severity,
        severity_raw=raw,
        started_at=event.when("time"),
        summary=event.line("subject"),
        labels=_words.flat({name: value for name, value in event.values.items() if name not in _NO_LABELS}),
    )
    payload = dict(event.values)
    inside = _inner.of_base64(event.line("data_base64")) if "data" not in payload else None
    if inside is not None:
        payload["data"] = inside
    return plugins.Element({"payload": payload, "alert": alert}, delivery=_part.delivery(source, identity))


def _severity(event: _part.Part) -> tuple[str, str]:
    """By the extension for it, https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/severity.md."""
    raw, number = event.line("severitytext", "severity"), event.line("severitynumber")
    severity = _words.severity(raw)
    if severity == "unknown" and number.isdecimal() and number.isascii() and 0 < int(number[:4]) < 25:
        severity = next(name for above, name in _NUMBERS if int(number[:4]) > above)
    return severity, raw or number


SETUP = """A sink of the sender, as CloudEvents over HTTP:
  URL: HOOK_URL
  Header: Authorization: Bearer TOKEN
Knative: a Trigger or Source with `sink: {uri: HOOK_URL}`; it sends no header of yours: `uri: HOOK_URL/TOKEN`,
for `auth: {url_token: …}`.
"""
FORMAT = plugins.Format(
    "cloudevents", resolves=False, read=read, fields=("payload.*",), setup=SETUP, auth=("bearer", "header", "basic", "url_token"),
    media=("application/cloudevents+json", "application/cloudevents-batch+json"), marks=("specversion", "type", "source", "id"),
)  # fmt: skip
