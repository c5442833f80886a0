"""Conditions that can never hold: tests that contradict each other, and values that a field never has (`unreachable`).

Only what is certain is told. Within one condition all tests look at one event, so that two of them on one field can exclude each other.
"""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from healer import errors
from healer.engine import conditions, leaves, normal, values
from healer.lint import alerts, implying, opposing, ranges
from healer.lint.scope import Scope, Told

TESTS_MAX: Final = 200
"""Of more tests joined by `and` is not asked which kinds of values they leave."""
_INVERSE: Final = {"<": ">=", ">=": "<", ">": "<=", "<=": ">", "==": "!=", "!=": "=="}


class Never(NamedTuple):
    """Why a condition never holds, and at which test that shows."""

    leaf: conditions.Leaf
    why: str


def check(scope: Scope, told: Told) -> None:
    """Tell of each rule of a ruleset that can never fire, and of each value that a field never has."""
    closed = scope.alerts_alone
    for rule in scope.ruleset.rules:
        tests = [normal.normal(pattern.test) for pattern in rule.condition.patterns]
        found = [never(test) for test in tests]
        checks = [one for node in tests if closed for one in alerts.checks(node)]
        vain = {id(one): list(alerts.impossible(one)) for one in checks}
        kind = rule.condition.kind
        dead = [why is not None or _dead(test, vain, may_be=True) for why, test in zip(found, tests, strict=True)]
        if (kind == "all" and any(dead)) or (kind == "any" and all(dead)):
            told.never.add(scope.document.place(scope.name_of(rule)))
        if kind == "all" or (kind == "any" and all(found)):
            for one in filter(None, found):
                mark = scope.mark_of(one.leaf, one.leaf.text)
                message = f"the condition of the rule {rule.name!r} never holds: {one.why}"
                told.tell(scope.document, "unreachable", message, mark, "mend it, or take the rule out")
        for test in checks:
            for value in vain[id(test)]:
                mark = scope.mark_of(test.leaf, test.leaf.text)
                told.tell(scope.document, value.code, value.why, mark, value.try_, value.severity)
                if alerts.is_trapped(test.leaf):
                    told.advise("trap-contains", scope.document, test.leaf, "")


def bettered(told: Told, before: Iterable[errors.Diagnostic]) -> dict[tuple[str, errors.Place], str]:
    """(code, place) of what reading told of a test of which more is known → the advice, '' where it is told otherwise. `before`: all
    that reading told. It stands within the test: it is the first such from where that begins.
    """
    codes = {code for code, *_ in told.better}
    traps = sorted((one.code, one.place.file, one.place.line, one.place.column) for one in before if one.code in codes)
    found = ((at, try_) for one, try_ in told.better.items() if (at := bisect.bisect_left(traps, one)) < len(traps))
    return {(traps[at][0], errors.Place(*traps[at][1:])): try_ for at, try_ in found}


def _dead(node: normal.Normal, vain: Mapping[int, Sequence[alerts.Vain]], *, may_be: bool = False) -> bool:
    """Whether a test holds for no event, also by what is told of each of its values (`vain`, by the `id` of a check). `may_be`: `never` of
    it is known to find nothing."""
    if isinstance(node, normal.Check):
        if not may_be and never(node) is not None:
            return True
        found = vain.get(id(node), ())
        listed = list(alerts.compared(node.leaf.test)) if isinstance(node.leaf.test, conditions.Member) else []
        return len(found) >= max(1, len(listed)) and all(one.false for one in found)
    if isinstance(node, normal.AnyOf):
        return all(_dead(part, vain) for part in node.parts)
    return (not may_be and never(node) is not None) or any(
        _dead(part, vain, may_be=isinstance(part, normal.Check)) for part in node.parts
    )


# --- tests that exclude each other --------------------------------------------------------------------------------------------


