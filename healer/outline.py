"""The tree of a condition line by line, for whoever shows it: each line with its depth, whether it held, and what was seen.

Callers: `cli`, `harness`. The shapes are those of `engine.tree_of` and `engine.tests_of`, as the API gives them: they may come from a
daemon of another version, so that nothing is taken for granted. Where the rule of a run is not kept any more its tests are one list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

KINDS: Final = ("and", "or", "not", "all", "any", "not_all")
DEPTH_MAX: Final = 100
NOT_SHOWN: Final = "of an earlier event, not shown"
"""What is said of a path of an event that is not at hand: not that it is missing, nobody knows."""
_NAMELESS: Final = re.compile(r"m(_[0-9]+)?")
"""The name of a pattern that its author did not name."""
_NEGATIVE: Final = re.compile(r"!=|\bnot\b")
_DEFINED: Final = re.compile(r"(.*\S)\s+is\s+defined")


class Row(NamedTuple):
    """One line. `holds`: None where it was not looked at, or others decide; `note`: where a `not` misleads, what the language makes of it.

    `element`: of a list, the one that decided.
    """

    depth: int
    holds: bool | None
    text: str
    seen: Sequence[Mapping[str, Any]] = ()
    element: Mapping[str, Any] | None = None
    note: str = ""


def rows(tree: Any, tests: Any) -> Iterator[Row]:
    """The lines of a tree with its tests; of the tests alone where there is no tree."""
    listed = tests if isinstance(tests, list) else []
    if isinstance(tree, Mapping):
        yield from _node(tree, listed, 0)
    else:
        for test in listed:
            yield _test({}, test, 0, "") if isinstance(test, Mapping) else Row(0, None, str(test))


def _node(node: Mapping[str, Any], tests: list[Any], depth: int) -> Iterator[Row]:
    pattern = str(node.get("pattern") or "")
    named = "" if _NAMELESS.fullmatch(pattern) or not pattern else f"{pattern} << "
    number = node.get("test")
    if isinstance(number, int) and 0 <= number < len(tests) and isinstance(tests[number], Mapping):
        yield _test(node, tests[number], depth, named)
        return
    kind = str(node.get("kind"))
    yield Row(depth, _verdict(node), f"{named}{kind if kind in KINDS else '?'}")
    parts = node.get("parts")
    for part in parts if isinstance(parts, list) and depth < DEPTH_MAX else ():
        if isinstance(part, Mapping):
            yield from _node(part, tests, depth + 1)


def _test(node: Mapping[str, Any], test: Mapping[str, Any], depth: int, named: str) -> Row:
    text = str(test.get("text") or "?")
    seen = [one for one in _list(test.get("seen")) if isinstance(one, Mapping)]
    sides = [one for one in _list(node.get("sides")) if isinstance(one, Mapping)]
    element = node.get("element")
    return Row(
        depth, _verdict(node if "holds" in node else test), named + (f"not ({text})" if test.get("negated") else text), [*seen, *sides],
        element if isinstance(element, Mapping) else None, _note(test, text, seen),
    )  # fmt: skip


def _verdict(node: Mapping[str, Any]) -> bool | None:
    holds = node.get("holds")
    return None if holds is None else bool(holds)


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []


def _note(test: Mapping[str, Any], text: str, seen: Sequence[Mapping[str, Any]]) -> str:
    if test.get("holds") is not False:
        return ""
    if test.get("negated") and (defined := _DEFINED.fullmatch(text)):
        return f"never holds: write {defined[1]} is not defined"
    negative = test.get("negated") or _NEGATIVE.search(text)
    return "no test of it holds" if negative and any(one.get("missing") for one in seen) else ""
