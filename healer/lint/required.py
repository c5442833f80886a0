"""`validate.checks` of healer.yaml: what actions of rules have to have, told with the code `policy` where one lacks it.

What counts is what would hold when the rule fires, whoever says it: a policy, the action, the ruleset, the rule, or the defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from healer import config, project
from healer.lint import ways
from healer.lint.holding import Held, Holding
from healer.lint.scope import Scope, Told
from healer.policy import selecting
from healer.project import revision

_HAS: Final[Mapping[str, tuple[Callable[[Held], Any], str]]] = {
    "approval": (
        lambda one: one.limits.approvals,
        "policy: {approval: …} on the rule, the action's entry, or policies of healer.yaml",
    ),
    "blast_radius": (lambda one: one.limits.blasts, "policy: {blast_radius: {targets: …, within: 1 hour}} on the rule"),
    "verify": (lambda one: one.verified, "verify: in the action's entry"),
    "cooldown": (lambda one: one.limits.cooldown_s, "policy: {cooldown: 10 minutes} on the rule"),
    "rate_limit": (lambda one: one.limits.rates, "policy: {rate_limit: 5 per hour} on the rule"),
    "breaker": (
        lambda one: one.limits.breakers,
        "policy: {breaker: {failures: …, within: …, retry_after: …}} on the rule",
    ),
    "windows": (lambda one: one.limits.windows, "policy: {windows: {allow: […]}} on the rule"),
    "settle": (lambda one: one.limits.settle_s, "policy: {settle: 1 minute} on the rule"),
    "concurrency": (
        lambda one: (
            one.limits.places
            or (one.entry and one.entry.concurrency)
            or (one.controller and one.controller.concurrency)
        ),
        "policy: {concurrency: 1} on the rule",
    ),
    "timeout": (
        lambda one: one.entry is not None or one.limits.timeout_s < revision.UPSTREAM_TIMEOUT_S,
        "run_action instead",
    ),
    "throttle": (
        lambda one: one.rule.throttle,
        "throttle: {once_within: 5 minutes, group_by_attributes: […]} on the rule",
    ),
    "escalate": (lambda one: one.entry is not None and one.entry.escalate, "escalate: in the action's entry"),
    "description": (lambda one: one.entry is not None and one.entry.description, "description: in the action's entry"),
    "idempotent": (
        lambda one: one.entry is not None and one.entry.idempotent,
        "idempotent: true in the action's entry, if it is",
    ),
}
"""Requirement → whether it is met, and what meets it."""


_OF_RULES: Final = frozenset({"throttle"})
"""What only a rule that somebody wrote can have."""


def select_of(written: Any) -> selecting.Select:
    """As the policies of the daemon select."""
    return selecting.Select(**{key: tuple(value) for key, value in written.model_dump().items()})


def check(scope: Scope, told: Told, holding: Holding, checks: Sequence[Any]) -> None:
    """Tell of each action of a ruleset that lacks what a check wants of it, whichever way it is started."""
    selects = [(one, select_of(one.select)) for one in checks]
    for rule in scope.ruleset.rules if selects else ():
        for action, _, at in scope.actions(rule) if rule.enabled else ():
            for held, how in ways.of(holding, scope, rule, action):
                for one, select in selects:
                    _lacking(told, scope.document, at, one, select, held, f" of the rule {rule.name!r}{how}")


def of_events(draft: project.Draft, told: Told, holding: Holding) -> None:
    """The same of what `POST /webhook` starts (`events:` of an entry): told where the action is declared."""
    checks = [(one, select_of(one.select)) for one in draft.revision.settings.validated.checks]
    for rule, held in ways.of_events(draft.revision, holding) if checks else ():
        entry = held[0].entry
        document = draft.documents.get(entry.place.file) if entry is not None else None
        if entry is None or document is None:
            continue
        at = (entry.place.line, entry.place.column, max(1, len(entry.name)))
        for one, select in checks:
            _lacking(told, document, at, one, select, held, f", which the event {rule.name!r} starts,", but=_OF_RULES)


def _lacking(
    told: Told, document: config.Document, at: config.Mark | None, one: Any, select: selecting.Select, held: Sequence[Held], of: str,
    but: frozenset[str] = frozenset(),
) -> None:  # fmt: skip
    lacks = dict.fromkeys(
        want
        for given in held
        if select.selects(given.traits)
        for want in one.require
        if want not in but and not _HAS[want][0](given)
    )
    if lacks:
        said = f"{one.name}: {held[0].shown}{of} lacks {_joined([*lacks])}"
        message = f"{said}: {one.message}" if one.message else said
        told.tell(document, "policy", message, at, "; ".join(_HAS[want][1] for want in lacks), one.severity)


def _joined(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
