"""Which runs a policy selects: what is known of a run for that (`Traits`), and what a policy asks of it (`Select`). Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from healer import model


@dataclasses.dataclass(frozen=True, slots=True)
class Traits:
    """What policies may select a run by. `actions`: its names, of ansible-rulebook's own the kind too (`run_playbook`)."""

    environment: str
    rule: str
    actions: tuple[str, ...]
    impact: str
    tags: tuple[str, ...]
    source: str
    severity: str
    targets: tuple[str, ...]
    groups: frozenset[str]
    """Those of its targets."""
    labels: Mapping[str, str]
    names: tuple[str, str, str] | None = None
    """(activation, ruleset, rule); None: as `model.rule_names` has them."""


@dataclasses.dataclass(frozen=True, slots=True)
class Select:
    """All keys that are given have to hold, of each one word; words with `*` and `?` are patterns. Without a key: every run."""

    environment: tuple[str, ...] = ()
    impact: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    rulesets: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()

    def selects(self, traits: Traits) -> bool:
        """Whether a run is selected. One with several targets is, if one of them is."""
        activation, ruleset, rule = traits.names or model.rule_names(traits.rule)
        return (
            _one(self.environment, (traits.environment,))
            and _one(self.impact, (traits.impact,))
            and _one(self.actions, traits.actions)
            and _one(self.rulesets, (ruleset, f"{activation}/{ruleset}"))
            and _one(self.rules, (rule, f"{ruleset}/{rule}", traits.rule))
            and _one(self.sources, (traits.source,))
            and _one(self.targets, self._names(traits))
            and _one(self.tags, traits.tags)
            and _one(self.severity, (traits.severity,))
            and all(model.like(traits.labels.get(name, ""), value) for name, value in self.labels)
        )

    def _names(self, traits: Traits) -> Sequence[str]:
        if not self.targets:
            return ()
        bare = [one.partition(":")[2] for one in traits.targets]
        return (*traits.targets, *bare, *(f"group:{name}" for name in traits.groups))


def _one(wanted: Sequence[str], given: Sequence[str]) -> bool:
    return not wanted or any(model.like(one, pattern) for one in given for pattern in wanted)


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """One of `policies:`: what it selects, and its layer."""

    name: str
    select: Select
    values: Mapping[str, object]
