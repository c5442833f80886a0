"""Compiles simple tests and whole conditions into functions of one event.

Callers: `compiled` (for rules), `explaining` (one function a test), `facts`. Why closures: making one takes a few
microseconds, so that 5,000 rules load at once, and the common forms (path against literal) have one of their own.
Where the peer raises and loses the event for every rule, a test here is false and the `Tally` counts it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

from healer.engine import conditions, elements, normal, patterns, values

Evaluate = Callable[[dict[str, Any]], Any]
Holds = Callable[[dict[str, Any]], bool]

ORDER: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
FLIPPED: Final[dict[str, conditions.CompareOp]] = {
    "==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<=",
}  # fmt: skip


class Tally:
    """How many comparisons were false because the peer would have raised."""

    __slots__ = ("broken",)

    def __init__(self) -> None:
        self.broken = 0

    def false(self) -> bool:
        """Count one, and say false."""
        self.broken += 1
        return False


def condition(node: normal.Normal, tally: Tally) -> Holds:
    """A function that says whether the normalised test holds for an event."""
    if isinstance(node, normal.Check):
        return leaf(node.leaf.test, node.negated, tally)
    parts = [condition(part, tally) for part in node.parts]
    return all_of(parts) if isinstance(node, normal.All) else _any_of(parts)


def all_of(parts: list[Holds]) -> Holds:
    """A function that says whether all of them hold."""
    if len(parts) == 1:
        return parts[0]
    if len(parts) == 2:
        first, second = parts
        return lambda event: first(event) and second(event)

    def holds(event: dict[str, Any]) -> bool:
        for part in parts:  # noqa: SIM110 - all() over a generator costs twice as much
            if not part(event):
                return False
        return True

    return holds


def _any_of(parts: list[Holds]) -> Holds:
    if len(parts) == 2:
        first, second = parts
        return lambda event: first(event) or second(event)

    def holds(event: dict[str, Any]) -> bool:
        for part in parts:  # noqa: SIM110 - as above
            if part(event):
                return True
        return False

    return holds


def leaf(test: conditions.Simple, negated: bool, tally: Tally) -> Holds:
    """A function for one simple test, with or without `not` before it."""
    if isinstance(test, conditions.Constant):
        return _constant(test.value != negated)
    if isinstance(test, conditions.Compare):
        return _compare(test, negated, tally)
    if isinstance(test, conditions.Defined):
        return _defined(test, negated, tally)
    if isinstance(test, conditions.Truth):
        return _truth(value(test.value), negated, tally)
    if isinstance(test, conditions.Member):
        return _member(test, negated, tally)
    if isinstance(test, conditions.Search):
        return _search(test, negated, tally)
    return _select(test, negated, tally)


def constant(check: normal.Check) -> bool | None:
    """What a test is that looks at nothing (`false`, `1 == 2`); None of one that looks at an event."""
    return None if _looks(check.leaf.test) else leaf(check.leaf.test, check.negated, Tally())({})


def _looks(node: Any) -> bool:
    if isinstance(node, conditions.Literal | conditions.Constant):
        return False
    if isinstance(node, conditions.Path | conditions.Bound | conditions.Nowhere):
        return True
    return hasattr(node, "_fields") and any(map(_looks, node))


def _constant(verdict: bool) -> Holds:
    return lambda _: verdict


def value(node: conditions.Value) -> Evaluate:
    """A function that gives the value of a node for an event, `MISSING` or `BROKEN`."""
    if isinstance(node, conditions.Path):
        return values.getter(node.steps)
    if isinstance(node, conditions.Literal):
        constant = node.value
        return lambda _: constant
    if isinstance(node, conditions.Nowhere | conditions.Bound):
        return lambda _: values.MISSING  # an earlier event is not there for a test of one alone
    if node.right == conditions.Literal(None):
        return value(node.left)
    left, right, plus = value(node.left), value(node.right), node.op == "+"
    if isinstance(node.left, conditions.Literal) and isinstance(node.left.value, str):
        text = node.left.value
        return lambda event: (
            values.MISSING if (found := right(event)) is values.MISSING else arithmetic(plus, text, found)
        )
    return lambda event: arithmetic(plus, left(event), right(event))


def arithmetic(plus: bool, left: Any, right: Any) -> Any:
    """`left + right` or `left - right`: numbers, or a text on the left of +.

    A null or missing side counts for nothing (measured): `event.a + 1` is 1 without `a`.
    """
    if left is values.BROKEN or right is values.BROKEN:
        return values.BROKEN
    if left is None or left is values.MISSING:
        return right
    if right is None or right is values.MISSING:
        return left
    if isinstance(left, str) and plus:
        return left + values.java_text(right)
    if values.kind(left) != "n" or values.kind(right) != "n":
        return values.BROKEN
    try:
        return left + right if plus else left - right
    except OverflowError:
        return values.double(left) + (values.double(right) if plus else -values.double(right))


def _defined(test: conditions.Defined, negated: bool, tally: Tally) -> Holds:
    if negated and not test.negated:
        return _constant(False)  # measured: `not (x is defined)` never holds
    get, wanted = value(test.value), test.negated and not negated

    def holds(event: dict[str, Any]) -> bool:
        found = get(event)
        if found is values.BROKEN:
            return tally.false()
        return (found is values.MISSING) is wanted

    return holds


def _truth(get: Evaluate, negated: bool, tally: Tally) -> Holds:
    def holds(event: dict[str, Any]) -> bool:
        found = get(event)
        if found is values.MISSING:
            return False
        if found is values.BROKEN:
            return tally.false()
        return (found is True) is not negated

    return holds


def _compare(test: conditions.Compare, negated: bool, tally: Tally) -> Holds:
    left, right, op = test.left, test.right, test.op
    if isinstance(left, conditions.Literal) and isinstance(right, conditions.Path) and op in ("==", "!="):
        left, right = right, left
    if isinstance(left, conditions.Path) and isinstance(right, conditions.Literal) and not values.may_break(left.steps):
        fast = _against_literal(values.getter(left.steps), op, right.value, negated)
        if fast is not None:
            return fast
    get_left, get_right = value(left), value(right)
    return lambda event: compare(op, get_left(event), get_right(event), negated, tally)


def compare(op: str, left: Any, right: Any, negated: bool, tally: Tally) -> bool:
    """One comparison by the rules of the language: other kinds and missing values are false, with `not` or without."""
    if left is values.MISSING or right is values.MISSING:
        return False
    if left is values.BROKEN or right is values.BROKEN:
        return tally.false()
    same_kind = values.kind(left) == values.kind(right)
    if op in ("==", "!="):
        if not same_kind and left is not None and right is not None:
            return False
        return (values.equal(left, right) is (op == "==")) is not negated
    if left is None:
        return negated
    if right is None or (same_kind and isinstance(left, list | dict)):
        return tally.false()
    return same_kind and ordered(op, left, right) is not negated


def ordered(op: str, left: Any, right: Any) -> bool:
    """`<`, `<=`, `>`, `>=` of two strings, two numbers (as doubles) or two Booleans."""
    if values.kind(left) == "n":
        left, right = values.double(left), values.double(right)
    return bool(ORDER[op](left, right))


def _against_literal(get: values.Getter, op: str, literal: Any, negated: bool) -> Holds | None:
    """The common comparisons without a detour; None where the general way is needed."""
    if type(literal) is str:
        return _against_text(get, op, literal, negated)
    if type(literal) in (int, float) and abs(literal) < values.DOUBLE_EXACT:
        return _against_number(get, op, literal, negated)
    return None


def _against_text(get: values.Getter, op: str, literal: str, negated: bool) -> Holds:
    if op in ("==", "!="):
        if (op == "==") is not negated:
            return lambda event: get(event) == literal

        def differs(event: dict[str, Any]) -> bool:
            found = get(event)
            return found is None or (isinstance(found, str) and found != literal)

        return differs
    order = ORDER[op]

    def holds(event: dict[str, Any]) -> bool:
        found = get(event)
        if isinstance(found, str):
            return order(found, literal) is not negated
        return found is None and negated

    return holds


def _against_number(get: values.Getter, op: str, literal: float, negated: bool) -> Holds:
    if op in ("==", "!="):
        wanted = (op == "==") is not negated

        def equals(event: dict[str, Any]) -> bool:
            found = get(event)
            if type(found) is int or type(found) is float:
                return (found == literal) is wanted
            return found is None and not wanted

        return equals
    order = ORDER[op]
    if not negated:

        def holds(event: dict[str, Any]) -> bool:
            found = get(event)
            return (type(found) is int or type(found) is float) and order(found, literal)

        return holds

    def fails(event: dict[str, Any]) -> bool:
        found = get(event)
        if type(found) is int or type(found) is float:
            return not order(found, literal)
        return found is None

    return fails


def _member(test: conditions.Member, negated: bool, tally: Tally) -> Holds:
    get_items, get_item = value(test.items), value(test.item)
    wanted = test.negated is negated

    def holds(event: dict[str, Any]) -> bool:
        items, item = get_items(event), get_item(event)
        if items is values.MISSING or item is values.MISSING:
            return False
        if items is values.BROKEN or item is values.BROKEN:
            return tally.false()
        return elements.contains(items, item) is wanted

    return holds


def _search(test: conditions.Search, negated: bool, tally: Tally) -> Holds:
    get = value(test.value)
    wanted = test.negated is negated
    find = patterns.finder(test.pattern, anchored=test.anchored, ignorecase=test.ignorecase, multiline=test.multiline)

    def holds(event: dict[str, Any]) -> bool:
        found = get(event)
        if type(found) is str:
            return find(found) is wanted
        if found is values.MISSING:
            return False
        if found is values.BROKEN:
            return tally.false()
        return negated if found is None else find(values.java_text(found)) is wanted

    return holds


def _select(test: conditions.Select, negated: bool, tally: Tally) -> Holds:
    get, get_operand = value(test.value), value(test.operand)
    looked_for, attribute = not test.negated, test.steps is not None
    satisfies: elements.Satisfies = elements.operation(test.op, test.operand)
    if test.steps is not None:
        satisfies = elements.with_attribute(test.steps, elements.operation(test.op, test.operand))

    def holds(event: dict[str, Any]) -> bool:
        found, operand = get(event), get_operand(event)
        if found is values.MISSING or operand is values.MISSING:
            return False
        if found is values.BROKEN or operand is values.BROKEN:
            return tally.false()
        if attribute and not isinstance(found, list):
            alone = elements.alone(found, test)
            if alone is not None:
                return (alone is looked_for) is not negated
        for item in found if isinstance(found, list) else (found,):
            verdict = satisfies(item, operand)
            if verdict is None:
                return tally.false()
            if verdict is looked_for:
                return not negated
        return negated

    return holds
