"""Rules that time fires: `once_after`, which gathers events until its window is over, and `not_all`, which fires for what came alone.

Callers: `session`; `absences`, whose rules are timers too. Times are whole microseconds; a window is [t, t+N), so that both fire at
exactly t+N. Measured on the peer, where `not_all` is only followed as far as it is regular: see docs/rulebooks.md.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from healer.engine import memory, rules, throttles

HELD_MAX: Final = 100_000
"""How many groups or events one rule may hold; beyond, the oldest goes, and is counted."""

Noted = tuple[memory.Entry, Mapping[str, Any]]


class Due(NamedTuple):
    """What fires: when (microseconds), and the events by their names, each with what is noted in `meta.rule_engine`."""

    at_us: int
    events: dict[str, Noted]


class Timer(Protocol):
    """The memory of one rule that time fires."""

    deadline_us: int | None
    evicted: int

    def fire(self, at_us: int) -> Due | None:
        """What is due at the deadline, `at_us`, if anything; the timer then stands as after it."""

    def entries(self) -> Iterator[memory.Entry]:
        """All that is held."""

    def snapshot(self, place: Mapping[memory.Entry, int]) -> list[Any]:
        """The state, by the places of the entries."""

    def restore(self, state: Sequence[Any], entries: Sequence[memory.Entry]) -> None:
        """Take what `snapshot` gave. IndexError, TypeError, ValueError for what is none."""


class OnceAfter:
    """One firing a window, with the first event of each group; the groups in the order in which they were last heard of."""

    __slots__ = ("_alone", "_groups", "_keys", "_noted", "_window_us", "deadline_us", "evicted")

    def __init__(self, throttle: rules.Throttle) -> None:
        self._window_us = throttle.window_us
        self._noted = {"once_after_time_window": throttle.shown}
        self._keys = throttles.Grouping(throttle)
        self._groups: dict[Any, list[Any]] = {}
        self._alone = 0
        self.deadline_us: int | None = None
        self.evicted = 0

    def take(self, entry: memory.Entry) -> None:
        """Gather an event. One without the attribute is a group of its own."""
        key = self._keys.of(entry.body)
        if key is None:
            self._alone += 1
            key = (self._alone,)
        known = self._groups.pop(key, None) or [entry, 0]
        known[1] += 1
        self._groups[key] = known
        if len(self._groups) > HELD_MAX:
            del self._groups[next(iter(self._groups))]
            self.evicted += 1
        if self.deadline_us is None:
            self.deadline_us = entry.at_us + self._window_us

    def fire(self, at_us: int) -> Due:
        """One match with all groups."""
        found = [(entry, {"events_in_window": count, **self._noted}) for entry, count in self._groups.values()]
        names = ["m"] if len(found) == 1 else [f"m_{number}" for number in range(len(found))]
        due = Due(at_us, dict(zip(names, found, strict=True)))
        self._groups.clear()
        self.deadline_us = None
        return due

    def entries(self) -> Iterator[memory.Entry]:
        """The first of each group."""
        return (entry for entry, _ in self._groups.values())

    def snapshot(self, place: Mapping[memory.Entry, int]) -> list[Any]:
        """The deadline, and for each group its entry and its count."""
        return [self.deadline_us, [[place[entry], count] for entry, count in self._groups.values()]]

    def restore(self, state: Sequence[Any], entries: Sequence[memory.Entry]) -> None:
        """As the protocol says."""
        self.deadline_us, groups = state
        for number, count in groups:
            self.take(entries[number])
            next(reversed(self._groups.values()))[1] = count
        self.deadline_us = state[0]


class NotAll:
    """Fires for an event whose partners do not come within the window; when all have come it is silent, and all that waits is over.

    One event stands at each pattern, later ones wait behind it. The window begins with the first; when it is over that one fires, and
    a new one begins at once for what is left.
    """

    __slots__ = ("_names", "_standing", "_waiting", "_window_us", "deadline_us", "evicted", "over")

    def __init__(self, names: Sequence[str], window_us: int) -> None:
        self._names = tuple(names)
        self._window_us = window_us
        self._standing: list[memory.Entry | None] = [None] * len(names)
        self._waiting: list[dict[int, memory.Entry]] = [{} for _ in names]
        self.deadline_us: int | None = None
        self.evicted = 0
        self.over: list[memory.Entry] = []
        """What has become complete or has fired: nobody else is to remember it either."""

    def take(self, entry: memory.Entry, patterns: Iterable[int]) -> None:
        """An event that meets these patterns."""
        for pattern in patterns:
            if self._standing[pattern] is None:
                self._standing[pattern] = entry
            else:
                waiting = self._waiting[pattern]
                waiting[entry.number] = entry
                if len(waiting) > HELD_MAX:
                    del waiting[next(iter(waiting))]
                    self.evicted += 1
        self._begin(entry.at_us)

    def fire(self, at_us: int) -> Due:
        """The event for which the window began."""
        entry = self._first()
        name = next(name for name, one in reversed([*zip(self._names, self._standing, strict=True)]) if one is entry)
        for pattern, waiting in enumerate(self._waiting):
            waiting.pop(entry.number, None)
            if self._standing[pattern] is entry:
                self._standing[pattern] = waiting.pop(next(iter(waiting))) if waiting else None
        self.over.append(entry)
        self.deadline_us = None
        self._begin(at_us)
        return Due(at_us, {name: (entry, {})})

    def _begin(self, at_us: int) -> None:
        there = [entry for entry in self._standing if entry is not None]
        if len(there) == len(self._names) == len(set(there)):
            self.over += self.entries()
            self._standing = [None] * len(self._names)
            for waiting in self._waiting:
                waiting.clear()
            self.deadline_us = None
        elif there and self.deadline_us is None:
            self.deadline_us = at_us + self._window_us

    def _first(self) -> memory.Entry:
        return min((entry for entry in self._standing if entry is not None), key=_number)

    def entries(self) -> Iterator[memory.Entry]:
        """Those that stand and those that wait."""
        yield from (entry for entry in self._standing if entry is not None)
        for waiting in self._waiting:
            yield from waiting.values()

    def snapshot(self, place: Mapping[memory.Entry, int]) -> list[Any]:
        """The deadline, and for each pattern who stands (or null) and who waits."""
        standing = [None if entry is None else place[entry] for entry in self._standing]
        waiting = [[place[entry] for entry in one.values()] for one in self._waiting]
        return [self.deadline_us, standing, waiting]

    def restore(self, state: Sequence[Any], entries: Sequence[memory.Entry]) -> None:
        """As the protocol says."""
        self.deadline_us, standing, waiting = state
        if not len(standing) == len(waiting) == len(self._names):
            raise ValueError(f"{len(self._names)} patterns are there")
        self._standing = [None if number is None else entries[number] for number in standing]
        self._waiting = [{entries[number].number: entries[number] for number in one} for one in waiting]
        if (self.deadline_us is None) is not (self._standing == [None] * len(self._names)):
            raise ValueError("somebody stands where no window is open, or the other way round")


def _number(entry: memory.Entry) -> int:
    return entry.number


class Timers:
    """All timers of a session by the number of their rule, and a heap of what is due next."""

    __slots__ = ("_due", "_stands", "by_rule")

    def __init__(self, by_rule: dict[int, Timer]) -> None:
        self.by_rule = by_rule
        self._due: list[tuple[int, int]] = []
        self._stands: set[tuple[int, int]] = set()
        for number in by_rule:
            self.changed(number)

    def __bool__(self) -> bool:
        return bool(self.by_rule)

    @property
    def evicted(self) -> int:
        """How much was let go for want of room."""
        return sum(timer.evicted for timer in self.by_rule.values())

    def changed(self, number: int) -> None:
        """A timer may have another deadline."""
        deadline_us = self.by_rule[number].deadline_us
        if deadline_us is not None and (deadline_us, number) not in self._stands:
            self._stands.add((deadline_us, number))
            heapq.heappush(self._due, (deadline_us, number))

    def next_us(self) -> int | None:
        """When the next is due."""
        while self._due and self.by_rule[self._due[0][1]].deadline_us != self._due[0][0]:
            self._pop()
        return self._due[0][0] if self._due else None

    def due(self, now_us: int) -> Iterator[tuple[int, Due]]:
        """What is due up to `now_us`: by time, then by rule. (rule's number, what fires)"""
        while (at_us := self.next_us()) is not None and at_us <= now_us:
            number = self._pop()
            if (due := self.by_rule[number].fire(at_us)) is not None:
                yield number, due
            self.changed(number)

    def _pop(self) -> int:
        first = heapq.heappop(self._due)
        self._stands.remove(first)
        return first[1]
