"""Memories of rules that tell of what they hear and what fires, while a case is played.

Caller: `harness`; `coverage` and `reasoning` listen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from healer import engine
from healer.harness import rig


class Listener(Protocol):
    """Who is told. A ruleset is named `activation/ruleset`."""

    def heard(self, ruleset: str, session: engine.Session, event: dict[str, Any], now: float, ref: int) -> None:
        """An event or fact comes to a ruleset: `session` is as it was just before."""

    def fired(self, ruleset: str, match: engine.Match, now: float, *, timed: bool) -> None:
        """A rule fired. `timed`: by time alone."""


class _Session(engine.Session):
    """A memory that tells."""

    def __init__(self, compiled: engine.Compiled, name: str, listeners: Sequence[Listener]) -> None:
        super().__init__(compiled)
        self._name = name
        self._listeners = listeners

    def post(self, event: dict[str, Any], now: float, ref: int = 0) -> list[engine.Match]:
        """As `engine.Session.post`."""
        self._hear(event, now, ref)
        return self._noted(super().post(event, now, ref), now, timed=False)

    def assert_fact(self, fact: dict[str, Any], now: float, ref: int = 0) -> list[engine.Match]:
        """As `engine.Session.assert_fact`."""
        self._hear(fact, now, ref)
        return self._noted(super().assert_fact(fact, now, ref), now, timed=False)

    def advance(self, now: float) -> list[engine.Match]:
        """As `engine.Session.advance`."""
        return self._noted(super().advance(now), now, timed=True)

    def _hear(self, event: dict[str, Any], now: float, ref: int) -> None:
        for one in self._listeners:
            one.heard(self._name, self, event, now, ref)

    def _noted(self, fired: list[engine.Match], now: float, *, timed: bool) -> list[engine.Match]:
        for match in fired:
            for one in self._listeners:
                one.fired(self._name, match, now, timed=timed)
        return fired


def by(listeners: Sequence[Listener]) -> rig.Watch | None:
    """What makes such memories; None where nobody listens."""
    return (lambda name, compiled: _Session(compiled, name, listeners)) if listeners else None
