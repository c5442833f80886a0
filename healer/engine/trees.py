"""The condition of a rule as a tree of what each part of it came to: pure values, made of its tests as `explaining` tells them.

Callers: `explain`, the daemon's `simulate`, `harness`. Only the tests of an event are stored with a run; how they are joined stands in the
rule, so that runs of long ago have a tree too. It says what the engine does with the whole condition from left to right: `not` stands at
the tests (before an `and` or `or` it makes the one of the other), a part behind the one that decided is not looked at, and a test that
needs an event which is not there is none of this event. (The index may have found out before that a rule cannot fire.)

A node has its `kind` (`and`, `or`, `not`, `test`; at the root also `all`, `any`, `not_all`) and `holds`: true, false, or null where it is
not looked at, and for an `all` or `not_all` where other events or time decide. `pattern` is the name of what one event has to meet. A
`test` has the number of its `test`; `element`: of a list the first that decided it (`at`, `value`), where one did; `sides`: values that
stand neither in its text nor in the event (a variable's, that of a sum).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from healer.engine import conditions, elements, explaining, leaves, rules, values

Told = dict[str, Any]
Tests = Sequence[Mapping[str, Any]]
_VARIABLE: Final = re.compile(r"\bvars(?:\.\w+)+")
_COMPUTED: Final = ("vars.", "{{")
"""In the text of a test: it has a value that is not written there."""


class Test(NamedTuple):
    """A simple test. `there`: paths without which it never holds; `sides`: (as it is named, its value, the paths that this is made of);
    `element`: the one that decided. The values of the last two are functions of what was seen, by path.
    """

    number: int
    text: str
    negated: bool
    there: tuple[str, ...]
    sides: tuple[tuple[str, leaves.Evaluate, frozenset[str]], ...]
    element: Callable[[dict[str, Any]], Told | None] | None


class Joined(NamedTuple):
    """`and`, `or`, `not` of parts."""

    kind: str
    parts: tuple[Node, ...]


Node = Test | Joined


class _Shape(NamedTuple):
    """How the tests of a rule are joined: a node a pattern."""

    rule: rules.Rule
    patterns: tuple[Node, ...]
    tests: tuple[Test, ...]


_kept: dict[int, _Shape] = {}
"""By identity, with the rule itself so that no other gets its number."""


def tree_of(rule: rules.Rule, tests: Tests, *, fired: bool = False) -> Told | None:
    """The tree of a rule's condition for what its tests told of one event or match; None where they are tests of another condition."""
    shape = _kept.get(id(rule))
    if shape is None:
        if len(_kept) >= explaining.KEPT_MAX:
            _kept.clear()
        shape = _kept[id(rule)] = _shape(rule)
    if len(tests) != len(shape.tests):
        return None
    for made, test in zip(shape.tests, tests, strict=True):
        if made.text != test.get("text") or made.negated is not test.get("negated"):
            return None
    condition = rule.condition
    if condition.kind == "all" and len(condition.patterns) == 1:
        return _pattern(condition.patterns[0], shape.patterns[0], tests)
    looked, parts = True, []
    for pattern, node in zip(condition.patterns, shape.patterns, strict=True):
        parts.append(_pattern(pattern, node, tests, looked=looked))
        looked = looked and not (condition.kind == "any" and parts[-1]["holds"])
    met = [part["holds"] for part in parts]
    if condition.kind == "any":
        holds: bool | None = True in met
    else:
        holds = True if fired else False if all(one is False for one in met) else None
    return {"kind": condition.kind, "holds": holds, "parts": parts}


# --- how tests are joined ---------------------------------------------------------------------------------------------------


def _shape(rule: rules.Rule) -> _Shape:
    found: list[Test] = []
    patterns = tuple(_node(pattern.test, found, negated=False, turned=False) for pattern in rule.condition.patterns)
    return _Shape(rule, patterns, tuple(found))


