"""When runs may start: recurring windows of people's time. Pure but for the tables of time zones, which are constants.

`wall_us` is the wall clock (microseconds since 1970, UTC), which people mean by 07:00; a step of that clock moves windows, and
nothing else (`decisions.md`, A9).
"""

from __future__ import annotations

import datetime
import functools
import heapq
import zoneinfo
from collections.abc import Iterator
from typing import Final

from healer.policy.limits import Span, Windows

DAYS_MAX: Final = 400
"""How far a next opening is looked for."""
_US: Final = 1_000_000
_MINUTE_US: Final = 60 * _US
_DAY_MIN: Final = 24 * 60


def is_open(windows: Windows, wall_us: int) -> bool:
    """Whether runs may start: a block beats what is allowed."""
    if any(_inside(span, wall_us) for span in windows.block):
        return False
    return not windows.allow or any(_inside(span, wall_us) for span in windows.allow)


def next_open_us(windows: Windows, wall_us: int) -> int | None:
    """The first moment after `wall_us` at which runs may start, where they may not now; None: there is none within `DAYS_MAX` days."""
    return _next_open(windows, wall_us // _MINUTE_US)


@functools.lru_cache(1_000)
def _next_open(windows: Windows, minute: int) -> int | None:
    """Windows begin and end with a minute, so that one search serves all who ask within it."""
    edges = heapq.merge(*(_edges(span, minute * _MINUTE_US) for span in (*windows.allow, *windows.block)))
    return next((moment for moment in edges if is_open(windows, moment)), None)


def _inside(span: Span, wall_us: int) -> bool:
    local = datetime.datetime.fromtimestamp(wall_us // _US, _zone(span.timezone))
    minute = local.hour * 60 + local.minute
    if span.start_min < span.end_min:
        return span.start_min <= minute < span.end_min and _on(span, local.date())
    today = minute >= span.start_min and _on(span, local.date())
    return today or (minute < span.end_min and _on(span, local.date() - datetime.timedelta(days=1)))


def _on(span: Span, day: datetime.date) -> bool:
    """Whether the span begins on a day."""
    if span.days and day.weekday() not in span.days:
        return False
    text = day.isoformat()
    return (not span.first_day or span.first_day <= text) and (not span.last_day or text <= span.last_day)


def _edges(span: Span, wall_us: int) -> Iterator[int]:
    """Where a span may begin or end after `wall_us`, in order; also where clocks are put forward or back."""
    zone = _zone(span.timezone)
    today = datetime.datetime.fromtimestamp(wall_us // _US, zone).date()
    for ahead in range(DAYS_MAX):
        day = today + datetime.timedelta(days=ahead)
        midnight, next_midnight = _at(day, 0, zone, 0), _at(day, _DAY_MIN, zone, 0)
        found = {_at(day, minute, zone, fold) for minute in (0, span.start_min, span.end_min) for fold in (0, 1)}
        if next_midnight - midnight != _DAY_MIN * 60:
            found.add(_change(midnight, next_midnight, zone))
        yield from (moment * _US for moment in sorted(found) if moment * _US > wall_us)


def _at(day: datetime.date, minute: int, zone: zoneinfo.ZoneInfo, fold: int) -> int:
    """Seconds since 1970 of a minute of a local day."""
    over, rest = divmod(minute, _DAY_MIN)
    time = datetime.time(rest // 60, rest % 60, fold=fold)
    return round(datetime.datetime.combine(day + datetime.timedelta(days=over), time, zone).timestamp())


def _change(low: int, high: int, zone: zoneinfo.ZoneInfo) -> int:
    """The second between two at which the clocks of a zone are put."""
    before = datetime.datetime.fromtimestamp(low, zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        same = datetime.datetime.fromtimestamp(middle, zone).utcoffset() == before
        low, high = (middle, high) if same else (low, middle)
    return high


@functools.cache
def _zone(name: str) -> zoneinfo.ZoneInfo:
    return zoneinfo.ZoneInfo(name)
