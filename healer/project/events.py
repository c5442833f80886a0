"""The rules that `events:` of the catalog make: `POST /webhook` starts an action by its event type. Caller: `loading`.

They are read from a generated rulebook, so that such an event goes the way of every other one: journal, match, gates, run.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Final

from healer import catalog, config, engine, rulebook
from healer.project.revision import HIDDEN_ACTIVATION, Activation, Source
from healer.project.sources import EVENTS

RULESET: Final = "events"


def activation(found: catalog.Catalog, document: config.Document) -> tuple[Activation, Source] | None:
    """The hidden activation and its source; None where no action has events. Mistakes would be the generator's own."""
    if not found.by_event:
        return None
    text = json.dumps([_ruleset(found)])
    generated = config.read_text(text, "<events>")
    rulesets = [_finished(one, found) for one in rulebook.parse(generated, {})]
    document.diagnostics += generated.diagnostics
    place = document.place(None)
    source = Source(EVENTS, EVENTS, "push", {}, (), place, shared=True, subscribers=((HIDDEN_ACTIVATION, RULESET),))
    return Activation(HIDDEN_ACTIVATION, document.file, tuple(rulesets), hidden=True), source


def _ruleset(found: catalog.Catalog) -> dict[str, Any]:
    rules = [
        {
            "name": event,
            "condition": f"event.event_type == {json.dumps(event)}",
            "action": {"run_action": {"name": found.by_event[event]}},
        }
        for event in sorted(found.by_event)
    ]
    return {"name": RULESET, "hosts": "all", "sources": [{EVENTS: {}}], "rules": rules}


def _finished(ruleset: engine.Ruleset, found: catalog.Catalog) -> engine.Ruleset:
    """With the rules' real arguments and places: what an event may bring is no valid argument of a written rulebook."""
    rules = []
    for rule in ruleset.rules:
        entry = found.entries[found.by_event[rule.name]]
        args: dict[str, Any] = {
            "name": entry.name,
            "parameters": "{{ event.parameters | default({}) }}",
            "controller": "{{ event.controller_override | default('') }}",
            "dry_run": "{{ event.dry_run | default(false) }}",
            "target": "{{ event.target | default('') }}",
        }
        action = dataclasses.replace(rule.actions[0], args=args, place=entry.place)
        rules.append(dataclasses.replace(rule, actions=(action,), place=entry.place))
    return dataclasses.replace(ruleset, rules=tuple(rules))
