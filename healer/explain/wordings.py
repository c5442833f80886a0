"""Values of gates as an operator writes them in files: `10 minutes`, `30 per hour`, `{failures: 3, within: 30 minutes, …}`. Pure.

The values are those of a layer of `policy`: seconds, counts, mappings.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

_UNITS: Final = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def span(seconds: float) -> str:
    """The largest unit in which it is a whole number; days only from two on, as people say `24 hours`."""
    for unit, size in _UNITS:
        count, rest = divmod(seconds, size)
        if not rest and count >= (2 if unit == "day" else 1):
            return f"{count:.0f} {unit}{'' if count == 1 else 's'}"
    return f"{seconds:.0f} seconds" if seconds == int(seconds) else f"{seconds:g}s"


def value(key: str, given: Any) -> str:
    """A value of a gate; `none` where the gate does not apply."""
    if given is None:
        return "none"
    if isinstance(given, float):
        return span(given)
    return _WORDS[key](given) if key in _WORDS and isinstance(given, Mapping) else _flow(given)


def _rate(given: Mapping[str, Any]) -> str:
    within = "day" if given["within"] == _UNITS[0][1] else span(given["within"])
    return f"{given['count']} per {within.removeprefix('1 ')}"


def _breaker(given: Mapping[str, Any]) -> str:
    return _map(
        failures=given["failures"], within=_Bare(span(given["within"])), retry_after=_Bare(span(given["retry_after"]))
    )


def _flapping(given: Mapping[str, Any]) -> str:
    return _map(cycles=given["cycles"], within=_Bare(span(given["within"])))


def _blast(given: Mapping[str, Any]) -> str:
    within, of = _Bare(span(given["within"])), {"of": f"group:{given['of']}"} if given.get("of") else {}
    if given.get("percent") is None:
        return _map(targets=given["count"], **of, within=within)
    share = f"{given['percent']:g}%"
    return _map(**{"targets": share, "at_least": given["at_least"], "or": given["or"], **of, "within": within})


def _verify(given: Mapping[str, Any]) -> str:
    if not given:
        return "none"
    if given.get("check"):
        return _map(check=given["check"], within=_Bare(span(given["within"])))
    if given.get("action") is None:
        return _map(resolved_within=_Bare(span(given["within"])))
    parameters = {"parameters": given["parameters"]} if given.get("parameters") else {}
    return _map(action=given["action"], **parameters, within=_Bare(span(given["within"])))


def _windows(given: Mapping[str, Any]) -> str:
    made = {
        name: _Bare("[" + ", ".join(map(_when, given[name])) + "]") for name in ("allow", "block") if given.get(name)
    }
    return _map(**made)


def _when(given: Mapping[str, Any]) -> str:
    days, first, last = given["days"], given["first_day"], given["last_day"]
    start, end = given["start_min"], given["end_min"]
    hours = f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"
    dates = {} if not first else {"dates": first if first == last else f"{first}..{last}"}
    return _map(**({"days": _week(days)} if days else {}), hours=hours, **dates, timezone=given["timezone"])


def _week(days: Sequence[int]) -> str:
    """`mon-fri`, `"sat,sun"`."""
    if len(days) > 2 and list(days) == list(range(days[0], days[-1] + 1)):
        return _Bare(f"{_DAYS[days[0]]}-{_DAYS[days[-1]]}")
    return ",".join(_DAYS[day] for day in days)


def _approval(given: Mapping[str, Any]) -> str:
    if not given:
        return "none"
    then = {"then": given["then"]} if given.get("then") else {}
    return _map(any=given["thresholds"], **then, exclude=given["exclude"])


class _Bare(str):
    """A text that needs no quotes."""

    __slots__ = ()


def _map(**given: Any) -> str:
    return "{" + ", ".join(f"{key}: {_flow(one)}" for key, one in given.items()) + "}"


def _flow(given: Any) -> str:
    """YAML in one line. A text in quotes as JSON has them, but for a plain word."""
    if isinstance(given, _Bare):
        return given
    if isinstance(given, Mapping):
        return _map(**{str(key): one for key, one in given.items()})
    if isinstance(given, list | tuple):
        return "[" + ", ".join(map(_flow, given)) + "]"
    if (
        isinstance(given, str)
        and given.isidentifier()
        and given.lower() not in ("yes", "no", "on", "off", "true", "false", "null")
    ):
        return given
    return json.dumps(given, ensure_ascii=False)


_WORDS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "rate_limit": _rate, "breaker": _breaker, "flapping": _flapping, "blast_radius": _blast, "verify": _verify, "windows": _windows,
    "approval": _approval,
}  # fmt: skip
