"""`all` of several patterns: what waits for the rest, and what fires when the rest comes, in the peer's order.

Caller: `session`, whose `memory.Memory` holds what waits. A rule is a chain of joins: the events of the patterns so far stand on the left
of one, the events of its own pattern on the right. An event for the first pattern is propagated at once, one for a later pattern
waits, newest first, until every pattern has something, and each join turns its results round (semantics 1.4). Where the first rule of a
ruleset is about time, the peer works in another mode (`at_once`): there each event is propagated as it comes. What an equality between
two events compares is a key, so that an event meets its own kind only, however many wait.
"""

from __future__ import annotations

import collections
import functools
import itertools
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from healer.engine import memory, slices

SLACK: Final = 1_000
"""So many of what went may stay in a list before it is looked through."""
TRIES_MAX: Final = 10_000
MATCHES_MAX: Final = 10_000
"""How many firings one event may lead to in one rule; the rest is left out, and counted."""

Row = tuple[memory.Entry, ...]
"""The events of the patterns so far."""


class Step(NamedTuple):
    """One pattern of the chain, compiled.

    `left_key` and `right_key` give what its equalities compare, of a row and of an event: None where that is equal to nothing, so that
    it waits for nothing. Without equalities both are None. `rest` is what is left to test of the two together, None for nothing.
    """

    name: str
    left_key: Callable[[Row], Any] | None
    right_key: Callable[[dict[str, Any]], Any] | None
    rest: Callable[[Row, dict[str, Any]], bool] | None
    turned: bool = False
    """An earlier rule has the same patterns up to here: the peer joins them once, and gives the later rules the rows in the other order."""


class Passing:
    """Entries in the order in which they came, of which some go elsewhere: those are let go in time."""

    __slots__ = ("_next", "kept")

    def __init__(self) -> None:
        self.kept: collections.deque[memory.Entry] = collections.deque()
        self._next = SLACK

    def add(self, entry: memory.Entry) -> None:
        """One more; once there are twice as many as were left the last time, those that went are dropped."""
        self.kept.append(entry)
        if len(self.kept) > self._next:
            self.kept = collections.deque(one for one in self.kept if not one.gone)
            self._next = max(SLACK, 2 * len(self.kept))


class Join:
    """Rows on the left, entries on the right. `late`: entries that came since rows stand on the left and have not met them."""

    __slots__ = ("late", "left", "right", "step", "turn")

    def __init__(self, step: Step) -> None:
        self.step = step
        self.left = memory.Side()
        self.right = memory.Side()
        self.late = Passing()
        self.turn = 0

    def left_key(self, row: Row) -> Any:
        """What has to be equal, of a row."""
        get = self.step.left_key
        return _EVERY if get is None else get(row)

    def right_key(self, entry: memory.Entry) -> Any:
        """What has to be equal, of an entry."""
        get = self.step.right_key
        return _EVERY if get is None else get(entry.body)


