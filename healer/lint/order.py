"""Rules that take each other's events: `shadowed`, `duplicate-condition`, and `trap-consumed`.

An event fires one rule, the first in the file whose condition it meets, and is taken away from what waits in all others (measured, see
docs/conformance.md); with `match_multiple_rules` each of them fires.
"""

from __future__ import annotations

import collections
import itertools
import sys
from collections.abc import Iterable, Iterator
from typing import Any, Final

from healer import engine
from healer.engine import conditions, normal
from healer.lint import finding, implying, shapes
from healer.lint.scope import Scope, Told

Tests = frozenset[str]
"""What an event has to meet, all of it, each by its meaning."""
_TRUE: Final = conditions.Constant(True)
LOOKED_AT: Final = 300
"""Of so many rules that one field leads to it is asked whether they take an event; of more it is not told."""
SHOWN: Final = 3


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
    return frozenset(implying.meaning(part) for part in parts if not _always(part))


def _always(part: normal.Normal) -> bool:
    return isinstance(part, normal.Check) and not part.negated and part.leaf.test == _TRUE


def _is_single(condition: conditions.Condition) -> bool:
    """Whether it looks at one event at hand, and at nothing else."""
    return len(condition.patterns) == 1 and condition.kind != "not_all" and conditions.absence(condition) is None


def _of_one(condition: conditions.Condition) -> normal.Normal | None:
    """What one event at hand has to meet: also of `any`, which each of its conditions fires alone; None of what looks at more."""
    if _is_single(condition):
        return normal.normal(condition.patterns[0].test)
    if condition.kind != "any" or len(condition.patterns) == 1:
        return None
    made = [normal.normal(pattern.test) for pattern in condition.patterns]
    return normal.AnyOf(
        tuple(part for one in made for part in (one.parts if isinstance(one, normal.AnyOf) else (one,)))
    )


def _meant(condition: conditions.Condition) -> Any:
    """Equal for conditions of several events that are alike: their order says nothing where none looks at an earlier one (measured)."""
    each = [pattern.test for pattern in condition.patterns]
    bound = any(conditions.bound(leaf.test) for one in each for leaf in conditions.leaves(one))
    absent = condition.kind == "all" and any(map(_is_absence, condition.patterns))
    if condition.kind == "not_all" or bound or absent or conditions.named_twice(condition):
        return repr(conditions.meaning(condition))
    meanings = sorted(repr(conditions.meaning(one)) for one in each)
    return condition.kind, tuple(meanings), condition.timeout_us


def _is_absence(pattern: conditions.Pattern) -> bool:
    return conditions.absence(conditions.Condition("all", (pattern,))) is not None


def _same(scope: Scope, told: Told, rules: list[engine.Rule]) -> None:
    """Of rules that all fire: those that have one condition."""
    seen: dict[Any, engine.Rule] = {}
    for rule in rules:
        one = rule.condition
        key = tests(one.patterns[0].test) if _is_single(one) else _meant(one)
        if (first := seen.setdefault(key, rule)) is not rule:
            message = f"the rule {rule.name!r} has the condition of {first.name!r} ({first.place}): both act on each such event"
            told.tell(
                scope.document, "duplicate-condition", message, _at(scope, rule), "join their actions in one rule"
            )


def _shadowing(first: engine.Rule, rule: engine.Rule, facts: implying.Facts | None) -> bool:
    """Whether a rule leaves none of the events of one behind it that both meet. `facts`: what is known of those; None: no more than that.

    `accumulate_within` takes none that lacks an attribute of its groups, and `once_after` gathers also what a rule without a throttle has.
    """
    if first.throttle is None:
        return rule.throttle is None or rule.throttle.kind != "once_after"
    if first.throttle.kind != "accumulate_within":
        return True
    return facts is not None and all(steps is not None and facts.has(steps) for steps in first.throttle.groups)


