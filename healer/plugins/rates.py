"""How many of something within a time, as operators write it: `30 per hour`. Callers: `measures` (gates), the options of sources."""

from __future__ import annotations

import contextlib
import re
from typing import Annotated, Any, Final

import pydantic

from healer import config, units
from healer.plugins.options import Options, Wanted

WITHIN_MAX_S: Final = 31 * 86_400.0
_RATE: Final = re.compile(r"\s*([0-9]{1,7})\s+per\s+(.+?)\s*")
_UNITS: Final = ("second", "minute", "hour", "day")


def rate_of(text: object) -> dict[str, Any]:
    """`30 per hour`, `2 per 10 minutes` → count and window."""
    found = _RATE.fullmatch(text) if isinstance(text, str) else None
    within = 0.0
    if found is not None:
        with contextlib.suppress(ValueError):
            within = units.duration_s(found[2] if found[2].rstrip("s") not in _UNITS else f"1 {found[2]}")
    if found is None or within <= 0:
        raise ValueError(f"a rate like '30 per hour' or '2 per 10 minutes' is wanted, got {config.shown(text)}")
    if within > WITHIN_MAX_S:
        raise ValueError(f"a rate within at most 31 days is wanted, got {config.shown(text)}")
    return {"count": int(found[1]), "within": within}


class RateShape(Options):
    """How many within which time; written as one text."""

    count: Annotated[int, pydantic.Field(ge=1, le=1_000_000)]
    within: float


RateText = Annotated[
    str,
    pydantic.StringConstraints(
        pattern=rf"^\s*[0-9]{{1,7}}\s+per\s+(?:(?:{'|'.join(_UNITS)})s?|{units.LONG.pattern}|{units.SHORT.pattern})\s*$"
    ),
]
Rate = Annotated[
    RateShape,
    pydantic.BeforeValidator(rate_of, json_schema_input_type=RateText),
    Wanted("a rate like '30 per hour'"),
]
