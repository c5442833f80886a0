"""A sum or difference in a test (`trap-missing-sum`): what is missing or null counts as nothing there, so that such a test may hold of all
that lacks the field.

Caller: `traps`. Each test is asked as the engine has it, with the field taken away; beside a test that fails then nothing is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from healer import engine
from healer.engine import conditions, leaves, normal, values
from healer.lint import alerts, implying, reach, texts
from healer.lint.scope import Scope, Told

TESTS_MAX: Final = 50
"""Of a condition with more tests that have to hold together nothing is told."""

Place = tuple[str, values.Steps]
"""A field: the name of the earlier condition ('' of the event at hand), and its path as it leads through maps."""


class Held(NamedTuple):
    """A test that may hold where a field is missing. `always`: whatever comes without it."""

    leaf: conditions.Leaf
    place: Place
    always: bool


def check(scope: Scope, told: Told, rule: engine.Rule) -> None:
    """Tell of each sum in a rule by which a test may hold without the field; a condition that asks for its absence knows it."""
    kind, patterns = rule.condition.kind, rule.condition.patterns
    there = {one.name: implying.branches(normal.normal(one.test)) for one in patterns if kind != "any"}
    for number, pattern in enumerate(patterns):
        earlier = tuple(one.name for one in patterns[:number]) if kind == "all" else ()
        found: dict[int, tuple[conditions.Leaf, dict[Place, bool]]] = {}
        for one in held(pattern.test):
            if not _is_there(one.place, there, scope) and not _is_trapped(one, earlier):
                places = found.setdefault(id(one.leaf), (one.leaf, {}))[1]
                places[one.place] = places.get(one.place, False) or one.always
        for leaf, places in found.values():
            _tell(scope, told, leaf, places)


def is_in(leaf: conditions.Leaf) -> bool:
    """Whether a test has a sum."""
    return ("+" in leaf.text or "-" in leaf.text) and any(isinstance(one, conditions.Arithmetic) for one in leaf.test)


def _tell(scope: Scope, told: Told, leaf: conditions.Leaf, places: dict[Place, bool]) -> None:
    word = "holds" if all(places.values()) else "may hold"
    missing = " or ".join(f"`{_shown(one)}`" for one in places)
    message = f"in a sum what is missing counts as nothing: this {word} where {missing} is missing"
    own = " and ".join(f"{_shown(one)} is defined" for one in places if not one[0])
    earlier = " and ".join(f"{_shown(('', steps))} is defined" for name, steps in places if name)
    names = " and ".join(dict.fromkeys(name for name, _ in places if name))
    try_ = f"write {own} and …" if own else f"write {earlier} and … in the condition {names}"
    told.tell(scope.document, "trap-missing-sum", message, scope.mark_of(leaf, leaf.text), try_)


def _shown(place: Place) -> str:
    name, steps = place
    shown = alerts.named(steps)[1]
    return f"events.{name}{shown.removeprefix('event')}" if name else shown


def _is_there(place: Place, there: dict[str, list[implying.Facts]], scope: Scope) -> bool:
    """Whether a field is never missing: a word of every alert, or one that its earlier condition asked for."""
    name, steps = place
    alone = scope.shapes is not None and all(one.alerts for one in scope.shapes)
    if alone and alerts.kind_of(steps) and not alerts.may_lack(steps):
        return True
    return bool(name) and all(_has(facts, steps) for facts in there.get(name, ()))


def _is_trapped(one: Held, earlier: tuple[str, ...]) -> bool:
    """Whether a field is meant to be of an earlier event, and is not (`trap-binding`): that it is there is not what to ask for."""
    read = [found for found in texts.of_condition(one.leaf.text, earlier) if not one.place[0]]
    meant = any(found.name and implying.plain((found.name, *found.steps)) == one.place[1] for found in read)
    return meant and not any(found.root == "event" and implying.plain(found.steps) == one.place[1] for found in read)


def _has(facts: implying.Facts, steps: values.Steps) -> bool:
    return any(facts.has(one) for one in [steps, *facts.fields] if implying.plain(one)[: len(steps)] == steps)


# --- one condition --------------------------------------------------------------------------------------------------------------


def held(test: conditions.Test) -> Iterator[Held]:
    """The tests with a sum that may hold where one of its fields is missing, and the whole condition with them."""
    asked = {implying.plain(one) for leaf in conditions.leaves(test) for one in _absent(leaf.test)}
    for facts in implying.branches(normal.normal(test)):
        for one in facts.tests if len(facts.tests) <= TESTS_MAX else ():
            if not isinstance(one, normal.Check):
                continue
            for place in dict.fromkeys(_places(one.leaf.test)):
                if (place[0] or place[1] not in asked) and (always := _without(facts.tests, one, place)) is not None:
                    yield Held(one.leaf, place, always)


def _absent(test: conditions.Simple) -> Iterator[values.Steps]:
    if isinstance(test, conditions.Defined) and test.negated:
        yield from conditions.paths(test)


def _without(tests: Iterable[normal.Normal], asked: normal.Check, place: Place) -> bool | None:
    """Whether a test holds whatever comes without a field; None where it does not, or another test fails then."""
    left = [_left(one, place) for one in tests]
    if any(one is False for one in left):
        return None
    if reach.never(normal.All(tuple(one for one in left if not isinstance(one, bool)))) is not None:
        return None
    return _left(asked, place) is True


def _left(node: normal.Normal, place: Place) -> normal.Normal | bool:
    """What is left of a condition where a field is missing."""
    if isinstance(node, normal.Check):
        test = _taken(node.leaf.test, place)
        if any(isinstance(part, conditions.Nowhere) for part in test) or not _reads(test):
            return leaves.leaf(test, node.negated, leaves.Tally())({})
        return node._replace(leaf=node.leaf._replace(test=test))
    decided = isinstance(node, normal.AnyOf)
    parts = [_left(part, place) for part in node.parts]
    if any(one is decided for one in parts):
        return decided
    left = tuple(one for one in parts if not isinstance(one, bool))
    return node._replace(parts=left) if left else not decided


def _reads(node: Any) -> bool:
    return bool(conditions.paths(node) or conditions.bound(node))


def _places(node: Any, within: bool = False) -> Iterator[Place]:
    """The fields in the sums of a test."""
    if isinstance(node, conditions.Path | conditions.Bound):
        if within:
            yield getattr(node, "name", ""), implying.plain(node.steps)
    elif isinstance(node, tuple) and hasattr(node, "_fields"):
        for part in node:
            yield from _places(part, within or isinstance(node, conditions.Arithmetic))


def _taken(node: Any, place: Place) -> Any:
    """A test, or a value in it, where a field is missing."""
    if isinstance(node, conditions.Path | conditions.Bound):
        steps = implying.plain(node.steps)[: len(place[1])]
        return conditions.Nowhere() if (getattr(node, "name", ""), steps) == place else node
    if isinstance(node, conditions.Arithmetic):
        return _sum(node._replace(left=_taken(node.left, place), right=_taken(node.right, place)))
    if isinstance(node, conditions.Literal | conditions.Constant) or not hasattr(node, "_fields"):
        return node
    return node._replace(**{name: _taken(getattr(node, name), place) for name in node._fields})


def _sum(node: conditions.Arithmetic) -> conditions.Value:
    """What is left of a sum, as `leaves.value` has it."""
    if isinstance(node.left, conditions.Nowhere):
        return node.left if node.right == conditions.Literal(None) else node.right
    if isinstance(node.right, conditions.Nowhere):
        text = isinstance(node.left, conditions.Literal) and isinstance(node.left.value, str)
        return node.right if text else node.left
    return node
