"""Compiles the patterns of an `all` into the steps of a chain: what one event has to meet alone, and what two have to meet together.

Caller: `compiled`. A test that looks into earlier events (`conditions.Bound`) is a test of both; where it stands in a
conjunction and asks for equality it becomes a key, compared with its type (semantics 4.2), else it is tested for each pair.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from healer.engine import conditions, joins, leaves, normal, values

_HERE: Final = ""
"""The name under which a test of several events finds the event at hand; no pattern has it."""


class Split(NamedTuple):
    """A pattern: its name, the test of one event alone (None: any event), and the step that joins it to those before."""

    name: str
    alone: normal.Normal | None
    step: joins.Step


class Shared:
    """Which patterns an earlier rule of the ruleset begins with too (measured): where a rule branches off, its rows are turned round."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        self._made: dict[str, int] = {}

    def ranks(self, condition: conditions.Condition) -> list[tuple[int, int]]:
        """For each pattern when an event comes to it that meets several: the peer asks equalities first, then what is greater or less, then
        the rest, and of a kind those first that an earlier pattern of the ruleset asked first."""
        found = []
        for pattern in condition.patterns:
            first = _flat(normal.normal(pattern.test))[0]
            asked = json.dumps(conditions.meaning(first.leaf) if isinstance(first, normal.Check) else repr(first))
            found.append((_kind(first), self._made.setdefault(asked, len(self._made))))
        return found

    def turned(self, condition: conditions.Condition) -> list[bool]:
        """For each pattern whether the rows that it is joined to leave it in the other order. Rules in the order of the file."""
        names = [pattern.name for pattern in condition.patterns]
        asked = [_meaning(pattern.test, names[:number]) for number, pattern in enumerate(condition.patterns)]
        found = [False]
        for length in range(2, len(asked) + 1):
            here = json.dumps([condition.timeout_us, asked[:length]])
            goes_on = json.dumps(asked[length]) if length < len(asked) else f"end {len(self._first)}"
            found.append(self._first.setdefault(here, goes_on) != goes_on)
        return found


def _kind(first: normal.Normal) -> int:
    test = first.leaf.test if isinstance(first, normal.Check) and not first.negated else None
    if not isinstance(test, conditions.Compare) or conditions.bound(test):
        return 2
    sides = {type(test.left), type(test.right)}
    if sides != {conditions.Path, conditions.Literal}:
        return 2
    return 0 if test.op == "==" else 2 if test.op == "!=" else 1


def _meaning(test: conditions.Test, before: Sequence[str]) -> Any:
    """A test without the names of the patterns before it."""
    return json.loads(json.dumps(conditions.meaning(_numbered(test, before))))


def _numbered(node: Any, before: Sequence[str]) -> Any:
    if isinstance(node, conditions.Bound):
        return conditions.Bound(str(_last(before, node.name)), node.steps)
    if isinstance(node, tuple):
        made = [_numbered(part, before) for part in node]
        return type(node)(*made) if hasattr(node, "_fields") else tuple(made)
    return node


def split(condition: conditions.Condition, tally: leaves.Tally, shared: Shared) -> list[Split]:
    """The patterns of an `all` of several. Those of one name have to meet what is asked of any of them (measured)."""
    names = [pattern.name for pattern in condition.patterns]
    turned = shared.turned(condition)
    made = [
        _split(pattern.name, _tests(condition, pattern.name), names[:number], tally)
        for number, pattern in enumerate(condition.patterns)
    ]
    return [one._replace(step=one.step._replace(turned=turn)) for one, turn in zip(made, turned, strict=True)]


def _tests(condition: conditions.Condition, name: str) -> normal.Normal:
    found = tuple(normal.normal(pattern.test) for pattern in condition.patterns if pattern.name == name)
    return found[0] if len(found) == 1 else normal.All(found)


def _split(name: str, tree: normal.Normal, before: Sequence[str], tally: leaves.Tally) -> Split:
    parts = tuple(_flat(tree))
    alone = tuple(part for part in parts if not _looks_back(part)) + tuple(_there(parts))
    equal = [pair for part in parts if (pair := _equality(part)) is not None]
    rest = tuple(part for part in parts if _looks_back(part) and _equality(part) is None)
    step = joins.Step(
        name,
        _left_key([place for place, _ in equal], before) if equal else None,
        _right_key([path for _, path in equal]) if equal else None,
        _of_both(rest, before, tally) if rest else None,
    )
    return Split(name, None if not alone else alone[0] if len(alone) == 1 else normal.All(alone), step)


