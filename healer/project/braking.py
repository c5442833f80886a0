"""`no-brake`: a rule that acts on each event that it matches, since nothing holds it. Caller: `checking`."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from healer import config


def check(document: config.Document, rule: config.Map, held: Set[Any]) -> None:
    """Tell of a rule that acts and has no brake, where no source of its ruleset tells when an alert is over. `held`: its `policies`."""
    braked = (
        "cooldown" in held
        or "throttle" in rule
        or rule.get("enabled") is False
        or _once_a_firing(rule)
        or _never_by_one(rule)
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
