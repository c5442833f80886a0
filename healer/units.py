"""Spans and sizes as operators write them: `5 minutes`, `5m`, `100 MB`. Callers: the shapes of options, `web`, `cli`."""

from __future__ import annotations

import re
from typing import Final

from healer import quoting

LONG: Final = re.compile(r"\s*([0-9]+)\s+(millisecond|second|minute|hour|day)s?\s*")
SHORT: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d)\s*")
_UNIT_S: Final = {
    "millisecond": 0.001, "second": 1, "minute": 60, "hour": 3600, "day": 86400,
    "ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400,
}  # fmt: skip
SIZE: Final = re.compile(r"\s*([0-9]{1,30})\s*(B|KB|MB|GB|KiB|MiB|GiB)?\s*")
_SIZE_OF: Final = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
DURATION_MAX_S: Final = 100 * 365.25 * 86_400.0
"""As microseconds it has to fit into 64 bits beside the time of today."""


def duration_s(text: object) -> float:
    """Seconds of `5 minutes` or `5m`; ValueError says what was got and wanted."""
    if isinstance(text, str) and (found := LONG.fullmatch(text) or SHORT.fullmatch(text)):
        made = float(found[1]) * _UNIT_S[found[2]]
        if made <= DURATION_MAX_S:
            return made
        raise ValueError(f"a duration is at most 100 years, got {quoting.shown(text)}")
    raise ValueError(f"a duration like '5 minutes' or '5m' is wanted, got {quoting.shown(text)}")


def size_bytes(text: object) -> int:
    """Bytes of `100 MB`, `2 MiB` or a whole number; ValueError says what was got and wanted."""
    if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
        return text
    if isinstance(text, str) and (found := SIZE.fullmatch(text)):
        return int(found[1]) * _SIZE_OF[found[2] or "B"]
    raise ValueError(f"a size like '100 MB' or '2 MiB' is wanted, got {quoting.shown(text)}")