def _node(test: conditions.Test, found: list[Test], *, negated: bool, turned: bool) -> Node:
    """As `normal.normal`, but that a `not` before several tests stays to be seen."""
    nots = 0
    while isinstance(test, conditions.Not):
        test, nots = test.test, nots + 1
    negated, turned = negated or nots > 0, turned != (nots % 2 == 1)
    if isinstance(test, conditions.Leaf):
        found.append(_test(test, len(found), negated))
        return found[-1]
    kind = "and" if isinstance(test, conditions.And) != turned else "or"
    parts: list[Node] = []
    for one in test.parts:
        part = _node(one, found, negated=negated, turned=turned)
        parts += part.parts if isinstance(part, Joined) and part.kind == kind else (part,)
    made = Joined(kind, tuple(parts))
    return Joined("not", (made,)) if nots else made


def _test(leaf: conditions.Leaf, number: int, negated: bool) -> Test:
    test = leaf.test
    there: tuple[str, ...] = ()
    if conditions.bound(test):
        both = _values(test) if isinstance(test, conditions.Compare | conditions.Member) else ()
        there = tuple(explaining.path_text(side.steps) for side in both if isinstance(side, conditions.Path))
    element: Callable[[dict[str, Any]], Told | None] | None = None
    if isinstance(test, conditions.Select):
        element = _selected(test)
    elif isinstance(test, conditions.Member):
        element = _first(test.items, test.item, values.equal, {True})
    return Test(number, leaf.text, negated, there, tuple(_sides(leaf)), element)


def _values(test: conditions.Simple) -> tuple[conditions.Value, ...]:
    if isinstance(test, conditions.Compare):
        return test.left, test.right
    if isinstance(test, conditions.Member):
        return test.items, test.item
    if isinstance(test, conditions.Select):
        return test.value, test.operand
    if isinstance(test, conditions.Search):
        return test.value, conditions.Literal(test.pattern)
    return () if isinstance(test, conditions.Constant) else (test.value,)


def _sides(leaf: conditions.Leaf) -> Iterator[tuple[str, leaves.Evaluate, frozenset[str]]]:
    """Sums, and what a variable or a template stands for."""
    computed = any(mark in leaf.text for mark in _COMPUTED)
    sides = _values(leaf.test)
    named = _VARIABLE.findall(leaf.text) if sum(isinstance(one, conditions.Literal) for one in sides) == 1 else []
    for word, side in zip(("left", "right"), sides, strict=False):
        if isinstance(side, conditions.Arithmetic):
            yield _text(side), leaves.value(_keyed(side)), frozenset(_read(side))
        elif isinstance(side, conditions.Literal) and computed:
            yield named[0] if len(named) == 1 else word, leaves.value(side), frozenset()


def _text(side: conditions.Value) -> str:
    if isinstance(side, conditions.Arithmetic):
        return f"{_text(side.left)} {side.op} {_text(side.right)}"
    if isinstance(side, conditions.Path | conditions.Bound):
        return _path(side)
    return json.dumps(side.value, ensure_ascii=False) if isinstance(side, conditions.Literal) else "nothing"


def _path(place: conditions.Path | conditions.Bound) -> str:
    return explaining.path_text(place.steps, f"events.{place.name}" if isinstance(place, conditions.Bound) else "event")


def _read(side: conditions.Value) -> Iterator[str]:
    if isinstance(side, conditions.Arithmetic):
        yield from (*_read(side.left), *_read(side.right))
    elif isinstance(side, conditions.Path | conditions.Bound):
        yield _path(side)


def _keyed(node: Any) -> Any:
    """A value that reads what was seen by its path, in place of the events."""
    if isinstance(node, conditions.Path | conditions.Bound):
        return conditions.Path((_path(node),))
    return type(node)(*map(_keyed, node)) if isinstance(node, tuple) and hasattr(node, "_fields") else node


def _selected(test: conditions.Select) -> Callable[[dict[str, Any]], Told | None]:
    satisfies = elements.operation(test.op, test.operand)
    if test.steps is not None:
        satisfies = elements.with_attribute(test.steps, satisfies)
    return _first(test.value, test.operand, satisfies, {not test.negated, None})


