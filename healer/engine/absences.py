"""Rules that are only about absence (`event.x is not defined` alone): they look at the memory, and not at the event at hand.

Caller: `session`. Such a rule is asked with an event, a fact, a retraction, or, when none of them comes, at the next tick of the clock. It
fires, with an empty match, where nothing in memory has its field, the event at hand included; then it is not asked before something that
has the field has come and gone (measured). What has the field stays in memory for it, also an event that no other rule knows: until a
rule takes it, it is retracted, or its time is over.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from healer.engine import compiled, conditions, memory, slices, timers

TICK_US: Final = 100_000
"""The peer's clock ticks ten times a second; what became absent is looked at then."""
KEPT_MAX: Final = 1_000
"""How many events one rule keeps; with more of them the oldest is let go, since the newest keeps the rule silent longest."""
_NOT_BEGUN: Final = 0
"""The deadline of a rule in a session that knows no time yet."""


class Absence:
    """The memory of one rule: a timer (`timers.Timer`), due where it is to be asked by time alone."""

    __slots__ = (
        "_events",
        "_facts",
        "_look_us",
        "_memory",
        "_number",
        "_ready",
        "_silenced_by",
        "_silent",
        "deadline_us",
        "evicted",
    )

    def __init__(self, number: int, held_in: memory.Memory, ready: set[int]) -> None:
        self._number = number
        self._memory = held_in
        self._ready = ready
        self._events = memory.Side()
        self._facts = memory.Side()
        self._silent = False
        self._silenced_by: memory.Entry | None = None
        self._look_us: int | None = None
        self.deadline_us: int | None = None
        self.evicted = 0

    @property
    def sides(self) -> tuple[memory.Side, memory.Side]:
        """Where the events and facts stand that have the field."""
        return self._events, self._facts

    @property
    def blocked(self) -> bool:
        """Whether something in memory has the field."""
        return bool(self._events.size or self._facts.size)

    def begin(self, deadline_us: int) -> None:
        """To be asked."""
        self._ready.add(self._number)
        self.deadline_us = deadline_us

    def block(self, entry: memory.Entry) -> None:
        """Something came that has the field."""
        if not self._silent and self._number not in self._ready:
            self._silenced_by = entry
        self._silent = True
        side = self._facts if entry.fact else self._events
        self._memory.put(side, _EVERY, entry, (entry,))
        if self._events.size > KEPT_MAX:
            self._memory.release(next(iter(self._events.by_key[_EVERY].values())), frozenset((self._events,)))

    def withdraw(self, entry: memory.Entry) -> None:
        """An entry went before the rule had seen it."""
        if self._silenced_by is entry:
            self._silent = False

    def ask(self) -> bool:
        """Whether the rule fires now."""
        self._ready.discard(self._number)
        self.deadline_us = None
        self._silent = self.blocked
        return not self._silent

    def settle(self, now_us: int, wait_us: int = TICK_US) -> None:
        """After something that has the field came or went: the rule is to be asked by time alone `wait_us` after it became absent."""
        if self._number in self._ready:
            return
        if self.blocked:
            self.deadline_us = None if self._facts.size else self._look(now_us)
        elif self._silent:
            self._silent = False
            self.begin(now_us + wait_us)

    def _look(self, now_us: int) -> int | None:
        """When the events that have the field may all be over: a time before that, so that it need not change with every event."""
        if self._look_us is None or self._look_us <= now_us:
            self._look_us = self._last_us()
        return self._look_us

    def _last_us(self) -> int | None:
        newest: memory.Entry | None = next(reversed(self._events.by_key.get(_EVERY, _NONE).values()), None)
        return None if newest is None else newest.at_us + self._memory.ttl_us

    def fire(self, at_us: int) -> timers.Due | None:
        """Asked by time alone: what waited for a tick fires, or what was kept silent by events whose time is over now."""
        last_us = self._last_us()
        if self._number not in self._ready and (self._facts.size or (last_us is not None and last_us > at_us)):
            self.deadline_us = None if self._facts.size else self._look(at_us)
            return None
        self._ready.discard(self._number)
        self._silent = False
        self.deadline_us = None
        return timers.Due(at_us, {})

    @property
    def empty(self) -> bool:
        """Whether nothing is kept, and it is not to be asked by time alone."""
        return self.deadline_us is None and not self._events.size

    def entries(self) -> Iterator[memory.Entry]:
        """The events that have the field."""
        return iter(self._events.by_key.get(_EVERY, _NONE).values())

    def snapshot(self, place: Mapping[memory.Entry, int]) -> slices.Steps[list[Any]]:
        """When it is to be asked by time alone, 0 for never, and the events that have the field. The facts are those of the session."""
        asked_us = self.deadline_us if self._number in self._ready or self._facts.size else self._last_us()
        return [asked_us or 0, (yield from slices.mapped(self.entries(), lambda entry: [place[entry], 0]))]

    def restore(self, state: Sequence[Any], entries: Sequence[memory.Entry]) -> slices.Steps[None]:
        """As the protocol says."""
        deadline_us, kept = state
        yield from slices.each(kept, lambda one: self.block(entries[one[0]]))
        if self._number in self._ready:
            self.deadline_us = deadline_us
        elif self.blocked:
            self.deadline_us = self._look_us = deadline_us or None


