"""Which source an event of a test comes from, and what a sender's body becomes: as the daemon's own ways in have it.

Callers: `checking`, `acts`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from healer import errors, plugins, project
from healer.web import actions, bodies, hooks, ingest, webhook

OF_THE_CATALOG = (webhook.SOURCE, actions.SOURCE)


@dataclasses.dataclass(slots=True)
class Read:
    """The events of one body, as `intake` takes them."""

    events: list[Any] = dataclasses.field(default_factory=list)
    repeats: list[str] = dataclasses.field(default_factory=list)
    unread: list[tuple[Any, str]] = dataclasses.field(default_factory=list)


def known(revision: project.Revision, activations: Collection[str]) -> dict[str, str]:
    """What people call each source that one of these activations listens to → its name."""
    found: dict[str, str] = {}
    for name, source in revision.sources.items():
        if any(activation in activations for activation, _ in source.subscribers):
            found[name] = name
            if source.shown:
                found.setdefault(source.shown, name)
    return found


def default(sources: Mapping[str, str]) -> str | None:
    """The source of an event that names none: the daemon's own API where it is listened to, else the only one."""
    if ingest.SOURCE in sources:
        return ingest.SOURCE
    names = {*sources.values()} - {*OF_THE_CATALOG}
    return next(iter(names)) if len(names) == 1 else None


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