def _first(
    items: conditions.Value, operand: conditions.Value, satisfies: elements.Satisfies, decides: set[bool | None]
) -> Callable[[dict[str, Any]], Told | None]:
    """The first element of a list whose verdict decides a test, as `leaves` has it."""
    get_items, get_operand = leaves.value(_keyed(items)), leaves.value(_keyed(operand))

    def element(seen: dict[str, Any]) -> Told | None:
        found, wanted = get_items(seen), get_operand(seen)
        if not isinstance(found, list) or wanted is values.MISSING or wanted is values.BROKEN:
            return None
        for at, item in enumerate(found):
            if satisfies(item, wanted) in decides:
                return {"at": at, "value": item}
        return None

    return element


# --- what they came to ------------------------------------------------------------------------------------------------------


def _pattern(pattern: conditions.Pattern, node: Node, tests: Tests, *, looked: bool = True) -> Told:
    """What one event has to meet. What needs other events is asked once all that looks at it alone holds."""
    if not looked or not any(test["holds"] is None for test in tests):
        told = _told(node, tests, looked=looked)
    else:
        parts = [*_conjunction(node)]
        late = {id(part) for part in parts if _needs(part, tests)}
        made: dict[int, Told] = {}
        for part in sorted(parts, key=lambda part: id(part) in late):
            if id(part) in late:
                lacks = looked and isinstance(part, Test) and _lacks(part, tests)
                made[id(part)] = _told(part, tests, looked=False) | ({"holds": False} if lacks else {})
            else:
                made[id(part)] = _told(part, tests, looked=looked)
            looked = looked and made[id(part)]["holds"] is not False
        told = _assembled(node, made)
    told["pattern"] = pattern.name
    return told


def _conjunction(node: Node) -> Iterator[Node]:
    """The parts of a conjunction, also where a `not` makes it one."""
    if isinstance(node, Joined) and (node.kind == "and" or (node.kind == "not" and _is_and(node.parts[0]))):
        for part in node.parts:
            yield from _conjunction(part)
    else:
        yield node


def _is_and(node: Node) -> bool:
    return isinstance(node, Joined) and node.kind == "and"


def _assembled(node: Node, made: Mapping[int, Told]) -> Told:
    if id(node) in made or isinstance(node, Test):
        return made[id(node)]
    parts = [_assembled(part, made) for part in node.parts]
    met = [part["holds"] for part in parts]
    return {"kind": node.kind, "holds": False if False in met else None if None in met else True, "parts": parts}


def _needs(node: Node, tests: Tests) -> bool:
    """Whether a part needs an event that is not there."""
    if isinstance(node, Test):
        return tests[node.number]["holds"] is None
    return any(_needs(part, tests) for part in node.parts)


def _lacks(test: Test, tests: Tests) -> bool:
    """Whether the event lacks a field without which it meets no other."""
    return any(seen.get("missing") and seen.get("path") in test.there for seen in tests[test.number]["seen"])


def _told(node: Node, tests: Tests, *, looked: bool) -> Told:
    """A part that looks at nothing but the events that are there, from left to right."""
    if isinstance(node, Test):
        return _of_test(node, tests[node.number], looked=looked)
    kind, goes_on = node.kind, looked
    parts: list[Told] = []
    ends = kind == "or"
    for part in node.parts:
        parts.append(_told(part, tests, looked=goes_on))
        if parts[-1]["holds"] is ends:
            goes_on = False
    verdict = parts[0]["holds"] if kind == "not" else goes_on is not ends
    return {"kind": kind, "holds": verdict if looked else None, "parts": parts}


def _of_test(node: Test, test: Mapping[str, Any], *, looked: bool) -> Told:
    told: Told = {"kind": "test", "holds": test["holds"] if looked else None, "test": node.number}
    if node.sides or node.element is not None:
        unknown = {one["path"] for one in test["seen"] if one.get("unknown")}
        seen = {one["path"]: one["value"] for one in test["seen"] if "value" in one}
        if node.element is not None and (element := node.element(seen)) is not None:
            told["element"] = element
        if node.sides:
            told["sides"] = [_side(name, get(seen)) for name, get, read in node.sides if not read & unknown]
    return told


def _side(name: str, found: Any) -> Told:
    if found is values.MISSING or found is values.BROKEN:
        return {"path": name, "missing": True}
    return {"path": name, "missing": False, "value": found}
