"""`no-brake` of a rule that only events without an end can meet, although a source of its ruleset tells when alerts are over.

Where no source of a ruleset does, reading the project tells it (`project.checking`).
"""

from __future__ import annotations

from healer import engine, project
from healer.engine import normal
from healer.lint import implying, shapes
from healer.lint.scope import Scope, Told


def check(scope: Scope, told: Told) -> None:
    """Tell of each such rule."""
    ending = [shapes.of_source(one) for one in scope.sources if one.resolves]
    if not ending or len(ending) == len(scope.sources) or any(one is None for one in ending):
        return
    for rule in scope.ruleset.rules:
        if rule.enabled and any(one.name in project.EFFECTFUL for one in rule.actions) and not _braked(scope, rule):
            known = [one for one in ending if one is not None]
            if not any(_meets(one, rule) for one in known):
                message = (
                    f"each event that matches acts: {shapes.named(known)} has none that does, no other source tells when an alert is over,"
                    " and no throttle holds it"
                )
                try_ = "throttle: {once_within: 5 minutes, group_by_attributes: […]}"
                told.tell(scope.document, "no-brake", message, scope.name_of(rule), try_)


def _braked(scope: Scope, rule: engine.Rule) -> bool:
    """What holds it anyway: as `project.checking` has it."""
    several = rule.condition.kind != "any" and len(rule.condition.patterns) > 1
    return bool(rule.throttle) or several or "cooldown" in {**scope.ruleset.policy, **rule.policy}


def _meets(shape: shapes.Shape, rule: engine.Rule) -> bool:
    """Whether events of a source may meet a condition, or no event at all: they have all that it cannot do without."""
    met = False
    for pattern in rule.condition.patterns:
        for facts in implying.branches(normal.normal(pattern.test)):
            met = True
            needed = [steps for steps, upper in facts.fields.items() if "missing" not in upper.others]
            if all(shapes.lack(shape.tree, steps) is None for steps in needed):
                return True
    return not met
