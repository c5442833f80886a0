"""`not_all`: fires for an event whose partners do not come within the window; when all have come it is silent.

Caller: `session`, by the protocol of `timers`. It does what the peer does, which makes each such rule of several of its own (measured, and
as its source has it): an event *stands* at its pattern for as long as the window is, whatever becomes of it, and others of its kind wait
behind it. The newest that stands begins the window; at its end its absence fires. When every pattern has one, those that are still in
memory go, and what waited for their places goes with them; one that a rule took before stays, and begins a window at once.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from healer.engine import memory, slices, timers

_NEWEST: Final = 1 << 62
SLACK: Final = 1_000
"""So many of what went may wait at a pattern before it is looked through."""


class Stand(NamedTuple):
    """An event at a pattern since a time (microseconds)."""

    entry: memory.Entry
    pattern: int
    since_us: int


class Queue:
    """Who waits at a pattern. Each time that one leaves, those that are left stand in the other order (measured)."""

    __slots__ = ("_back", "entries", "look")

    def __init__(self) -> None:
        self.entries: collections.deque[memory.Entry] = collections.deque()
        self._back = False
        self.look = SLACK

    def __iter__(self) -> Iterator[memory.Entry]:
        return reversed(self.entries) if self._back else iter(self.entries)

    def add(self, entry: memory.Entry) -> None:
        """Behind all others."""
        (self.entries.appendleft if self._back else self.entries.append)(entry)

    def put_back(self, entry: memory.Entry) -> None:
        """In front of all others."""
        (self.entries.append if self._back else self.entries.appendleft)(entry)

    def take(self) -> memory.Entry:
        """The first."""
        return self.entries.pop() if self._back else self.entries.popleft()

    def turn(self) -> None:
        """The last is the first now."""
        self._back = not self._back

    def copied(self, each: Callable[[memory.Entry], memory.Entry]) -> Queue:
        """Another with the same order of what `each` makes of the entries."""
        made = Queue()
        made.entries, made._back, made.look = collections.deque(map(each, self.entries)), self._back, self.look
        return made


class NotAll:
    """The memory of one rule. `over`: what has become complete or has fired, and nobody else is to remember either."""

    __slots__ = (
        "_begun", "_ends", "_names", "_standing", "_ttl_us", "_used", "_waiting", "_window_us", "deadline_us", "evicted", "over",
    )  # fmt: skip

    def __init__(self, names: Sequence[str], window_us: int, ttl_us: int) -> None:
        self._names = tuple(names)
        self._window_us = window_us
        self._ttl_us = ttl_us
        self._standing: dict[int, Stand] = {}
        """By pattern, in the order in which they came to stand there."""
        self._waiting = [Queue() for _ in names]
        self._begun: Stand | None = None
        self._used = False
        """Whether a window has ever begun: from then on the first of several that come to stand at once begins it, and not the last."""
        self._ends: collections.deque[int] = collections.deque()
        """When the rule became complete once more than it had begun: each takes what stands next with it."""
        self.deadline_us: int | None = None
        self.evicted = 0
        self.over: list[memory.Entry] = []

    def take(self, entry: memory.Entry, patterns: Iterable[int]) -> None:
        """An event that meets these patterns."""
        now_us, standing = entry.at_us, self._standing
        if standing or self._ends:
            self._pass(now_us)
        fresh = self._used and not standing
        for pattern in patterns:
            waiting = self._waiting[pattern]
            if pattern in standing or waiting.entries:
                waiting.add(entry)
                self._bound(waiting, now_us)
            else:
                standing[pattern] = Stand(entry, pattern, now_us)
        self._begin(now_us, fresh=fresh)
        if len(standing) == len(self._names) or self._ends:
            self._settle(now_us)
        elif self._begun is not None:
            self.deadline_us = self._begun.since_us + self._window_us

    def would_close(self, event: dict[str, Any], patterns: Iterable[int], now_us: int) -> bool:
        """Whether an event that meets these patterns would be the last of all, which has it then. Changes nothing: tried on a twin."""
        twins: dict[int, memory.Entry] = {}

        def twin(one: memory.Entry) -> memory.Entry:
            if one.number not in twins:
                made = twins[one.number] = memory.Entry(one.number, one.body, one.ref, one.at_us, one.fact)
                made.gone = one.gone
            return twins[one.number]

        other = NotAll(self._names, self._window_us, self._ttl_us)
        other._standing = {at: one._replace(entry=twin(one.entry)) for at, one in self._standing.items()}
        other._begun = self._begun and self._begun._replace(entry=twin(self._begun.entry))
        other._waiting = [one.copied(twin) for one in self._waiting]
        other._ends, other._used, other.deadline_us = self._ends.copy(), self._used, self.deadline_us
        newest = memory.Entry(_NEWEST, event, 0, now_us, fact=False)
        other.take(newest, patterns)
        return newest.gone

    def fire(self, at_us: int) -> timers.Due | None:
        """The absence that the window is about, where nothing that happened by itself meanwhile has completed it."""
        self._pass(at_us - 1)
        begun = self._begun
        if begun is None or begun.since_us + self._window_us != at_us:
            return None
        stay = [one for one in reversed(self._standing.values()) if one.since_us + self._window_us > at_us]
        self._begun = stay[0]._replace(since_us=at_us) if stay else None
        gone = next((one for one in stay if self._there(one.entry, at_us)), None)
        for one in [gone] if gone is not None else list(reversed(self._standing.values())):
            if self._there(one.entry, at_us):
                self._let_go(one)
                self._fill(at_us)
                self._begin(at_us)
        self._expire(at_us)
        self._settle(at_us)
        return timers.Due(at_us, {self._names[begun.pattern]: (begun.entry, {})})

    def forget(self) -> None:
        """All marks are gone: nothing stands, waits or has begun (a retraction of everything)."""
        self._standing.clear()
        self._waiting = [Queue() for _ in self._names]
        self._begun = self.deadline_us = None
        self._ends.clear()

    @property
    def empty(self) -> bool:
        """Whether nothing ever stood; from then on there is something to tell."""
        return not self._used

    def entries(self) -> Iterator[memory.Entry]:
        """Those that stand, those that wait, and the one with which the window began."""
        yield from (one.entry for one in self._standing.values())
        yield from (() if self._begun is None else (self._begun.entry,))
        for waiting in self._waiting:
            yield from (entry for entry in waiting.entries if not entry.gone)

    def snapshot(self, place: Mapping[memory.Entry, int]) -> slices.Steps[list[Any]]:
        """Who stands where since when, in that order; with whom the window began; ends that wait for a beginning; who waits at each
        pattern; who of the first two is in memory no longer; whether a window has ever begun."""
        begun = [] if self._begun is None else [self._begun]
        stands = [*self._standing.values(), *begun]
        waiting = []
        for one in self._waiting:
            there = (entry for entry in one if not entry.gone)
            waiting.append((yield from slices.mapped(there, place.__getitem__)))
        return [
            *([[place[one.entry], one.pattern, one.since_us] for one in some] for some in (self._standing.values(), begun)),
            list(self._ends), waiting, sorted({place[one.entry] for one in stands if one.entry.gone}), int(self._used),
        ]  # fmt: skip

    def restore(self, state: Sequence[Any], entries: Sequence[memory.Entry]) -> slices.Steps[None]:
        """As the protocol says."""
        standing, begun, ends, waiting, gone, used = state
        if (
            len(waiting) != len(self._names)
            or len(begun) > 1
            or any(one[1] >= len(self._names) for one in (*standing, *begun))
        ):
            raise ValueError(f"{len(self._names)} patterns are there")
        self._standing = {pattern: Stand(entries[number], pattern, since_us) for number, pattern, since_us in standing}
        for number, pattern, since_us in begun:
            self._begun = Stand(entries[number], pattern, since_us)
            self.deadline_us = since_us + self._window_us
        self._ends.extend(ends)
        self._used = bool(used)
        for queue, numbers in zip(self._waiting, waiting, strict=True):
            queue.entries.extend((yield from slices.mapped(numbers, entries.__getitem__)))
        for number in gone:
            entries[number].gone = True

    # --- inside -----------------------------------------------------------------------------------------------------------

    def _there(self, entry: memory.Entry, now_us: int) -> bool:
        """Whether an event is still in memory: no rule took it, and its time is not over."""
        return not entry.gone and (entry.fact or entry.at_us + self._ttl_us > now_us)

    def _let_go(self, one: Stand) -> None:
        del self._standing[one.pattern]
        one.entry.gone = True
        self.over.append(one.entry)

    def _pass(self, until_us: int) -> None:
        """Let what stood as long as the window is make room, each at its time."""
        while self._standing:
            ends_us = next(iter(self._standing.values())).since_us + self._window_us
            if ends_us > until_us:
                break
            self._expire(ends_us)
            self._settle(ends_us)
        self._end(until_us)

    def _end(self, now_us: int) -> None:
        while self._ends and self._ends[0] + self._window_us <= now_us:
            self._ends.popleft()

    def _expire(self, now_us: int) -> None:
        self._end(now_us)
        for one in list(self._standing.values()):
            if one.since_us + self._window_us <= now_us:
                del self._standing[one.pattern]
                if self._there(one.entry, now_us):
                    self._waiting[one.pattern].put_back(one.entry)

    def _settle(self, now_us: int) -> None:
        """What follows from what stands and waits now, step by step in the peer's order of its rules."""
        while True:
            fresh = self._used and not self._standing
            self._fill(now_us)
            self._begin(now_us, fresh=fresh)
            complete = self._begun is not None and len(self._standing) == len(self._names)
            if complete and not self._ends and not any(one.entries for one in self._waiting):
                self._close(now_us)
                break
            if complete:
                self._ends.append(now_us)
            if not self._ends:
                break
            gone = next((one for one in self._standing.values() if self._there(one.entry, now_us)), None)
            if gone is not None:
                self._let_go(gone)
                continue
            if complete:  # nothing that came now is among them
                self._standing.clear()
            if self._begun is None:
                break
            self._begun = None
            self._ends.popleft()
        self.deadline_us = None if self._begun is None else self._begun.since_us + self._window_us

    def _close(self, now_us: int) -> None:
        """All have come, and nobody waits: the same as step by step."""
        for one in [*self._standing.values()]:
            if self._there(one.entry, now_us):
                self._let_go(one)
        self._begun = None
        if len(self._standing) == len(self._names):
            self._standing.clear()
        self._begin(now_us)

    def _begin(self, now_us: int, *, fresh: bool = False) -> None:
        """A window for the newest that stands, where none is open; `fresh`: all of them came to stand now."""
        if self._begun is not None:
            return
        standing = self._standing.values()
        one = next(iter(standing) if fresh else reversed(standing), None)
        if one is not None and one.since_us + self._window_us > now_us:
            self._begun = one if one.since_us == now_us else one._replace(since_us=now_us)
            self._used = True

    def _fill(self, now_us: int) -> None:
        """The first that waits at an empty pattern stands there now; the oldest of them came first."""
        found = []
        for pattern, waiting in enumerate(self._waiting):
            while waiting.entries and pattern not in self._standing:
                entry = waiting.take()
                if self._there(entry, now_us):
                    found.append((entry.number, pattern, entry))
                    waiting.turn()
                    break
        for _, pattern, entry in sorted(found):
            self._standing[pattern] = Stand(entry, pattern, now_us)

    def _bound(self, waiting: Queue, now_us: int) -> None:
        """Drop those that went; where too many are left, the first."""
        if len(waiting.entries) > timers.HELD_MAX:
            self.evicted += self._there(waiting.take(), now_us)
        if len(waiting.entries) > waiting.look:
            waiting.entries = collections.deque(one for one in waiting.entries if self._there(one, now_us))
            waiting.look = max(SLACK, 2 * len(waiting.entries))