class Chain:
    """The memory of one rule. `window_us`: the earliest and the latest event of a match are at most that far apart."""

    __slots__ = (
        "_at_once",
        "_fired",
        "_memory",
        "_recent",
        "_sides",
        "_since_us",
        "_waiting",
        "joins",
        "names",
        "window_us",
    )

    def __init__(
        self, steps: Sequence[Step], window_us: int | None, held_in: memory.Memory, *, at_once: bool = False
    ) -> None:
        self._at_once = at_once
        self.names = tuple(step.name for step in steps)
        self.window_us = window_us
        self.joins = tuple(Join(step) for step in steps[1:])
        self._memory = held_in
        self._waiting = memory.Side()
        self._sides = frozenset((self._waiting, *(side for join in self.joins for side in (join.left, join.right))))
        self._recent = Passing()
        self._fired: list[Row] = []
        self._since_us = 0
        """What is older has been let go for the window; it may still stand among the late ones."""

    def insert(self, pattern: int, entry: memory.Entry) -> None:
        """An entry that meets a pattern by itself."""
        if self.window_us is not None:
            self._forget_early(entry, self.window_us)
        if pattern == 0:
            if entry.fact:
                self._memory.put(self._waiting, _EVERY, entry, (entry,))
            else:
                self._propagate(entry)
            return
        join = self.joins[pattern - 1]
        key = join.right_key(entry)
        if key is None:
            return
        self._memory.put(join.right, key, ((join.turn, -entry.number), entry), (entry,))
        if join.left.size:
            join.late.add(entry)
        if self._at_once:
            self._propagate(None)

    def fire(self) -> list[Row]:
        """The matches that have become complete, in order. One with an entry twice is none, but takes its entries too."""
        if (self._waiting.size or self.joins[0].left.size) and all(join.right.size for join in self.joins):
            self._propagate(None)
        fired, self._fired = self._fired, []
        return fired

    def would_fire(self, patterns: Sequence[int], entry: memory.Entry) -> bool:
        """Whether an entry that meets these patterns by itself would complete a match now. As `rows_with`."""
        return next(self.rows_with(patterns, entry), None) is not None

    def rows_with(self, patterns: Sequence[int], entry: memory.Entry, tries_max: int = TRIES_MAX) -> Iterator[Row]:
        """The matches that an entry which meets these patterns by itself would complete now. Changes nothing; gives up after `tries_max`.

        What stands on the left and right is found by its key; what would be propagated on that occasion is gone through. Their order is
        not that of `fire`. Nothing may happen to the session meanwhile.
        """
        tries = iter(range(tries_max))
        over_us = entry.at_us - self._memory.ttl_us
        for pattern in patterns:
            for before in self._before(pattern, entry, tries):
                for row in self._filled((*before, entry), tries):
                    if len({*row}) == len(row) and all(one.fact or one.at_us > over_us for one in row):
                        yield row

    def _before(self, pattern: int, entry: memory.Entry, tries: Iterator[int]) -> Iterator[Row]:
        """The rows of the patterns before one that an entry there would be joined to."""
        if pattern == 0:
            yield ()
            return
        join = self.joins[pattern - 1]
        key = join.right_key(entry)
        if key is None:
            return
        late = (row for row in self._unpropagated(pattern, tries) if join.left_key(row) == key)
        for row in itertools.chain(join.left.by_key.get(key, _NONE).values(), late):
            if next(tries, None) is None:
                return
            if self._joins(join, row, entry):
                yield row

    def _filled(self, row: Row, tries: Iterator[int]) -> Iterator[Row]:
        """The row with what stands on the right for the patterns after it."""
        if len(row) > len(self.joins):
            yield row
            return
        join = self.joins[len(row) - 1]
        for _, entry in join.right.by_key.get(join.left_key(row), _NONE).values():
            if next(tries, None) is None:
                return
            if self._joins(join, row, entry):
                yield from self._filled((*row, entry), tries)

    def _unpropagated(self, length: int, tries: Iterator[int]) -> Iterator[Row]:
        """Rows of the first patterns that do not stand on the left yet: facts that wait, and what came late on the right."""
        if length == 1:
            yield from ((entry,) for entry in self._waiting.by_key.get(_EVERY, _NONE).values())
            return
        join = self.joins[length - 2]
        for row in self._unpropagated(length - 1, tries):
            for _, entry in join.right.by_key.get(join.left_key(row), _NONE).values():
                if next(tries, None) is None:
                    return
                if self._joins(join, row, entry):
                    yield (*row, entry)
        for entry in join.late.kept:
            for row in () if entry.gone else join.left.by_key.get(join.right_key(entry), _NONE).values():
                if next(tries, None) is None:
                    return
                if self._joins(join, row, entry):
                    yield (*row, entry)

    def _joins(self, join: Join, row: Row, entry: memory.Entry) -> bool:
        """Whether an entry whose key is that of the row joins it, as `_meet` has it."""
        rest, window_us = join.step.rest, self.window_us
        if rest is not None and not rest(row, entry.body):
            return False
        return window_us is None or all(abs(one.at_us - entry.at_us) <= window_us for one in row)

    def joins_at(self, entry: memory.Entry, now_us: int) -> bool:
        """Whether an entry is not too old to join anything that comes then."""
        return self.window_us is None or entry.at_us + self.window_us >= now_us

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return not any(side.size for side in self._sides)

    def snapshot(self, place: Mapping[memory.Entry, int]) -> slices.Steps[list[Any]]:
        """What waits, by the places of the entries.

        Those for the first pattern; for each join its turn, its rows, its entries with their turns, the late ones; those of the window.
        """
        waiting = yield from slices.mapped((yield from _in_order(self._waiting)), place.__getitem__)
        states = []
        for join in self.joins:
            states.append((yield from self._state(join, place)))
        recent = (entry for entry in self._recent.kept if not entry.gone and entry in place)
        return [waiting, states, (yield from slices.mapped(recent, place.__getitem__))]

    def _state(self, join: Join, place: Mapping[memory.Entry, int]) -> slices.Steps[list[Any]]:
        """A join's part of a snapshot. Turns are counted anew, so that equal states are equal texts."""
        right = yield from _in_order(join.right)
        seen = set((yield from slices.mapped(right, lambda item: item[0][0])))
        turns = {turn: number for number, turn in enumerate(sorted(seen | {join.turn}))}
        left = yield from _in_order(join.left)
        late = (entry for entry in join.late.kept if not entry.gone and entry.at_us >= self._since_us)
        return [
            turns[join.turn],
            (yield from slices.mapped(left, lambda row: [place[entry] for entry in row])),
            (yield from slices.mapped(right, lambda item: [turns[item[0][0]], place[item[1]]])),
            (yield from slices.mapped(late, place.__getitem__)),
        ]

    def restore(self, state: Sequence[Any], entries: Sequence[memory.Entry]) -> slices.Steps[None]:
        """Take what `snapshot` gave, into an empty chain, in steps. IndexError, ValueError for what is none."""
        waiting, joins, recent = state

        def wait(number: int) -> None:
            self._memory.put(self._waiting, _EVERY, entries[number], (entries[number],))

        yield from slices.each(waiting, wait)
        for length, (join, (turn, rows, right, late)) in enumerate(zip(self.joins, joins, strict=True), 1):
            join.turn = turn
            yield from slices.each(rows, functools.partial(self._restore_row, join, length, entries))
            yield from slices.each(right, functools.partial(self._restore_right, join, entries))
            join.late.kept.extend(entries[number] for number in late)
        self._recent.kept.extend(entries[number] for number in recent)

    def _restore_row(self, join: Join, length: int, entries: Sequence[memory.Entry], numbers: Sequence[int]) -> None:
        row = tuple(entries[number] for number in numbers)
        if len(row) != length:
            raise ValueError(f"a row of {len(row)} events stands where {length} are joined")
        self._memory.put(join.left, join.left_key(row), row, row)

    def _restore_right(self, join: Join, entries: Sequence[memory.Entry], put: tuple[Any, int]) -> None:
        when, number = put
        entry = entries[number]
        self._memory.put(join.right, join.right_key(entry), ((when, -entry.number), entry), (entry,))

    # --- inside -----------------------------------------------------------------------------------------------------------

    def _propagate(self, newest: memory.Entry | None) -> None:
        new: list[Row] = [(newest,)] if newest is not None else []
        if newest is None and self._waiting.size:  # facts are in no hurry, whatever event goes before them
            new = [(entry,) for entry in reversed(self._memory.take(self._waiting))]
        for join in self.joins:
            new = self._through(join, new)
        self._fired += new

    def _through(self, join: Join, new: list[Row]) -> list[Row]:
        """What comes out of a join: what came late on the right with the rows of before, then the new rows with all on the right."""
        out: list[Row] = []
        for entry in reversed(join.late.kept):
            if not entry.gone and entry.at_us >= self._since_us:
                for row in list(join.left.by_key.get(join.right_key(entry), _NONE).values()):
                    self._meet(join, row, entry, out)
        join.late.kept.clear()
        join.turn += 1
        for row in new:
            key = join.left_key(row)
            if key is None:
                continue
            if len(row) > 1 and self._memory.places > memory.PLACES_MAX:
                self._memory.cut += 1
                continue
            self._memory.put(join.left, key, row, row)
            met = join.right.by_key.get(key)
            if met is not None:
                for _, entry in sorted(met.values(), key=_order) if len(met) > 1 else met.values():
                    self._meet(join, row, entry, out)
        if not join.step.turned:
            out.reverse()
        return out

    def _meet(self, join: Join, row: Row, entry: memory.Entry, out: list[Row]) -> None:
        rest, window_us = join.step.rest, self.window_us
        if rest is not None and not rest(row, entry.body):
            return
        if window_us is not None and any(abs(one.at_us - entry.at_us) > window_us for one in row):
            return
        if len(out) >= MATCHES_MAX:
            self._memory.cut += 1
            return
        out.append((*row, entry))

    def _forget_early(self, newest: memory.Entry, window_us: int) -> None:
        """Let go what is too old to join anything that comes now."""
        recent = self._recent.kept
        self._since_us = max(self._since_us, newest.at_us - window_us)
        while recent and (recent[0].gone or recent[0].at_us + window_us < newest.at_us):
            entry = recent.popleft()
            if not entry.gone:
                self._memory.release(entry, self._sides)
        if not recent or recent[-1] is not newest:
            self._recent.add(newest)


_EVERY: Final = ()
_NONE: Final[dict[int, Any]] = {}
_NUMBER: Final = operator.itemgetter(0)
_ITEM: Final = operator.itemgetter(1)


def _order(item: tuple[tuple[int, int], memory.Entry]) -> tuple[int, int]:
    return item[0]


def _in_order(side: memory.Side) -> slices.Steps[list[Any]]:
    """What a side holds, in the order in which it came."""
    found = (one for met in side.by_key.values() for one in met.items())
    return (yield from slices.mapped((yield from slices.ordered(found, _NUMBER)), _ITEM))
