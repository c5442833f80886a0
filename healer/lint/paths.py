"""`unknown-path`: a path that no event of the ruleset's sources can have. Such a test is silently false, and such a template fails."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from healer import config, engine, errors
from healer.engine import conditions, values
from healer.lint import implying, roots, shapes, texts
from healer.lint.scope import Scope, Told, strings


def check(scope: Scope, told: Told) -> None:
    """Tell of each such path in the conditions, throttles and arguments of a ruleset."""
    if scope.shapes is None:
        return
    for rule in scope.ruleset.rules:
        _condition(scope, told, rule, scope.shapes)
        _throttle(scope, told, rule, scope.shapes)
        for action, args, at in scope.actions(rule):
            if "var_root" in action.args:
                continue  # something of the event stands in its place
            for text, mark in strings(args, at):
                for read in texts.of_template(text):
                    if found := _lacking(scope.shapes, read):
                        _tell(scope, told, read, roots.within(scope.document, mark, read.written or read.shown), found)


def _condition(scope: Scope, told: Told, rule: engine.Rule, known: Sequence[shapes.Shape]) -> None:
    earlier: list[str] = []
    for pattern in rule.condition.patterns:
        for leaf in conditions.leaves(pattern.test):
            for read in texts.of_condition(leaf.text, tuple(earlier) if rule.condition.kind == "all" else ()):
                if (read.root in ("event", "fact") or read.name) and (found := _lacking(known, read)):
                    _tell(scope, told, read, scope.mark_of(leaf, read.shown), found)
            if (one := texts.of_selection(leaf)) and (found := _lacking(known, one)):
                _tell(scope, told, one, scope.mark_of(leaf, one.written), found)
        earlier.append(pattern.name)


def _throttle(scope: Scope, told: Told, rule: engine.Rule, known: Sequence[shapes.Shape]) -> None:
    throttle = scope.rule(rule).get("throttle")
    items = throttle.get("group_by_attributes") if isinstance(throttle, config.Map) else None
    if not isinstance(items, config.Seq):
        return
    for number, text in enumerate(items):
        if isinstance(text, str) and (read := texts.of_attribute(text)) and (found := _lacking(known, read)):
            _tell(scope, told, read, items.items_at[number], found)


def _lacking(known: Sequence[shapes.Shape], read: texts.Read) -> list[shapes.Lack]:
    """Where each of the shapes lacks it; nothing where one of them may have it, and where what is asked of what is not there was told."""
    found = []
    for shape in known:
        if (one := shapes.lack(shape.tree, read.steps, read.asked)) is None:
            return []
        found.append(one)
    return found if not read.asked or any(one.depth >= len(read.steps) for one in found) else []


def _tell(scope: Scope, told: Told, read: texts.Read, mark: config.Mark | None, found: Sequence[shapes.Lack]) -> None:
    known = scope.shapes or ()
    who, deepest = shapes.named(known), max(found, key=lambda one: one.depth)
    has = "has no such field" if " and " not in who else "have no such field"
    steps = implying.plain((*read.steps, *read.asked))
    last = str(steps[-1])
    near = (
        errors.nearest(deepest.step, deepest.beside)
        or _dotted(steps)
        or _below(known, deepest.step)
        or _below(known, last)
        or _label(read, deepest)
    )
    told.tell(scope.document, "unknown-path", f"`{read.shown}`: {who} {has}", mark, near or _there(deepest))


def _label(read: texts.Read, lack: shapes.Lack) -> str:
    """What is below `labels` has any name."""
    above = read.shown.removesuffix(f".{lack.step}")
    return (
        f"a label is {above}.labels.{lack.step}"
        if isinstance(lack.beside.get("labels"), shapes.Texts) and above != read.shown
        else ""
    )


def _dotted(steps: values.Steps) -> str:
    """What is below a label: its name may have a dot."""
    names = itertools.takewhile(lambda one: isinstance(one, str), steps[2:])
    return (
        f'a label with a dot in its name is labels["{".".join(map(str, names))}"]'
        if steps[:2] == ("alert", "labels")
        else ""
    )


def _below(known: Sequence[shapes.Shape], step: str) -> str:
    """A field of that name that stands elsewhere, nearest to the top."""
    waiting = [("event", one.tree) for one in known if one.tree is not None]
    while waiting:
        above, tree = waiting.pop(0)
        if step in tree and above != "event":
            return f"did you mean '{above}.{step}'?"
        inner = [(f"{above}.{name}", below) for name, below in tree.items() if below]
        waiting += [one for one in inner if one[0] != "event.meta.source"]  # its words are those of anything
    return ""


def _there(lack: shapes.Lack) -> str:
    return f"there are: {', '.join(lack.beside)}" if lack.beside else "nothing is below a single value"
