"""The key `throttle` of a rule. Caller: `rules`."""

from __future__ import annotations

import re
from typing import Any, Final

from healer import config, engine
from healer.engine import conditions, values
from healer.rulebook import fields, words

KINDS: Final = ("once_within", "once_after", "accumulate_within")
ATTRIBUTES_MAX: Final = 50
_WINDOW: Final = re.compile(r"(\d+)\s(millisecond|second|minute|hour|day)s?", re.ASCII)
_UNIT_US: Final = {
    "millisecond": 1_000, "second": 1_000_000, "minute": 60_000_000, "hour": 3_600_000_000, "day": 86_400_000_000,
}  # fmt: skip
THRESHOLD_MAX: Final = 1_000_000_000
WINDOW_MAX_US: Final = 3_660 * 86_400_000_000


def window(text: Any) -> tuple[int, str] | None:
    """Microseconds of `10 seconds`, and how upstream shows it (`10 SECONDS`); None where it is no duration."""
    found = _WINDOW.fullmatch(text) if isinstance(text, str) and len(text) < 40 else None
    if not found:
        return None
    return int(found[1]) * _UNIT_US[found[2]], f"{int(found[1])} {found[2].upper()}S"


def duration_us(document: config.Document, found: config.Map, key: str) -> int | None:
    """The microseconds of `found[key]`, or None after saying what is wrong with it."""
    made = window(found[key])
    if made is not None and made[0] <= WINDOW_MAX_US:
        return made[0]
    wanted = "a duration like '10 seconds' (milliseconds, seconds, minutes, hours, days), at most ten years"
    fields.wrong_type(document, found.values_at.get(key), key, found[key], wanted)
    return None


def read(document: config.Document, rule: config.Map, condition: conditions.Condition | None) -> engine.Throttle | None:
    """The throttle, or None after saying why not."""
    found = rule["throttle"]
    if not isinstance(found, config.Map):
        fields.wrong_type(document, rule.values_at.get("throttle"), "throttle", found, "a mapping")
        return None
    good = fields.keys(
        document, found, (*KINDS, "threshold", "group_by_attributes"), ("group_by_attributes",), "throttle"
    )
    kinds = [key for key in KINDS if key in found]
    if len(kinds) != 1:
        if good:
            wanted = "once_within, once_after, or accumulate_within with threshold"
            document.error("throttle-kind", f"a throttle has one of {wanted}", found.mark)
        return None
    kind = kinds[0]
    made = window(found[kind]) if duration_us(document, found, kind) is not None else None
    threshold = _threshold(document, found, kind)
    good &= made is not None
    groups = _groups(document, found)
    if condition is not None and (len(condition.patterns) != 1 or conditions.absence(condition) is not None):
        message = f"{kind} needs a condition on a single event"
        document.error("throttle-condition", message, rule.keys_at.get("throttle"))
        good = False
    if not good or groups is None or made is None or threshold is None:
        return None
    place = document.place(rule.keys_at.get("throttle"))
    return engine.Throttle(kind, *made, groups, tuple(found["group_by_attributes"]), place, threshold)


def _threshold(document: config.Document, found: config.Map, kind: str) -> int | None:
    """How many events make a firing, or None after saying what is wrong."""
    if kind != "accumulate_within":
        if "threshold" not in found:
            return 1
        document.error(
            "unknown-key", f"{kind} has no threshold", found.keys_at.get("threshold"), "accumulate_within has one"
        )
        return None
    if "threshold" not in found:
        document.error("missing-key", "accumulate_within needs the key 'threshold'", found.mark)
        return None
    value = found["threshold"]
    if fields.is_a(value, "integer") and 1 <= value <= THRESHOLD_MAX:
        return int(value)
    wanted = f"a whole number from 1 to {THRESHOLD_MAX:,}"
    fields.wrong_type(document, found.values_at.get("threshold"), "threshold", value, wanted)
    return None


def _groups(document: config.Document, found: config.Map) -> tuple[values.Steps | None, ...] | None:
    if "group_by_attributes" not in found:
        return None
    items = found["group_by_attributes"]
    if not isinstance(items, config.Seq) or len(items) > ATTRIBUTES_MAX:
        wanted = f"a list of at most {ATTRIBUTES_MAX} texts"
        fields.wrong_type(document, found.values_at.get("group_by_attributes"), "group_by_attributes", items, wanted)
        return None
    made: list[values.Steps | None] = []
    for number, item in enumerate(items):
        if not isinstance(item, str) or not item.strip():
            fields.wrong_type(document, items.items_at[number], f"attribute {number + 1}", item, "the path of a field")
            return None
        steps = attribute(item)
        if steps is None:
            message = f"{item!r} is no path of names, so it is never found and such events are never throttled"
            document.warning("trap-group-attribute", message, items.items_at[number], "write event.name.name")
        made.append(steps)
    return tuple(made)


def attribute(text: str) -> values.Steps | None:
    """The path of a group attribute; `event.` before it is optional."""
    for prefix in ("event.", "fact."):
        text = text.removeprefix(prefix) if text.startswith(prefix) else text
    steps = words.steps("." + text)
    return steps if steps and isinstance(steps[0], str) else None
