"""Tests that ask one thing and want other answers (`event.x == event.y and event.x != event.y`): no event meets both. Caller: `reach`.

Only what is so by the rules of the engine, also for null, what is missing and what is of another kind: a test and the same with `not`
before it; `contains` and `not contains`; `is search` and `is not search`, but not with `not` before both, which null meets; two comparisons
of the same values. `is select` and `is not select` are no opposites: different elements of a list may meet them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from healer.engine import conditions, leaves, normal

Answers = frozenset[Any]
_ORDERED: Final[dict[str, Answers]] = {
    "==": frozenset("="), "<": frozenset("<"), ">": frozenset(">"), "<=": frozenset("<="), ">=": frozenset(">="),
}  # fmt: skip


def opposed(parts: Iterable[normal.Normal]) -> tuple[normal.Check, normal.Check] | None:
    """Two tests of a conjunction that no event meets both, the later one last; of an `or` one of those that all fail."""
    known: dict[Any, list[tuple[Answers, normal.Check]]] = {}
    others = []
    for part in _flat(parts):
        if not isinstance(part, normal.Check):
            others.append(part)
            continue
        if (before := _against(part, known)) is not None:
            return before, part
        for asked, answers in _asks(part):
            known.setdefault(asked, []).append((answers, part))
    return next((found for part in others if (found := _fails(part, known)) is not None), None)


def _flat(parts: Iterable[normal.Normal]) -> Iterator[normal.Normal]:
    for part in parts:
        if isinstance(part, normal.All):
            yield from _flat(part.parts)
        else:
            yield part


def _against(check: normal.Check, known: dict[Any, list[tuple[Answers, normal.Check]]]) -> normal.Check | None:
    """A test that is known to hold and that this one excludes."""
    return next(
        (
            before
            for asked, answers in _asks(check)
            for wanted, before in known.get(asked, ())
            if wanted.isdisjoint(answers)
        ),
        None,
    )


def _fails(
    node: normal.Normal, known: dict[Any, list[tuple[Answers, normal.Check]]]
) -> tuple[normal.Check, normal.Check] | None:
    """Whether a test fails where those that are known hold, and which two show it."""
    if isinstance(node, normal.Check):
        before = _against(node, known)
        return None if before is None else (before, node)
    found = (_fails(part, known) for part in node.parts)
    if isinstance(node, normal.All):
        return next((one for one in found if one is not None), None)
    first = None
    for one in found:
        if one is None:
            return None
        first = first or one
    return first


def _asks(check: normal.Check) -> Iterator[tuple[Any, Answers]]:
    """What a test asks, and the answers with which it can hold. Of an earlier event nothing."""
    test, negated = check.leaf.test, check.negated
    if conditions.bound(test):
        return
    if isinstance(test, conditions.Compare):
        yield from _compared(test, negated)
    elif isinstance(test, conditions.Member):
        yield repr(test._replace(negated=False)), frozenset({test.negated is negated})
    else:
        yield repr(test), frozenset({negated})
        if isinstance(test, conditions.Search) and not negated:
            yield f"plain {test._replace(negated=False)!r}", frozenset({test.negated})


def _compared(test: conditions.Compare, negated: bool) -> Iterator[tuple[Any, Answers]]:
    """Whichever side stands first. A comparison by order without `not` holds of two numbers, two texts or two Booleans alone."""
    left, right, op = repr(test.left), repr(test.right), test.op
    if left > right:
        left, right, op = right, left, leaves.FLIPPED[op]
    if op in ("==", "!="):
        equal = (op == "==") is not negated
        yield ("equal", left, right), frozenset({equal})
        if equal:
            yield ("order", left, right), _ORDERED["=="]
        return
    yield (op, left, right), frozenset({negated})
    if not negated:
        yield ("order", left, right), _ORDERED[op]
