"""Which gates the files name for the actions of rules, so that coverage tells which of them no test has met. Caller: `coverage`.

What counts is what somebody wrote: in a policy that selects the action by what is known before an event comes, in the action's entry, on
its ruleset or rule; of the defaults the approval alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from healer import engine, project, templates
from healer.policy import selecting

CODES: Final[Mapping[str, str]] = {
    "cooldown": "cooldown", "rate_limit": "rate_limited", "breaker": "breaker_open", "blast_radius": "blast_radius",
    "windows": "outside_window", "settle": "settling", "flapping": "flapping", "max_age": "stale", "attempts": "attempts",
    "concurrency": "concurrency", "approval": "needs_approval",
}  # fmt: skip
"""Key of a gate → the reason by which it holds something."""

Gate = tuple[str, str]
"""(action, reason)"""


def of(
    revision: project.Revision, gates: project.Gates, activation: project.Activation, ruleset: engine.Ruleset, rule: engine.Rule
) -> Iterator[Gate]:  # fmt: skip
    """The gates of a rule's actions, each once."""
    view, seen = revision.under(activation.inventory), set[Gate]()
    for action in rule.actions:
        name = action.args.get("name")
        if action.name not in project.EFFECTFUL or not isinstance(name, str) or templates.is_template(name):
            continue
        entry = view.catalog.entries.get(name) if action.name == "run_action" else None
        if action.name == "run_action" and entry is None:
            continue
        shown = name if entry is not None else f"{action.name} {name}"
        given = action.args.get("controller")
        own = (
            given if isinstance(given, str) and given else entry.controller or view.default_controller if entry else ""
        )
        controller = view.controllers.get(own or view.controller_for(project.UPSTREAM.get(action.name, "")))
        traits = selecting.Traits(
            view.settings.environment, f"{activation.name}/{ruleset.name}/{rule.name}", (name,) if entry else (action.name, shown),
            entry.impact if entry else "high", entry.tags if entry else (), "", "unknown", (), frozenset(), {},
            (activation.name, ruleset.name, rule.name),
        )  # fmt: skip
        named = [
            key
            for layer in gates.layers(entry, controller, name if entry else "", traits)
            for key, value in layer.values.items()
            if value
        ]
        if entry is not None and gates.catalog(entry, controller, name, traits).approvals:
            named.append("approval")
        for key in named:
            if key in CODES and (found := (shown, CODES[key])) not in seen:
                seen.add(found)
                yield found
