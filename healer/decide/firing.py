"""A firing on its way to its actions: where it comes from, and what the actions' templates may name of it.

Callers: `acting`, `upstream`, `evaluating`. Pure functions of a match.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from healer import catalog, engine, model, policy, project, templates
from healer.policy import selecting
from healer.store import deciding, journal

EVENTS_MAX: Final = 1_000
"""How many events of a firing are noted with it."""


@dataclasses.dataclass(slots=True)
class Fired:
    """One firing with where it comes from. `word`: what its event said of an alert; `variables`: those of its activation."""

    activation: str
    ruleset_name: str
    ruleset: engine.Ruleset
    match: engine.Match
    row: journal.Row
    word: deciding.AlertWord | None
    ordinal: int
    variables: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def rule(self) -> str:
        """The rule's identity: activation/ruleset/rule."""
        return f"{self.ruleset_name}/{self.match.rule.name}"

    @property
    def asker(self) -> str:
        """Who asked: the rule; for `POST /webhook` and by hand the one who sent the event."""
        return self.row.actor if self.activation == project.HIDDEN_ACTIVATION else f"rule:{self.rule}"


def inner_source(ruleset_name: str) -> str:
    """The source name of rows that internal actions append for a ruleset."""
    return f"ruleset:{ruleset_name}"


def variables_of(fired: Fired, var_root: Any = None) -> dict[str, Any]:
    """What an action's templates may name: the activation's variables, `event` (and `fact`) for a single match, `events` always.

    `var_root`: a path in the event that takes its place, as upstream has it: for several events each by the name that it gives to
    what it finds first.
    """
    matches = fired.match.matches
    made: dict[str, Any] = {**fired.variables, "events": matches, "facts": matches}
    roots = {var_root: var_root} if isinstance(var_root, str) else var_root if isinstance(var_root, Mapping) else {}
    if len(matches) <= 1:
        event = next(iter(matches.values()), {})
        event = next((found for path in roots if (found := at_path(event, path))), event)
        return made | {"event": event, "fact": event}
    if roots:
        found = {}
        for event in matches.values():
            found |= next(({new: value} for path, new in roots.items() if (value := at_path(event, path))), {})
        made["events"] = made["facts"] = {**matches, **found}
    return made


def at_path(value: Any, path: Any) -> Any:
    """What stands at `a.b.0` in a value, None where nothing does."""
    for step in str(path).split("."):
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def for_playbooks(fired: Fired, variables: Mapping[str, Any]) -> dict[str, Any]:
    """The variable `ansible_eda` as upstream's playbooks read it: `event` of a match without a name, else `events`."""
    made: dict[str, Any] = {"ruleset": fired.ruleset.name, "rule": fired.match.rule.name}
    single = not fired.match.matches or list(fired.match.matches) == ["m"]
    return made | ({"event": variables["event"]} if single else {"events": variables["events"]})


def looked_up(path: Any, variables: Mapping[str, Any]) -> str:
    """`debug: {var: event.a.b}` as upstream shows it."""
    value = at_path(variables, path)
    if value is None:
        return f"{path} is not there"
    return f"{path}: {shown(value)}"


def shown(value: Any, option: int = 0) -> str:
    """A value for people: a text as it is, else JSON, with `***` where a vaulted value stands."""
    if isinstance(value, str | model.Reference):
        return value if isinstance(value, str) else _hidden(value)
    return orjson.dumps(value, _hidden, option | orjson.OPT_PASSTHROUGH_DATACLASS).decode()


def _hidden(value: Any) -> str:
    if isinstance(value, model.Reference):
        return "***"
    raise TypeError


def named(action: engine.Action) -> str:
    """The action as people know it: that of the catalog which `run_action` names."""
    name = action.args.get("name") if action.name == "run_action" else None
    return name if isinstance(name, str) and name and not templates.is_template(name) else action.name


def earlier(fired: Fired) -> list[int]:
    """The journal rows of the events of a firing that came before the one at which it fired, as far as they are kept."""
    return sorted({*fired.match.refs.values()} - {fired.row.seq})[:EVENTS_MAX]


def tests_of(match: engine.Match) -> list[dict[str, Any]]:
    """The tests that led to a match, with what they saw; none for one about absence, which has no event."""
    events = match.matches
    several = match.rule.condition.kind == "all" and len(match.rule.condition.patterns) > 1
    shown = events if several or not events else {"": next(iter(events.values()))}
    return engine.tests_of(match.rule, shown) if shown else []


def traits(
    environment: str,
    fired: Fired,
    actions: tuple[str, ...],
    targets: Sequence[model.Target],
    entry: catalog.Entry | None,
) -> selecting.Traits:
    """What policies may select an action of the firing by."""
    word = fired.word
    labels = word.labels if word is not None else {"source": fired.row.source}
    groups = frozenset(name for target in targets for name in target.groups)
    return selecting.Traits(
        environment, fired.rule, actions, entry.impact if entry else "high", entry.tags if entry else (), fired.row.source,
        word.severity if word is not None and word.severity in model.ALERT_SEVERITIES else "unknown",
        tuple(sorted(str(one) for one in targets)), groups, labels, names_of(fired),
    )  # fmt: skip


def names_of(fired: Fired) -> tuple[str, str, str]:
    """(activation, ruleset, rule)"""
    return fired.activation, fired.ruleset.name, fired.match.rule.name


def groups_of(limits: policy.Limits, found: selecting.Traits) -> frozenset[str]:
    """The groups whose size a blast radius asks for."""
    return found.groups | {one.of for one in limits.blasts if one.of}
