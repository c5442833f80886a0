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
    for key in ("once_after", "accumulate_within", "threshold"):
        if key in found:
            fields.not_yet(document, found, key)
            good = False
    if "once_within" not in found:
        if good:
            document.error("missing-key", "throttle needs the key 'once_within'", found.mark)
        return None
    made = window(found["once_within"]) if duration_us(document, found, "once_within") is not None else None
    good &= made is not None
    groups = _groups(document, found)
    if condition is not None and (len(condition.patterns) != 1 or conditions.absence(condition) is not None):
        message = "once_within needs a condition on a single event"
        document.error("throttle-condition", message, rule.keys_at.get("throttle"))
        good = False
    if not good or groups is None or made is None:
        return None
    place = document.place(rule.keys_at.get("throttle"))
    return engine.Throttle("once_within", *made, groups, tuple(found["group_by_attributes"]), place)


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
