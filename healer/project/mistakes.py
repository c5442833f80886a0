"""As many mistakes of a project as people read, and how many more there are. Callers: `loading`, `healer validate`.

All at once is what they are told for; a file of another kind has one on each line, and nobody is helped by all of those.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from healer import errors

OF_FILE: Final = 100
IN_ALL: Final = 2_000
SEVERITIES: Final[tuple[errors.Severity, ...]] = ("error", "warning", "hint")
_NO_RULES: Final = "no rulebook and no action: events are taken, and nothing is done about them"
EMPTY: Final = errors.Diagnostic(
    "empty-project",
    _NO_RULES,
    errors.Place("rulebooks/"),
    "warning",
    try_="write a rulebook, or begin with healer init",
)
"""Of a project that does nothing."""
OTHERS: Final = "…"
"""Stands for all files of which nothing is shown."""


def not_activated(path: str) -> errors.Diagnostic:
    """Of a rulebook that is off as nothing names it."""
    message = "no activation of healer.yaml names this rulebook, so its rules are off"
    place, try_ = errors.Place(path), "list it in activations:, or remove it"
    return errors.Diagnostic("not-activated", message, place, "warning", try_=try_)


def bounded(found: Iterable[errors.Diagnostic]) -> tuple[errors.Diagnostic, ...]:
    """As many as people read: of each file the first, errors before warnings, in their order; how many more there are at its end.

    Bounded again it is the same.
    """
    given = list(found)
    ends: dict[str, int] = {}
    kept: set[int] = set()
    of_file, left = collections.Counter[str](), collections.Counter[tuple[str, errors.Severity]]()
    for severity in SEVERITIES:
        for index, one in enumerate(given):
            file = one.place.file
            if one.severity == severity and not one.more and of_file[file] < OF_FILE and len(kept) < IN_ALL:
                kept.add(index)
                of_file[file] += 1
                ends[file] = max(index, ends.get(file, 0))
            elif one.severity == severity:
                left[file if file in ends else OTHERS, severity] += one.more or 1
    made = []
    for index in sorted(kept):
        file = given[index].place.file
        made.append(given[index])
        made += _closing(left, file) if ends[file] == index else ()
    return (*made, *_closing(left, OTHERS))


def _closing(left: Mapping[tuple[str, errors.Severity], int], file: str) -> Iterator[errors.Diagnostic]:
    for severity in SEVERITIES:
        if count := left.get((file, severity)):
            where = " in other files" if file == OTHERS else ""
            message = f"… and {count} more {severity}{'' if count == 1 else 's'}{where}"
            yield errors.Diagnostic("more", message, errors.Place(file), severity, more=count)


def counted(found: Iterable[errors.Diagnostic], severity: errors.Severity) -> int:
    """How many there are of a severity, those that are not shown among them."""
    return sum(one.more or 1 for one in found if one.severity == severity)
