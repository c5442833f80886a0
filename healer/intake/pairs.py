"""What redundant pairs of senders say twice: the words of the last minute, by source, and where in the journal each stands.

Used by `intake`. A word is what a format calls a `repeat`: equal for both of a pair. It counts from when somebody begins to write it, so
that the other one waits for that; it is lost where it could not be written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

WINDOW_US: Final = 60_000_000
WORDS_MAX: Final = 100_000

Position = int | asyncio.Future[int | None]
"""Of a word in the journal; a future: somebody writes it just now, None is that it could not be."""


class Words:
    """All words, by (source, word). `clock` gives journal time in µs."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._seen: dict[tuple[str, str], tuple[int, int]] = {}
        self._writing: dict[tuple[str, str], asyncio.Future[int | None] | None] = {}

    def recall(self, rows: Iterable[Any]) -> None:
        """After a start: what was said, the oldest first, as the statement `repeats_since` gives it."""
        for row in rows:
            self._seen[row["source"], row["repeat"]] = row["at_us"], row["seq"]

    def find(self, source: str, word: str) -> Position | None:
        """Where the same word of the same source came less than a minute ago."""
        said = source, word
        if said in self._writing:
            writing = self._writing[said]
            if writing is None:  # the first who waits
                writing = self._writing[said] = asyncio.get_running_loop().create_future()
            return writing
        seen = self._seen.get(said)
        return seen[1] if seen is not None and self._clock() - seen[0] < WINDOW_US else None

    def begin(self, source: str, word: str) -> None:
        """Somebody writes it from now on; `end` has to follow."""
        self._writing[source, word] = None

    def end(self, source: str, word: str, position: int | None, *, fresh: bool = True) -> None:
        """Tell those who brought the same word meanwhile where it stands; None: it could not be written. `fresh`: it was said just now."""
        writing = self._writing.pop((source, word))
        if writing is not None:
            writing.set_result(position)
        if position is None or not fresh:
            return
        now_us = self._clock()
        if len(self._seen) >= WORDS_MAX:
            kept = {said: seen for said, seen in self._seen.items() if now_us - seen[0] < WINDOW_US}
            self._seen = kept if len(kept) < WORDS_MAX else {}
        self._seen[source, word] = now_us, position
