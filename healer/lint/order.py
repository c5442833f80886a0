"""Rules that take each other's events: `shadowed`, `duplicate-condition`, and `trap-consumed`.

An event fires one rule, the first in the file whose condition it meets, and is taken away from what waits in all others (measured, see
docs/conformance.md); with `match_multiple_rules` each of them fires.
"""

from __future__ import annotations

import collections
from collections.abc import Iterator
from typing import Any, Final

from healer import engine
from healer.engine import conditions, normal
from healer.lint import shapes
from healer.lint.scope import Scope, Told

Tests = frozenset[str]
"""What an event has to meet, all of it, each by its meaning."""
_TRUE: Final = conditions.Constant(True)


def check(scope: Scope, told: Told) -> None:
    """Tell of each rule of a ruleset that another one leaves no event, and of two that do the same twice."""
    rules = [one for one in scope.ruleset.rules if one.enabled]
    if len(rules) < 2:
        return
    if scope.ruleset.match_multiple_rules:
        _same(scope, told, rules)
    elif not shapes.has_facts(scope.activation, scope.ruleset.name):  # facts fire every rule
        _one_each(scope, told, rules)


def tests(test: conditions.Test) -> Tests:
    """What stands between the `and` of a condition."""
    if isinstance(test, conditions.Leaf):
        return frozenset() if test.test == _TRUE else frozenset([repr(test.test)])
    node = normal.normal(test)
    parts = node.parts if isinstance(node, normal.All) else (node,)
    return frozenset(_meaning(part) for part in parts if not _always(part))


def _always(part: normal.Normal) -> bool:
    return isinstance(part, normal.Check) and not part.negated and part.leaf.test == _TRUE


def _meaning(part: normal.Normal) -> str:
    if isinstance(part, normal.Check):
        return f"not {part.leaf.test!r}" if part.negated else repr(part.leaf.test)
    word = "and" if isinstance(part, normal.All) else "or"
    return f"({f' {word} '.join(sorted(map(_meaning, part.parts)))})"


def _is_single(condition: conditions.Condition) -> bool:
    """Whether it looks at one event at hand, and at nothing else."""
    return len(condition.patterns) == 1 and condition.kind != "not_all" and conditions.absence(condition) is None


def _same(scope: Scope, told: Told, rules: list[engine.Rule]) -> None:
    """Of rules that all fire: those that have one condition."""
    seen: dict[Any, engine.Rule] = {}
    for rule in rules:
        one = rule.condition
        key = tests(one.patterns[0].test) if _is_single(one) else repr(conditions.meaning(one))
        if (first := seen.setdefault(key, rule)) is not rule:
            message = f"the rule {rule.name!r} has the condition of {first.name!r} ({first.place}): both act on each such event"
            told.tell(
                scope.document, "duplicate-condition", message, _at(scope, rule), "join their actions in one rule"
            )


class _Index:
    """Single conditions, each below the test that fewest have, so that few of many have to be compared."""

    def __init__(self, rules: list[engine.Rule]) -> None:
        self.single = {
            rule.index: tests(rule.condition.patterns[0].test) for rule in rules if _is_single(rule.condition)
        }
        often = collections.Counter(test for one in self.single.values() for test in one)
        self._below = collections.defaultdict[str, list[engine.Rule]](list)
        for rule in rules:
            if (own := self.single.get(rule.index)) is not None:
                self._below[min(own, key=lambda one: (often[one], one)) if own else ""].append(rule)

    def taking(self, wanted: Tests, besides: engine.Rule) -> Iterator[engine.Rule]:
        """The rules with a single condition that each event with these tests meets."""
        for test in ("", *wanted):
            for rule in self._below.get(test, ()):
                if rule is not besides and self.single[rule.index] <= wanted:
                    yield rule

    def before(self, wanted: Tests, rule: engine.Rule) -> engine.Rule | None:
        """The first such rule that comes before another in the file."""
        found: engine.Rule | None = None
        for test in ("", *wanted):
            for other in self._below.get(test, ()):
                if other.index >= (rule if found is None else found).index:
                    break
                if self.single[other.index] <= wanted:
                    found = other
                    break
        return found


def _one_each(scope: Scope, told: Told, rules: list[engine.Rule]) -> None:
    index = _Index(rules)
    seen: dict[str, engine.Rule] = {}
    for rule in rules:
        one = rule.condition
        if (own := index.single.get(rule.index)) is not None:
            if (before := index.before(own, rule)) is not None:
                _shadowed(scope, told, rule, before)
            continue
        first = seen.setdefault(repr(conditions.meaning(one)), rule)
        if first is not rule:
            _shadowed(scope, told, rule, first)
        elif one.kind == "any":
            takers = [index.before(tests(part.test), rule) for part in one.patterns]
            if takers[0] is not None and all(takers):
                _shadowed(scope, told, rule, takers[0])
        elif one.kind == "all":
            _consumed(scope, told, rule, index)


def _consumed(scope: Scope, told: Told, rule: engine.Rule, index: _Index) -> None:
    """Of an `all`: a condition whose events another rule takes before the others come."""
    for number, pattern in enumerate(rule.condition.patterns):
        if conditions.absence(conditions.Condition("all", (pattern,))) is not None:
            continue
        taker = next(index.taking(tests(pattern.test), rule), None)
        if taker is not None:
            message = (
                f"an event of condition {number + 1} of the rule {rule.name!r} fires {taker.name!r} ({taker.place}) and is used up:"
                " it cannot wait here for the others"
            )
            told.tell(scope.document, "trap-consumed", message, _at(scope, rule), "match_multiple_rules: true")


def _shadowed(scope: Scope, told: Told, rule: engine.Rule, first: engine.Rule) -> None:
    message = f"the rule {rule.name!r} never fires: each event of it goes to {first.name!r} ({first.place}), and an event fires one rule"
    told.tell(
        scope.document, "shadowed", message, _at(scope, rule), f"put it before {first.name!r}, or match_multiple_rules: true",
        severity="warning",
    )  # fmt: skip


def _at(scope: Scope, rule: engine.Rule) -> Any:
    written = scope.rule(rule)
    return written.values_at.get("name") or written.mark
