"""The language of conditions: text → `engine.conditions`, or what is wrong with it and where.

Caller: `conditions`. It is ansible-rulebook's grammar (its condition_parser.py, 1.3.2), with its levels from tight to
loose: `+ -`, `>=`, `<=`, `< >`, `!=`, `==`, `is`, `in contains`, `not`, `and or` (one level, left to right), `<<`.
Written by hand, as an operator climber over one scan: thousands of conditions have to load at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any, Final, NamedTuple

from healer import errors
from healer.engine import conditions
from healer.rulebook import calls, combine, words

TEXT_MAX: Final = 50_000
TESTS_MAX: Final = 2_000
DEPTH_MAX: Final = 40

_GIVEN: Final = "give it in healer.yaml, under vars: of the activation of this rulebook"
_COMPARED: Final = "compare one value of it: vars.name.name"
_SEVERAL: Final = "make several rules of it"
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_OPERATOR: Final = re.compile(
    r"<<|<=|>=|==|!=|<|>|\*|/|\+|-|is not|is|and|or|(?i:not in\b|in\b|not contains\b|contains\b)"
)
_NUMBER: Final = re.compile(r"[+-]?(?:\d+[eE][+-]?\d+|(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d+)?|\d+)", re.ASCII)
_NULLS: Final = ("None", "none", "Null", "NULL")
_BOOLEANS: Final = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}
"""What YAML or another language may take for something else than a text."""
_QUOTED: Final = re.compile(r"'[^'\n\r]*'|\"[^\"\n\r]*\"")
_IDENTIFIER: Final = re.compile(
    r"(?:events|event|facts|fact|vars)(?![\w$])(?:\.[^\W\d]\w*|\[(?:\"[^\"\n]*\"|'[^'\n]*'|[+-]?\d+)\])*"
)
_WORD: Final = re.compile(r"[a-zA-Z0-9]+")
_NOT: Final = re.compile(r"not\b")
_MISTYPED: Final = re.compile(r"(?<![\w.])((and|or|is)[a-z]+)\s+\w*\Z", re.ASCII)
"""A word that only begins as an operator, and after it what made no sense."""
_CALL: Final = re.compile(r"(selectattr|select|regex|match|search)[ \t\r\n]*\(")
LEVELS: Final = {
    "*": 11, "/": 11, "+": 10, "-": 10, ">=": 9, "<=": 8, "<": 7, ">": 7, "!=": 6, "==": 5, "is": 4, "is not": 4,
    "in": 3, "not in": 3, "contains": 3, "not contains": 3, "and": 1, "or": 1, "<<": 0,
}  # fmt: skip
_LEVEL_OF_NOT: Final = 2


class Parsed(NamedTuple):
    """A condition: the name before `<<` (or None), the test, the traps seen (code, message, start, end, what to do)."""

    name: str | None
    test: conditions.Test
    traps: list[tuple[str, str, int, int, str]]


class Parser:
    """One condition's text. `lookup` gives the value of `vars.…` (LookupError, TypeError), `fill` renders text.

    `earlier` are the names of the patterns before it, which `events.NAME.…` may look into.
    """

    def __init__(
        self, text: str, lookup: Callable[[str], Any], fill: Callable[[str], str], at: Callable[[int], tuple[int, int]],
        earlier: Collection[str] = (),
    ) -> None:  # fmt: skip
        self.text, self.lookup, self.fill, self.place_of = text, lookup, fill, at
        self.earlier = earlier
        self.at = 0
        self.depth = 0
        self.tests = 0
        self.traps: list[tuple[str, str, int, int, str]] = []

    def parse(self) -> Parsed:
        """The whole text; raises `Wrong`."""
        if len(self.text) > TEXT_MAX:
            raise words.Wrong("condition-size", f"the condition is longer than {TEXT_MAX} characters", 0, 1, _SEVERAL)
        found = self.expression(0)
        self.space()
        if self.at < len(self.text):
            raise self.unexpected()
        name, part = combine.unbound(found)
        return Parsed(name, combine.as_test(self, part), self.traps)

    def space(self) -> None:
        """Move past white space."""
        self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]

    def unexpected(self) -> words.Wrong:
        """The error for what stands here and does not belong here."""
        self.space()
        rest = self.text[self.at :]
        if not rest:
            return words.Wrong("condition-syntax", "the condition ends too early", max(self.at - 1, 0), self.at)
        found = re.match(r"\w+|.", rest, re.DOTALL)
        word, at = found[0] if found else rest[:1], self.at
        advice = words.advice(word, self.text)
        if before := _MISTYPED.search(self.text, 0, at):  # its beginning was read as the operator
            word, at, advice = before[1], before.start(1), f"did you mean '{before[2]}'?"
        elif root := words.root(self.text, at):
            word, at, advice = root
        return words.Wrong("condition-syntax", f"{word!r} does not belong here", at, at + len(word), advice)

    def expression(self, level: int) -> words.Part:
        """An expression of operators at `level` or tighter."""
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise words.Wrong(
                "condition-size", f"nested deeper than {DEPTH_MAX} levels", self.at, self.at + 1, _SEVERAL
            )
        left = self.negation() if level <= _LEVEL_OF_NOT else None
        if left is None:
            left = self.operand()
        while True:
            self.space()
            found = _OPERATOR.match(self.text, self.at)
            if not found:
                break
            op = found[0].lower() if found[0][:1] in "iIcCnN" else found[0]
            if op not in LEVELS or LEVELS[op] < level:
                break
            start, self.at = self.at, found.end()
            right = self.expression(LEVELS[op] + 1)
            left = combine.binary(self, op, left, right, (start, found.end()))
        self.depth -= 1
        return left

    def negation(self) -> words.Part | None:
        """`not …`, or None where no `not` stands here."""
        self.space()
        if not _NOT.match(self.text, self.at):
            return None
        start = self.at
        self.at += 3
        part = self.expression(_LEVEL_OF_NOT)
        return combine.negated(self, part, start)

    def operand(self) -> words.Part:
        """A value, a call, or an expression in parentheses."""
        self.space()
        start = self.at
        char = self.text[start : start + 1]
        if char == "(":
            self.at += 1
            inner = self.expression(0)
            self.expect(")")
            return combine.enclosed(inner, start, self.at)
        call = _CALL.match(self.text, start)
        if call:
            self.at = call.end()
            return words.Part(calls.arguments(self, call[1], start), start, self.at)
        if char == "[":
            return words.Part(conditions.Literal(self.items()), start, self.at)
        return self.scalar()

    def expect(self, char: str) -> None:
        """Move past `char` or say what stands there."""
        self.space()
        if not self.text.startswith(char, self.at):
            wrong = self.unexpected()
            raise words.Wrong(wrong.code, f"{char!r} is missing: {wrong.message}", wrong.start, wrong.end, wrong.try_)
        self.at += len(char)

    def items(self) -> list[Any]:
        """`[a, b]`: literals only, at least one."""
        self.expect("[")
        found = [self.item()]
        while True:
            self.space()
            if self.text.startswith("]", self.at):
                self.at += 1
                return found
            self.expect(",")
            found.append(self.item())

    def item(self) -> Any:
        self.space()
        if self.text.startswith("]", self.at):
            raise words.Wrong(
                "condition-syntax",
                "a list needs at least one value, and none after the last comma",
                self.at,
                self.at + 1,
            )
        part = self.scalar()
        if isinstance(part.node, words.Word) or not isinstance(part.node, conditions.Literal):
            what = "a bare word" if isinstance(part.node, words.Word) else "a path"
            raise words.Wrong(
                "condition-list", f"a list holds literals, got {what}", part.start, part.end, "put quotes around it"
            )
        return part.node.value

    def scalar(self) -> words.Part:
        """A number, string, word, `true`, `false`, `null`, or path."""
        self.space()
        start, text = self.at, self.text
        for reader, make in ((_NUMBER, words.number), (_QUOTED, None), (_IDENTIFIER, None)):
            found = reader.match(text, start)
            if found:
                self.at = found.end()
                if make:
                    return words.Part(conditions.Literal(make(found[0])), start, self.at)
                written = words.untabbed(text, start, self.at)
                node = self.quoted(written, start) if reader is _QUOTED else self.path(written, start)
                return words.Part(node, start, self.at)
        found = _WORD.match(text, start)
        if not found:
            raise self.unexpected()
        return self.word(found[0], start)

    def word(self, found: str, start: int) -> words.Part:
        for literal, value in (("null", None), ("true", True), ("True", True), ("false", False), ("False", False)):
            if found.startswith(literal):
                self.at = start + len(literal)
                return words.Part(conditions.Literal(value), start, self.at)
        self.at = start + len(found)
        if found in _NULLS:
            self.trap("trap-none", f"{found} is the text {found!r} here, not null", start, self.at, "write null")
        elif (meant := _BOOLEANS.get(found.lower())) is not None:
            message = f"{found} is the text {found!r} here, not {meant}"
            self.trap("trap-boolean", message, start, self.at, f"write {meant}, or quotes around the text")
        return words.Part(words.Word(found), start, self.at)

    def quoted(self, found: str, start: int) -> conditions.Literal:
        return conditions.Literal(self.filled(words.unescaped(found[1:-1]), start))

    def filled(self, text: str, start: int) -> str:
        """The text with its templates rendered."""
        if "{{" not in text or "}}" not in text:
            return text
        try:
            return self.fill(text)
        except errors.TemplateError as error:
            raise words.Wrong("template", error.message, start, self.at) from None

    def path(self, found: str, start: int) -> conditions.Value:
        if found.startswith("vars"):
            return self.variable(found, start)
        made = words.path(found, self.earlier)
        if made is None:
            advice = "write event.… with the name of a field" if "." not in found else ""
            raise words.Wrong("condition-path", f"{found!r} names no field of an event", start, self.at, advice)
        return made

    def variable(self, found: str, start: int) -> conditions.Literal:
        key = found[5:]
        if not found.startswith("vars.") or "[" in key:
            steps = re.findall(r"[^\W\d]\w*", key)
            meant = f"write {'.'.join(('vars', *steps))}" if steps else "write vars.name"
            message = f"{found!r} names no variable: one is vars.name or vars.name.name"
            raise words.Wrong("vars-key", message, start, self.at, meant)
        try:
            value = self.lookup(key)
        except LookupError as error:
            raise words.Wrong(
                "vars-missing", f"no variable {key!r} is given", start, self.at, str(error.args[0]) or _GIVEN
            ) from None
        except TypeError as error:
            raise words.Wrong("vars-type", f"the variable {key!r} is {error}", start, self.at, _COMPARED) from None
        return conditions.Literal(self.filled(value, start) if isinstance(value, str) else value)

    def leaf(self, test: conditions.Simple, start: int, end: int) -> conditions.Leaf:
        """A simple test with its text and place."""
        self.tests += 1
        if self.tests > TESTS_MAX:
            raise words.Wrong("condition-size", f"more than {TESTS_MAX} tests", start, end, _SEVERAL)
        return conditions.Leaf(test, self.text[start:end], *self.place_of(start))

    def trap(self, code: str, message: str, start: int, end: int, try_: str = "") -> None:
        """Note something that works but hardly does what it looks like."""
        self.traps.append((code, message, start, end, try_))


def trap_of(word: str) -> str:
    """The code of a word without quotes that looks like something else than a text; '' of any other."""
    return "trap-none" if word in _NULLS else "trap-boolean" if word.lower() in _BOOLEANS else ""
