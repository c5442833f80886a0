"""What the gates are asked about (`Candidate`), the values that hold for it (`Limits`), and what was seen (`View`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from healer import model

SEQUENCE: Final = "sequence:"
"""Begins the lane of a ruleset whose actions run one after the other."""


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """The gates' values for one run, seconds and counts; None: the gate does not apply."""

    max_age_s: float | None = None
    defer_for_s: float | None = None
    attempts: int | None = None
    cooldown_s: float | None = None
    concurrency_daemon: int | None = None
    concurrency_controller: int | None = None
    timeout_s: float = 600.0
    chain_depth: int | None = None
    lock_targets: bool = True
    selected: bool = False
    """A policy names it: ansible-rulebook's own actions pass every gate then."""
    places: tuple[tuple[str, int], ...] = ()
    """(rule, or beginning of rules' names with a / at its end; how many runs of these at once)"""

    def as_json(self) -> dict[str, Any]:
        """For the run's row."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Limits:
        """Back from the run's row; keys of a later version are left out."""
        known = {field.name for field in dataclasses.fields(cls)}
        kept = {name: got for name, got in value.items() if name in known}
        return cls(**kept | {"places": tuple((scope, count) for scope, count in value.get("places", ()))})

    def tightened(self, policies: Sequence[tuple[str, Mapping[str, float]]]) -> Limits:
        """With what policies say, each with the scope that it is for: the stricter value holds."""
        if not policies:
            return self
        made: dict[str, Any] = {"selected": True}
        for key, stricter in (
            ("cooldown_s", max),
            ("max_age_s", min),
            ("defer_for_s", min),
            ("attempts", min),
            ("timeout_s", min),
        ):
            given = [found[name] for _, found in policies if (name := key.removesuffix("_s")) in found]
            known = [value for value in (getattr(self, key), *given) if value is not None]
            made[key] = stricter(known) if known else None
        places = tuple((scope, int(found["concurrency"])) for scope, found in policies if "concurrency" in found)
        return dataclasses.replace(self, **made, places=(*self.places, *places))


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """Why a run is not valid (gate 8): the reason code and the fields of its sentence. `target`: only that one is bad."""

    code: str
    fields: Mapping[str, Any]
    target: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """A run that a match (or a person) asks for, with everything that the rules and the catalog say about it."""

    run: str
    rule: str
    action: str
    controller: str
    targets: tuple[str, ...]
    event_us: int
    limits: Limits
    upstream: bool = False
    enabled: bool = True
    dry_run: bool = False
    mode: model.Mode = "active"
    lifecycle: bool = False
    problems: tuple[Problem, ...] = ()
    depth: int = 0
    after: str = ""
    """The run of the step before it in its rule's list of actions."""
    lane: str = ""
    """What orders its running: a lock's name or a ruleset whose actions run one after the other (`SEQUENCE…`)."""


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """What the rows say at the moment of asking. Each value that a gate looks at goes into the explanation."""

    paused: Mapping[str, Any] | None = None
    """scope, who, reason, since (text) of the pause that covers it."""
    state: model.RunState | None = None
    """The run's own state, if it exists."""
    reason: str = ""
    attempts_made: int = 0
    resolved_us: int | None = None
    """When all of its firing alerts had been resolved; None while one fires (or none is known)."""
    deferred_us: int | None = None
    """Since when a gate holds it, or held it until it was queued; None: none did."""
    last_ended: Mapping[str, tuple[int, str]] = dataclasses.field(default_factory=dict)
    """target → (end of the last effect of this action on it, the run)."""
    locked_by: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """target → the run that works on it."""
    running_daemon: int = 0
    running_controller: int = 0
    running_by_rule: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Rule → how many attempts of it run; only where a limit asks."""
    lane_held_by: str = ""
    """The run that is before it in its lane: it runs, or its turn is earlier."""
    before: model.RunState | None = None
    """The state of the run `after`; None: there is none."""


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """What holds for a run at this moment beyond its rows: its rule, the mode, the pause that covers it, what is not valid."""

    enabled: bool
    mode: model.Mode
    paused: Mapping[str, Any] | None = None
    problems: tuple[Problem, ...] = ()
    limits: Limits | None = None
    """The gates' values of today for a run that waits, whose row has those of its decision; None: there are no others."""
