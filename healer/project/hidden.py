"""What a later key of the same name hides: the file is read again with an earlier one, so that its mistakes are told as well.

Caller: `loading`. Why: all mistakes are told at once, and whoever mended the key alone would be told the next ones only then.
Of what another reading gives only that counts which stands in a hidden value: what is outside was told as it is.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from healer import config, errors
from healer.project.tree import Tree

CODE: Final = "duplicate-key"
READINGS_MAX: Final = 5
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


def readings(tree: Tree, found: Sequence[errors.Diagnostic]) -> Iterator[tuple[str, int, Places]]:
    """(file, which of its keys counts instead of the last one, where they stand), a reading each."""
    files = dict.fromkeys(
        one.place.file for one in found if one.code == CODE and one.severity == "error" and one.place.file in tree.files
    )
    return itertools.islice(_readings(tree, files), READINGS_MAX)


def _readings(tree: Tree, files: Iterable[str]) -> Iterator[tuple[str, int, Places]]:
    for file in files:
        spans = tree.document(file).hidden
        places = Places(spans)
        for earlier in range(max(spans.values(), default=0)):
            yield file, earlier, places


def told(found: Iterable[errors.Diagnostic], file: str, places: Places) -> list[errors.Diagnostic]:
    """Of what a reading gives that which stands in a hidden value. Keys that stand twice in there were told before."""
    return [
        one
        for one in found
        if one.place.file == file and one.code != CODE and (one.place.line, one.place.column) in places
    ]
