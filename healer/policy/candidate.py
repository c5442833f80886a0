"""What the gates are asked about (`Candidate`), what holds for it beyond its rows (`Standing`), and what was seen (`View`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from healer import model
from healer.policy.brakes import Failures, Ramp, Storm, StormLimit
from healer.policy.labels import Inhibition, Silence
from healer.policy.limits import Approval, Limits

SEQUENCE: Final = "sequence:"
"""Begins the lane of a ruleset whose actions run one after the other."""


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
    """The run of the step before it in its rule's list of actions, or whose failure it escalates."""
    rung: int = 0
    """1, 2 …: it is tried where the run `after` did not help."""
    not_before_us: int = 0
    lane: str = ""
    """What orders its running: a lock's name or a ruleset whose actions run one after the other (`SEQUENCE…`)."""
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Those of its alert, with `source`; without an alert few or none."""
    groups: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    """Target → the groups of the inventory that it is in."""
    sizes: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Group → how many hosts it has."""
    environment: str = ""
    names: tuple[str, str, str] | None = None
    """(activation, ruleset, rule) of its rule; None: as `model.rule_names` has them."""
    changed: str = ""
    """What a pause covered that ended since this was changed, in words, of a run that was decided before; '' for none."""
    forced: bool = False
    """A person has it start past its gates (break-glass)."""
    past_pause: bool = False
    """It was paused when they said so: that pause is passed too, none that came later."""
    check: str = ""
    """The action that can say whether it is still needed: that of its `verify`."""
    first: str = ""
    """The run of its chain with which people may have approved it; '' for none."""


@dataclasses.dataclass(slots=True)
class View:
    """What the rows say at the moment of asking. Each value that a gate looks at goes into the explanation.

    Not frozen, as one is made for each look at each run: that would take three times as long. Nobody changes one.
    """

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
    places: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Budget → how many attempts hold a place of it; only where a limit asks."""
    ramps: tuple[Ramp, ...] = ()
    """What comes back slowly and covers it."""
    lane_held_by: str = ""
    """The run that is before it in its lane: it runs, or its turn is earlier."""
    instead: tuple[str, model.RunState] | None = None
    """(run, state) of what escalates it, or is tried in its place, and is at work."""
    before: model.RunState | None = None
    """The state of the run `after`; None: there is none."""
    opened_us: tuple[tuple[int, ...], ...] = ()
    """The last openings of each of its firing alerts; none without a lifecycle."""
    wall_us: int = 0
    """The wall clock, which people's times mean."""
    silences: tuple[Silence, ...] = ()
    """Those of now."""
    inhibited_by: tuple[str, ...] = ()
    """The firing alerts that explain its own, as people know them."""
    reserved: frozenset[str] = frozenset()
    """The budgets of which it has its part already."""
    spent: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    """Budget → when runs took of it: those that have not begun take of it now."""
    touched: Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)
    """Budget → the targets touched within its time, or to be touched."""
    failures: Failures = dataclasses.field(default_factory=Failures)
    trial: str = ""
    """Another run of its action on its controller that is queued or under way while the breaker is open."""
    storm: Storm | None = None
    storm_limit: StormLimit | None = None
    approved: bool = False
    """A person has approved exactly this."""
    approved_for: str = ""
    """Which gate had asked them, by its reason: what that said they knew."""
    void: bool = False
    """A person has approved it as it was, and it is something else now."""
    begun: bool = False
    """It has acted by that word, failed, and is to be tried again."""
    last_word_us: int | None = None
    """Of a run that waits: the last sign that it is needed (event, repeat, a check that found it failing); None: its first decision."""
    check_untold: bool = False
    """A check was asked since then, and could not tell."""
    before_people: int = 0
    """How many runs wait for a person."""
    approvals_max: int | None = None
    """So many may; None: any number."""


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """What holds for a run at this moment beyond its rows: its rule, the mode, the pause that covers it, what is not valid."""

    enabled: bool
    mode: model.Mode
    paused: Mapping[str, Any] | None = None
    problems: tuple[Problem, ...] = ()
    limits: Limits | None = None
    """The gates' values of today for a run that waits, whose row has those of its decision; None: there are no others."""
    environment: str = ""
    sizes: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Group → how many hosts it has, of the groups of the run's targets."""
    storm: StormLimit | None = None
    inhibitions: tuple[Inhibition, ...] = ()
    bound: str = ""
    """A hash of what the rules and files of today say of the run's action: an approval holds for exactly that."""
    wall_offset_us: int = 0
    """By how much the wall clock is ahead of journal time."""
    names: tuple[str, str, str] | None = None
    """(activation, ruleset, rule) of a rule that is there."""
    approvals_max: int | None = None
    """So many runs may wait for a person at once; None: any number."""
    dry_run: bool = False
    """The action is only simulated today, whoever asked for it."""
    asks: tuple[Approval, ...] = ()
    """Whose word counts where a gate asks for a person and no approval says it; none: as it ships."""
    author: str = ""
    """Who changed its rule last: a person, or `git:EMAIL`; '' where that is not known."""
