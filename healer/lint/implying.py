"""Whether each event that meets one condition meets another too: for certain, or not told. Callers: `order`, `reach`.

A condition is taken apart into branches that one event meets whole; of each is known what its tests leave of a field (`ranges`), and the
tests of which no more is known than that they hold. It follows the engine's own rules for `not`, for null and for what is not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from healer.engine import conditions, leaves, normal, patterns, values
from healer.lint import ranges
from healer.lint.ranges import Values

BRANCHES_MAX: Final = 16
"""An `or` that makes more of them is a test like any other, of which no more is known."""
TEXTS_MAX: Final = 20
SPLIT_MAX: Final = 16
_TURNED: Final = frozenset({"<", "<=", ">", ">="})

Bound = tuple[values.Steps, Values, Values]
"""A field, what a test lets through of it at most, and what meets the test for certain."""


def bounds(check: normal.Check) -> tuple[Bound, ...]:
    """What a test says of the fields that it reads; nothing of what is no field, or of an earlier event."""
    return tuple(_bounds(check.leaf.test, check.negated))


def _bounds(test: conditions.Simple, negated: bool) -> Iterator[Bound]:
    if isinstance(test, conditions.Compare):
        yield from _of_compare(test, negated)
    elif isinstance(test, conditions.Member):
        yield from _of_member(test, test.negated is negated)
    elif isinstance(test, conditions.Constant) or not isinstance(test.value, conditions.Path):
        return
    elif isinstance(test, conditions.Defined):
        found = ranges.PRESENT if test.negated is negated else ranges.MISSING if test.negated else ranges.NOTHING
        yield test.value.steps, found, found
    elif isinstance(test, conditions.Truth):
        true = Values(frozenset({"t"}))
        found = ranges.PRESENT.without(true) if negated else true
        yield test.value.steps, found, found
    else:
        null = isinstance(test, conditions.Search) and not negated
        yield test.value.steps, ranges.PRESENT.without(ranges.NULL) if null else ranges.PRESENT, ranges.NOTHING


def _of_compare(test: conditions.Compare, negated: bool) -> Iterator[Bound]:
    for one, other, turned in ((test.left, test.right, False), (test.right, test.left, True)):
        if not isinstance(one, conditions.Path):
            continue
        if not isinstance(other, conditions.Literal):
            yield one.steps, ranges.PRESENT, ranges.NOTHING
        elif test.op in _TURNED:
            found = ranges.ordered(test.op, other.value, negated=negated, turned=turned)
            yield one.steps, found, found
        else:
            yield one.steps, *ranges.equal(other.value, (test.op == "==") is not negated)


def _of_member(test: conditions.Member, wanted: bool) -> Iterator[Bound]:
    if isinstance(test.item, conditions.Path):
        found = ranges.among(test.items.value) if isinstance(test.items, conditions.Literal) else None
        if found is None:
            yield test.item.steps, ranges.PRESENT, ranges.NOTHING
        else:
            found = found if wanted else ranges.PRESENT.without(found)
            yield test.item.steps, found, found
    if isinstance(test.items, conditions.Path):
        found = ranges.point(test.item.value) if isinstance(test.item, conditions.Literal) else None
        if found is None:
            yield test.items.steps, ranges.PRESENT, ranges.NOTHING
        elif wanted:
            yield test.items.steps, ranges.LISTS | found, found
        else:
            left = ranges.PRESENT.without(found)
            yield test.items.steps, left, left.without(ranges.LISTS)


def meaning(node: normal.Normal) -> str:
    """A test by what it means, wherever it stands."""
    if isinstance(node, normal.Check):
        return f"not {node.leaf.test!r}" if node.negated else repr(node.leaf.test)
    word = "and" if isinstance(node, normal.All) else "or"
    return f"({f' {word} '.join(sorted(map(meaning, node.parts)))})"


def plain(steps: values.Steps) -> values.Steps:
    """A path as it leads through maps: `["name"]` is `.name` there."""
    return tuple(one[0] if isinstance(one, tuple) else one for one in steps)


class Facts:
    """What is known of each event that meets some tests, all of them."""

    __slots__ = ("_texts", "fields", "tests")

    def __init__(self, tests: tuple[normal.Normal, ...] = ()) -> None:
        self.fields: dict[values.Steps, Values] = {}
        self.tests = tests
        self._texts: frozenset[str] | None = None
        for test in tests:
            one = bounds(test) if isinstance(test, normal.Check) else _single(test)
            for steps, upper, _ in one:
                self._put(steps, upper)
                if "missing" not in upper.others and (through := plain(steps)) != steps:
                    self._put(through, upper)

    def _put(self, steps: values.Steps, upper: Values) -> None:
        before = self.fields.get(steps)
        self.fields[steps] = upper if before is None else before & upper

    @property
    def opaque(self) -> bool:
        """Whether some test says nothing of a field."""
        return any(not isinstance(one, normal.Check) or not bounds(one) for one in self.tests)

    @property
    def texts(self) -> frozenset[str]:
        """The tests by their meaning."""
        if self._texts is None:
            self._texts = frozenset(map(meaning, self.tests))
        return self._texts

    @property
    def impossible(self) -> bool:
        """Whether no event meets the tests."""
        return self.excluding or any(map(_is_false, self.tests))

    @property
    def excluding(self) -> bool:
        """Whether what the tests ask of a field leaves nothing of it."""
        fields = self.fields
        above = set[values.Steps]()
        for steps, upper in fields.items():
            if upper.empty:
                return True
            for at in range(1, len(steps)):
                if steps[:at] in fields:
                    above.add(steps[:at])
        for steps in above:
            if (found := self.of(steps)) is not None and found.empty:
                return True
        for test in self.tests:
            if (
                isinstance(test, normal.Check)
                and isinstance(test.leaf.test, conditions.Search)
                and self._found_nowhere(test)
            ):
                return True
        return False

    def _found_nowhere(self, check: normal.Check) -> bool:
        """Whether a regular expression fails on each of the few texts that its field may be."""
        test = check.leaf.test
        if not isinstance(test, conditions.Search) or not isinstance(test.value, conditions.Path):
            return False
        known = self.of(test.value.steps)
        return known is not None and _found(test, not check.negated, known)

    def of(self, steps: values.Steps) -> Values | None:
        """What a field may be; None where nothing is known. One that leads on to something holds it, or is null as that is."""
        found = self.fields.get(steps)
        for longer, upper in self.fields.items():
            if len(longer) > len(steps) and longer[: len(steps)] == steps and "missing" not in upper.others:
                above = ranges.CONTAINERS | ranges.NULL if "z" in upper.others else ranges.CONTAINERS
                found = above if found is None else found & above
        return found

    def split(self) -> list[Facts]:
        """By the values of the first field that may have a few; nothing where none is so."""
        for steps, upper in self.fields.items():
            apart = upper.apart()
            if 1 < len(apart) <= SPLIT_MAX:
                return [self._with(steps, one) for one in apart]
        return []

    def _with(self, steps: values.Steps, upper: Values) -> Facts:
        made = Facts()
        made.fields, made.tests, made._texts = {**self.fields, steps: upper}, self.tests, self._texts
        return made

    def has(self, steps: values.Steps) -> bool:
        """Whether a field is there, for certain; null counts."""
        found = self.of(steps)
        return found is not None and "missing" not in found.others


def _is_false(test: normal.Normal) -> bool:
    return isinstance(test, normal.Check) and leaves.constant(test) is False


def _single(node: normal.Normal) -> tuple[Bound, ...]:
    """An `or` of tests on one field, where all is known of it: as one."""
    found: Bound | None = None
    for part in node.parts if isinstance(node, normal.AnyOf) else ():
        one = bounds(part) if isinstance(part, normal.Check) else ()
        if len(one) != 1 or one[0][1] != one[0][2] or (found is not None and found[0] != one[0][0]):
            return ()
        found = one[0] if found is None else (found[0], found[1] | one[0][1], found[2] | one[0][2])
    return () if found is None else (found,)


def branches(node: normal.Normal) -> list[Facts]:
    """What each event that meets a condition meets, one of these whole; without those that no event can meet."""
    return [one for one in map(Facts, _branches(node)) if not one.impossible]


def _branches(node: normal.Normal) -> list[tuple[normal.Normal, ...]]:
    if isinstance(node, normal.Check):
        return [(node,)]
    if isinstance(node, normal.AnyOf):
        if _single(node):
            return [(node,)]
        made = [one for part in node.parts for one in _branches(part)]
        return made if len(made) <= BRANCHES_MAX else [(node,)]
    made = list[tuple[normal.Normal, ...]]([()])
    for part in node.parts:
        more: list[tuple[normal.Normal, ...]] = _branches(part)
        if len(made) * len(more) > BRANCHES_MAX:
            more = [(part,)]
        also = (part,) if len(more) > 1 else ()
        made = [(*one, *other, *also) for one in made for other in more]
    return made


def holds(node: normal.Normal, facts: Facts) -> bool:
    """Whether a test holds for each event of which that is known."""
    if isinstance(node, normal.All):
        return all(holds(part, facts) for part in node.parts)
    if isinstance(node, normal.AnyOf):
        return any(holds(part, facts) for part in node.parts) or _together(node, facts) or meaning(node) in facts.texts
    test = node.leaf.test
    if (fixed := leaves.constant(node)) is not None:
        return fixed
    told = bounds(node)
    if len(told) == 1 and (known := facts.of(told[0][0])) is not None:
        if known.within(told[0][2]):
            return True
        if isinstance(test, conditions.Search) and _found(test, node.negated, known):
            return True
    return bool(not told or told[0][1] != told[0][2]) and meaning(node) in facts.texts


def _found(test: conditions.Search, negated: bool, known: Values) -> bool:
    """Whether a regular expression finds each of a few texts."""
    points = known.points() if len(known.texts) <= TEXTS_MAX and not (known.others or known.numbers) else None
    if not points:
        return False
    find = patterns.finder(test.pattern, anchored=test.anchored, ignorecase=test.ignorecase, multiline=test.multiline)
    return all(find(text) is (test.negated is negated) for _, text in points)


def _together(node: normal.AnyOf, facts: Facts) -> bool:
    """Whether some of the tests of an `or` that look at one field leave nothing out together."""
    fields: dict[values.Steps, Values] = {}
    for part in node.parts:
        told = bounds(part) if isinstance(part, normal.Check) else ()
        for steps, _, lower in told if len(told) == 1 else ():
            fields[steps] = fields.get(steps, ranges.NOTHING) | lower
    return any((known := facts.of(steps)) is not None and known.within(all_) for steps, all_ in fields.items())
