"""A firing: the rule, the events under their names, the journal rows they came from, and when.

Made by `session`; read by `decide`, `healer.testing`, `explain`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from healer.engine import rules


class Match:
    """One firing of one rule.

    `matches` are the events by the names that upstream gives them (`m`, `m_0`, or the bound name); `refs` the
    references given to `Session.post` by the same names; `at` the seconds at which it fired.
    """

    __slots__ = ("at", "matches", "refs", "rule")

    def __init__(self, rule: rules.Rule, matches: dict[str, dict[str, Any]], refs: dict[str, int], at: float) -> None:
        self.rule = rule
        self.matches = matches
        self.refs = refs
        self.at = at

    def __repr__(self) -> str:
        return f"Match({self.rule.name!r}, {self.matches!r}, at={self.at!r})"


def marked(event: dict[str, Any], notes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of an event that fired through a window, with what upstream notes on it in `meta.rule_engine`."""
    meta = event.get("meta")
    meta = dict(meta) if isinstance(meta, dict) else {}
    noted = meta.get("rule_engine")
    meta["rule_engine"] = {**(noted if isinstance(noted, dict) else {}), **notes}
    return {**event, "meta": meta}
