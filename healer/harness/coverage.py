"""What tests have seen of rules: which fired, which comparisons held and did not, and what the gates said of their actions.

Caller: `harness`. What a comparison comes to is asked of the engine's own explanations (`engine.tests_of`), for every event that a ruleset
heard, and for every match with the events of it.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

from healer import engine, project
from healer.harness import gating, observing


@dataclasses.dataclass(slots=True)
class Comparison:
    """One comparison of a condition. `place`: file:line:column."""

    text: str
    place: str
    seen: set[bool] = dataclasses.field(default_factory=set)


@dataclasses.dataclass(slots=True)
class Rule:
    """One rule. `held`: (action, reason) → how often a gate held it; `gates`: those that the files name for its actions."""

    name: str
    place: str
    comparisons: list[Comparison]
    fired: int = 0
    held: Counter[tuple[str, str]] = dataclasses.field(default_factory=Counter)
    gates: tuple[gating.Gate, ...] = ()

    @property
    def total(self) -> int:
        """What there is to see: that it fires, both sides of each comparison, and that each gate holds something."""
        return 1 + 2 * len(self.comparisons) + len(self.gates)

    @property
    def met(self) -> int:
        """How many of the gates held something."""
        return sum(bool(self.held[gate]) for gate in self.gates)

    @property
    def covered(self) -> int:
        """How much of it was seen."""
        return bool(self.fired) + sum(len(one.seen) for one in self.comparisons) + self.met


class Coverage:
    """Of all rules of a revision, over as many cases as are told."""

    def __init__(self, revision: project.Revision) -> None:
        self.rules: dict[str, Rule] = {}
        gates = project.Gates(revision)
        for activation, ruleset in revision.rulesets():
            if activation.hidden or ruleset is activation.gathering:
                continue
            for rule in ruleset.rules:
                if rule.enabled:
                    name = f"{activation.name}/{ruleset.name}/{rule.name}"
                    tests = [Comparison(_text(one), one["place"]) for one in engine.tests_of(rule, {})]
                    named = tuple(gating.of(revision, gates, activation, ruleset, rule))
                    self.rules[name] = Rule(name, str(rule.place), tests, gates=named)

    def heard(self, ruleset: str, session: engine.Session, event: dict[str, Any], _now: float, _ref: int) -> None:
        """As `watching.Listener.heard`."""
        for rule in session.compiled.rules:
            self._saw(f"{ruleset}/{rule.name}", engine.tests_of(rule, {"": event}))

    def fired(self, ruleset: str, match: engine.Match, _now: float, *, timed: bool) -> None:
        """As `watching.Listener.fired`."""
        del timed
        found = self.rules.get(f"{ruleset}/{match.rule.name}")
        if found is not None:
            found.fired += 1
            self._saw(found.name, engine.tests_of(match.rule, match.matches))

    def _saw(self, name: str, tests: list[dict[str, Any]]) -> None:
        found = self.rules.get(name)
        if found is not None and len(tests) == len(
            found.comparisons
        ):  # variables of a test may have made another condition
            for one, test in zip(found.comparisons, tests, strict=True):
                if test["holds"] is not None:
                    one.seen.add(test["holds"])

    def take(self, seen: observing.Seen) -> None:
        """What the gates said in a case, by its end."""
        for decision in seen.decisions:
            self._held(decision["rule"], decision["action"], decision["reason"])
        for run in seen.runs:
            for code in (*run["waited"], run["reason"]):
                if code not in _ENDS:
                    self._held(run["rule"], run["action"], code, again=True)

    def _held(self, rule: str, action: str, reason: str, *, again: bool = False) -> None:
        found = self.rules.get(rule)
        if found is None or not reason:
            return
        if not (again and found.held[(action, reason)]):
            found.held[(action, reason)] += 1

    # --- how much that is ---------------------------------------------------------------------------------------------

    @property
    def percent(self) -> float:
        """How much of all that there is to see was seen; of nothing all."""
        total = sum(one.total for one in self.rules.values())
        return 100.0 * sum(one.covered for one in self.rules.values()) / total if total else 100.0

    def missing(self) -> list[tuple[str, str]]:
        """(place, what was not seen there), in the order of the files."""
        made: list[tuple[str, str]] = []
        for rule in self.rules.values():
            if not rule.fired:
                made.append((rule.place, f"the rule {rule.name} never fires"))
            for one in rule.comparisons:
                for side, word in ((True, "true"), (False, "false")):
                    if side not in one.seen:
                        made.append((one.place, f"never {word}: {one.text}"))
            for action, reason in rule.gates:
                if not rule.held[action, reason]:
                    made.append((rule.place, f"never held by {reason}: {action} of the rule {rule.name}"))
        return made

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "percent": round(self.percent, 1),
            "rules": [
                {
                    "rule": one.name, "place": one.place, "fired": one.fired, "covered": one.covered, "total": one.total,
                    "conditions": [
                        {"text": part.text, "place": part.place, "true": True in part.seen, "false": False in part.seen}
                        for part in one.comparisons
                    ],
                    "gates": [
                        {"action": action, "reason": reason, "count": one.held[action, reason]}
                        for action, reason in sorted({*one.gates, *(gate for gate, count in one.held.items() if count)})
                    ],
                }
                for one in self.rules.values()
            ],
            "missing": [{"place": place, "what": what} for place, what in self.missing()],
        }  # fmt: skip


_ENDS = ("", "unverified", "verified", "not_verified")


def _text(test: dict[str, Any]) -> str:
    return f"not ({test['text']})" if test["negated"] else str(test["text"])
