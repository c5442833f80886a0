"""Rules that time fires: `once_after`, which gathers events until its window is over; and the heap of what is due next.

Callers: `session`; `notall` and `absences`, whose rules are timers too. Times are whole microseconds; a window is [t, t+N), so that it
fires at exactly t+N.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from healer.engine import memory, rules, slices, throttles

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

    @property
    def empty(self) -> bool:
        """Whether nothing is held, and nothing is due."""

    def entries(self) -> Iterator[memory.Entry]:
        """All that is held."""

    def snapshot(self, place: Mapping[memory.Entry, int]) -> slices.Steps[list[Any]]:
        """The state, by the places of the entries."""

    def restore(self, state: Sequence[Any], entries: Sequence[memory.Entry]) -> slices.Steps[None]:
        """Take what `snapshot` gave, in steps. IndexError, TypeError, ValueError for what is none."""


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

    def retract(self, pattern: Mapping[str, Any]) -> None:
        """Forget the groups that a pattern fits. The window goes on, and fires with those that are left; one for everything ends it too."""
        if not pattern:
            self._groups.clear()
            self.deadline_us = None
        elif self._keys.may_mean(pattern):
            self._groups = {key: one for key, one in self._groups.items() if not self._keys.means(pattern, one[0].body)}

    @property
    def empty(self) -> bool:
        """Whether no window is open."""
        return self.deadline_us is None

    def entries(self) -> Iterator[memory.Entry]:
        """The first of each group."""
        return (entry for entry, _ in self._groups.values())

    def snapshot(self, place: Mapping[memory.Entry, int]) -> slices.Steps[list[Any]]:
        """The deadline, and for each group its entry and its count."""
        groups = yield from slices.mapped(self._groups.values(), lambda one: [place[one[0]], one[1]])
        return [self.deadline_us, groups]

    def restore(self, state: Sequence[Any], entries: Sequence[memory.Entry]) -> slices.Steps[None]:
        """As the protocol says."""
        self.deadline_us, groups = state

        def gather(one: tuple[int, int]) -> None:
            number, count = one
            self.take(entries[number])
            next(reversed(self._groups.values()))[1] = count

        yield from slices.each(groups, gather)
        self.deadline_us = state[0]


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
