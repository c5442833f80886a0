"""Which cycle of its alert a journal row belongs to, also long after it was decided. Callers: `decide` (replay), `explain`.

A cycle is the time from an opening of an alert to the next one; rules see its number as `event.alert.cycle`.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Mapping
from typing import Any, Final

KEY_MAX: Final = 512


class Openings:
    """When alerts opened, from rows `source, key, seq, cycle` in the order of `seq`: which cycle held at a position long decided.

    Not all openings need to be there, only none may be missing between the first and the last that are.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]] = ()) -> None:
        self._of: dict[tuple[str, str], list[tuple[int, int]]] = {}
        for row in rows:
            self._of.setdefault((row["source"], row["key"]), []).append((row["seq"], row["cycle"]))

    def cycle(self, source: str, key: str, seq: int, today: int) -> int:
        """The cycle that the row at `seq` belongs to; `today`: the alert's present one."""
        known = self._of.get((source, key))
        if not known:
            return today
        at = bisect.bisect_right(known, (seq, 1 << 62))
        return known[at - 1][1] if at else known[0][1] - 1


def lifecycle(alert: Any) -> tuple[str, bool] | None:
    """(key, whether it fires) of an event's `alert`; None where it has no lifecycle."""
    if not isinstance(alert, dict):
        return None
    key, status = alert.get("key"), alert.get("status")
    if status not in ("firing", "resolved") or not isinstance(key, str) or not 0 < len(key) <= KEY_MAX:
        return None
    return key, status == "firing"
