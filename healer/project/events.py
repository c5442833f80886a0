"""The rules that the catalog makes: of `events:`, by which `POST /webhook` starts an action by its event type, and of each action, by
which a person starts it (`POST /actions/{name}/run`). Caller: `loading`.

They are read from a generated rulebook, so that such an event goes the way of every other one: journal, match, gates, run.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from healer import catalog, config, engine, rulebook
from healer.project.revision import HIDDEN_ACTIVATION, Activation, Source
from healer.project.sources import BY_HAND, EVENTS

OF_EVENTS: Final = "events"
_OF_ACTIONS: Final = "actions"


def activation(found: catalog.Catalog, document: config.Document) -> tuple[Activation, tuple[Source, ...]] | None:
    """The hidden activation and its sources; None where there is no action. Mistakes would be the generator's own."""
    if not found.entries:
        return None
    made = [_ruleset(_OF_ACTIONS, BY_HAND, "action", {name: name for name in found.entries})]
    if found.by_event:
        made.insert(0, _ruleset(OF_EVENTS, EVENTS, "event_type", found.by_event))
    generated = config.read_text(json.dumps(made), "<events>")
    rulesets = [_finished(one, found) for one in rulebook.parse(generated, {})]
    document.diagnostics += generated.diagnostics
    sources = tuple(_sources(made, document))
    return Activation(HIDDEN_ACTIVATION, document.file, tuple(rulesets), hidden=True), sources


def _sources(made: list[dict[str, Any]], document: config.Document) -> Iterator[Source]:
    for ruleset in made:
        (name,) = ruleset["sources"][0]
        yield Source(
            name,
            name,
            "push",
            {},
            (),
            document.place(None),
            shared=True,
            subscribers=((HIDDEN_ACTIVATION, ruleset["name"]),),
        )


def _ruleset(name: str, source: str, key: str, actions: Mapping[str, str]) -> dict[str, Any]:
    """A rule for each value that an event's key may have; `actions`: which action that is."""
    rules = [
        {
            "name": value,
            "condition": f"event.{key} == {json.dumps(value)}",
            "action": {"run_action": {"name": actions[value]}},
        }
        for value in sorted(actions)
    ]
    return {"name": name, "hosts": "all", "sources": [{source: {}}], "rules": rules}


def _finished(ruleset: engine.Ruleset, found: catalog.Catalog) -> engine.Ruleset:
    """With the rules' real arguments and places: what an event may bring is no valid argument of a written rulebook."""
    rules = []
    for rule in ruleset.rules:
        entry = found.entries[found.by_event[rule.name] if ruleset.name == OF_EVENTS else rule.name]
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
