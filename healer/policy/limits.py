"""The values of the gates for one run, and how they come about: what policies, catalog and rule say holds together.

A layer is what one of them says. Of single values the strictest holds; brakes (rate, budget, breaker, window, places) all hold, each
by itself. `defaults` fill what no layer names. So the order of layers does not matter, and one more never permits more.
"""

from __future__ import annotations

import dataclasses
import fractions
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

SHADOW: Final = "shadow:"
"""Begins the budgets that simulated runs spend: what they would have spent, and never what others may."""
NO_GROUPS: Final = ("all", "ungrouped")
"""Groups of an inventory that are none."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` runs within `within_s` seconds, of all that share the budget."""

    budget: str
    count: int
    within_s: float


@dataclasses.dataclass(frozen=True, slots=True)
class Breaker:
    """Opens after `failures` of an action on a controller within `within_s`; `retry_after_s` later one trial is let go."""

    failures: int
    within_s: float
    retry_after_s: float


@dataclasses.dataclass(frozen=True, slots=True)
class Blast:
    """At most so many distinct targets within `within_s`: `count`, or `percent` of a group's hosts (rounded down, `at_least`).

    `of`: that group; '': each group of the target has its own budget, and one in no group `otherwise` targets.
    """

    budget: str
    within_s: float
    count: int | None
    percent: float | None
    at_least: int
    otherwise: int
    of: str

    def limit(self, size: int) -> int:
        """How many targets of a group of `size` hosts."""
        if self.count is not None:
            return self.count
        return max(self.at_least, int(size * fractions.Fraction(str(self.percent or 0)) / 100))

    def budgets(self, groups: Sequence[str]) -> list[tuple[str, str]]:
        """(budget, group) that a target in these groups counts for; the group '' where there is none."""
        if self.count is not None and not self.of:
            return [(self.budget, "")]
        own = [self.of] if self.of else [one for one in groups if one not in NO_GROUPS]
        return [(f"{self.budget}@{group}", group) for group in own or [""]]


