"""What an element of a list has to satisfy: `contains`, `in`, and the operators of `select` and `selectattr`.

Caller: `leaves`. A scalar counts as a list of one everywhere here (measured).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from healer.engine import conditions, patterns, values

Satisfies = Callable[[Any, Any], bool | None]
"""None: the peer raises."""

PATTERN_MAX: Final = 1_000
"""Characters of a pattern that an event brings; a longer one is none."""
PATTERN_MEMORY: Final = 1 << 20
PATTERNS_KEPT: Final = 64


def contains(items: Any, item: Any) -> bool:
    """Whether some element equals `item`; a text is a list of one, so there are no substrings."""
    if isinstance(items, list):
        return any(values.equal(one, item) for one in items)
    return values.equal(items, item)


def with_attribute(keys: values.Steps, satisfies: Satisfies) -> Satisfies:
    """`satisfies` of the attribute of an element: false where a map lacks it, None (the peer raises) for no map.

    A null has a null for each attribute, and that satisfies every operator beside a null and none beside anything else (measured).
    """

    def verdict(element: Any, operand: Any) -> bool | None:
        for key in keys:
            if element is None:
                break
            if not isinstance(element, dict):
                return None
            element = element.get(key, values.MISSING)
            if element is values.MISSING:
                return False
        return operand is None if element is None else satisfies(element, operand)

    return verdict


def alone(found: Any, test: conditions.Select) -> bool | None:
    """`selectattr` of something that is no list, where it differs from a list of one (measured).

    A map that lacks the attribute is like an empty list, so neither `is` nor `is not` holds: that is the opposite of
    what is looked for.
    """
    element: Any = found
    for key in test.steps or ():
        if not isinstance(element, dict):
            return None
        element = element.get(key, values.MISSING)
        if element is values.MISSING:
            return test.negated
    return None


def operation(op: str, operand: conditions.Value) -> Satisfies:
    """The function (element, operand) → bool of a `select` operator; `match`, too, looks anywhere in the text."""
    if op not in ("search", "match", "regex"):
        return _OPERATIONS[op]
    if not isinstance(operand, conditions.Literal):
        return _found
    find = patterns.finder(values.java_text(operand.value), anchored=False)
    return lambda element, _: element is not None and find(values.java_text(element))


def _found(element: Any, pattern: Any) -> bool | None:
    """Whether a pattern that an event brought is found: None (the peer raises) where it is none."""
    if element is None or pattern is None:
        return False
    find = _finder(values.java_text(pattern)[: PATTERN_MAX + 1])
    return None if find is None else find(values.java_text(element))


@functools.lru_cache(maxsize=PATTERNS_KEPT)
def _finder(pattern: str) -> patterns.Finder | None:
    if len(pattern) > PATTERN_MAX:
        return None
    try:
        return patterns.finder(pattern, anchored=False, memory=PATTERN_MEMORY)
    except (patterns.Bad, patterns.Unsupported):
        return None


def _differs(element: Any, operand: Any) -> bool:
    if operand is None:
        return True
    return element is not None and not values.equal(element, operand)


def _ordered(op: str) -> Satisfies:
    def holds(element: Any, operand: Any) -> bool | None:
        if operand is None:
            return True if element is None else None  # measured, as odd as it is
        found = values.kind(element)
        if found != values.kind(operand) or found not in "nsb":
            return False
        if found == "n":
            element, operand = values.double(element), values.double(operand)
        if op in ("<", "<="):
            return bool(element < operand or (op == "<=" and element == operand))
        return bool(element > operand or (op == ">=" and element == operand))

    return holds


_OPERATIONS: Final[dict[str, Satisfies]] = {
    "==": values.equal,
    "!=": _differs,
    **{op: _ordered(op) for op in ("<", "<=", ">", ">=")},
    "in": lambda element, operand: contains(operand, element),
    "not in": lambda element, operand: not contains(operand, element),
    "contains": contains,
    "not contains": lambda element, operand: not contains(element, operand),
}
