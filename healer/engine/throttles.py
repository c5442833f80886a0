"""`once_within`: the first event of a group fires, the ones in its window are swallowed. `accumulate_within`: the last of a count fires.

Caller: `session`. A window is [t, t+N): at exactly t+N a group fires again. Times are whole microseconds, so that ends
are exact. The number of groups is bounded: the oldest is let go, and counted, beyond `GROUPS_MAX`.
"""

from __future__ import annotations

import collections
import heapq
import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from healer.engine import rules, slices, values

SLACK: Final = 1_000
_OPENED: Final = operator.itemgetter(1, 0)
GROUPS_MAX: Final = 1_000_000
_ROOT: Final = re.compile(r"\A(?:events?|facts?)\.")


class Grouping:
    """The group of an event, by its attributes."""

    __slots__ = ("_getters", "_names", "_single")

    def __init__(self, throttle: rules.Throttle) -> None:
        self._names = [_ROOT.sub("", attribute) for attribute in throttle.attributes]
        self._getters = [values.getter(steps) if steps else None for steps in throttle.groups]
        self._single = self._getters[0] if len(self._getters) == 1 else None

    def of(self, event: dict[str, Any]) -> Any:
        """The group as a key, or None where an attribute is missing: then an event is like no other. A null is one (measured)."""
        if self._single is not None:
            value = self._single(event)
            return value if type(value) is str else self._part(value)
        key = []
        for get in self._getters:
            part = self._part(get(event)) if get else None
            if part is None:
                return None
            key.append(part)
        return tuple(key)

    def may_mean(self, pattern: Mapping[str, Any]) -> bool:
        """Whether a retraction can mean a group: the peer remembers one as a fact of its own, of which the attributes as they are written
        are the fields (measured)."""
        return set(pattern) <= set(self._names)

    def means(self, pattern: Mapping[str, Any], event: dict[str, Any]) -> bool:
        """Whether it means the group of an event; one that lacks an attribute has the others."""
        getters = dict(zip(self._names, self._getters, strict=True))
        return all(
            (get := getters[name]) is not None and self._part(get(event)) == _key(value)
            for name, value in pattern.items()
        )

    def wanted(self, pattern: Mapping[str, Any]) -> Callable[[Any], bool]:
        """A test of a group's key: whether a retraction that may mean one means it."""
        parts = {self._names.index(name): _key(value) for name, value in pattern.items()}
        if self._single is not None:
            return lambda key: all(key == part for part in parts.values())
        return lambda key: all(key[place] == part for place, part in parts.items())

    @staticmethod
    def _part(value: Any) -> Any:
        return None if value is values.MISSING or value is values.BROKEN else _key(value)


def _key(value: Any) -> Any:
    """A group is a key of a map there: of 0.0 and -0.0, which are equal elsewhere, each has its own."""
    if type(value) is float and value == 0 and math.copysign(1, value) < 0:
        return ("float", "-0.0")
    return values.typed_key(value)


class OnceWithin:
    """The open windows of one rule, by group, in the order in which they end."""

    __slots__ = ("grouping", "noted", "open", "order", "shown", "window_us")

    def __init__(self, throttle: rules.Throttle) -> None:
        self.window_us = throttle.window_us
        self.shown = throttle.shown
        self.grouping = Grouping(throttle)
        self.noted: dict[str, Any] = {"once_within_time_window": throttle.shown}
        self.open: dict[Any, tuple[int, int, int]] = {}
        """Group → end in microseconds, reference of the event that opened it, how many came."""
        self.order: collections.deque[tuple[int, Any]] = collections.deque()

    def group(self, event: dict[str, Any]) -> Any:
        """The event's group as a key, or None."""
        return self.grouping.of(event)

    def takes(self, key: Any) -> bool:
        """Whether an event of the group is taken from the rules after it."""
        return True

    def until_us(self, key: Any) -> int | None:
        """When the window of a group ends, or None where it has none."""
        found = self.open.get(key)
        return found[0] if found else None

    def passes(self, key: Any, now_us: int, ref: int) -> bool:
        """Whether an event of the group may fire now; if so its window opens."""
        if key is None:
            return True
        found = self.open.get(key)
        if found is not None and now_us < found[0]:
            return False
        self._begin(key, now_us, ref)
        return True

    def _begin(self, key: Any, now_us: int, ref: int) -> None:
        until = now_us + self.window_us
        if until > now_us:
            self.open[key] = (until, ref, 1)
            self.order.append((until, key))
            if len(self.order) > 2 * len(self.open) + SLACK:  # counts that were reached have ended before their time
                self.order = collections.deque(one for one in self.order if self.open.get(one[1], (None,))[0] == one[0])

    def expire(self, now_us: int) -> int:
        """Forget windows that are over; returns how many were forgotten."""
        before = len(self.open)
        while self.order and self.order[0][0] <= now_us:
            self._forget_first()
        return before - len(self.open)

    def forget_oldest(self) -> None:
        """Let the oldest window go."""
        before = len(self.open)
        while self.order and len(self.open) == before:
            self._forget_first()

    def _forget_first(self) -> None:
        until, key = self.order.popleft()
        found = self.open.get(key)
        if found is not None and found[0] == until:
            del self.open[key]

    def retract(self, pattern: Mapping[str, Any]) -> None:
        """Forget the windows of the groups that a pattern fits."""
        if self.open and self.grouping.may_mean(pattern):
            wanted = self.grouping.wanted(pattern)
            for key in [key for key in self.open if wanted(key)]:
                del self.open[key]

    def snapshot(self, *, groups: bool) -> slices.Steps[list[list[Any]]]:
        """For a snapshot, oldest first: reference of the event that opened it, end (µs), how many came, and the group if wanted."""
        seen: set[Any] = set()  # a count that begins anew in the same moment stands there twice

        def still(one: tuple[int, Any]) -> bool:
            until, key = one
            if key in seen or self.open.get(key, (None,))[0] != until:
                return False
            seen.add(key)
            return True

        def shown(one: tuple[int, Any]) -> list[Any]:
            until, key = one
            return [self.open[key][1], until, self.open[key][2], *([key] if groups else [])]

        made = yield from slices.mapped(filter(still, self.order), shown)
        return (yield from slices.ordered(made, _OPENED))

    def reopen(self, key: Any, ref: int, until_us: int, count: int) -> None:
        """Put back a window from a snapshot; oldest first."""
        if key is not None:
            self.open[key] = (until_us, ref, count)
            self.order.append((until_us, key))


