"""What a scope of the kill switch means, as a digest: a pause may be asked to last until that changes.

Callers: `switching`, `standing` (a controller's, for what an approval is bound to). Of a rule it is what it matches, what it asks for and
its policy, wherever it stands in its file; of what holds rules all of these; of a controller its entry; of everything the revision. What
an action's files do is no part of a rule.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any, Final

from healer import project
from healer.decide import evaluating
from healer.project import controllers

GONE: Final = ""
"""Of what is not there."""


def of(scope: str, revision: project.Revision, evaluator: evaluating.Evaluator) -> str:
    """The digest of a scope; `GONE` where there is no such thing (any more)."""
    kind, _, name = scope.partition(":")
    if kind == "all":
        return revision.id
    if kind == "controller":
        found = revision.controllers.get(name)
        return of_controller(found)
    if kind == "activation":
        one = next((one for one in revision.activations if one.name == name), None)
        if one is None:
            return GONE
        inside = (one for one in evaluator.running.values() if one.activation == name)
        return _hash([one.variables, one.env, one.inventory, one.mode, one.restart, *_rulesets(inside)])
    if kind == "ruleset":
        made = _rulesets([evaluator.running[name]]) if name in evaluator.running else []
        return _hash(made) if made else GONE
    for running in (one for key, one in evaluator.running.items() if name.startswith(f"{key}/")):
        for rule in running.session.compiled.rules:
            if f"{running.name}/{rule.name}" == name:
                digests = [live.digest for live in running.session.compiled.live if live.rule is rule]
                return _hash([digests, rule.policy])
    return GONE


def _rulesets(found: Iterable[evaluating.Running]) -> list[Any]:
    made = []
    for one in sorted(found, key=lambda one: one.name):
        compiled = one.session.compiled
        policies = [[rule.name, rule.policy] for rule in compiled.rules if rule.policy]
        made.append([one.name, compiled.digest, compiled.ruleset.policy, policies])
    return made


def of_controller(found: controllers.Controller | None) -> str:
    """Of its entry, wherever that stands; the same in every process."""
    if found is None:
        return GONE
    return _hash([
        found.type, sorted(found.kinds), sorted(found.target_kinds), found.options, found.inventory, found.targets, found.actions,
        found.concurrency, found.rate_limit.model_dump() if found.rate_limit else None, found.tags,
    ])  # fmt: skip


def _hash(meant: Any) -> str:
    text = json.dumps(meant, sort_keys=True, ensure_ascii=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
