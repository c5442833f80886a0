"""What a sender's body becomes: as the daemon's own ways in have it. Caller: `acts`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from healer import errors, plugins, project
from healer.web import actions, bodies, hooks, ingest, webhook


@dataclasses.dataclass(slots=True)
class Read:
    """The events of one body, as `intake` takes them."""

    events: list[Any] = dataclasses.field(default_factory=list)
    repeats: list[str] = dataclasses.field(default_factory=list)
    unread: list[tuple[Any, str]] = dataclasses.field(default_factory=list)


def read(spec: project.Source, body: Any) -> Read:
    """What a body becomes. Raises `errors.HealerError` for one that is none of its sender's."""
    made = Read()
    if spec.type == hooks.TYPE:
        for one in hooks.reader_of(spec.options).read(body, plugins.NO_HEADERS):
            if isinstance(one, plugins.Wrong):
                made.unread.append((one.value, one.error.message))
            else:
                made.events.append(one.event)
                made.repeats.append(one.repeat)
        return made
    for given in body if isinstance(body, list) else [body]:
        if not isinstance(given, dict):
            raise errors.InvalidField(field="body", detail="a JSON object is wanted")
        made.events.append(_event(spec, given))
    return made


def _event(spec: project.Source, given: dict[str, Any]) -> Mapping[str, Any]:
    if spec.type == ingest.SOURCE:
        return ingest.event_of(given, "")
    if spec.type == webhook.SOURCE:
        return webhook.event_of(bodies.shaped(given, webhook.Asked))
    if spec.type == actions.SOURCE:
        rest = {key: value for key, value in given.items() if key != "action"}
        return actions.event_of(str(given.get("action", "")), bodies.shaped(rest, actions.Asked))
    return given


def meta(spec: project.Source) -> dict[str, Any] | None:
    """What a delivery to it has in `event.meta`."""
    return {"endpoint": spec.options.path, "headers": {}} if spec.type == hooks.TYPE else None
