"""`no-brake`: a rule that acts on each event that it matches, since nothing holds it. Caller: `checking`."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from healer import config, engine
from healer.engine import leaves, normal


def check(document: config.Document, rule: config.Map, held: Set[Any], made: engine.Rule | None) -> None:
    """Tell of a rule that acts and has no brake, where no source of its ruleset tells when an alert is over. `held`: its `policies`;
    `made`: what was read of it, as far as it is right."""
    braked = (
        "cooldown" in held
        or "throttle" in rule
        or rule.get("enabled") is False
        or _once_a_firing(rule)
        or _never_by_one(rule)
        or (made is not None and _never(made))
    )
    if not braked:
        at = rule.values_at.get("name") or rule.mark
        message = "each event that matches acts: no source tells when an alert is over, and no throttle holds it"
        document.warning("no-brake", message, at, "throttle: {once_within: 5 minutes, group_by_attributes: […]}")


def policies(*found: config.Map) -> set[Any]:
    """The keys that the policies of a ruleset and its rule name."""
    return {key for one in found if isinstance(policy := one.get("policy"), config.Map) for key in policy}


def _once_a_firing(rule: config.Map) -> bool:
    """Whether its condition asks for an alert's key and status: such an alert leads to one run for each time that it fires."""
    asked = rule.get("condition")
    listed = (
        [text for inner in asked.values() if isinstance(inner, list) for text in inner]
        if isinstance(asked, config.Map)
        else [asked]
    )
    return any(isinstance(text, str) and "event.alert.key" in text and "event.alert.status" in text for text in listed)


def _never_by_one(rule: config.Map) -> bool:
    """Whether it takes several events to fire, which no throttle can hold, or is `false`."""
    asked = rule.get("condition")
    if not isinstance(asked, config.Map):
        return asked is False or (isinstance(asked, str) and asked.strip() in ("false", "False"))
    several = asked.get("all")
    return "not_all" in asked or (isinstance(several, config.Seq) and len(several) > 1)


def _never(rule: engine.Rule) -> bool:
    """Whether its condition is false whatever comes (`1 == 2`). Tests that exclude each other are seen by `lint` alone."""
    if rule.condition.kind == "not_all":
        return False
    false = [_is_false(normal.normal(pattern.test)) for pattern in rule.condition.patterns]
    return any(false) if rule.condition.kind == "all" else all(false)


def _is_false(node: normal.Normal) -> bool:
    if isinstance(node, normal.Check):
        switched = "vars." in node.leaf.text or "{{" in node.leaf.text
        return not switched and leaves.constant(node) is False
    parts = map(_is_false, node.parts)
    return any(parts) if isinstance(node, normal.All) else all(parts)
