"""What a later key of the same name hides: the file is read again with an earlier one, so that its mistakes are told as well.

Caller: `loading`. Why: all mistakes are told at once, and whoever mended the key alone would be told the next ones only then.
Of what another reading gives only that counts which stands in a hidden value: what is outside was told as it is.
"""

from __future__ import annotations

import bisect
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from healer import config, errors
from healer.project.tree import Tree

CODE: Final = "duplicate-key"
READINGS_MAX: Final = 10
"""Of all files together: each reads the project again."""


class Places:
    """The places within some spans, of which one may lie in another."""

    def __init__(self, spans: Iterable[config.Span]) -> None:
        self._starts: list[tuple[int, int]] = []
        self._ends: list[tuple[int, int]] = []
        for start, end in sorted(spans):
            if self._ends and start <= self._ends[-1]:
                self._ends[-1] = max(end, self._ends[-1])
            else:
                self._starts.append(start)
                self._ends.append(end)

    def __contains__(self, place: tuple[int, int]) -> bool:
        at = bisect.bisect_right(self._starts, place) - 1
        return at >= 0 and place < self._ends[at]


def readings(
    tree: Tree, found: Sequence[errors.Diagnostic]
) -> tuple[list[tuple[str, Collection[config.Span], Places]], list[errors.Diagnostic]]:
    """(file, which of its keys count instead of the last ones, where the hidden values stand), a reading each; what is left out."""
    files = dict.fromkeys(
        one.place.file for one in found if one.code == CODE and one.severity == "error" and one.place.file in tree.files
    )
    made: list[tuple[str, Collection[config.Span], Places]] = []
    left = []
    for file in files:
        twice = tree.document(file, ansible=True).twice
        places = Places(span for span, last in twice.items() if span != last)
        several, whole = together(twice, READINGS_MAX - len(made))
        made += ((file, counting, places) for counting in several)
        if not whole:
            message = "keys stand twice so often that mistakes in values of theirs may not be told yet"
            try_ = "mend what is told, then validate again"
            left.append(errors.Diagnostic("more", message, errors.Place(file), "hint", try_=try_))
    return made, left


def together(twice: Mapping[config.Span, config.Span], readings_max: int) -> tuple[list[Collection[config.Span]], bool]:
    """Which values count in one reading, so that each that is not read as the file stands counts in one; whether that is all.

    `twice`: as of `config.Document`. A value counts when those count in which it lies.
    """
    made: list[dict[config.Span, config.Span]] = []
    around: list[config.Span] = []
    whole = True
    for span in sorted(twice):
        while around and around[-1][1] <= span[0]:
            around.pop()
        around.append(span)
        needed = {twice[one]: one for one in around}
        if all(last == one for last, one in needed.items()):
            continue
        fitting = (one for one in made if all(one.get(last, place) == place for last, place in needed.items()))
        if (other := next(fitting, None)) is not None:
            other |= needed
        elif len(made) < readings_max:
            made.append(needed)
        else:
            whole = False
    return [one.values() for one in made], whole


def told(found: Iterable[errors.Diagnostic], file: str, places: Places) -> list[errors.Diagnostic]:
    """Of what a reading gives that which stands in a hidden value. Keys that stand twice in there were told before."""
    return [
        one
        for one in found
        if one.place.file == file and one.code != CODE and (one.place.line, one.place.column) in places
    ]
