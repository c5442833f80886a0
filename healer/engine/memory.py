"""What a session remembers of events and facts: each once, with every place that holds it, so that it goes from all at once.

Callers: `session`, `joins`. Events go when they are consumed, when they are older than the ruleset's ttl, and, oldest first,
when there is no more room; facts when they are retracted.
"""

from __future__ import annotations

import collections
import operator
from typing import Any, Final

from healer.engine import slices

PLACES_MAX: Final = 1_000_000
"""How many places (an event at a pattern, or several joined up to there) a session may hold."""


class Entry:
    """One event or fact. `held`: the places that hold it, by their numbers: side, key, and who else is in it."""

    __slots__ = ("at_us", "body", "fact", "gone", "held", "number", "ref")

    def __init__(self, number: int, body: dict[str, Any], ref: int, at_us: int, fact: bool) -> None:
        self.number = number
        self.body = body
        self.ref = ref
        self.at_us = at_us
        self.fact = fact
        self.gone = False
        self.held: dict[int, tuple[Side, Any, tuple[Entry, ...]]] = {}


class Side:
    """Things that wait, by key."""

    __slots__ = ("by_key", "size")

    def __init__(self) -> None:
        self.by_key: dict[Any, dict[int, Any]] = {}
        self.size = 0

    def remove(self, key: Any, number: int) -> None:
        """Take one out."""
        self.size -= 1
        found = self.by_key[key]
        del found[number]
        if not found:
            del self.by_key[key]


class Memory:
    """Of one session. `evicted`: events let go for want of room; `cut`: matches and places left out for the same."""

    __slots__ = ("cut", "events", "evicted", "last", "places", "ttl_us")

    def __init__(self, ttl_us: int) -> None:
        self.ttl_us = ttl_us
        self.events: collections.OrderedDict[int, Entry] = collections.OrderedDict()
        self.places = 0
        self.last = 0
        self.evicted = 0
        self.cut = 0

    def entry(self, body: dict[str, Any], ref: int, at_us: int, *, fact: bool) -> Entry:
        """A new entry; it is remembered once something holds it."""
        self.last += 1
        return Entry(self.last, body, ref, at_us, fact)

    def put(self, side: Side, key: Any, item: Any, members: tuple[Entry, ...]) -> None:
        """Put an item, made of `members`, into a side."""
        self.last += 1
        number = self.last
        self.places += 1
        side.size += 1
        found = side.by_key.get(key)
        if found is None:
            side.by_key[key] = {number: item}
        else:
            found[number] = item
        place = (side, key, members)
        for entry in members:
            if not (entry.held or entry.fact):
                self.events[entry.number] = entry
            entry.held[number] = place

    def take(self, side: Side) -> list[Any]:
        """Take everything out of a side of single entries under one key, oldest first."""
        entries = [(number, entry) for items in side.by_key.values() for number, entry in items.items()]
        side.by_key.clear()
        side.size = 0
        self.places -= len(entries)
        for number, entry in entries:
            del entry.held[number]
        return [entry for _, entry in entries]

    def sort(self) -> slices.Steps[None]:
        """Put the events into the order of their age, once all are there, in steps."""
        ordered = yield from slices.ordered(self.events.items(), operator.itemgetter(0))
        self.events = collections.OrderedDict()
        yield from slices.each(ordered, lambda one: self.events.__setitem__(*one))

    def release(self, entry: Entry, sides: frozenset[Side]) -> None:
        """Forget an entry on these sides only."""
        for number, (side, key, members) in list(entry.held.items()):
            if side in sides:
                side.remove(key, number)
                self.places -= 1
                for one in members:
                    self._let_go(one, number)

    def drop(self, entry: Entry) -> None:
        """Forget an entry everywhere."""
        entry.gone = True
        held, entry.held = entry.held, {}
        self.places -= len(held)
        self.events.pop(entry.number, None)
        for number, (side, key, members) in held.items():
            side.remove(key, number)
            if len(members) > 1:
                for other in members:
                    if other is not entry:
                        self._let_go(other, number)

    def expire(self, now_us: int) -> None:
        """Forget the events whose time is over at `now_us`, and the oldest while there is no room."""
        events = self.events
        while events:
            oldest = next(iter(events.values()))
            if oldest.at_us + self.ttl_us > now_us:
                if self.places <= PLACES_MAX:
                    return
                self.evicted += 1
            self.drop(oldest)

    def _let_go(self, entry: Entry, number: int) -> None:
        entry.held.pop(number, None)
        if not (entry.held or entry.fact):
            self.events.pop(entry.number, None)
