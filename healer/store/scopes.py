"""Which runs a scope of a pause or a ramp covers. Names of activations and rulesets may have slashes, so that a rule's identity alone does
not say which these are: whoever knows the rules of today tells them here (`Rules.use`).

Callers: `seeing`, `pausing`, `claiming` by their transaction; `daemon.standing`.
"""

from __future__ import annotations

from collections.abc import Mapping

from healer import model

Names = tuple[str, str, str]
"""(activation, ruleset, rule)"""


def covers(scope: str, names: Names, controller: str) -> bool:
    """Whether a scope covers what a rule of these names does on a controller."""
    kind, _, name = scope.partition(":")
    if kind == "controller":
        return name == controller
    depth = {"activation": 1, "ruleset": 2, "rule": 3}.get(kind)
    return kind == "all" if depth is None else name == "/".join(names[:depth])


class Rules:
    """The names of the rules of today; of others what `model.rule_names` makes of their identity."""

    def __init__(self) -> None:
        self._names: Mapping[str, Names] = {}

    def use(self, names: Mapping[str, Names]) -> None:
        """Identity → names. The mapping is not changed any more."""
        self._names = names

    def names(self, rule: str) -> Names:
        """Of one rule."""
        return self._names.get(rule) or model.rule_names(rule)

    def covers(self, scope: str, rule: str, controller: str) -> bool:
        """Whether a scope covers a run of a rule on a controller."""
        return covers(scope, self.names(rule), controller)
