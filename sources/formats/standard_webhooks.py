"""Bodies of the Standard Webhooks specification: `{type, timestamp, data}`, one event each, without a lifecycle.

Used by `healer.webhook: {format: standard_webhooks}`. Shape: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec. The
specification asks for these three fields and forces none: an object that has others is an event without a name. The id of the delivery
is the header webhook-id (of Svix svix-id).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from healer import plugins
from healer.formats import _part, _words


def read(body: Any, headers: Mapping[str, str] = plugins.NO_HEADERS) -> list[plugins.Element | plugins.Wrong]:
    """One element with the whole body as `event.payload`. Raises `errors.InvalidField`, which names the path."""
    whole = _part.whole(body)
    held = whole.values.get("data")
    data = _part.Part("data", held if isinstance(held, Mapping) else {})
    alert = _part.alert(
        _words.first(headers, ("webhook-id", "svix-id")) or _words.digest(body),
        name=whole.text("type"),
        target=data.word("id"),
        started_at=whole.when("timestamp") or _words.first(headers, ("webhook-timestamp", "svix-timestamp")),
        labels=data.flat("type"),
    )
    return [plugins.Element({"payload": body, "alert": alert})]


SETUP = """At the sender: a new endpoint (webhook)
  URL: HOOK_URL
  It shows a signing secret (whsec_…): it is SECRET, for `auth: {standard_webhooks: …}`
"""
FORMAT = plugins.Format(
    "standard_webhooks", resolves=False, read=read, fields=("payload.*",), setup=SETUP, auth=("standard_webhooks", "url_token"),
    marks=("header:webhook-id", "header:webhook-timestamp"),
)  # fmt: skip