class Absences:
    """All such rules of a session. `ready`: those that are to be asked."""

    __slots__ = ("_begins_timed", "_find", "_first", "_live", "_sides", "begun", "by_rule", "ready")

    def __init__(self, made: compiled.Compiled, held_in: memory.Memory) -> None:
        self.ready: set[int] = set()
        self.by_rule = {number: Absence(number, held_in, self.ready) for number in made.absences}
        self.begun = not self.by_rule
        self._live = made.live
        alike: dict[str, int] = {}
        self._first = {
            number: alike.setdefault(repr(conditions.meaning(made.live[number].rule.condition.patterns)), number)
            for number in self.by_rule
        }
        self._begins_timed = made.streams
        self._find = made.having.find
        self._sides = {side: number for number, one in self.by_rule.items() for side in one.sides}
        for one in self.by_rule.values():
            one.begin(_NOT_BEGUN)

    def begin(self, now_us: int) -> None:
        """The session knows the time: what is absent from the start on is looked at a tick later, where no event comes before."""
        self.begun = True
        for number in self.ready:
            if self.by_rule[number].deadline_us == _NOT_BEGUN:
                self.by_rule[number].begin(now_us + TICK_US)

    def go_on(self, ready: Container[int], now_us: int) -> None:
        """Only these are to be asked: a session goes on from a snapshot."""
        for number, one in self.by_rule.items():
            one.ask()
            if number in ready:
                one.begin(now_us + TICK_US)
        self.begun = not self.by_rule

    def having(self, body: dict[str, Any]) -> list[int]:
        """The rules whose field an event or fact has."""
        return [n for n in self._find(body) if (has := self._live[n].absence) is not None and has(body)]

    def block(self, entry: memory.Entry) -> None:
        """An event or fact has come."""
        for number in self.having(entry.body):
            self.by_rule[number].block(entry)

    def withdraw(self, entry: memory.Entry, after: int) -> None:
        """A rule with a throttle took the entry: the rules after it have not seen it, but where one before it is about the same field, and
        where the ruleset begins with a rule that has a throttle or a timeout, as odd as it is (measured)."""
        for number in self.touched([entry]) if not self._begins_timed else ():
            if self._first[number] > after:
                self.by_rule[number].withdraw(entry)

    def touched(self, entries: Iterable[memory.Entry]) -> set[int]:
        """The rules that know one of the entries."""
        sides = (side for entry in entries for side, _, _ in entry.held.values())
        return {self._sides[side] for side in sides if side in self._sides}

    def ask(self) -> list[int]:
        """Ask all that are to be asked: the rules that fire, in the order of the file."""
        return [number for number in sorted(self.ready) if self.by_rule[number].ask()]

    def would_fire(self, number: int, event: dict[str, Any], *, is_gone: bool = False) -> bool:
        """Whether the rule would fire with an event; `is_gone`: one that a rule with a throttle takes before. Changes nothing."""
        if self.by_rule[number].blocked:
            return False
        has = number in self.having(event)
        return (has and self._begins_timed) or number in self.ready if is_gone else number in self.ready and not has


_EVERY: Final = ()
_NONE: Final[dict[int, Any]] = {}
