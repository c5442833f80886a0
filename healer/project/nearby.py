"""What to do about a name that there is not: the nearest one, or those that there are. Caller: `checking`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from healer import errors

SHOWN_MAX: Final = 10


def like(name: str, names: Collection[str], none: str = "") -> str:
    """`did you mean 'x'?`, else the names (`none`: where there is not one)."""
    more = f" and {len(names) - SHOWN_MAX} more" if len(names) > SHOWN_MAX else ""
    there = f"there are: {', '.join(sorted(names)[:SHOWN_MAX])}{more}" if names else none
    return errors.nearest(name, names) or there
