"""The parsed rulebook: rulesets, rules, actions, sources, throttles. Frozen, picklable, no behaviour.

`healer.rulebook` makes these; the engine compiles them; the rooms above read names, arguments and places.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from healer import errors
from healer.engine import conditions, values


@dataclasses.dataclass(frozen=True, slots=True)
class SourceSpec:
    """One source of a ruleset as written: `name` (its type if none is given), `type`, `args`, filters (type, args)."""

    name: str
    type: str
    args: dict[str, Any]
    filters: tuple[tuple[str, dict[str, Any]], ...]
    place: errors.Place


@dataclasses.dataclass(frozen=True, slots=True)
class Action:
    """One action of a rule: `name` (`run_action`, `debug`, …), its arguments as written, its number in the rule."""

    name: str
    args: dict[str, Any]
    place: errors.Place
    index: int


@dataclasses.dataclass(frozen=True, slots=True)
class Throttle:
    """`once_within`: at most one firing of a group in `window_us` microseconds; `once_after`: one firing for all groups at the end of a
    window; `accumulate_within`: a firing for each `threshold`-th event of a group.

    `shown` is the window as upstream marks it on the event (`10 SECONDS`); `groups` are paths into the event, None
    for an attribute that the peer never finds; `attributes` are the same as written.
    """

    kind: str
    window_us: int
    shown: str
    groups: tuple[values.Steps | None, ...]
    attributes: tuple[str, ...]
    place: errors.Place
    threshold: int = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """One rule; `index` is its number in the ruleset, disabled rules counted."""

    name: str
    condition: conditions.Condition
    actions: tuple[Action, ...]
    enabled: bool
    throttle: Throttle | None
    place: errors.Place
    index: int
    policy: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """Gates of its own by key: seconds and counts."""


@dataclasses.dataclass(frozen=True, slots=True)
class Ruleset:
    """One ruleset; `default_events_ttl_s` is in seconds (upstream's default is two hours)."""

    name: str
    hosts: str
    sources: tuple[SourceSpec, ...]
    rules: tuple[Rule, ...]
    match_multiple_rules: bool
    default_events_ttl_s: float
    execution_strategy: str
    place: errors.Place
    policy: Mapping[str, float] = dataclasses.field(default_factory=dict)
    gather_facts: bool = False
