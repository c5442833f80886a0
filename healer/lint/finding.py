"""Below what a condition is filed so that those which it may follow from find it (`implying`), and few others. Caller: `order`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from healer.engine import conditions, leaves, normal, values
from healer.lint import implying

Key = tuple[Any, ...]
"""(path), (path, kind, value) where few values meet a test, or the text of a test of no path."""
ALWAYS: Final[Key] = ()
KEYS_MAX: Final = 16
"""A test with more values is filed below its path."""


def every(node: normal.Normal) -> Iterator[Key]:
    """The keys of all tests of a condition."""
    if isinstance(node, normal.Check):
        yield from _of(node)
    else:
        for part in node.parts:
            yield from every(part)


def keys(node: normal.Normal, often: Mapping[Key, int]) -> list[Key]:
    """Those of which some event's tests have one, if they lead to this condition. `often`: how many conditions have a key."""
    if isinstance(node, normal.Check):
        return _of(node)
    if isinstance(node, normal.AnyOf):
        return list(
            dict.fromkeys([*(key for part in node.parts for key in keys(part, often)), (implying.meaning(node),)])
        )
    found = [keys(part, often) for part in node.parts]
    return min(found, key=lambda one: (ALWAYS in one, sum(often.get(key, 1) for key in one)))


def _of(check: normal.Check) -> list[Key]:
    if (text := _text(check)) is not None:
        return [text]
    if (fixed := leaves.constant(check)) is not None:
        return [ALWAYS] if fixed else [(implying.meaning(check),)]
    told = implying.bounds(check)
    if not told:
        return [(implying.meaning(check),)]
    steps, upper, lower = told[0]
    points = lower.points() if len(told) == 1 and upper == lower else None
    if not points or len(points) > KEYS_MAX:
        return [(implying.plain(steps),)]
    return [(implying.plain(steps), kind, value) for kind, value in points]


def _text(check: normal.Check) -> Key | None:
    """What nearly all tests are: a field equals a text."""
    test = check.leaf.test
    if (
        type(test) is not conditions.Compare
        or test.op != "=="
        or check.negated
        or type(test.left) is not conditions.Path
    ):
        return None
    if type(test.right) is not conditions.Literal or type(test.right.value) is not str:
        return None
    return implying.plain(test.left.steps), "s", test.right.value


def of_texts(node: normal.Normal) -> list[Key] | None:
    """The same as `asked`, of nothing but fields that equal texts; None of anything else."""
    parts = node.parts if isinstance(node, normal.All) else (node,)
    found = [_text(part) if isinstance(part, normal.Check) else None for part in parts]
    known = [one for one in found if one is not None]
    if len(known) < len(found):
        return None
    through = {one[0][:length] for one in known for length in range(1, len(one[0]) + 1)}
    return [ALWAYS, *known, *((steps,) for steps in through)]


def asked(facts: implying.Facts) -> Iterator[Key]:
    """Where the conditions stand that may follow."""
    yield ALWAYS
    seen = dict[values.Steps, None]()
    for steps, upper in facts.fields.items():
        through = implying.plain(steps)
        if points := upper.points():
            yield (through, *points[0])
        seen.update({through[:length]: None for length in range(1, len(through) + 1)})
    yield from ((through,) for through in seen)
    if facts.opaque:
        yield from ((text,) for text in facts.texts)
