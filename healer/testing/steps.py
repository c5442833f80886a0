"""Checks one step of a replay. Caller: `replaying`. A wrong step names its line (1-based, as in a file of steps)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

from healer import errors, wording

KINDS: Final = ("event", "fact", "retract", "advance_s")
KEYS: Final = (*KINDS, "at", "ruleset", "partial", "exclude_keys")


class WrongStep(errors.InvalidField):
    """line {line}: {field}: {detail}"""


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """A checked step; `body` is the event, fact or pattern."""

    number: int
    kind: str
    body: dict[str, Any]
    at: float | None
    advance_s: float | None
    ruleset: str | None
    partial: bool
    exclude_keys: tuple[str, ...] | None


def read(number: int, raw: Any, rulesets: Sequence[str]) -> Step:
    """Check a step; raises `errors.InvalidField`."""
    if not isinstance(raw, Mapping):
        _wrong(number, "step", f"a JSON object is wanted, got {wording.shown(raw)}")
    for key in raw:
        if key not in KEYS:
            _wrong(number, str(key), "no such key in a step", errors.nearest(str(key), KEYS))
    kinds = [key for key in KINDS if key in raw]
    if len(kinds) != 1:
        _wrong(number, "step", f"exactly one of {', '.join(KINDS)} is wanted, got {', '.join(kinds) or 'none'}")
    kind = kinds[0]
    if kind != "advance_s" and not isinstance(raw[kind], Mapping):
        _wrong(number, kind, f"a JSON object is wanted, got {wording.shown(raw[kind])}")
    if kind != "retract" and ("partial" in raw or "exclude_keys" in raw):
        _wrong(number, "partial" if "partial" in raw else "exclude_keys", "stands with retract only")
    return Step(
        number=number,
        kind=kind,
        body={} if kind == "advance_s" else plain(raw[kind]),
        at=_seconds(number, "at", raw),
        advance_s=_seconds(number, "advance_s", raw),
        ruleset=_ruleset(number, raw, rulesets),
        partial=_partial(number, raw),
        exclude_keys=_exclude_keys(number, raw),
    )


def _seconds(number: int, key: str, raw: Mapping[str, Any]) -> float | None:
    if key not in raw:
        return None
    value = raw[key]
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(value)
        or not 0 <= value < 1e12
    ):
        _wrong(number, key, f"seconds (a number from 0 to below 1e12) are wanted, got {wording.shown(value)}")
    return value


def _ruleset(number: int, raw: Mapping[str, Any], rulesets: Sequence[str]) -> str | None:
    name = raw.get("ruleset")
    if name is not None and name not in rulesets:
        near = errors.nearest(str(name), rulesets) or "known: " + ", ".join(rulesets)
        _wrong(number, "ruleset", f"no ruleset is named {name!r}", near)
    return name


def _partial(number: int, raw: Mapping[str, Any]) -> bool:
    value = raw.get("partial", True)
    if not isinstance(value, bool):
        _wrong(number, "partial", f"true or false is wanted, got {wording.shown(value)}")
    return bool(value)


def _exclude_keys(number: int, raw: Mapping[str, Any]) -> tuple[str, ...] | None:
    value = raw.get("exclude_keys")
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not all(isinstance(key, str) for key in value):
        _wrong(number, "exclude_keys", "a list of texts is wanted")
    return tuple(value)


def plain(value: Any) -> Any:
    """Plain dictionaries and lists, whatever kinds of mappings came."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _wrong(number: int, field: str, detail: str, try_: str = "") -> NoReturn:
    raise WrongStep(try_, line=number + 1, field=field, detail=detail)