@dataclasses.dataclass(frozen=True, slots=True)
class Flapping:
    """An alert that fired `cycles` times within `within_s` is a person's."""

    cycles: int
    within_s: float


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """A recurring time: weekdays (0 Monday), minutes of the day [start, end) that may go over midnight, days as `2026-12-24`."""

    days: tuple[int, ...]
    start_min: int
    end_min: int
    timezone: str
    first_day: str = ""
    last_day: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Windows:
    """When runs may start: within one of `allow` (none: always), and within none of `block`."""

    allow: tuple[Span, ...] = ()
    block: tuple[Span, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Threshold:
    """So many people of these roles approve, or so many reject, and it is decided."""

    name: str
    roles: tuple[str, ...]
    approve: int
    reject: int


@dataclasses.dataclass(frozen=True, slots=True)
class Approval:
    """Who has to approve: any one threshold that is met decides. `exclude`: who may not (`requester`, `author`).

    `then`: the action that is tried where nobody does in time ('': none).
    """

    thresholds: tuple[Threshold, ...]
    exclude: tuple[str, ...] = ("requester",)
    then: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Layer:
    """What a policy, the catalog, a ruleset, a rule or the defaults say. `scope` names the budgets that its runs share.

    `values`: by the words of the files (`cooldown`, `rate_limit` …), spans in seconds, brakes as mappings of their fields. An empty
    one (`approval`) is named, so that no default fills it, and holds nothing back.
    """

    scope: str
    values: Mapping[str, Any]


STRICTER: Final[Mapping[str, Callable[[list[Any]], Any]]] = {
    "cooldown": max, "settle": max, "max_age": min, "defer_for": min, "attempts": min, "timeout": min, "approval_expires": min,
}  # fmt: skip
"""Of values that several layers name, the one that holds."""
COUNTS: Final = ("attempts",)
SHIPPED: Final = ("timeout", "approval_expires")
"""What always has a value, which holds where nothing is said."""


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """The gates' values for one run, seconds and counts; None or nothing: the gate does not apply."""

    max_age_s: float | None = None
    defer_for_s: float | None = None
    attempts: int | None = None
    cooldown_s: float | None = None
    settle_s: float | None = None
    concurrency_daemon: int | None = None
    concurrency_controller: int | None = None
    timeout_s: float = 600.0
    approval_expires_s: float | None = 1800.0
    chain_depth: int | None = None
    lock_targets: bool = True
    selected: bool = False
    """A policy names it: ansible-rulebook's own actions pass every gate then."""
    places: tuple[tuple[str, int], ...] = ()
    """(budget, how many runs of it at once)"""
    flapping: tuple[Flapping, ...] = ()
    windows: tuple[Windows, ...] = ()
    rates: tuple[Rate, ...] = ()
    breakers: tuple[Breaker, ...] = ()
    blasts: tuple[Blast, ...] = ()
    approvals: tuple[Approval, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For the run's row."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Limits:
        """Back from the run's row; keys of a later version are left out."""
        known = {field.name for field in dataclasses.fields(cls)}
        kept = {name: _back(name, got) for name, got in value.items() if name in known}
        return cls(**kept)

    def under(self, layers: Sequence[Layer], defaults: Sequence[Layer] = ()) -> Limits:
        """With what layers say; `defaults` fill what none of them names."""
        named = {key for layer in layers for key in layer.values}
        rest = [
            Layer(one.scope, {key: value for key, value in one.values.items() if key not in named}) for one in defaults
        ]
        filled = [*layers, *rest]
        made: dict[str, Any] = {"selected": self.selected or bool(layers)}
        for key, stricter in STRICTER.items():
            field = key if key in COUNTS else f"{key}_s"
            given = [layer.values[key] for layer in filled if layer.values.get(key) is not None]
            if key not in SHIPPED and getattr(self, field) is not None:
                given.append(getattr(self, field))
            if given:
                made[field] = stricter(given)
        for field, key, make in _BRAKES:
            found = [make(layer.scope, layer.values[key]) for layer in filled if layer.values.get(key)]
            made[field] = (*getattr(self, field), *found)
        return dataclasses.replace(self, **made)


def _rate(scope: str, value: Mapping[str, Any]) -> Rate:
    return Rate(scope, value["count"], value["within"])


def _breaker(_scope: str, value: Mapping[str, Any]) -> Breaker:
    return Breaker(value["failures"], value["within"], value["retry_after"])


def _blast(scope: str, value: Mapping[str, Any]) -> Blast:
    return Blast(
        scope, value["within"], value.get("count"), value.get("percent"), value["at_least"], value["or"], value.get("of") or ""
    )  # fmt: skip


def _flapping(_scope: str, value: Mapping[str, Any]) -> Flapping:
    return Flapping(value["cycles"], value["within"])


def _windows(_scope: str, value: Mapping[str, Any]) -> Windows:
    return Windows(_spans(value.get("allow", ())), _spans(value.get("block", ())))


def _spans(value: Iterable[Mapping[str, Any]]) -> tuple[Span, ...]:
    return tuple(Span(**{**one, "days": tuple(one["days"])}) for one in value)


def _approval(_scope: str, value: Mapping[str, Any]) -> Approval:
    thresholds = tuple(Threshold(**{**one, "roles": tuple(one["roles"])}) for one in value["thresholds"])
    return Approval(thresholds, tuple(value["exclude"]), value.get("then", ""))


def _place(scope: str, value: int) -> tuple[str, int]:
    return scope, value


_BRAKES: Final[tuple[tuple[str, str, Callable[[str, Any], Any]], ...]] = (
    ("flapping", "flapping", _flapping),
    ("windows", "windows", _windows),
    ("rates", "rate_limit", _rate),
    ("breakers", "breaker", _breaker),
    ("blasts", "blast_radius", _blast),
    ("approvals", "approval", _approval),
    ("places", "concurrency", _place),
)


def _back(name: str, value: Any) -> Any:
    """A field from JSON."""
    kinds: dict[str, Any] = {"flapping": Flapping, "rates": Rate, "breakers": Breaker, "blasts": Blast}
    if name in kinds:
        return tuple(kinds[name](**one) for one in value)
    if name == "windows":
        return tuple(Windows(_spans(one["allow"]), _spans(one["block"])) for one in value)
    if name == "approvals":
        return tuple(_approval("", one) for one in value)
    return tuple((scope, count) for scope, count in value) if name == "places" else value
