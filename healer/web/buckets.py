"""A token bucket: so many within a time, saved up to that many. Pure: `now_s` is given. Used by `hooks` for `rate_limit`."""

from __future__ import annotations


class Bucket:
    """`count` within `within_s`: full at first, filled evenly."""

    __slots__ = ("_at_s", "_left", "count", "within_s")

    def __init__(self, count: int, within_s: float) -> None:
        self.count = count
        self.within_s = within_s
        self._left = float(count)
        self._at_s: float | None = None

    def take(self, now_s: float) -> float:
        """Take one: 0; or take none, and the seconds until there is one."""
        if self._at_s is not None:
            passed = max(0.0, now_s - self._at_s)
            self._left = min(float(self.count), self._left + passed * self.count / self.within_s)
        self._at_s = now_s
        if self._left >= 1:
            self._left -= 1
            return 0.0
        return (1 - self._left) * self.within_s / self.count