def _flat(node: normal.Normal) -> list[normal.Normal]:
    return [part for one in node.parts for part in _flat(one)] if isinstance(node, normal.All) else [node]


def _looks_back(node: normal.Normal) -> bool:
    if isinstance(node, normal.Check):
        return bool(conditions.bound(node.leaf.test))
    return any(_looks_back(part) for part in node.parts)


def _there(parts: Sequence[normal.Normal]) -> Iterator[normal.Check]:
    """That the fields are there which a comparison with an earlier event needs: without them an event waits for nothing."""
    sides: list[conditions.Value] = []
    for part in parts:
        if isinstance(part, normal.Check) and _looks_back(part):
            test = part.leaf.test
            if isinstance(test, conditions.Compare):
                sides += (test.left, test.right)
            elif isinstance(test, conditions.Member):
                sides += (test.items, test.item)
    for path in dict.fromkeys(side for side in sides if isinstance(side, conditions.Path)):
        yield normal.Check(conditions.Leaf(conditions.Defined(path, False), "", 0, 0), False)


def _equality(node: normal.Normal) -> tuple[conditions.Bound, conditions.Path] | None:
    """The two places that a test compares, where it is `event.a == events.first.b`."""
    if not isinstance(node, normal.Check) or node.negated or not isinstance(node.leaf.test, conditions.Compare):
        return None
    test = node.leaf.test
    for here, there in ((test.left, test.right), (test.right, test.left)):
        if test.op == "==" and isinstance(here, conditions.Path) and isinstance(there, conditions.Bound):
            return there, here
    return None


def _key(get: values.Getter) -> Callable[[dict[str, Any]], Any]:
    def key(event: dict[str, Any]) -> Any:
        found = get(event)
        if type(found) is str:
            return found
        return None if found is values.MISSING or found is values.BROKEN else values.typed_key(found)

    return key


def _right_key(paths: Sequence[conditions.Path]) -> Callable[[dict[str, Any]], Any]:
    keys = [_key(values.getter(path.steps)) for path in paths]
    if len(keys) == 1:
        return keys[0]

    def key(event: dict[str, Any]) -> Any:
        found = tuple([one(event) for one in keys])
        return None if None in found else found

    return key


def _left_key(places: Sequence[conditions.Bound], before: Sequence[str]) -> Callable[[joins.Row], Any]:
    keys = [(_last(before, place.name), _key(values.getter(place.steps))) for place in places]
    if len(keys) == 1:
        ((at, get),) = keys
        return lambda row: get(row[at].body)

    def key(row: joins.Row) -> Any:
        found = tuple([get(row[at].body) for at, get in keys])
        return None if None in found else found

    return key


def _last(names: Sequence[str], name: str) -> int:
    return max(number for number, one in enumerate(names) if one == name)


def _of_both(
    parts: tuple[normal.Normal, ...], before: Sequence[str], tally: leaves.Tally
) -> Callable[[joins.Row, dict[str, Any]], bool]:
    """A test of a row and an event: the tests of one event, on a mapping of all events by their names."""
    holds = leaves.condition(_named(normal.All(parts)), tally)
    wanted = [
        (name, _last(before, name)) for name in dict.fromkeys(before) if any(_names(part, name) for part in parts)
    ]

    def both(row: joins.Row, event: dict[str, Any]) -> bool:
        seen = {_HERE: event}
        for name, at in wanted:
            seen[name] = row[at].body
        return holds(seen)

    return both


def _names(node: normal.Normal, name: str) -> bool:
    if isinstance(node, normal.Check):
        return any(place.name == name for place in conditions.bound(node.leaf.test))
    return any(_names(part, name) for part in node.parts)


def _named(node: normal.Normal) -> normal.Normal:
    if isinstance(node, normal.Check):
        return normal.Check(node.leaf._replace(test=named(node.leaf.test)), node.negated)
    return type(node)(tuple(_named(part) for part in node.parts))


def named(node: Any) -> Any:
    """A value or simple test that reads all its events in one mapping by their names, the event at hand under `""`."""
    if isinstance(node, conditions.Path):
        return conditions.Path((_HERE, *node.steps))
    if isinstance(node, conditions.Bound):
        return conditions.Path((node.name, *node.steps))
    if isinstance(node, tuple) and hasattr(node, "_fields"):
        return type(node)(*map(named, node))
    return node
