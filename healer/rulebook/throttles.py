"""The key `throttle` of a rule. Caller: `rules`."""

from __future__ import annotations

import re
from typing import Any, Final

from healer import config, engine
from healer.engine import conditions, values
from healer.rulebook import fields, words

KINDS: Final = ("once_within", "once_after", "accumulate_within")
KEYS: Final = (*KINDS, "threshold", "group_by_attributes")
REQUIRED: Final = ("group_by_attributes",)
WITH_THRESHOLD: Final = ("accumulate_within",)
"""Kinds that need one."""
ATTRIBUTES_MAX: Final = 50
WINDOW: Final = re.compile(r"(\d+)\s(millisecond|second|minute|hour|day)s?")
_UNIT_US: Final = {
    "millisecond": 1_000, "second": 1_000_000, "minute": 60_000_000, "hour": 3_600_000_000, "day": 86_400_000_000,
}  # fmt: skip
DURATION_LENGTH_MAX: Final = 40
THRESHOLD_MAX: Final = 1_000_000_000
WINDOW_MAX_US: Final = 3_660 * 86_400_000_000


def window(text: Any) -> tuple[int, str] | None:
    """Microseconds of `10 seconds`, and how upstream shows it (`10 SECONDS`); None where it is no duration."""
    found = (
        WINDOW.fullmatch(text.removesuffix("\n")) if isinstance(text, str) and len(text) < DURATION_LENGTH_MAX else None
    )
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
    good = fields.keys(document, found, KEYS, REQUIRED, "throttle")
    kind = _kind(document, found, tell=good)
    windows = {
        key: window(found[key]) for key in KINDS if key in found and duration_us(document, found, key) is not None
    }
    good &= len(windows) == sum(key in found for key in KINDS)
    threshold = _threshold(document, found)
    groups = _groups(document, found)
    if kind and condition is not None and (len(condition.patterns) != 1 or conditions.absence(condition) is not None):
        message = f"{kind} needs a condition on a single event"
        try_ = "leave it out: a rule that joins events is held by policy: {cooldown: …}"
        document.error("throttle-condition", message, rule.keys_at.get("throttle"), try_)
        good = False
    made = windows.get(kind or "")
    if not good or groups is None or kind is None or made is None or threshold is None:
        return None
    place = document.place(rule.keys_at.get("throttle"))
    attributes = tuple(found["group_by_attributes"])
    return engine.Throttle(kind, *made, groups, attributes, place, threshold if kind in WITH_THRESHOLD else 1)


def _kind(document: config.Document, found: config.Map, *, tell: bool) -> str | None:
    """The one kind that is whole, or None after saying what is wrong. What stands beside it counts for nothing, as upstream."""
    given = [key for key in KINDS if key in found]
    whole = [key for key in given if key not in WITH_THRESHOLD or "threshold" in found]
    if len(whole) == 1:
        for key in found:
            if (key in given and key != whole[0]) or (key == "threshold" and whole[0] not in WITH_THRESHOLD):
                try_ = "leave it out, or write accumulate_within with threshold alone"
                document.warning(
                    "throttle-unused", f"{key} does nothing beside {whole[0]}", found.keys_at.get(key), try_
                )
        return whole[0]
    if given and not whole:
        document.error("missing-key", f"{given[0]} needs the key 'threshold'", found.mark, "add threshold: 3")
    elif tell or whole:
        wanted = "once_within, once_after, or accumulate_within with threshold"
        got = ", ".join(whole) or "none"
        document.error(
            "throttle-kind", f"a throttle has one of {wanted}, got {got}", found.mark, "like once_within: 5 minutes"
        )
    return None


def _threshold(document: config.Document, found: config.Map) -> int | None:
    """How many events make a firing (1 where nothing is said), or None after saying what is wrong."""
    if "threshold" not in found:
        return 1
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
