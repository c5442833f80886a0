"""`not` before a field alone (`trap-not-field`): it holds of whatever is there and is not `true`, and never where the field is missing.

So of a text or a mapping it is the opposite of what it reads as; of a field of which the kind is not known it may be meant so.
"""

from __future__ import annotations

from collections.abc import Iterator

from healer import errors
from healer.engine import conditions, normal, values
from healer.lint import alerts, implying
from healer.lint.scope import Scope, Told


def check(scope: Scope, told: Told) -> None:
    """Tell of each `not` before a field alone in a ruleset; a condition that asks as well if the field is there knows it."""
    for rule in scope.ruleset.rules:
        for pattern in rule.condition.patterns:
            asked = {implying.plain(steps) for leaf in conditions.leaves(pattern.test) for steps in _asked(leaf.test)}
            for test in alerts.checks(normal.normal(pattern.test)):
                if found := _told(test, asked, closed=scope.alerts_alone):
                    message, try_, severity = found
                    told.tell(
                        scope.document,
                        "trap-not-field",
                        message,
                        scope.mark_of(test.leaf, test.leaf.text),
                        try_,
                        severity,
                    )


def _asked(test: conditions.Simple) -> Iterator[values.Steps]:
    if isinstance(test, conditions.Defined) and isinstance(test.value, conditions.Path):
        yield test.value.steps


def _told(test: normal.Check, asked: set[values.Steps], *, closed: bool) -> tuple[str, str, errors.Severity] | None:
    value = test.leaf.test.value if isinstance(test.leaf.test, conditions.Truth) else None
    if not test.negated or not isinstance(value, conditions.Path):
        return None
    names, shown = alerts.named(value.steps)
    kind = alerts.text_or_kind(names) if closed else ""
    if kind and not alerts.may_lack(names):
        return _of_all(shown, alerts.KINDS[kind])
    if kind:
        message = f"`{shown}` is {alerts.KINDS[kind]}, never true: `not` of it holds wherever it is there, and never where it is missing"
        return message, f"write {shown} is not defined", "warning"
    if implying.plain(value.steps) in asked:
        return None
    message = f"`not {shown}` holds of all that is there and is not `true`, and never where the field is missing"
    return message, f"write {shown} is not defined, or {shown} == false where it is a Boolean", "hint"


def _of_all(shown: str, kind: str) -> tuple[str, str, errors.Severity]:
    return (
        f"`{shown}` is {kind}, never true: `not` of it holds of every alert",
        "compare it, or leave it out",
        "warning",
    )
