"""A ruleset made ready to match: a function a rule, the index over them, and the digests that say what they mean.

Callers: `session`, and the daemon, which compiles in slices so that its loop is never blocked for long.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Generator
from typing import Any, Final

from healer.engine import chains, conditions, index, joins, leaves, normal, rules
from healer.engine.index import Gate, Index

RULES_IN_A_SLICE: Final = 4


@dataclasses.dataclass(slots=True)
class Branch:
    """One pattern of a rule: the name of its match, and whether an event meets it."""

    name: str
    holds: leaves.Holds


@dataclasses.dataclass(slots=True)
class CompiledRule:
    """One enabled rule. `branches` has one entry for a plain condition, several for `any`; with `steps` (`all` of several patterns)
    one for each of them: what an event has to meet alone.

    `only` is the name of its match where there is one branch. `absence` is, of a rule that is only about absence
    (`is not defined` alone), the test that its field is there; such a rule has no branches.
    `several`: events meet its patterns one by one, and each of them has a place of its own in the index, and comes in the
    order of `ranks` to an event that meets several.
    `proven` is what is left to test of the first branch once the index has found the rule; None where nothing is left.
    """

    rule: rules.Rule
    digest: str
    branches: tuple[Branch, ...]
    proven: leaves.Holds | None
    only: str | None
    absence: leaves.Holds | None = None
    throttle_key: str = ""
    steps: tuple[joins.Step, ...] = ()
    several: bool = False
    ranks: tuple[tuple[int, int], ...] = ()

    def branch(self, event: dict[str, Any]) -> str | None:
        """The name of the first branch that the event meets."""
        for branch in self.branches:
            if branch.holds(event):
                return branch.name
        return None


@dataclasses.dataclass(slots=True)
class Compiled:
    """A compiled ruleset: shared by any number of sessions, never changed after it was made.

    `digest` is the SHA-256 (hexadecimal) of what it means, whatever its texts and places; `uses_meta` says whether a
    condition or group attribute reads `event.meta`, or an event is kept, with its own; `rules` are all rules, disabled ones too; `live` the
    compiled ones. `gates` are those of all rules: an event that none of them is open for fires nothing here. `places` are what the
    numbers of the index mean: the number of a rule among the live ones, and of its pattern. `absences` are the numbers of the rules about
    absence, `having` finds those whose field an event has.
    """

    ruleset: rules.Ruleset
    digest: str
    uses_meta: bool
    live: tuple[CompiledRule, ...]
    index: Index
    gates: tuple[Gate, ...]
    tally: leaves.Tally
    absences: tuple[int, ...]
    having: Index
    places: tuple[tuple[int, int], ...]
    several: bool
    throttled: bool
    facts_max: int | None = None

    @property
    def streams(self) -> bool:
        """Whether the peer works in its stream mode: the first rule that is on has a throttle or a `timeout`."""
        first = self.live[0].rule if self.live else None
        return first is not None and (first.throttle is not None or first.condition.timed)

    """How many facts a session of it keeps; None: as many as it may at most by default."""

    @property
    def rules(self) -> tuple[rules.Rule, ...]:
        """All rules in the order of the file."""
        return self.ruleset.rules

    @property
    def name(self) -> str:
        """The ruleset's name."""
        return self.ruleset.name


def compile(ruleset: rules.Ruleset) -> Compiled:  # noqa: A001 - the public name of the engine's API
    """Compile at once; as `compile_in_slices`."""
    slices = compile_in_slices(ruleset)
    while True:
        try:
            next(slices)
        except StopIteration as done:
            made: Compiled = done.value
            return made


def compile_in_slices(ruleset: rules.Ruleset) -> Generator[None, None, Compiled]:
    """Compile, giving control back after each few rules (about a millisecond); returns the `Compiled`."""
    tally, shared, found, having, live = leaves.Tally(), chains.Shared(), index.Index(), index.Index(), []
    places: list[tuple[int, int]] = []
    gates: dict[index.Gate, None] = {}
    digest, uses_meta = hashlib.sha256(_head(ruleset)), False
    for number, rule in enumerate(rule for rule in ruleset.rules if rule.enabled):
        made, ways = _compile_rule(rule, tally, shared)
        live.append(made)
        for pattern, way in enumerate(ways):
            if made.absence is not None:
                having.add(number, way)
            else:
                found.add(len(places), way)
                gates.update(dict.fromkeys(way))
            places.append((number, pattern))
        digest.update(json.dumps([rule.name, made.digest]).encode())
        uses_meta = uses_meta or _keeps(rule) or _reads_meta(rule)
        if number % RULES_IN_A_SLICE == RULES_IN_A_SLICE - 1:
            yield
    yield from found.freeze()
    yield from having.freeze()
    return Compiled(
        ruleset=ruleset,
        digest=digest.hexdigest(),
        uses_meta=uses_meta,
        live=tuple(live),
        index=found,
        gates=tuple(gates),
        tally=tally,
        absences=tuple(number for number, rule in enumerate(live) if rule.absence is not None),
        having=having,
        places=tuple(places),
        several=any(rule.several for rule in live),
        throttled=any(rule.rule.throttle for rule in live),
    )


_Ways = list[tuple[index.Gate, ...]]
"""For each place of a rule in the index, the gates to it."""


