"""All ways on which a rule may start an action: by its name, by a name that comes with the event, and what follows on it (`escalate`,
`verify`, `then` of an approval); and what `events:` of the catalog start. Caller: `required`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from healer import engine, project, templates
from healer.lint.holding import Held, Holding, Where
from healer.lint.scope import Scope
from healer.project import events


def of(
    holding: Holding, scope: Scope, rule: engine.Rule, action: engine.Action
) -> Iterator[tuple[Sequence[Held], str]]:
    """(what holds for an action that may be started, how that is told) of an action of a rule."""
    found, view = holding.of(scope, rule, action), scope.held.under(scope.activation.inventory)
    where = Where(scope.activation, scope.ruleset, scope.sources)
    named = action.args.get("name")
    if found:
        yield found, ""
        yield from _after(holding, view, where, found)
    elif action.name == "run_action" and isinstance(named, str) and templates.is_template(named):
        for name, entry in view.catalog.entries.items():
            made = tuple(holding.under(view, where, rule, action, name, entry))
            yield made, f", which an event may name ({named}),"


def _after(
    holding: Holding, view: project.Revision, where: Where, held: Sequence[Held]
) -> Iterator[tuple[Sequence[Held], str]]:
    """What follows on an action of the catalog, each as a run of the same rule."""
    entry = held[0].entry
    if entry is None:
        return
    named: dict[str, str] = {}
    for rung in entry.escalate:
        named.setdefault(str(rung["action"]), f"escalate of {entry.name!r}")
    if entry.verify and entry.verify.get("action"):
        named.setdefault(str(entry.verify["action"]), f"verify of {entry.name!r}")
    for one in held:
        for approval in one.limits.approvals:
            if approval.then:
                named.setdefault(approval.then, f"then of the approval of {entry.name!r}")
    for name, how in named.items():
        if (next_ := view.catalog.entries.get(name)) is not None:
            made = tuple(holding.under(view, where, held[0].rule, held[0].action, name, next_))
            yield made, f" ({how})"


def of_events(revision: project.Revision, holding: Holding) -> Iterator[tuple[engine.Rule, Sequence[Held]]]:
    """(rule that the catalog makes, what holds) for each event type of `events:`."""
    for activation in revision.activations:
        for ruleset in activation.rulesets if activation.hidden else ():
            if ruleset.name != events.OF_EVENTS:
                continue
            mine = (activation.name, ruleset.name)
            where = Where(activation, ruleset, [one for one in revision.sources.values() if mine in one.subscribers])
            for rule in ruleset.rules:
                action = rule.actions[0]
                name = str(action.args["name"])
                if (entry := revision.catalog.entries.get(name)) is not None:
                    held = tuple(holding.under(revision, where, rule, action, name, entry))
                    yield rule, held