class AccumulateWithin(OnceWithin):
    """Fires for each `threshold`-th event of a group within a window, which begins with the first of a count."""

    __slots__ = ("threshold",)

    def __init__(self, throttle: rules.Throttle) -> None:
        super().__init__(throttle)
        self.threshold = throttle.threshold
        self.noted = {"accumulate_within_time_window": throttle.shown, "threshold": throttle.threshold}

    def takes(self, key: Any) -> bool:
        """An event without the attribute is counted nowhere, and left to other rules (measured)."""
        return key is not None

    def passes(self, key: Any, now_us: int, ref: int) -> bool:
        """Whether an event of the group is the last of its count; if not it is counted."""
        if key is None:
            return False
        until_us, first, count = self.open.get(key, (0, ref, 0))
        if until_us <= now_us:
            first, count = ref, 0
        if count + 1 >= self.threshold:
            self.open.pop(key, None)
            return True
        if count:
            self.open[key] = (until_us, first, count + 1)
        else:
            self._begin(key, now_us, ref)
        return False


_KINDS: Final = {"once_within": OnceWithin, "accumulate_within": AccumulateWithin}


class Windows:
    """All rules of a session with a window, by number: one bound over them, and one heap of what ends next."""

    __slots__ = ("by_rule", "ending", "evicted", "now_us", "open")

    def __init__(self, throttled: dict[int, rules.Throttle]) -> None:
        self.by_rule = {
            number: _KINDS[throttle.kind](throttle) for number, throttle in throttled.items() if throttle.kind in _KINDS
        }
        self.ending: list[tuple[int, int]] = []
        self.open = 0
        self.evicted = 0
        self.now_us = 0

    def __bool__(self) -> bool:
        return bool(self.by_rule)

    def advance(self, now_us: int) -> None:
        """Let windows go that are over at `now_us`."""
        self.now_us = max(self.now_us, now_us)
        while self.ending and self.ending[0][0] <= self.now_us:
            _, number = heapq.heappop(self.ending)
            window = self.by_rule[number]
            self.open -= window.expire(self.now_us)
            if window.order:
                heapq.heappush(self.ending, (window.order[0][0], number))

    def passes(self, number: int, key: Any, ref: int) -> bool:
        """Whether the rule may fire for an event of the group at the time of the last `advance`; it counts from now on."""
        window = self.by_rule[number]
        empty, before = not window.order, len(window.open)
        passes = window.passes(key, self.now_us, ref)
        self._opened(number, window, empty, len(window.open) - before)
        return passes

    def retract(self, pattern: Mapping[str, Any]) -> None:
        """Forget the windows of the groups that a pattern fits."""
        for window in self.by_rule.values():
            window.retract(pattern)
        self.open = sum(len(window.open) for window in self.by_rule.values())

    def reopen(self, number: int, key: Any, ref: int, until_us: int, count: int) -> None:
        """Put back a window of a group from a snapshot; oldest first."""
        window = self.by_rule[number]
        empty, before = not window.order, len(window.open)
        window.reopen(key, ref, until_us, count)
        self._opened(number, window, empty, len(window.open) - before)

    def _opened(self, number: int, window: OnceWithin, empty: bool, more: int) -> None:
        if empty and window.order:
            heapq.heappush(self.ending, (window.order[0][0], number))
        self.open += more
        if self.open > GROUPS_MAX:
            window.forget_oldest()
            self.open -= 1
            self.evicted += 1