def never(node: normal.Normal) -> Never | None:
    """Why a test holds for no event; None where some could meet it."""
    if isinstance(node, normal.AnyOf):
        found = [never(part) for part in node.parts]
        return found[0] if all(found) else None
    parts = node.parts if isinstance(node, normal.All) else (node,)
    fields: dict[Any, _Field] = {}
    wanted = 0
    for part in parts:
        if isinstance(part, normal.Check) and _told_nowhere_else(part):
            turned = part.negated and leaves.constant(part._replace(negated=False))
            word = (
                "true, and `not` stands before it"
                if turned
                else "false, with `not` before it too"
                if part.negated
                else "false"
            )
            return Never(part.leaf, f"`{part.leaf.text}` is always {word}")
        if isinstance(part, normal.Check) and _with_itself(part):
            return Never(part.leaf, f"`{part.leaf.text}` compares a field with itself")
        if isinstance(part, normal.Check):
            for name, shown, want in _wants(part):
                wanted += 1
                field = fields.setdefault(name, _Field(shown))
                if (why := field.take(*want)) and implying.Facts(parts).impossible:
                    return Never(part.leaf, why)
        elif inner := never(part):
            return inner
    if len(parts) == 1 or (wanted == len(parts) == len(fields) and not _nested(fields)):
        return None  # each asks for a field of its own
    return (_excluding(parts) or _opposed(parts)) if _on_one_field(parts) else None


def _on_one_field(parts: Iterable[normal.Normal]) -> bool:
    """Whether two tests look at one field, or at one and what is below it."""
    tests = (check.leaf.test for part in parts for check in alerts.checks(part))
    read = [implying.plain(steps) for test in tests for steps in conditions.paths(test)]
    known = set(read)
    return len(known) < len(read) or _nested(known)


def _nested(known: Collection[tuple[Any, ...]]) -> bool:
    """Whether a path leads on from another."""
    for steps in known:
        for at in range(1, len(steps)):
            if steps[:at] in known:
                return True
    return False


def _excluding(parts: tuple[normal.Normal, ...]) -> Never | None:
    """Tests of which the kinds of values exclude each other: another kind is never equal, and never unequal."""
    if len(parts) > TESTS_MAX or not implying.Facts(parts).excluding:
        return None
    number = 1 + bisect.bisect_left(range(1, len(parts)), True, key=lambda at: implying.Facts(parts[:at]).excluding)
    last = parts[number - 1]
    leaf = next(alerts.checks(last)).leaf
    if (one := implying.Facts((last,))).excluding:
        return None  # a trap of its own
    before = implying.Facts(parts[: number - 1])
    for steps in dict.fromkeys((*one.fields, *before.fields)):
        had, wanted = before.of(steps), one.of(steps)
        if had is not None and wanted is not None and (had & wanted).empty:
            return Never(leaf, _of_kinds(alerts.named(steps)[1], had, wanted))
    return Never(leaf, f"`{leaf.text}` fails on all that another test leaves")


def _opposed(parts: tuple[normal.Normal, ...]) -> Never | None:
    """Two tests that ask the same and want other answers."""
    found = opposing.opposed(parts)
    if found is None:
        return None
    before, last = (f"not ({one.leaf.text})" if one.negated else one.leaf.text for one in found)
    return Never(found[1].leaf, f"`{last}` holds only where `{before}` does not")


def _of_kinds(shown: str, had: ranges.Values, wanted: ranges.Values) -> str:
    if ranges.MISSING in (had, wanted):
        return f"`{shown}` would have to be there and not be there"
    kinds, others = had.kinds, wanted.kinds
    if not kinds or not others or not set(kinds).isdisjoint(others):
        return f"no value of `{shown}` meets this test and those before it"
    return f"`{shown}` would have to be {' or '.join(kinds)}, and {' or '.join(others)}"


def _told_nowhere_else(check: normal.Check) -> bool:
    """Whether a test is false whatever comes. A text alone is a trap of its own (`trap-literal`), and a variable may be there to switch."""
    if leaves.constant(check) is not False or "vars." in check.leaf.text or "{{" in check.leaf.text:
        return False
    if isinstance(check.leaf.test, conditions.Defined):
        return False  # a trap of its own as well
    alone = not isinstance(check.leaf.test, conditions.Constant)
    return alone or check.leaf.text.strip("() \t").lower() in ("true", "false")


def _with_itself(check: normal.Check) -> bool:
    """Whether a field is compared with itself in vain; `not (x <= x)` holds of null."""
    test = check.leaf.test
    if (
        not isinstance(test, conditions.Compare)
        or test.left != test.right
        or not isinstance(test.left, conditions.Path)
    ):
        return False
    return test.op == "==" if check.negated else test.op in ("!=", "<", ">")


