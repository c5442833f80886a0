"""Joins parsed pieces: values and an operator to a test, tests by `and`, `or`, `not`; refuses what cannot be joined.

Caller: `grammar`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NoReturn

from healer import errors
from healer.engine import conditions, patterns
from healer.rulebook import calls, words

if TYPE_CHECKING:
    from healer.rulebook import grammar

_VALUES: Final = (conditions.Literal, conditions.Path, conditions.Bound, conditions.Nowhere, conditions.Arithmetic)
_TESTS: Final = (conditions.Leaf, conditions.Not, conditions.And, conditions.Or)
_NAME: Final = re.compile(r"(?:events|facts)\.([^\W\d]\w*)")
_KEY: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_NAMED: Final = ("labels", "annotations")
_AFTER_IS: Final = ("defined", "match", "search", "regex", "select", "selectattr")


class Bound(tuple[Any, ...]):
    """`name << test`: (name, part)."""

    __slots__ = ()


class Enclosed(tuple[Any, ...]):
    """A test in parentheses: (test,); so that mixing `and` and `or` on one level is seen."""

    __slots__ = ()


def _wrong(code: str, message: str, part: words.Part, try_: str = "") -> NoReturn:
    raise words.Wrong(code, message, part.start, part.end, try_)


def enclosed(inner: words.Part, start: int, end: int) -> words.Part:
    """What stood in parentheses."""
    node = Enclosed((inner.node,)) if isinstance(inner.node, conditions.And | conditions.Or) else inner.node
    return words.Part(node, start, end)


def _opened(part: words.Part) -> words.Part:
    return words.Part(part.node[0], part.start, part.end) if isinstance(part.node, Enclosed) else part


def unbound(part: words.Part) -> tuple[str | None, words.Part]:
    """The name before `<<`, if any, and the rest."""
    if isinstance(part.node, Bound):
        return part.node[0], part.node[1]
    return None, part


def as_test(parser: grammar.Parser, part: words.Part) -> conditions.Test:
    """The piece as a test: a bare path is true for `true` only."""
    part = _opened(part)
    node = part.node
    if isinstance(node, _TESTS):
        return node
    if isinstance(node, conditions.Path | conditions.Bound | conditions.Nowhere):
        return parser.leaf(conditions.Truth(_own(parser, node, part)), part.start, part.end)
    if isinstance(node, words.Word) or (isinstance(node, conditions.Literal) and isinstance(node.value, str)):
        parser.trap("trap-literal", "a text alone never holds", part.start, part.end, "compare it: event.field == …")
        return parser.leaf(conditions.Constant(False), part.start, part.end)
    if isinstance(node, conditions.Literal) and isinstance(node.value, bool):
        return parser.leaf(conditions.Constant(node.value), part.start, part.end)
    if isinstance(node, Bound):
        _wrong("condition-binding", "<< stands once, at the beginning of a condition", part)
    _wrong("condition-syntax", "this is a value, a comparison is wanted", part, "write event.field == …")


def as_value(part: words.Part) -> conditions.Value:
    """The piece as a value."""
    node = _opened(part).node
    if isinstance(node, words.Word):
        return conditions.Literal(str(node))
    if isinstance(node, _VALUES):
        return node
    if isinstance(node, calls.Call):
        _wrong("condition-syntax", f"{node.kind}(…) stands after `is` or `is not` only", part)
    _wrong("condition-chain", "a comparison cannot be compared again", part, "join two comparisons with and")


def _own(parser: grammar.Parser, value: conditions.Value, part: words.Part) -> conditions.Value:
    """The value read in the event at hand: only comparisons look into earlier events (measured)."""
    if not isinstance(value, conditions.Bound):
        return value
    message = f"only comparisons look into an earlier event; here this is the field {value.name!r} of the event at hand"
    parser.trap("trap-binding", message, part.start, part.end, "compare it: events.name.field == …")
    return conditions.Path((value.name, *value.steps))


def negated(parser: grammar.Parser, part: words.Part, start: int) -> words.Part:
    """`not part`."""
    test = as_test(parser, part)
    if isinstance(test, conditions.Not):
        message = "a double not counts once: this is the same as a single one"
        parser.trap("trap-double-not", message, start, part.end, "leave out both")
    if isinstance(test, conditions.Leaf) and isinstance(test.test, conditions.Defined) and not test.test.negated:
        parser.trap("trap-not-defined", "not (… is defined) never holds", start, part.end, "write … is not defined")
    return words.Part(conditions.Not(test), start, part.end)


def binary(parser: grammar.Parser, op: str, left: words.Part, right: words.Part, at: tuple[int, int]) -> words.Part:
    """`left op right`."""
    start, end = left.start, right.end
    if op in ("and", "or"):
        return words.Part(_joined(parser, op, left, right), start, end)
    if op == "<<":
        return words.Part(_bound(parser, left, right), start, end)
    if op in ("*", "/"):
        raise words.Wrong("condition-operator", f"{op} cannot be used in a condition", *at, "+ and - can")
    if op in ("+", "-"):
        return words.Part(_sum(parser, op, left, right), start, end)
    test = _simple(parser, op, left, right)
    _one_side(test, start, end)
    return words.Part(parser.leaf(test, start, end), start, end)


def _sum(parser: grammar.Parser, op: str, left: words.Part, right: words.Part) -> conditions.Arithmetic:
    """`left op right`; of one event only: what is of an earlier one is read in the event at hand beside something of that."""
    first, second = as_value(left), as_value(right)
    if conditions.paths(first) or conditions.paths(second):
        first, second = _own(parser, first, left), _own(parser, second, right)
    return conditions.Arithmetic(op, first, second)


def _one_side(test: conditions.Simple, start: int, end: int) -> None:
    """Refuse a test that looks into earlier events on both sides, as the peer does."""
    sides = (
        (test.left, test.right) if isinstance(test, conditions.Compare) else
        (test.items, test.item) if isinstance(test, conditions.Member) else ()
    )  # fmt: skip
    if len(sides) == 2 and all(conditions.bound(side) for side in sides):
        message = "both sides look into earlier events"
        raise words.Wrong(
            "condition-binding", message, start, end, "write it in the condition of the later one of these"
        )


def _joined(parser: grammar.Parser, op: str, left: words.Part, right: words.Part) -> conditions.Test:
    kind: type[conditions.And] | type[conditions.Or] = conditions.And if op == "and" else conditions.Or
    first, second = as_test(parser, left), as_test(parser, right)
    if op == "and" and isinstance(left.node, conditions.Or):
        message = "and and or have one precedence, from left to right: this is (… or …) and …"
        parser.trap("trap-precedence", message, left.start, right.end, "put parentheses where they are meant")
    parts = first.parts if isinstance(left.node, kind) and isinstance(first, kind) else (first,)
    return kind((*parts, second))


def _bound(parser: grammar.Parser, left: words.Part, right: words.Part) -> Bound:
    if isinstance(right.node, Bound) or isinstance(left.node, Bound):
        _wrong("condition-binding", "<< stands once, at the beginning of a condition", right)
    text = parser.text[left.start : left.end].strip()
    found = _NAME.fullmatch(text)
    if not found:
        _wrong("condition-binding", f"{text!r} cannot be bound", left, "write events.name << condition")
    return Bound((found[1], right))


def _simple(parser: grammar.Parser, op: str, left: words.Part, right: words.Part) -> conditions.Simple:
    if op in ("is", "is not"):
        return _is(parser, left, right, op == "is not")
    if op in ("in", "not in"):
        items = as_value(right)
        if isinstance(items, conditions.Literal) and isinstance(items.value, str):
            message = "in looks for an element of a list, not for a part of a text"
            parser.trap("trap-substring", message, right.start, right.end, 'write … is search("…")')
        return conditions.Member(items, as_value(left), op == "not in")
    if op in ("contains", "not contains"):
        item = as_value(right)
        if isinstance(item, conditions.Literal) and isinstance(item.value, str):
            message = "contains looks for an element of a list, not for a part of a text"
            items = as_value(left)
            try_ = 'for a part of a text write … is search("…")'
            if isinstance(items, conditions.Path) and items.steps[-1] in _NAMED and '"' not in item.value:
                key = f".{item.value}" if _KEY.fullmatch(item.value) else f'["{item.value}"]'
                defined = "not defined" if op == "not contains" else "defined"
                try_ = f"for a key write {parser.text[left.start : left.end].strip()}{key} is {defined}"
            parser.trap("trap-contains", message, right.start, right.end, try_)
        return conditions.Member(as_value(left), item, op == "not contains")
    return conditions.Compare(op, as_value(left), as_value(right))  # type: ignore[arg-type]


def _is(parser: grammar.Parser, left: words.Part, right: words.Part, is_not: bool) -> conditions.Simple:
    subject = as_value(left)
    if isinstance(subject, conditions.Literal) and isinstance(subject.value, list):
        _wrong("condition-syntax", "a list cannot stand before `is`", left)
    if isinstance(right.node, words.Word) and right.node == "defined":
        return conditions.Defined(_own(parser, subject, left), is_not)
    if isinstance(right.node, calls.Call):
        if conditions.bound(subject):
            message = f"{right.node.kind}(…) looks at the event at hand, this is of an earlier one"
            _wrong("condition-binding", message, left, "write it in the condition of that one")
        made = calls.test(subject, right.node, is_not)
        if isinstance(made, conditions.Search) and made.anchored and patterns.loose(made.pattern):
            message = "of the alternatives of match only the first has to be at the start"
            parser.trap("trap-match", message, right.start, right.end, 'put parentheses around them: match("(a|b)")')
        return made
    near = errors.nearest(str(right.node), _AFTER_IS) if isinstance(right.node, words.Word) else ""
    message = "after `is` stands defined, match(…), search(…), regex(…), select(…) or selectattr(…)"
    _wrong("condition-is", message, right, near or "to compare write == or !=")
