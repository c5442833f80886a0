"""An `all` of which one event meets every condition by itself: it is used up at once, and waits for no other (semantics 1.5, measured).

Of three conditions two that one event meets are no such trap: it waits for the third, and others come meanwhile. Caller: `traps`.
"""

from __future__ import annotations

from typing import NamedTuple

from healer.engine import conditions, normal
from healer.lint import implying


class Meeting(NamedTuple):
    """`first`: the condition whose events meet all others by themselves; `other`: one of these. `never`: so it is whichever comes first,
    and the rule never fires; `joined`: only events that have what is compared."""

    first: int
    other: int
    never: bool
    joined: bool


def itself(condition: conditions.Condition) -> Meeting | None:
    """The first such condition of an `all` whose events are used up; None where that is not certain."""
    patterns = condition.patterns
    if condition.kind != "all" or len(patterns) < 2 or any(map(_is_absence, patterns)):
        return None
    nodes = [normal.normal(pattern.test) for pattern in patterns]
    bound = [any(conditions.bound(leaf.test) for leaf in conditions.leaves(pattern.test)) for pattern in patterns]
    # Of more than two, an event that lacks the field may wait at another condition.
    same = [len(patterns) == 2 and _same_fields(pattern.test) for pattern in patterns]
    met = [
        number
        for number, node in enumerate(nodes)
        if not bound[number]
        and all(
            same[other] or (not bound[other] and _follows(node, nodes[other]))
            for other in range(len(nodes))
            if other != number
        )
    ]
    if not met:
        return None
    first = met[0]
    return Meeting(first, 0 if first else 1, len(met) == len(nodes), any(same))


def _is_absence(pattern: conditions.Pattern) -> bool:
    return conditions.absence(conditions.Condition("all", (pattern._replace(bound=False),))) is not None


def _follows(node: normal.Normal, other: normal.Normal) -> bool:
    """Whether each event of one meets the other, and there may be some."""
    made = implying.branches(node)
    return bool(made) and all(implying.holds(other, facts) for facts in made)


def _same_fields(test: conditions.Test) -> bool:
    """Whether it is only that fields of an earlier event equal the same fields of the event at hand."""
    return isinstance(test, conditions.Leaf | conditions.And) and all(
        _same_field(leaf.test) for leaf in conditions.leaves(test)
    )


def _same_field(test: conditions.Simple) -> bool:
    if isinstance(test, conditions.Compare) and test.op == "==":
        for one, other in ((test.left, test.right), (test.right, test.left)):
            if isinstance(one, conditions.Path) and isinstance(other, conditions.Bound) and one.steps == other.steps:
                return True
    return False
