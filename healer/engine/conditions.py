"""The condition of a rule as a tree of plain tuples: what the parser makes, and what the engine compiles.

Callers: `healer.rulebook` builds it, `normal` and `leaves` read it. Why named tuples: a child process parses rulebooks
and sends the result to the daemon, so that making, pickling and comparing have to be cheap.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from typing import Literal as OneOf

from healer.engine import values

CompareOp = OneOf["==", "!=", "<", "<=", ">", ">="]


class Literal(NamedTuple):
    """A constant: string, number, Boolean, null, or a list of these."""

    value: Any


class Path(NamedTuple):
    """A place in the event (or fact: the two words mean the same)."""

    steps: values.Steps


class Bound(NamedTuple):
    """A place in the event of an earlier pattern of the same rule: `events.first.x`, where `first` is its name."""

    name: str
    steps: values.Steps


class Nowhere(NamedTuple):
    """A place that never exists: what `facts.x` stands for in a plain condition."""


class Arithmetic(NamedTuple):
    """`+` or `-` of two values."""

    op: str
    left: Value
    right: Value


Value = Literal | Path | Bound | Nowhere | Arithmetic


class Compare(NamedTuple):
    """Two values and `== != < <= > >=`."""

    op: CompareOp
    left: Value
    right: Value


class Member(NamedTuple):
    """`items contains item`, and `item in items` turned round."""

    items: Value
    item: Value
    negated: bool


class Defined(NamedTuple):
    """`is defined` / `is not defined`."""

    value: Value
    negated: bool


class Search(NamedTuple):
    """`is match|search|regex(pattern)`; `pattern` is in Java's dialect."""

    value: Value
    anchored: bool
    pattern: str
    ignorecase: bool
    multiline: bool
    negated: bool


class Select(NamedTuple):
    """`is select(op, operand)`, and with `steps` `is selectattr(path, op, operand)`."""

    value: Value
    steps: values.Steps | None
    op: str
    operand: Value
    negated: bool


class Truth(NamedTuple):
    """A bare value: true only for JSON's true."""

    value: Value


class Constant(NamedTuple):
    """`true`, `false`, or a bare string (which never holds)."""

    value: bool


Simple = Compare | Member | Defined | Search | Select | Truth | Constant


class Leaf(NamedTuple):
    """A simple test, its text as written, and where that stands (1-based)."""

    test: Simple
    text: str
    line: int
    column: int


class Not(NamedTuple):
    """`not`."""

    test: Test


class And(NamedTuple):
    """Tests joined by `and`; a chain is one node, so that long chains are not deep."""

    parts: tuple[Test, ...]


class Or(NamedTuple):
    """Tests joined by `or`."""

    parts: tuple[Test, ...]


Test = Leaf | Not | And | Or


class Pattern(NamedTuple):
    """What one event has to meet, and the name it is bound to (`m`, `m_0`, or the one before `<<`)."""

    name: str
    bound: bool
    test: Test


class Condition(NamedTuple):
    """A rule's condition; a plain one is an `all` of one pattern. `timeout_us` is the window of an `all` or `not_all`.

    `timed`: a timeout is written, also one that means nothing (an `all` of one pattern).
    """

    kind: OneOf["all", "any", "not_all"]
    patterns: tuple[Pattern, ...]
    timeout_us: int | None = None
    timed: bool = False


def meaning(node: Any) -> Any:
    """The node without texts and positions, as lists for JSON: equal for equal behaviour."""
    if isinstance(node, Leaf):
        return meaning(node.test)
    if isinstance(node, Literal):
        return ["Literal", node.value]
    if isinstance(node, tuple):
        if hasattr(node, "_fields"):
            return [type(node).__name__, *map(meaning, node)]
        return [meaning(item) for item in node]
    return node


def leaves(test: Test) -> list[Leaf]:
    """The simple tests of a condition, from left to right."""
    found: list[Leaf] = []
    waiting: list[Test] = [test]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Leaf):
            found.append(node)
        elif isinstance(node, Not):
            waiting.append(node.test)
        else:
            waiting.extend(reversed(node.parts))
    return found


def bound(node: Any) -> list[Bound]:
    """The places in earlier events that a value or simple test reads."""
    if isinstance(node, Bound):
        return [node]
    if isinstance(node, tuple) and hasattr(node, "_fields"):
        return [place for part in node for place in bound(part)]
    return []


def paths(node: Any) -> list[values.Steps]:
    """The paths that a value or simple test reads."""
    if isinstance(node, Path):
        return [node.steps]
    if isinstance(node, tuple) and hasattr(node, "_fields"):
        return [steps for part in node for steps in paths(part)]
    return []


def absence(condition: Condition) -> Value | None:
    """The value that a condition which is only about absence looks at: `is not defined`, also under `not`, alone, unbound.

    Such a rule looks at the memory and not at the event at hand, see `absences`.
    """
    if len(condition.patterns) != 1 or condition.patterns[0].bound:
        return None
    test = condition.patterns[0].test
    while isinstance(test, Not):
        test = test.test
    if isinstance(test, Leaf) and isinstance(test.test, Defined) and test.test.negated:
        return test.test.value
    return None


def named_twice(condition: Condition) -> list[int]:
    """The numbers of the patterns of an `all` whose name an earlier one has: with such a one it never fires here."""
    names = [pattern.name for pattern in condition.patterns] if condition.kind == "all" else []
    return [number for number, name in enumerate(names) if name in names[:number]]