def _compile_rule(rule: rules.Rule, tally: leaves.Tally, shared: chains.Shared) -> tuple[CompiledRule, _Ways]:
    meant = conditions.meaning(rule.condition)
    throttle = rule.throttle and [
        rule.throttle.kind,
        rule.throttle.window_us,
        rule.throttle.groups,
        rule.throttle.threshold,
    ]
    key = _hash([meant, rule.throttle.groups]) if rule.throttle else ""
    digest = _hash([meant, throttle, [[action.name, action.args] for action in rule.actions]])
    alone = conditions.absence(rule.condition)
    if alone is not None:
        return _absence_rule(rule, digest, alone, tally)
    if rule.condition.kind == "not_all" or (rule.condition.kind == "all" and len(rule.condition.patterns) > 1):
        return _several(rule, digest, tally, shared)
    trees = [normal.normal(pattern.test) for pattern in rule.condition.patterns]
    ways = index.gates_of(trees[0] if len(trees) == 1 else normal.AnyOf(tuple(trees)))
    names = [pattern.name for pattern in rule.condition.patterns]
    if len(trees) == 1:
        holds, proven = _whole_and_rest(trees[0], ways, tally)
        return CompiledRule(rule, digest, (Branch(names[0], holds),), proven, names[0], throttle_key=key), [ways]
    branches = tuple(Branch(name, leaves.condition(tree, tally)) for name, tree in zip(names, trees, strict=True))
    return CompiledRule(rule, digest, branches, None, None, throttle_key=key), [ways]


def _several(rule: rules.Rule, digest: str, tally: leaves.Tally, shared: chains.Shared) -> tuple[CompiledRule, _Ways]:
    """A rule whose patterns are met by events of their own: a chain of joins, or `not_all`."""
    condition = rule.condition
    steps: tuple[joins.Step, ...] = ()
    if condition.kind == "all":
        split = chains.split(condition, tally, shared)
        trees = [one.alone or normal.Check(_EVERY, False) for one in split]
        steps = tuple(one.step for one in split)
    else:
        trees = [normal.normal(pattern.test) for pattern in condition.patterns]
    branches = tuple(
        Branch(pattern.name, leaves.condition(tree, tally))
        for pattern, tree in zip(condition.patterns, trees, strict=True)
    )
    ways = [index.gates_of(tree) for tree in trees]
    return CompiledRule(
        rule, digest, branches, None, None, steps=steps, several=True, ranks=tuple(shared.ranks(condition))
    ), ways


_EVERY: Final = conditions.Leaf(conditions.Constant(True), "", 0, 0)


def _whole_and_rest(
    tree: normal.Normal, ways: tuple[index.Gate, ...], tally: leaves.Tally
) -> tuple[leaves.Holds, leaves.Holds | None]:
    """The whole test, and what is left of a conjunction when the index has proven one of its parts (None: nothing)."""
    if len(ways) != 1 or not index.exact(ways[0]):
        whole = leaves.condition(tree, tally)
        return whole, whole
    parts = tree.parts if isinstance(tree, normal.All) else (tree,)
    made = [leaves.condition(part, tally) for part in parts]
    left = [
        holds
        for part, holds in zip(parts, made, strict=True)
        if not (isinstance(part, normal.Check) and index.gates_of(part) == ways)
    ]
    return leaves.all_of(made), leaves.all_of(left) if left else None


def _absence_rule(
    rule: rules.Rule, digest: str, alone: conditions.Value, tally: leaves.Tally
) -> tuple[CompiledRule, _Ways]:
    """A rule that looks at the memory. Under `not` nothing keeps it silent (measured)."""
    negated = isinstance(rule.condition.patterns[0].test, conditions.Not)
    there = normal.Check(
        conditions.Leaf(conditions.Constant(False) if negated else conditions.Defined(alone, False), "", 0, 0), False
    )
    return CompiledRule(rule, digest, (), None, None, absence=leaves.condition(there, tally)), [index.gates_of(there)]


def _keeps(rule: rules.Rule) -> bool:
    """Whether a rule keeps events to fire with them later."""
    several = len(rule.condition.patterns) > 1 and rule.condition.kind != "any"
    return (
        several
        or rule.condition.kind == "not_all"
        or (rule.throttle is not None and rule.throttle.kind == "once_after")
    )


def _reads_meta(rule: rules.Rule) -> bool:
    groups = rule.throttle.groups if rule.throttle else ()
    tests = [leaf.test for pattern in rule.condition.patterns for leaf in conditions.leaves(pattern.test)]
    paths = [steps for test in tests for steps in conditions.paths(test)]
    return any(steps and steps[0] == "meta" for steps in (*paths, *groups))


def _head(ruleset: rules.Ruleset) -> bytes:
    """What a ruleset means beside its rules."""
    return _text(
        [ruleset.name, ruleset.hosts, ruleset.match_multiple_rules, ruleset.default_events_ttl_s,
         ruleset.execution_strategy, [[s.name, s.type, s.args, s.filters] for s in ruleset.sources]]
    )  # fmt: skip


def _text(meant: Any) -> bytes:
    return json.dumps(meant, sort_keys=True, ensure_ascii=True, default=str, separators=(",", ":")).encode()


def _hash(meant: Any) -> str:
    return hashlib.sha256(_text(meant)).hexdigest()
