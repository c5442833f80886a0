"""The rules that are filed under one path of the event, by what its value has to be.

Caller: `index`. The path is followed once an event, and a path that is not there drops every rule on it at once.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from typing import Any, Final

from healer.engine import patterns, values

SET_OF_PATTERNS_MIN: Final = 4
PATTERNS_IN_A_SET: Final = 64
SLICE: Final = 50


class PathGates:
    """Rules by the value of one path."""

    __slots__ = ("above", "below", "equals", "get", "needles", "others", "present", "sets", "simple", "steps", "texts")

    def __init__(self, steps: values.Steps) -> None:
        self.steps = steps
        self.get = values.getter(steps)
        self.texts: dict[str, list[int]] = {}
        self.equals: dict[Any, list[int]] = {}
        self.above = Thresholds()
        self.below = Thresholds()
        self.present: list[int] = []
        self.needles: dict[tuple[str, bool, bool, bool], list[int]] = {}
        self.sets: list[tuple[patterns.SearchSet, list[list[int]]]] = []
        self.others: list[tuple[patterns.Finder, list[int]]] = []
        self.simple = False

    def add(self, rule: int, sort: str, operand: Any) -> None:
        """File one rule."""
        if sort == "equal":
            (self.texts if isinstance(operand, str) else self.equals).setdefault(operand, []).append(rule)
        elif sort == "search":
            self.needles.setdefault(operand, []).append(rule)
        elif sort == "above":
            self.above.add(operand[0], operand[1], rule)
        elif sort == "below":
            self.below.add(operand[0], operand[1], rule)
        else:
            self.present.append(rule)

    def freeze(self) -> Iterator[None]:
        """Sort the thresholds and compile the patterns; yields in between."""
        self.above.freeze()
        self.below.freeze()
        yield
        yield from self._freeze_patterns()
        self.simple = not (self.equals or self.present or self.needles or self.above or self.below)

    def _freeze_patterns(self) -> Iterator[None]:
        grouped: list[tuple[str, list[int]]] = []
        for number, ((pattern, anchored, ignorecase, multiline), rules) in enumerate(self.needles.items()):
            if len(self.needles) < SET_OF_PATTERNS_MIN:
                find = patterns.finder(pattern, anchored=anchored, ignorecase=ignorecase, multiline=multiline)
                self.others.append((find, rules))
            else:
                flags = {"ignorecase": ignorecase, "multiline": multiline}
                grouped.append((patterns.translate(pattern, anchored=anchored, **flags), rules))
            if number % SLICE == 0:
                yield
        for start in range(0, len(grouped), PATTERNS_IN_A_SET):
            self.sets.append(_set_of(grouped[start : start + PATTERNS_IN_A_SET]))
            yield

    def collect(self, event: dict[str, Any], found: list[int]) -> None:
        """Add the rules whose gate on this path is open to `found`."""
        value = self.get(event)
        if type(value) is str:
            rules = self.texts.get(value)
            if rules is not None:
                found += rules
            if self.simple:
                return
            if self.needles:
                self._search(value, found)
        elif self.simple or value is values.MISSING:
            return
        else:
            self._other(value, found)
        if self.present:
            found += self.present

    def _other(self, value: Any, found: list[int]) -> None:
        kind = values.kind(value)
        if kind == "n":
            number = values.double(value)
            if self.equals:
                found += self.equals.get(("float", number), ())
            self.above.at_most(number, found)
            self.below.at_least(number, found)
        elif kind in "bz" and self.equals:
            found += self.equals.get((type(value).__name__, value), ())
        if self.needles and value is not None:
            self._search(values.java_text(value), found)

    def _search(self, text: str, found: list[int]) -> None:
        for find, rules in self.others:
            if find(text):
                found += rules
        for group, members in self.sets:
            for number in group.match(text):
                found += members[number]


def _set_of(members: list[tuple[str, list[int]]]) -> tuple[patterns.SearchSet, list[list[int]]]:
    return patterns.SearchSet(patterns.options(), [pattern for pattern, _ in members]), [rules for _, rules in members]


class Thresholds:
    """Rules by a number that the value has to pass; equal numbers pass where `inclusive`."""

    __slots__ = ("entries", "inclusive", "inclusive_rules", "strict", "strict_rules")

    def __init__(self) -> None:
        self.entries: list[tuple[float, bool, int]] = []
        self.strict: list[float] = []
        self.strict_rules: list[int] = []
        self.inclusive: list[float] = []
        self.inclusive_rules: list[int] = []

    def __bool__(self) -> bool:
        return bool(self.entries)

    def add(self, number: float, inclusive: bool, rule: int) -> None:
        """File one rule."""
        self.entries.append((number, inclusive, rule))

    def freeze(self) -> None:
        """Sort."""
        self.entries.sort()
        for number, inclusive, rule in self.entries:
            (self.inclusive if inclusive else self.strict).append(number)
            (self.inclusive_rules if inclusive else self.strict_rules).append(rule)

    def at_most(self, value: float, found: list[int]) -> None:
        """Add the rules of `value > number` and `value >= number`."""
        if self.strict:
            found += self.strict_rules[: bisect.bisect_left(self.strict, value)]
        if self.inclusive:
            found += self.inclusive_rules[: bisect.bisect_right(self.inclusive, value)]

    def at_least(self, value: float, found: list[int]) -> None:
        """Add the rules of `value < number` and `value <= number`."""
        if self.strict:
            found += self.strict_rules[bisect.bisect_right(self.strict, value) :]
        if self.inclusive:
            found += self.inclusive_rules[bisect.bisect_left(self.inclusive, value) :]
