"""Replays steps through the rulesets of a rulebook. Callers: tests of rulebooks, and the command `healer replay`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from healer import engine
from healer.testing import loading
from healer.testing import steps as steps_


@dataclasses.dataclass(frozen=True, slots=True)
class Firing:
    """One firing: the 0-based step, the virtual second, ruleset and rule, and the events by their names."""

    step: int
    at: float
    ruleset: str
    rule: str
    matches: dict[str, dict[str, Any]]

    def as_json(self) -> dict[str, Any]:
        """As `healer replay --json` prints it."""
        return {
            "step": self.step,
            "at": float(self.at),
            "ruleset": self.ruleset,
            "rule": self.rule,
            "matches": self.matches,
        }


def replay(
    rulebook: loading.Rulebook, steps: Iterable[Mapping[str, Any]], variables: Mapping[str, Any] | None = None
) -> list[Firing]:
    """What the rulebook fires for the steps, in order, on a clock that starts at 0.

    A step is `{"event": {…}}`, `{"fact": {…}}`, `{"retract": {…}, "partial": bool, "exclude_keys": […]}` or
    `{"advance_s": 10}`, with optional `"at"` (seconds; one before the clock counts as the clock) and `"ruleset"` (default: all,
    in the order of the file). `partial` is true by default, as for upstream's action; where it is false `exclude_keys` is `["meta"]` by
    default, as there. Raises `errors.ConfigurationError` for the rulebook, `errors.InvalidField` for a step.
    """
    sessions = {one.name: engine.Session(one) for one in loading.load(rulebook, variables)}
    clock: float = 0
    for session in sessions.values():
        session.advance(clock)
    found: list[Firing] = []
    for number, raw in enumerate(steps):
        step = steps_.read(number, raw, list(sessions))
        clock = max(step.at if step.at is not None else clock, clock) + (step.advance_s or 0)
        due = [(name, match) for name, session in sessions.items() for match in session.advance(clock)]
        fired = sorted(due, key=_at)  # by time, then in the order of the file
        for name in [step.ruleset] if step.ruleset else sessions:
            fired += [(name, match) for match in _fire(sessions[name], step, clock)]
        found += [Firing(number, match.at, name, match.rule.name, match.matches) for name, match in fired]
    return found


def _at(fired: tuple[str, engine.Match]) -> float:
    return fired[1].at


def _fire(session: engine.Session, step: steps_.Step, now: float) -> Iterator[engine.Match]:
    body, ref = step.body, step.number + 1
    if step.kind == "event":
        yield from session.post(body, now, ref)
    elif step.kind == "fact":
        yield from session.assert_fact(body, now, ref)
    elif step.kind == "retract":
        exclude: Sequence[str] = (
            step.exclude_keys if step.exclude_keys is not None else () if step.partial else ("meta",)
        )
        yield from session.retract_fact(body, step.partial, exclude, now, ref)
