"""Recurring times as operators write them: `mon-fri`, `22:00-06:00`, `2026-12-24..2026-12-31`. Pure. Caller: `measures`."""

from __future__ import annotations

import contextlib
import datetime
import re
from typing import Final

from healer import config

HOURS: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]|24(?=:00)):([0-5][0-9])")
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY: Final = rf"\s*(?:{'|'.join(''.join(f'[{one.upper()}{one}]' for one in day) for day in _DAYS)})\s*"
WEEK: Final = rf"{_DAY}(?:-{_DAY})?(?:,{_DAY}(?:-{_DAY})?)*"
DATES: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:\s*\.\.\s*([0-9]{4}-[0-9]{2}-[0-9]{2}))?")


def days_of(text: str) -> tuple[int, ...]:
    """The days of the week, 0 for Monday."""
    found: set[int] = set()
    for part in re.sub(r"\s", "", text).lower().split(","):
        first, _, last = part.partition("-")
        if first not in _DAYS or (last and last not in _DAYS):
            raise ValueError(f"days like mon-fri or sat,sun are wanted, got {config.shown(text)}")
        begin, end = _DAYS.index(first), _DAYS.index(last or first)
        found |= set(range(begin, end + 1)) if begin <= end else {*range(begin, 7), *range(end + 1)}
    return tuple(sorted(found))


def minutes_of(text: str) -> tuple[int, int]:
    """First and last minute of the day; the last may be before the first, on the next day."""
    if found := HOURS.fullmatch(text):
        h1, m1, h2, m2 = map(int, found.groups())
        start, end = h1 * 60 + m1, h2 * 60 + m2
        if start != end:
            return start, end
    raise ValueError(f"a time of the day like 07:00-19:00 or 22:00-06:00 is wanted, got {config.shown(text)}")


def dates_of(text: str) -> tuple[str, str]:
    """First and last day."""
    if found := DATES.fullmatch(text):
        first, last = found[1], found[2] or found[1]
        with contextlib.suppress(ValueError):
            if datetime.date.fromisoformat(first) <= datetime.date.fromisoformat(last):
                return first, last
    raise ValueError(f"a day like 2026-12-24, or two like 2026-12-24..2026-12-31, is wanted, got {config.shown(text)}")