class _Index:
    """Conditions on one event, each below what few of many need, so that few of them have to be compared."""

    def __init__(self, rules: list[engine.Rule]) -> None:
        self.single = {rule.index: node for rule in rules if (node := _of_one(rule.condition)) is not None}
        known = [rule for rule in rules if rule.index in self.single]
        often: collections.Counter[finding.Key] = collections.Counter()
        for rule in known:
            often.update(finding.every(self.single[rule.index]))
        self._below = collections.defaultdict[finding.Key, list[engine.Rule]](list)
        for rule in known:
            for key in finding.keys(self.single[rule.index], often):
                self._below[key].append(rule)

    def taking(self, test: conditions.Test, besides: engine.Rule) -> engine.Rule | None:
        """A rule with a single condition that takes each event which meets a test of another, before others can come."""
        made = implying.branches(normal.normal(test))
        for first in self._meeting(made[0]) if made else ():
            before = first.throttle is None or first.index < besides.index
            if first is besides or not before or not all(implying.holds(self.single[first.index], one) for one in made):
                continue
            if all(_shadowing(first, first, one) for one in made):
                return first
        return None

    def before(self, node: normal.Normal, rule: engine.Rule) -> list[engine.Rule]:
        """The rules before another that take all of the events that meet a test of it, first those of the first events; none where some
        are left."""
        found: dict[int, engine.Rule] = {}
        if (asked := finding.of_texts(node)) is not None and not any(self._below_of(asked, rule.index)):
            return []
        for facts in implying.branches(node):
            takers = self._takers(facts, rule)
            if not takers:
                return []
            found |= {one.index: one for one in takers}
        return list(found.values())

    def _takers(self, facts: implying.Facts, rule: engine.Rule) -> list[engine.Rule]:
        """The rule that takes all of some events, else those that take them value by value."""
        if (first := self._takers_of(facts, rule)) is not None:
            return [first]
        found = [self._takers_of(one, rule) for one in facts.split()]
        return [one for one in found if one is not None] if found and all(found) else []

    def _takers_of(self, facts: implying.Facts, rule: engine.Rule) -> engine.Rule | None:
        takers = (one for one in self._meeting(facts, rule.index) if self._takes(one, rule, facts))
        return min(takers, key=lambda one: one.index, default=None)

    def _takes(self, first: engine.Rule, rule: engine.Rule, facts: implying.Facts) -> bool:
        return _shadowing(first, rule, facts) and implying.holds(self.single[first.index], facts)

    def _meeting(self, facts: implying.Facts, up_to: int = sys.maxsize) -> Iterator[engine.Rule]:
        """The rules that events of which that is known may meet, of many not all."""
        return self._below_of(finding.asked(facts), up_to)

    def _below_of(self, asked: Iterable[finding.Key], up_to: int) -> Iterator[engine.Rule]:
        seen = set[int]()
        for key in asked:
            for rule in itertools.islice(self._below.get(key, ()), LOOKED_AT):
                if rule.index >= up_to:
                    break
                if rule.index not in seen:
                    seen.add(rule.index)
                    yield rule


def _one_each(scope: Scope, told: Told, rules: list[engine.Rule]) -> None:
    index = _Index(rules)
    seen: dict[Any, engine.Rule] = {}
    for rule in rules:
        one = rule.condition
        if _is_single(one):
            if takers := index.before(index.single[rule.index], rule):
                _shadowed(scope, told, rule, takers)
            continue
        if one.kind == "not_all" and len(one.patterns) > 1:
            _consumed(scope, told, rule, index)
        if one.kind == "not_all" or conditions.absence(one) is not None:
            continue  # time fires those, each of them
        first = seen.setdefault(_meant(one), rule)
        if first is not rule and _shadowing(first, rule, None):
            _shadowed(scope, told, rule, [first])
        elif one.kind == "any":
            some = [node for part in one.patterns if implying.branches(node := normal.normal(part.test))]
            found = [index.before(node, rule) for node in some]
            if found and all(found):
                each = {taker.index: taker for takers in found for taker in takers}
                _shadowed(scope, told, rule, list(each.values()))
        elif one.kind == "all":
            _consumed(scope, told, rule, index)


def _consumed(scope: Scope, told: Told, rule: engine.Rule, index: _Index) -> None:
    """A condition whose events another rule takes before the others come. Of `not_all` such a one stands until the end of its window, but
    the others do not complete it any more: that is silent where it is the last (measured). What a throttle takes it may not even see.
    """
    for number, pattern in enumerate(rule.condition.patterns):
        if _is_absence(pattern):
            continue
        taker = index.taking(pattern.test, rule)
        if taker is not None and (rule.condition.kind == "all" or taker.throttle is None):
            of = f"an event of condition {number + 1} of the rule {rule.name!r}"
            taken = f"fires {taker.name!r} ({taker.place}) and is used up"
            message = f"{of} {taken}: it cannot wait here for the others"
            if rule.condition.kind == "not_all":
                message = f"{of} that is not the last to come {taken}: the rule may fire although all came in time"
            told.tell(scope.document, "trap-consumed", message, _at(scope, rule), "match_multiple_rules: true")


def _shadowed(scope: Scope, told: Told, rule: engine.Rule, takers: list[engine.Rule]) -> None:
    shown = [f"{one.name!r} ({one.place})" for one in takers[:SHOWN]] + (["others"] if len(takers) > SHOWN else [])
    to = shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"
    message = f"the rule {rule.name!r} never fires: each event of it goes to {to}, and an event fires one rule"
    told.tell(
        scope.document, "shadowed", message, _at(scope, rule),
        f"put it before {takers[0].name!r}, or match_multiple_rules: true", severity="warning",
    )  # fmt: skip


def _at(scope: Scope, rule: engine.Rule) -> Any:
    written = scope.rule(rule)
    return written.values_at.get("name") or written.mark
