"""Ceilings of what rules remember: when one of them begins to cut, that is worth a record, for what is not remembered may not fire.

Callers: the decider, about once a second, and the daemon for its own caps. Pure: counters and the time are arguments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

COUNTERS: Final = ("windows_evicted", "events_evicted", "matches_cut", "facts_refused")
AGAIN_US: Final = 3_600_000_000
"""While it goes on, a ruleset is told again after so long."""


class Ceilings:
    """What was told of each ruleset, and when. `begun`: the counters that a snapshot brought, which were told before; `words`: of a
    ruleset those that are told."""

    def __init__(self, begun: Mapping[str, Mapping[str, int]], words: Sequence[str] = COUNTERS) -> None:
        self._words = words
        self._told = {name: (-AGAIN_US, {word: counted[word] for word in words}) for name, counted in begun.items()}

    def found(self, counters: Mapping[str, Mapping[str, int]], now_us: int) -> dict[str, dict[str, int]]:
        """Ruleset → by how much each of its counters grew since it was told last; those that are to be told now."""
        made = {}
        for name, counted in counters.items():
            now = {word: counted[word] for word in self._words}
            at_us, before = self._told.get(name, (-AGAIN_US, dict.fromkeys(self._words, 0)))
            grown = {word: now[word] - before[word] for word in self._words if now[word] > before[word]}
            if grown and now_us - at_us >= AGAIN_US:
                self._told[name] = (now_us, now)
                made[name] = grown
            elif any(
                now[word] < before[word] for word in self._words
            ):  # other rules under the same name count from nought
                self._told[name] = (at_us, now)
        return made
