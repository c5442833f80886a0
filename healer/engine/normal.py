"""Pushes `not` down to the simple tests, which is how the language means it.

Callers: `compiled`, `explaining`. Measured: `not (a and b)` is `not a or not b`, each of which is false on a missing
field; and a double `not` before a simple test counts once.
"""

from __future__ import annotations

from typing import NamedTuple

from healer.engine import conditions


class Check(NamedTuple):
    """A simple test, and whether `not` stands before it."""

    leaf: conditions.Leaf
    negated: bool


class All(NamedTuple):
    """All parts hold."""

    parts: tuple[Normal, ...]


class AnyOf(NamedTuple):
    """Some part holds."""

    parts: tuple[Normal, ...]


Normal = Check | All | AnyOf


def normal(test: conditions.Test, negated: bool = False, turned: bool = False) -> Normal:
    """The test with `not` at its leaves and chains of one operator flattened.

    `negated`: some `not` stands before it; `turned`: an odd number of them. A simple test is negated by any number of
    `not`, while `and` and `or` change places with each one (measured).
    """
    if isinstance(test, conditions.Leaf):
        return Check(test, negated)
    if isinstance(test, conditions.Not):
        return normal(test.test, True, not turned)
    joined: type[All] | type[AnyOf] = All if isinstance(test, conditions.And) != turned else AnyOf
    return joined(tuple(part for one in test.parts for part in _parts(normal(one, negated, turned), joined)))


def _parts(node: Normal, joined: type[All] | type[AnyOf]) -> tuple[Normal, ...]:
    return node.parts if isinstance(node, joined) else (node,)
