"""Why each rule fired or did not, of every event that it heard in a case, in the memory that it had at that moment.

Caller: `harness`, for `healer test --why`.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from healer import engine, project
from healer.decide import firing
from healer.harness.virtual import US

REASONS_MAX: Final = 20_000
"""Of one case."""
BY_TIME: Final = "time"


@dataclasses.dataclass(slots=True)
class Reason:
    """What one rule made of one event: `told` has `rule`, `fired`, `reason`, `conditions` and `tree`, as `explain` has them.

    `event` is '' of what time fired.
    """

    at_us: int
    event: str
    told: dict[str, Any]


def rulesets(revision: project.Revision) -> frozenset[str]:
    """Those that stand in files: what healer makes of `events:` and of actions by hand is no rule that somebody wrote."""
    return frozenset(
        f"{activation.name}/{ruleset.name}"
        for activation, ruleset in revision.rulesets() if not activation.hidden and ruleset is not activation.gathering
    )  # fmt: skip


class Reasons:
    """Those of one case. `cut`: there are more than are kept."""

    def __init__(self, names: frozenset[str], start_us: int) -> None:
        self._names = names
        self._start_us = start_us
        self._last: dict[tuple[str, int], dict[str, Any]] = {}
        self.found: list[Reason] = []
        self.cut = False

    def heard(self, ruleset: str, session: engine.Session, event: dict[str, Any], now: float, ref: int) -> None:
        """As `watching.Listener.heard`."""
        if ruleset not in self._names:
            return
        self._last.clear()
        for rule, one in zip(session.compiled.rules, session.explain(event, now), strict=True):
            tests = one["tests"]
            told = {
                "rule": f"{ruleset}/{rule.name}", "fired": one["fires"], "reason": "" if one["fires"] else one["reason"],
                "taken_by": one["taken_by"], "conditions": tests, "tree": engine.tree_of(rule, tests, fired=one["fires"]),
            }  # fmt: skip
            self._last[ruleset, rule.index] = told
            self._add(now, f"e-{ref}", told)

    def fired(self, ruleset: str, match: engine.Match, now: float, *, timed: bool) -> None:
        """As `watching.Listener.fired`."""
        if ruleset not in self._names:
            return
        tests = firing.tests_of(match)
        seen = {"conditions": tests, "tree": engine.tree_of(match.rule, tests, fired=True)}
        told = self._last.get((ruleset, match.rule.index))
        if told is None or timed or not told["fired"]:
            about = {"rule": f"{ruleset}/{match.rule.name}", "fired": True, "reason": BY_TIME, "taken_by": None}
            self._add(now, "", about | seen)
        elif tests:
            told |= seen  # with the other events of it

    def _add(self, now: float, event: str, told: dict[str, Any]) -> None:
        if len(self.found) < REASONS_MAX:
            self.found.append(Reason(round(now * US) - self._start_us, event, told))
        else:
            self.cut = True
