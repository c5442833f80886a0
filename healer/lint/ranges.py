"""Sets of values that a field may have, as one test leaves them: spans of numbers and of texts, and the few others that JSON knows.

Caller: `implying`. A set may only ever be too large where it says what a test lets through, and too small where it says what meets a test;
so whatever is not known here (a list's content, a regular expression) is left out on the safe side.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from healer.engine import leaves, values

Cut = tuple[Any, ...]
"""A place between two values: (0, value, 0) just before it, (0, value, 1) just behind it."""
Spans = tuple[tuple[Cut, Cut], ...]
"""From one place to another, sorted, none of them touching the next."""

_FIRST: Final[Cut] = (-1,)
_LAST: Final[Cut] = (1,)
_ALL: Final[Spans] = ((_FIRST, _LAST),)
POINTS_MAX: Final = 100
"""A list of more elements is not looked into."""
KINDS_MAX: Final = 3
_KINDS: Final = {
    "numbers": "a number", "nan": "a number", "texts": "a text", "t": "true", "f": "false", "l": "a list", "g": "a list", "m": "a mapping",
    "x": "something else", "missing": "missing", "z": "null",
}  # fmt: skip


class Values(NamedTuple):
    """`others`: missing, z (null), t, f, nan, l (any list), m (any map), g (gathered from a list), x (anything else)."""

    others: frozenset[str] = frozenset()
    numbers: Spans = ()
    texts: Spans = ()

    def __and__(self, other: Values) -> Values:
        return Values(self.others & other.others, _meet(self.numbers, other.numbers), _meet(self.texts, other.texts))

    def __or__(self, other: Values) -> Values:
        return Values(
            self.others | other.others, _join((*self.numbers, *other.numbers)), _join((*self.texts, *other.texts))
        )

    def within(self, other: Values) -> bool:
        """Whether each of these is one of those."""
        return self.others <= other.others and _within(self.numbers, other.numbers) and _within(self.texts, other.texts)

    def without(self, other: Values) -> Values:
        """Those that are none of the others."""
        return self & Values(EVERYTHING.others - other.others, _others(other.numbers), _others(other.texts))

    @property
    def empty(self) -> bool:
        """Whether there is none."""
        return not (self.others or self.numbers or self.texts)

    def apart(self) -> list[Values]:
        """Each by itself, where they can be counted; else nothing."""
        if self.points() is None:
            return []
        return [
            *(Values(frozenset({one})) for one in sorted(self.others)), *(Values(numbers=(one,)) for one in self.numbers),
            *(Values(texts=(one,)) for one in self.texts),
        ]  # fmt: skip

    @property
    def kinds(self) -> list[str]:
        """What they are, in words; of too many nothing."""
        named = {"numbers": self.numbers, "texts": self.texts, **dict.fromkeys(self.others, True)}
        found = list(dict.fromkeys(word for kind, word in _KINDS.items() if named.get(kind)))
        return found if len(found) <= KINDS_MAX else []

    def points(self) -> list[Any] | None:
        """Each by its kind and value, where they can be counted; None where they cannot."""
        if not self.others <= _SINGLE:
            return None
        spans = [*self.numbers, *self.texts]
        if any(len(low) < 3 or len(high) < 3 or low[1] != high[1] for low, high in spans):
            return None
        return [*((kind, None) for kind in sorted(self.others)), *((values.kind(low[1]), low[1]) for low, _ in spans)]


_SINGLE: Final = frozenset({"missing", "z", "t", "f"})
NOTHING: Final = Values()
EVERYTHING: Final = Values(frozenset({"missing", "z", "t", "f", "nan", "l", "m", "g", "x"}), _ALL, _ALL)
MISSING: Final = Values(frozenset({"missing"}))
PRESENT: Final = EVERYTHING._replace(others=EVERYTHING.others - {"missing"})
NULL: Final = Values(frozenset({"z"}))
LISTS: Final = Values(frozenset({"l", "g"}))
CONTAINERS: Final = Values(frozenset({"l", "m", "g"}))
_NUMBERS: Final = Values(frozenset({"nan"}), _ALL, ())
_TEXTS: Final = Values(frozenset(), (), _ALL)
_BOOLEANS: Final = Values(frozenset({"t", "f"}))
_OF_KIND: Final = {"n": _NUMBERS, "s": _TEXTS, "b": _BOOLEANS, "z": NULL}


def point(literal: Any) -> Values | None:
    """What equals a literal; None of one that is not looked into."""
    kind = values.kind(literal)
    if kind == "n":
        number = values.double(literal)
        return Values(frozenset(), (((0, number, 0), (0, number, 1)),), ())
    if kind == "s":
        return Values(frozenset(), (), (((0, literal, 0), (0, literal, 1)),))
    if kind == "b":
        return Values(frozenset({"t" if literal else "f"}))
    return NULL if kind == "z" else None


def equal(literal: Any, wanted: bool) -> tuple[Values, Values]:
    """What `==` (or, where it is not wanted, `!=`) lets through at most, and what it lets through for certain."""
    found, kind = point(literal), values.kind(literal)
    if found is None:
        upper = Values(frozenset({kind if kind in "lmg" else "x"}))
        return (upper, NOTHING) if wanted else (upper | NULL, NULL)
    if wanted:
        return found, found
    left = PRESENT.without(NULL) if kind == "z" else _OF_KIND[kind].without(found) | NULL
    return left, left


def ordered(op: str, literal: Any, *, negated: bool, turned: bool) -> Values:
    """What `<`, `<=`, `>`, `>=` let through. `turned`: the literal stands on the left, so that null is no left side, which `not` takes."""
    kind = values.kind(literal)
    null = NULL if negated and not turned else NOTHING
    if turned and kind == "z":
        return PRESENT if negated else NOTHING
    if kind == "b":
        sides = [one for one in (True, False) if _holds(op, one, literal, turned) is not negated]
        return Values(frozenset("t" if one else "f" for one in sides)) | null
    if kind not in "ns":
        return null
    bound = values.double(literal) if kind == "n" else literal
    op = leaves.FLIPPED[op] if turned else op
    spans: Spans = ((_FIRST, (0, bound, op == "<=")),) if op[0] == "<" else (((0, bound, int(op == ">")), _LAST),)
    made = Values(frozenset(), spans, ()) if kind == "n" else Values(frozenset(), (), spans)
    return (_OF_KIND[kind].without(made) if negated else made) | null


def _holds(op: str, value: bool, literal: bool, turned: bool) -> bool:
    return leaves.ORDER[op](literal, value) if turned else leaves.ORDER[op](value, literal)


def among(literals: Any) -> Values | None:
    """What equals an element of a list of literals (a single one is a list of one); None where that is not looked into."""
    listed = literals if isinstance(literals, list) else [literals]
    found = [point(one) for one in listed[: POINTS_MAX + 1]]
    known = [one for one in found if one is not None]
    if len(known) < len(found) or len(found) > POINTS_MAX:
        return None
    return Values(
        frozenset().union(*(one.others for one in known)),
        _join(span for one in known for span in one.numbers),
        _join(span for one in known for span in one.texts),
    )


def _meet(these: Spans, those: Spans) -> Spans:
    if these is _ALL or those is _ALL:
        return those if these is _ALL else these
    return tuple(
        (low, high)
        for one in these
        for other in those
        if (low := max(one[0], other[0])) < (high := min(one[1], other[1]))
    )


def _join(spans: Iterable[tuple[Cut, Cut]]) -> Spans:
    made: list[tuple[Cut, Cut]] = []
    for low, high in sorted(spans):
        if made and low <= made[-1][1]:
            made[-1] = (made[-1][0], max(made[-1][1], high))
        else:
            made.append((low, high))
    return tuple(made)


def _within(these: Spans, those: Spans) -> bool:
    return all(any(low <= one and other <= high for low, high in those) for one, other in these)


def _others(spans: Spans) -> Spans:
    made, begin = [], _FIRST
    for low, high in spans:
        if begin < low:
            made.append((begin, low))
        begin = high
    return (*made, (begin, _LAST)) if begin < _LAST else tuple(made)
