"""Finds the rules that an event could fire, so that the cost of an event does not grow with the number of rules.

Caller: `compiled`. Each rule is filed under tests that must hold for it to fire (its *gates*): an equality goes into a
dictionary, a threshold into a sorted list, a pattern into a set of expressions, anything else under "this path exists".
An event pays for the paths it has and for the rules it finds. The rules found are then tested in full.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from healer.engine import conditions, gates, normal, values

FEW_HEADS: Final = 4


class Gate(NamedTuple):
    """One way in: the path, the sort of test (`equal`, `above`, `below`, `search`, `present`) and its operand."""

    steps: values.Steps
    sort: str
    operand: Any = None


ALWAYS: Final = Gate((), "always")
_COST: Final = {"never": 0, "equal": 1, "search": 3, "above": 4, "below": 4, "present": 5, "always": 99}


def gates_of(node: normal.Normal) -> tuple[Gate, ...]:
    """Gates of which at least one is open whenever the test holds; none at all if it never holds."""
    if isinstance(node, normal.Check):
        return _leaf_gates(node.leaf.test, node.negated)
    found = [gates_of(part) for part in node.parts]
    if isinstance(node, normal.AnyOf):
        return tuple(dict.fromkeys(gate for each in found for gate in each))
    return min(found, key=_cost)


def _cost(gates_: tuple[Gate, ...]) -> tuple[int, int]:
    return max((_COST[gate.sort] for gate in gates_), default=0), len(gates_)


def _leaf_gates(test: conditions.Simple, negated: bool) -> tuple[Gate, ...]:
    if isinstance(test, conditions.Constant):
        return (ALWAYS,) if test.value != negated else ()
    if isinstance(test, conditions.Defined):
        if negated and not test.negated:
            return ()
        if test.negated and not negated:
            return (ALWAYS,)
    elif isinstance(test, conditions.Compare) and not negated:
        found = _compare_gates(test)
        if found is not None:
            return found
    elif isinstance(test, conditions.Member) and not (negated or test.negated):
        found = _member_gates(test)
        if found is not None:
            return found
    elif (
        isinstance(test, conditions.Search)
        and not (negated or test.negated)
        and isinstance(test.value, conditions.Path)
    ):
        operand = (test.pattern, test.anchored, test.ignorecase, test.multiline)
        return (Gate(test.value.steps, "search", operand),)
    paths = [part.steps for part in test if isinstance(part, conditions.Path)]
    return (Gate(paths[0], "present"),) if paths else (ALWAYS,)  # a sum needs none of the paths in it


def _compare_gates(test: conditions.Compare) -> tuple[Gate, ...] | None:
    left, right, op = test.left, test.right, str(test.op)
    if isinstance(left, conditions.Literal) and isinstance(right, conditions.Path):
        left, right, op = right, left, _FLIPPED[op]
    if not (isinstance(left, conditions.Path) and isinstance(right, conditions.Literal)):
        return None
    if values.may_break(left.steps):
        return None
    if op == "==" and values.kind(right.value) in "snbz":
        return (Gate(left.steps, "equal", values.typed_key(_numbers_alike(right.value))),)
    if op in _THRESHOLDS and values.kind(right.value) == "n":
        return (Gate(left.steps, _THRESHOLDS[op], (values.double(right.value), "=" in op)),)
    return None


_FLIPPED: Final = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_THRESHOLDS: Final = {">": "above", ">=": "above", "<": "below", "<=": "below"}


def _numbers_alike(value: Any) -> Any:
    return values.double(value) if values.kind(value) == "n" else value


def _member_gates(test: conditions.Member) -> tuple[Gate, ...] | None:
    if not (isinstance(test.item, conditions.Path) and isinstance(test.items, conditions.Literal)):
        return None
    wanted = test.items.value if isinstance(test.items.value, list) else [test.items.value]
    if any(values.kind(item) not in "snbz" for item in wanted):
        return None
    keys = dict.fromkeys(values.typed_key(_numbers_alike(item)) for item in wanted)
    return tuple(Gate(test.item.steps, "equal", key) for key in keys)


def exact(gate: Gate) -> bool:
    """Whether an open gate proves the test that it came from."""
    return gate.sort == "equal" and isinstance(gate.operand, str)


Find = Callable[[dict[str, Any]], Sequence[int]]
_NOTHING: Final = ()


def _by_text(place: gates.PathGates) -> Find:
    """`find` where all rules are filed under the texts of one path, the usual ruleset."""
    get, rules_of, steps = place.get, place.texts.get, place.steps
    if len(steps) == 1:  # a call less an event
        key = str(steps[0])

        def find_field(event: dict[str, Any]) -> Sequence[int]:
            value = event.get(key)
            return rules_of(value, _NOTHING) if type(value) is str else _NOTHING

        return find_field

    def find(event: dict[str, Any]) -> Sequence[int]:
        value = get(event)
        return rules_of(value, _NOTHING) if type(value) is str else _NOTHING

    return find


class Index:
    """The rules by their gates. `add` all, `freeze` (in slices), then `find`: the numbers of the rules, in order."""

    __slots__ = ("always", "by_steps", "find", "flat", "heads")

    def __init__(self) -> None:
        self.always: list[int] = []
        self.by_steps: dict[values.Steps, gates.PathGates] = {}
        self.heads: dict[str, list[gates.PathGates]] = {}
        self.flat: tuple[gates.PathGates, ...] | None = None
        self.find: Find = self.search

    def add(self, rule: int, ways: Iterable[Gate]) -> None:
        """File a rule (by its number) under its gates."""
        ways = tuple(ways)
        if any(gate.sort == "always" for gate in ways):
            self.always.append(rule)
            return
        for gate in ways:
            place = self.by_steps.get(gate.steps)
            if place is None:
                place = self.by_steps[gate.steps] = gates.PathGates(gate.steps)
            place.add(rule, gate.sort, gate.operand)

    def freeze(self) -> Iterator[None]:
        """Sort and compile what was added; yields between paths."""
        for steps, place in self.by_steps.items():
            yield from place.freeze()
            self.heads.setdefault(str(steps[0]), []).append(place)
        if len(self.by_steps) <= FEW_HEADS:
            self.flat = tuple(self.by_steps.values())
        if len(self.by_steps) == 1 and not self.always and self.flat and self.flat[0].simple:
            self.find = _by_text(self.flat[0])

    def search(self, event: dict[str, Any]) -> list[int]:
        """The numbers of the rules that the event could fire, in order."""
        found: list[int] = []
        if self.flat is not None:
            for place in self.flat:
                place.collect(event, found)
        else:
            self._by_head(event, found)
        if self.always:
            found += self.always
        return sorted(set(found)) if len(found) > 1 else found

    def _by_head(self, event: dict[str, Any], found: list[int]) -> None:
        heads = self.heads
        for key in event if len(event) < len(heads) else heads:
            if key in event and key in heads:
                for place in heads[key]:
                    place.collect(event, found)
