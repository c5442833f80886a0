"""Which source an event of a test comes from. Callers: `checking`, `acts`, `stage`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from healer import project
from healer.project import sources as sources_

_OF_THE_CATALOG: Final = frozenset({sources_.EVENTS, sources_.BY_HAND})


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
    if sources_.API in sources:
        return sources_.API
    names = {*sources.values()} - {*_OF_THE_CATALOG}
    return next(iter(names)) if len(names) == 1 else None
