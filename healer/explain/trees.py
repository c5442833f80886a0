"""Puts the tree of its condition beside the tests of each rule that is told of, also of a run that was stored before there were any.

Callers: `explain`, the daemon's `simulate`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from healer import engine, project


def add(revision: project.Revision | None, told: Iterable[dict[str, Any]]) -> None:
    """Fill `tree` of each rule; None where nothing is shown of its condition, or the revision has another one."""
    shown = [*told]
    wanted = {
        one["rule"][:at] for one in shown if one["conditions"] for at, char in enumerate(one["rule"]) if char == "/"
    }
    known = {
        f"{activation.name}/{ruleset.name}/{rule.name}": rule
        for activation, ruleset in (revision.rulesets() if revision is not None and wanted else ())
        if f"{activation.name}/{ruleset.name}" in wanted for rule in ruleset.rules
    }  # fmt: skip
    for one in shown:
        one["tree"] = of(known.get(one["rule"]), one["conditions"], fired=one["fired"])


def of(rule: engine.Rule | None, tests: list[dict[str, Any]], *, fired: bool) -> dict[str, Any] | None:
    """The tree of a rule's condition, where there is one to be told."""
    return engine.tree_of(rule, tests, fired=fired) if rule is not None and tests else None
