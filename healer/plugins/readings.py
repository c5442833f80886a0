"""What a check saw, looked into: its code may be a stranger's, and what it says is kept. Callers: who looks (a source, a controller)."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Final

from healer import config
from healer.plugins import calling, contracts

DETAIL_BYTES_MAX: Final = 4096
"""It is kept with each run and each alert."""
VALUE_MAX: Final = 2**63
"""Longer whole numbers are no JSON that can be kept."""
_CUT: Final = "…"


async def look(check: contracts.Check) -> contracts.Reading:
    """One reading of a check, its detail within bounds. Raises TypeError for what is none, `Quit`, and all that the check raises."""
    return _reading(await calling.within(check.look))


def _reading(given: Any) -> contracts.Reading:
    if not isinstance(given, contracts.Reading):
        raise TypeError(f"a check gives a plugins.Reading, got {type(given).__name__}")
    if not isinstance(given.ok, bool):
        raise TypeError(f"ok of a reading is true or false, got {config.shown(given.ok)}")
    if given.value is not None and not _is_number(given.value):
        raise TypeError(f"value of a reading is a finite number or None, got {config.shown(given.value)}")
    if not isinstance(given.detail, str):
        raise TypeError(f"detail of a reading is a text, got {config.shown(given.detail)}")
    return dataclasses.replace(given, detail=_bounded(given.detail))


def _is_number(value: object) -> bool:
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) < VALUE_MAX
    return isinstance(value, float) and math.isfinite(value)


def _bounded(text: str) -> str:
    """What may be kept of a text, in UTF-8, with a mark where it was cut."""
    raw = text[: DETAIL_BYTES_MAX + 1].encode("utf-8", "replace")
    if len(raw) <= DETAIL_BYTES_MAX:
        return raw.decode()
    return raw[: DETAIL_BYTES_MAX - len(_CUT.encode())].decode("utf-8", "ignore") + _CUT
