"""What the events of a source can have: a tree of the names of fields, open where anything may stand.

Made of what the formats of webhooks declare (`plugins.Format.fields`), of the source `check`, and of the facts and events that the rules of
an activation make themselves. What is not known is open: a path is only ever called wrong where nothing can have it.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from healer import engine, errors, plugins, project, templates
from healer.engine import values

Tree = Mapping[str, Any] | None
"""Name → what is below it: {} for a value, None where anything may stand."""

ALERT: Final = (
    "name", "target", "status", "severity", "severity_raw", "key", "cycle", "started_at", "summary", "link", "labels",
)  # fmt: skip
"""The words that every `event.alert` has."""
STATUSES: Final = ("firing", "resolved", "event", "unknown")
SEVERITIES: Final = ("critical", "error", "warning", "info", "unknown")
ANYBODYS: Final = frozenset({"auto", "generic"})
"""Formats of which nothing is said: anybody may send them."""


class Texts(dict[str, Any]):
    """Any name, and a single value below each: the labels of an alert, whoever sent it."""

    def __contains__(self, _: object) -> bool:
        return True

    def __missing__(self, _: str) -> Mapping[str, Any]:
        return {}


TEXTS: Final[Mapping[str, Any]] = Texts()
LABELS: Final = "alert.labels"
META: Final[Mapping[str, Any]] = {
    "uuid": {}, "received_at": {}, "source": {"name": {}, "type": {}}, "hosts": None, "rule_engine": None,
}  # fmt: skip
DELIVERED: Final[Mapping[str, Any]] = {**META, "endpoint": {}, "headers": TEXTS}
"""What a delivery over HTTP brings beside."""


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """What events of one origin have. `who`: what it is called in a message, `the format alertmanager`; `alerts`: its `event.alert` has the
    closed words for status and severity."""

    who: str
    tree: Tree
    alerts: bool = False
    facts: bool = False
    """They stay, and are no events."""


@dataclasses.dataclass(frozen=True, slots=True)
class Lack:
    """A step of a path that leads nowhere, and what stands beside it."""

    step: str
    beside: Mapping[str, Any]
    depth: int = 0


def lack(tree: Tree, steps: values.Steps, asked: values.Steps = ()) -> Lack | None:
    """Where a path leaves what there can be; None where it does not, or where that is not known. `asked`: the rest of it, which is asked of
    each element where a list stands there, as a single value may be one."""
    at: Tree = tree
    for depth, step in enumerate((*steps, *asked)):
        if at is None:
            return None
        name = step[0] if isinstance(step, tuple) else step
        if isinstance(name, int) or (depth == len(steps) and not at and not isinstance(at, Texts)):
            return None
        if name not in at:
            return Lack(name, at, depth)
        at = at[name]
    return None


def of_ruleset(
    sources: Sequence[tuple[project.Source, Shape | None]], activation: project.Activation, ruleset: engine.Ruleset
) -> list[Shape] | None:
    """What events and facts of a ruleset may be, one for each origin; None where that cannot be known. `sources`: those that it hears."""
    if len(sources) < len({_written(one) for one in ruleset.sources}) or not sources:
        return None  # one of them is wrong, or there is none: what comes is not known
    shapes = [*(shape for _, shape in sources), *_made_here(activation, ruleset.name)]
    return None if any(one is None for one in shapes) else [one for one in shapes if one is not None]


def _written(one: engine.SourceSpec) -> tuple[str, str]:
    return one.type, repr(one.args)


def of_source(source: project.Source) -> Shape | None:
    """What events of a source have; None where anything may come."""
    if source.type in ("check", "healer.check"):
        tree = {"alert": _alert(), "check": {"value": {}, "detail": {}}, "meta": META}
        return Shape("the source check", tree, alerts=True)
    if source.type != "healer.webhook" or source.options is None:
        return None
    try:
        form = plugins.find("sources", "webhook").reader_of(source.options)
    except errors.HealerError:
        return None
    mapped = source.options.mapping is not None
    return of_format(form, f"the mapping of the source {source.name}" if mapped else "")


def of_format(form: plugins.Format, who: str = "") -> Shape | None:
    """What events of a format have; None where it declares nothing, or anybody may send it."""
    if not form.fields or form.name in ANYBODYS:
        return None
    tree: dict[str, Any] = {"alert": _alert(), "meta": copy.deepcopy(DELIVERED)}
    if any(field.startswith(f"{LABELS}.") and field != f"{LABELS}.*" for field in form.fields):
        tree["alert"]["labels"] = None  # a sender of its own kind
    for field in form.fields:
        if field != f"{LABELS}.*":  # as of every alert
            _put(tree, field)
    return Shape(who or f"the format {form.name}", tree, alerts=True)


def _put(tree: dict[str, Any], field: str) -> None:
    """One declared field; what is open already stays so."""
    *above, last = field.removesuffix(".*").split(".")
    at = tree
    for step in above:
        below = at.setdefault(step, {})
        if below is None:
            return
        at = below
    if field.endswith(".*"):
        at[last] = None
    else:
        at.setdefault(last, {})


def _alert() -> dict[str, Any]:
    """What every `event.alert` has."""
    return {**{word: {} for word in ALERT}, "labels": TEXTS}


# --- what the rules make themselves -----------------------------------------------------------------------------------------


def _made_here(activation: project.Activation, name: str) -> Iterator[Shape | None]:
    """The facts and events that actions of an activation put into one of its rulesets."""
    if any(one.gather_facts for one in activation.rulesets):
        yield None
    for ruleset in activation.rulesets:
        for rule in ruleset.rules:
            for action in rule.actions:
                yield from _of_action(action, ruleset.name, name)


def has_facts(activation: project.Activation, name: str) -> bool:
    """Whether something of the activation may put facts into one of its rulesets."""
    return any(one is None or one.facts for one in _made_here(activation, name))


def _of_action(action: engine.Action, own: str, name: str) -> Iterator[Shape | None]:
    to = action.args.get("ruleset", own)
    if to != name and not (isinstance(to, str) and templates.is_template(to)):
        return
    if action.name in ("set_fact", "post_event"):
        made = _of_value(action.args.get("fact" if action.name == "set_fact" else "event"))
        tree = {**made, "meta": None} if made is not None else None
        yield None if tree is None else Shape(f"what {action.name} makes here", tree, facts=action.name == "set_fact")
    elif action.name in project.UPSTREAM and (action.args.get("set_facts") or action.args.get("post_events")):
        yield None


def _of_value(value: Any) -> Tree:
    if isinstance(value, Mapping):
        return {str(key): _of_value(inner) for key, inner in value.items()}
    return (
        {}
        if isinstance(value, bool | int | float) or (isinstance(value, str) and not templates.is_template(value))
        else None
    )


def named(shapes: Iterable[Shape]) -> str:
    """All of them in a message."""
    words = list(dict.fromkeys(one.who for one in shapes))
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
