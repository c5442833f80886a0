"""`once_within`: the first event of a group fires, the ones in its window are swallowed.

Caller: `session`. A window is [t, t+N): at exactly t+N a group fires again. Times are whole microseconds, so that ends
are exact. The number of groups is bounded: the oldest is let go, and counted, beyond `GROUPS_MAX`.
"""

from __future__ import annotations

import collections
import heapq
from typing import Any, Final

from healer.engine import rules, values

GROUPS_MAX: Final = 1_000_000


class OnceWithin:
    """The open windows of one rule, by group, in the order in which they end."""

    __slots__ = ("getters", "open", "order", "shown", "single", "window_us")

    def __init__(self, throttle: rules.Throttle) -> None:
        self.window_us = throttle.window_us
        self.shown = throttle.shown
        self.getters = [values.getter(steps) if steps else None for steps in throttle.groups]
        self.single = self.getters[0] if len(self.getters) == 1 else None
        self.open: dict[Any, tuple[int, int]] = {}
        self.order: collections.deque[tuple[int, Any]] = collections.deque()

    def group(self, event: dict[str, Any]) -> Any:
        """The event's group as a key, or None where an attribute is missing or null (then nothing is throttled)."""
        if self.single is not None:
            value = self.single(event)
            return value if type(value) is str else self._part(value)
        key = []
        for get in self.getters:
            part = self._part(get(event)) if get else None
            if part is None:
                return None
            key.append(part)
        return tuple(key)

    @staticmethod
    def _part(value: Any) -> Any:
        if value is None or value is values.MISSING or value is values.BROKEN:
            return None
        return values.typed_key(value)

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
        until = now_us + self.window_us
        if until > now_us:
            self.open[key] = (until, ref)
            self.order.append((until, key))
        return True

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

    def snapshot(self, *, groups: bool) -> list[list[Any]]:
        """For a snapshot: reference of the event that opened it, end in microseconds, and the group if it is wanted; oldest first."""
        return [
            [self.open[key][1], until, *([key] if groups else [])]
            for until, key in self.order
            if self.open.get(key, (None,))[0] == until
        ]

    def reopen(self, key: Any, ref: int, until_us: int) -> None:
        """Put back a window from a snapshot; oldest first."""
        if key is not None:
            self.open[key] = (until_us, ref)
            self.order.append((until_us, key))


class Windows:
    """All `once_within` rules of a session, by number: one bound over them, and one heap of what ends next."""

    __slots__ = ("by_rule", "ending", "evicted", "now_us", "open")

    def __init__(self, throttled: dict[int, rules.Throttle]) -> None:
        self.by_rule = {number: OnceWithin(throttle) for number, throttle in throttled.items()}
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

    def passes(self, number: int, event: dict[str, Any], ref: int) -> bool:
        """Whether the rule may fire for the event at the time of the last `advance`; if so its group's window opens."""
        window = self.by_rule[number]
        empty, before = not window.order, len(window.open)
        if not window.passes(window.group(event), self.now_us, ref):
            return False
        self._opened(number, window, empty, len(window.open) - before)
        return True

    def reopen(self, number: int, key: Any, ref: int, until_us: int) -> None:
        """Put back a window of a group from a snapshot; oldest first."""
        window = self.by_rule[number]
        empty, before = not window.order, len(window.open)
        window.reopen(key, ref, until_us)
        self._opened(number, window, empty, len(window.open) - before)

    def _opened(self, number: int, window: OnceWithin, empty: bool, more: int) -> None:
        if empty and window.order:
            heapq.heappush(self.ending, (window.order[0][0], number))
        self.open += more
        if self.open > GROUPS_MAX:
            window.forget_oldest()
            self.open -= 1
            self.evicted += 1