def _wants(check: normal.Check) -> Iterator[tuple[Any, str, tuple[str, Any]]]:
    """(field, as shown, (operator, value)) of what a test wants of a field."""
    test, negated = check.leaf.test, check.negated
    for steps, op, value in alerts.compared(test) if isinstance(test, conditions.Compare) else ():
        yield *alerts.named(steps), (_INVERSE[op] if negated else op, value)
    if isinstance(test, conditions.Member) and isinstance(test.item, conditions.Path):
        listed = test.items.value if isinstance(test.items, conditions.Literal) else None
        if isinstance(listed, list):
            yield *alerts.named(test.item.steps), ("not in" if test.negated != negated else "in", listed)
    elif isinstance(test, conditions.Truth) and isinstance(test.value, conditions.Path):
        yield *alerts.named(test.value.steps), ("!=" if negated else "==", True)
    elif isinstance(test, conditions.Defined) and isinstance(test.value, conditions.Path) and not negated:
        yield *alerts.named(test.value.steps), ("undefined" if test.negated else "defined", None)


@dataclasses.dataclass(slots=True)
class _Field:
    """What the tests on one field leave of it."""

    shown: str
    equal: list[Any] | None = None
    excluded: list[Any] = dataclasses.field(default_factory=list)
    kind: str = ""
    low: tuple[Any, bool] | None = None
    """(bound, whether it is itself allowed)"""
    high: tuple[Any, bool] | None = None
    present: bool | None = None

    def take(self, op: str, value: Any) -> str:
        """With one more test; why nothing is left, '' where something is."""
        if op in ("defined", "undefined"):
            wanted = op == "defined"
            if self.present is not None and self.present != wanted:
                return f"`{self.shown}` would have to be there and not be there"
            self.present = wanted
            return ""
        if self.present is False:
            return f"`{self.shown}` would have to be there and not be there"
        self.present = True
        return self._compared(op, value)

    def _compared(self, op: str, value: Any) -> str:
        if op in ("==", "in"):
            before, given = self.equal, value if op == "in" else [value]
            self.equal = [one for one in given if before is None or any(_same(one, other) for other in before)]
            if not self.equal:
                return f"`{self.shown}` would have to be {alerts.words(before)} and {alerts.words(given)}"
        elif op in ("!=", "not in"):
            self.excluded += value if op == "not in" else [value]
        elif values.kind(value) in "ns":
            if self.kind and self.kind != values.kind(value):
                return f"`{self.shown}` would have to be a number and a text"
            self.kind = values.kind(value)
            self._bounded(op, value)
        return self._left()

    def _bounded(self, op: str, value: Any) -> None:
        bound = (value, "=" in op)
        if op[0] == ">" and (self.low is None or (value, not bound[1]) > (self.low[0], not self.low[1])):
            self.low = bound
        elif op[0] == "<" and (self.high is None or (value, bound[1]) < (self.high[0], self.high[1])):
            self.high = bound

    def _left(self) -> str:
        if self.equal is not None and all(any(_same(one, other) for other in self.excluded) for one in self.equal):
            return f"`{self.shown}` would have to be {alerts.words(self.equal)} and not be it"
        if self.equal is not None and not any(map(self._within, self.equal)):
            return f"`{self.shown}` would have to be {alerts.words(self.equal)}, which another test excludes"
        if self.low and self.high:
            (low, with_low), (high, with_high) = self.low, self.high
            if low > high or (low == high and not (with_low and with_high)):
                ends = ("at least" if with_low else "more than", "at most" if with_high else "less than")
                return f"`{self.shown}` would have to be {ends[0]} {low} and {ends[1]} {high}"
        return ""

    def _within(self, value: Any) -> bool:
        if not self.kind:
            return True
        if values.kind(value) != self.kind:
            return False
        low = self.low is None or value > self.low[0] or (value == self.low[0] and self.low[1])
        high = self.high is None or value < self.high[0] or (value == self.high[0] and self.high[1])
        return low and high


def _same(one: Any, other: Any) -> bool:
    return values.kind(one) == values.kind(other) and bool(one == other)
