"""Conditions that can never hold: tests that contradict each other, and values that a field never has (`unreachable`).

Only what is certain is told. Within one condition all tests look at one event, so that two of them on one field can exclude each other.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from healer import errors
from healer.engine import conditions, normal, values
from healer.lint import implying, shapes
from healer.lint.scope import Scope, Told

_TURNED: Final = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}
_INVERSE: Final = {"<": ">=", ">=": "<", ">": "<=", "<=": ">", "==": "!=", "!=": "=="}
_TEXTS: Final = frozenset({"name", "target", "status", "severity", "severity_raw", "key"})
"""Words of `event.alert` that are texts, whoever sent it; so are its labels, which are a mapping; `cycle` is a number."""
_READ: Final = frozenset({"event.alert.summary", "event.alert.link"})
"""Texts too, where they are there: a sender may leave them out."""
_KINDS: Final = {"s": "a text", "n": "a number", "m": "a mapping"}
_NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_QUOTED: Final = re.compile(r"\"[^\"]*\"|'[^']*'")
_CONTAINS: Final = re.compile(r"(?<![.\w])contains(?![.\w])")
_BELOW: Final = {"m": ".…"}
_WORDS: Final = {"status": shapes.STATUSES, "severity": shapes.SEVERITIES}


class Vain(NamedTuple):
    """A value that a word of `event.alert` never has."""

    why: str
    try_: str
    false: bool
    """Whether a comparison with it is false; of what is listed, one with it alone."""
    code: str = "unreachable"


class Never(NamedTuple):
    """Why a condition never holds, and at which test that shows."""

    leaf: conditions.Leaf
    why: str


def check(scope: Scope, told: Told) -> None:
    """Tell of each rule of a ruleset that can never fire, and of each value that a field never has."""
    closed = scope.shapes is not None and all(
        one.alerts or (one.tree is not None and "alert" not in one.tree) for one in scope.shapes
    )
    for rule in scope.ruleset.rules:
        found = [never(normal.normal(pattern.test)) for pattern in rule.condition.patterns]
        kind = rule.condition.kind
        dead = [_dead(normal.normal(pattern.test), closed) for pattern in rule.condition.patterns]
        if (kind == "all" and any(dead)) or (kind == "any" and all(dead)):
            told.never.add(scope.document.place(scope.name_of(rule)))
        if kind == "all" or (kind == "any" and all(found)):
            for one in filter(None, found):
                mark = scope.mark_of(one.leaf, one.leaf.text)
                message = f"the condition of the rule {rule.name!r} never holds: {one.why}"
                told.tell(scope.document, "unreachable", message, mark, "mend it, or take the rule out")
        for pattern in rule.condition.patterns if closed else ():
            for test in _checks(normal.normal(pattern.test)):
                for vain in _impossible(test):
                    mark = scope.mark_of(test.leaf, test.leaf.text)
                    told.tell(scope.document, vain.code, vain.why, mark, vain.try_)


def _dead(node: normal.Normal, closed: bool) -> bool:
    """Whether a test holds for no event, also by what is told of each of its values (`closed`)."""
    if isinstance(node, normal.Check):
        found = list(_impossible(node)) if closed else []
        listed = list(_compared(node.leaf.test)) if isinstance(node.leaf.test, conditions.Member) else []
        return never(node) is not None or (len(found) >= max(1, len(listed)) and all(one.false for one in found))
    dead = (_dead(part, closed) for part in node.parts)
    return all(dead) if isinstance(node, normal.AnyOf) else never(node) is not None or any(dead)


# --- values that a word of event.alert never has ----------------------------------------------------------------------------


def _impossible(check: normal.Check) -> Iterator[Vain]:
    """What a word of `event.alert` is compared with in vain."""
    yield from _of_two(check)
    test = check.leaf.test
    if isinstance(test, conditions.Truth) and isinstance(test.value, conditions.Path) and not check.negated:
        names, shown = _named(test.value.steps)
        if kind := _kind(names):
            try_ = f"compare it: {shown}{_BELOW.get(kind, '')} == …"
            yield Vain(f"`{shown}` is {_KINDS[kind]} and alone never true", try_, false=True)
    listed = isinstance(test, conditions.Member)
    for steps, op, value in _compared(test):
        names, shown = _named(steps)
        kind, given = _kind(names), values.kind(value)
        if kind and given in "snbl" and kind != given:
            why = f" and never {_words([value])}" if listed else ", so this is always false"
            yield Vain(
                f"`{shown}` is {_KINDS[kind]}{why}", _mended(kind, given, op, shown), not (listed and check.negated)
            )
        elif op == "==" and len(names) == 2 and given == "s" and value not in (known := _words_of(names) or (value,)):
            near = errors.nearest(value.lower(), known)
            yield Vain(f"`{shown}` is never {value!r}", near or f"it is one of: {', '.join(known)}", not check.negated)


def _of_two(check: normal.Check) -> Iterator[Vain]:
    """A word beside another of which the kind is known too, and what is looked for within one."""
    test = check.leaf.test
    if isinstance(test, conditions.Compare):
        (one, shown), (other, beside) = _known(test.left), _known(test.right)
        if not shown or not beside:
            return
        if one and other and one != other:
            yield _differing(one, shown, other, beside)
        elif one == other == "m" and test.op not in ("==", "!="):
            yield Vain("mappings have no order, so this is always false", _mended("m", "m", test.op, shown), false=True)
    elif isinstance(test, conditions.Member):
        (one, shown), (items, within) = _known(test.item), _known(test.items)
        wanted = test.negated is check.negated
        if within in _READ and one in ("s", ""):
            items = "s"
        if not within or not items:
            return
        if items == "s" and one in ("s", ""):
            yield from _part(check.leaf, within, literal=isinstance(test.item, conditions.Literal))
        elif not wanted or not one or one == items:
            return
        elif items == "m":
            why = f"the keys of the mapping `{within}` are not looked at, so this is always false"
            yield Vain(why, _key(test.item, within) or _mended("m", one, "in", within), false=True)
        elif isinstance(test.item, conditions.Literal):
            why = f"`{within}` is {_KINDS[items]} and never {_words([test.item.value])}"
            yield Vain(why, _mended(items, one, "==", within), false=True)
        else:
            yield _differing(one, shown, items, within)


def _known(value: conditions.Value) -> tuple[str, str]:
    """(kind, as shown) of a literal or of a word; no name of a literal, and no kind where that is not known."""
    if isinstance(value, conditions.Literal):
        return values.kind(value.value), ""
    if not isinstance(value, conditions.Path):
        return "", ""
    names, shown = _named(value.steps)
    return _kind(names), shown


def _differing(one: str, shown: str, other: str, beside: str) -> Vain:
    mapping = next((name for kind, name in ((one, shown), (other, beside)) if kind == "m"), "")
    why = f"`{shown}` is {_KINDS[one]} and `{beside}` is {_KINDS[other]}, so this is always false"
    return Vain(why, _mended("m", "", "", mapping) if mapping else "", false=True)


def _part(leaf: conditions.Leaf, within: str, *, literal: bool) -> Iterator[Vain]:
    """A part of a text; of a literal after `contains` reading the condition tells it."""
    contains = _CONTAINS.search(_QUOTED.sub("", leaf.text)) is not None
    if contains and literal:
        return
    word, code = ("contains", "trap-contains") if contains else ("in", "trap-substring")
    try_ = 'a pattern of search is written out: … is search("…"); for the same text write =='
    message = f"{word} looks for an element of a list, not for a part of a text"
    yield Vain(message, f'write {within} is search("…")' if literal else try_, false=False, code=code)


def _key(item: conditions.Value, within: str) -> str:
    if not isinstance(item, conditions.Literal) or not isinstance(item.value, str):
        return ""
    name = f".{item.value}" if _NAME.fullmatch(item.value) else f'["{item.value}"]'
    return f"for a key write {within}{name} is defined" if '"' not in item.value else ""


def _kind(names: tuple[Any, ...]) -> str:
    """The kind of what stands there in every alert (as `values.kind` has it); '' where that is not known."""
    if names[0] != "alert" or len(names) > 3:
        return ""
    if len(names) == 3:
        return "s" if names[1] == "labels" else ""
    return (
        "m"
        if len(names) == 1 or names[1] == "labels"
        else "n"
        if names[1] == "cycle"
        else "s"
        if names[1] in _TEXTS
        else ""
    )


def _words_of(names: tuple[Any, ...]) -> tuple[str, ...]:
    return _WORDS.get(str(names[1]), ()) if names[0] == "alert" else ()


def _mended(kind: str, given: str, op: str, shown: str) -> str:
    if kind == "m":
        return f"compare something below it: {shown}{_BELOW[kind]}"
    if op not in ("==", "!=") or given == "l":
        return ""
    return "put quotes around the value" if kind == "s" else "a number has no quotes" if given == "s" else ""


def _checks(node: normal.Normal) -> Iterator[normal.Check]:
    if isinstance(node, normal.Check):
        yield node
    else:
        for part in node.parts:
            yield from _checks(part)


def _compared(test: conditions.Simple) -> Iterator[tuple[values.Steps, str, Any]]:
    """(path, operator, literal) of a comparison, of `in` one for each element."""
    if isinstance(test, conditions.Compare):
        for one, other, op in ((test.left, test.right, test.op), (test.right, test.left, _TURNED[test.op])):
            if isinstance(one, conditions.Path) and isinstance(other, conditions.Literal):
                yield one.steps, op, other.value
    elif isinstance(test, conditions.Member) and isinstance(test.item, conditions.Path) and not test.negated:
        items = test.items.value if isinstance(test.items, conditions.Literal) else ()
        yield from ((test.item.steps, "==", one) for one in (items if isinstance(items, list) else ()))


# --- tests that exclude each other --------------------------------------------------------------------------------------------


def never(node: normal.Normal) -> Never | None:
    """Why a test holds for no event; None where some could meet it."""
    if isinstance(node, normal.AnyOf):
        found = [never(part) for part in node.parts]
        return found[0] if all(found) else None
    parts = node.parts if isinstance(node, normal.All) else (node,)
    fields: dict[Any, _Field] = {}
    for part in parts:
        if isinstance(part, normal.Check) and _told_nowhere_else(part):
            word = "true, and `not` stands before it" if part.negated else "false"
            return Never(part.leaf, f"`{part.leaf.text}` is always {word}")
        if isinstance(part, normal.Check):
            for name, shown, want in _wants(part):
                field = fields.setdefault(name, _Field(shown))
                if (why := field.take(*want)) and implying.Facts(parts).impossible:
                    return Never(part.leaf, why)
        elif inner := never(part):
            return inner
    return None


def _told_nowhere_else(check: normal.Check) -> bool:
    """Whether a test is false whatever comes. A text alone is a trap of its own (`trap-literal`), and a variable may be there to switch."""
    if implying.constant(check) is not False or "vars." in check.leaf.text or "{{" in check.leaf.text:
        return False
    if isinstance(check.leaf.test, conditions.Defined):
        return False  # a trap of its own as well
    alone = not isinstance(check.leaf.test, conditions.Constant)
    return alone or check.leaf.text.strip("() \t").lower() in ("true", "false")


def _wants(check: normal.Check) -> Iterator[tuple[Any, str, tuple[str, Any]]]:
    """(field, as shown, (operator, value)) of what a test wants of a field."""
    test, negated = check.leaf.test, check.negated
    for steps, op, value in _compared(test) if isinstance(test, conditions.Compare) else ():
        yield *_named(steps), (_INVERSE[op] if negated else op, value)
    if isinstance(test, conditions.Member) and isinstance(test.item, conditions.Path):
        listed = test.items.value if isinstance(test.items, conditions.Literal) else None
        if isinstance(listed, list):
            yield *_named(test.item.steps), ("not in" if test.negated != negated else "in", listed)
    elif isinstance(test, conditions.Truth) and isinstance(test.value, conditions.Path):
        yield *_named(test.value.steps), ("!=" if negated else "==", True)
    elif isinstance(test, conditions.Defined) and isinstance(test.value, conditions.Path) and not negated:
        yield *_named(test.value.steps), ("undefined" if test.negated else "defined", None)


def _named(steps: values.Steps) -> tuple[Any, str]:
    names = tuple(one[0] if isinstance(one, tuple) else one for one in steps)
    return names, "event" + "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in names)


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
                return f"`{self.shown}` would have to be {_words(before)} and {_words(given)}"
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
            return f"`{self.shown}` would have to be {_words(self.equal)} and not be it"
        if self.equal is not None and not any(map(self._within, self.equal)):
            return f"`{self.shown}` would have to be {_words(self.equal)}, which another test excludes"
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


def _words(given: list[Any] | None) -> str:
    shown = ["null" if one is None else str(one).lower() if isinstance(one, bool) else repr(one) for one in given or ()]
    return " or ".join(shown[:3]) + (" …" if len(shown) > 3 else "")
