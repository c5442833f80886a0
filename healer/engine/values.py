"""Values of an event as conditions see them: paths into it, the kinds of JSON values, equality, Java's text form.

Callers: `leaves`, `throttles`, `facts`, `index`. Why not Python's own `==`: True equals 1 there, and the language keeps
them apart; numbers compare as doubles, but inside lists and maps an integer and a float differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

Step = str | int | tuple[str]
"""`.name`, `[0]`, or (`["name"]`,): the last differs from the first on lists only."""

Steps = tuple[Step, ...]
Getter = Callable[[dict[str, Any]], Any]

DOUBLE_EXACT: Final = 1 << 53
DEPTH_MAX: Final = 200


class _Absent:
    __slots__ = ("word",)

    def __init__(self, word: str) -> None:
        self.word = word

    def __repr__(self) -> str:
        return self.word

    def __bool__(self) -> bool:
        return False


MISSING: Final[Any] = _Absent("missing")
"""What a path gives that leads nowhere."""

BROKEN: Final[Any] = _Absent("broken")
"""What a path gives where the peer raises: a negative index before the list's beginning."""


def getter(steps: Steps) -> Getter:
    """A function that follows `steps` in an event; it gives `MISSING` where they lead nowhere.

    A null on the way makes the whole path null (measured: `event.a.b is defined` holds for `{"a": null}`).
    """
    if len(steps) == 1 and isinstance(steps[0], str):
        return _one(steps[0])
    if len(steps) == 2 and isinstance(steps[0], str) and isinstance(steps[1], str):
        return _two(steps[0], steps[1])
    return _mixed(steps)


def _one(key: str) -> Getter:
    def get(event: dict[str, Any]) -> Any:
        return event.get(key, MISSING)

    return get


def _two(first: str, second: str) -> Getter:
    def get(event: dict[str, Any]) -> Any:
        inner = event.get(first, MISSING)
        if isinstance(inner, dict):
            return inner.get(second, MISSING)
        return None if inner is None else follow(inner, (second,))

    return get


def _mixed(steps: Steps) -> Getter:
    def get(event: dict[str, Any]) -> Any:
        return follow(event, steps)

    return get


def follow(value: Any, steps: Steps) -> Any:
    """What `steps` lead to from `value`: a value, `MISSING` or `BROKEN`."""
    for step in steps:
        if value is None or value is MISSING or value is BROKEN:
            return value
        value = _step(value, step)
    return value


def _step(value: Any, step: Step) -> Any:
    if isinstance(value, Gathered) or (isinstance(value, list) and isinstance(step, str)):
        return _gather(value, step)
    if isinstance(step, int):
        if not isinstance(value, list):
            return MISSING
        if not -len(value) <= step < len(value):
            return MISSING if step >= 0 else BROKEN
        return value[step]
    if not isinstance(value, dict):
        return MISSING
    return value.get(step if isinstance(step, str) else step[0], MISSING)


def _gather(items: list[Any], step: Step) -> Any:
    """`.name` on a list takes the field of every map in it (measured); a null among them makes the peer raise."""
    wanted = list if isinstance(step, int) else dict
    found = [_step(item, step) for item in items if isinstance(item, wanted)]
    found = [item for item in found if item is not MISSING]
    if any(item is None or item is BROKEN for item in found):
        return BROKEN
    return Gathered(found) if found else MISSING


class Gathered(list[Any]):
    """The fields of the maps in a list: a list for `contains` and `select`, equal to no list that is written."""

    __slots__ = ()


def may_break(steps: Steps) -> bool:
    """Whether the path has a negative index, so that it is worth counting where it is `BROKEN`."""
    return any(isinstance(step, int) and step < 0 for step in steps)


def kind(value: Any) -> str:
    """One letter for the kind of a value: s(tring) n(umber) b(oolean) z (null) l(ist) m(ap) g(athered), else x."""
    found = _KINDS.get(type(value))
    if found is not None:
        return found
    for base, letter in _KINDS.items():
        if isinstance(value, base):
            return letter
    return "x"


_KINDS: Final[dict[type, str]] = {
    bool: "b", str: "s", int: "n", float: "n", type(None): "z", list: "l", dict: "m",
    Gathered: "g",
}  # fmt: skip


def double(number: int | float) -> float:
    """The number as a double; an integer beyond its range is infinite."""
    try:
        return float(number)
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")


def equal(a: Any, b: Any) -> bool:
    """Whether two values are equal for `==`: of one kind, numbers as doubles, lists and maps by content."""
    kind_a = kind(a)
    if kind_a != kind(b):
        return False
    if kind_a == "n":
        return double(a) == double(b)
    if kind_a in "lmg":
        return same(a, b)
    return bool(a == b)


def same(a: Any, b: Any, depth: int = 0) -> bool:
    """Whether two values are the same to the last type (1 and 1.0 differ); deeper than `DEPTH_MAX` they are not."""
    if type(a) is not type(b) and (kind(a) != kind(b) or kind(a) not in "lmg"):
        return False
    if isinstance(a, dict):
        return (
            depth < DEPTH_MAX
            and len(a) == len(b)
            and all(key in b and same(value, b[key], depth + 1) for key, value in a.items())
        )
    if isinstance(a, list):
        return (
            depth < DEPTH_MAX
            and len(a) == len(b)
            and all(same(one, other, depth + 1) for one, other in zip(a, b, strict=True))
        )
    return bool(a == b)


def typed_key(value: Any, depth: int = 0) -> Any:
    """A hashable key that keeps types apart: 1, 1.0, "1" and true are four keys; lists and maps go by content.

    A string is its own key, which is the usual case of a group.
    """
    if type(value) is str:
        return value
    if isinstance(value, list):
        return ("l", *(typed_key(item, depth + 1) for item in value)) if depth < DEPTH_MAX else ("deep",)
    if isinstance(value, dict):
        if depth >= DEPTH_MAX:
            return ("deep",)
        return ("m", *sorted((str(k), typed_key(v, depth + 1)) for k, v in value.items()))
    return (type(value).__name__, value)


def java_text(value: Any, depth: int = 0) -> str:
    """The value as Java's `toString` writes it, which `match`, `search` and `regex` look at."""
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _java_float(value)
    if isinstance(value, int):
        return str(value) if -(1 << 1024) < value < 1 << 1024 else _java_float(double(value))
    if depth >= DEPTH_MAX:
        return "..."
    if isinstance(value, list):
        return "[" + ", ".join(java_text(item, depth + 1) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={java_text(item, depth + 1)}" for key, item in value.items()) + "}"
    return str(value)


def _java_float(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        plain = f"{value!r}"
        return plain if "e" not in plain else f"{value:f}"
    mantissa, _, exponent = f"{value!r}".partition("e")
    if not exponent:
        mantissa, _, exponent = _shortest(value).partition("e")
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}E{int(exponent)}"


def _shortest(value: float) -> str:
    """The shortest scientific form that reads back the same."""
    forms = (f"{value:.{precision}e}" for precision in range(1, 17))
    return next((text for text in forms if float(text) == value), f"{value:.17e}")
