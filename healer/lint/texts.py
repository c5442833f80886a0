"""The paths that texts of a rulebook read: conditions, templates, attributes of throttles. Nothing is evaluated."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import jinja2
from jinja2 import meta, nodes

from healer import errors, templates
from healer.engine import conditions, values
from healer.rulebook import throttles, words

_TOKEN: Final = re.compile(
    r"'[^'\n\r]*'|\"[^\"\n\r]*\"|"
    r"(?<![\w.$])((?:events|event|facts|fact)(?![\w$])(?:\.[^\W\d]\w*|\[(?:\"[^\"\n]*\"|'[^'\n]*'|[+-]?\d+)\])*)"
)
_PLAIN: Final = re.compile(r"\{\{-?\s*(event(?:\.[A-Za-z_]\w*)+)\s*-?\}\}")
"""What nearly all templates are, and no parser is needed for."""
_ENVIRONMENT: Final = jinja2.Environment()  # noqa: S701 - it parses, and renders nothing
_ASKING: Final = frozenset({"default", "d", "defined", "undefined"})
"""Filters and tests that take also what is not there."""
KEPT_MAX: Final = 8192


class Read(NamedTuple):
    """A path that is read: as written, its root (`event`, `events`, `fact`, `facts`), its steps; of `events.NAME` those behind that.
    `at`: its offset in the text, -1 where that is not known."""

    shown: str
    root: str
    steps: values.Steps
    at: int = -1
    name: str = ""


@functools.lru_cache(maxsize=KEPT_MAX)
def of_condition(text: str, earlier: tuple[str, ...] = ()) -> tuple[Read, ...]:
    """What a simple test reads. `earlier`: the names of the patterns before it."""
    return tuple(_of_tokens(text, earlier))


def _of_tokens(text: str, earlier: tuple[str, ...]) -> Iterator[Read]:
    for found in _TOKEN.finditer(text):
        if (shown := found[1]) is None:
            continue
        if shown.startswith("event.") and "[" not in shown:
            yield Read(shown, "event", tuple(shown.split(".")[1:]), found.start(1))
            continue
        root = re.match(r"[a-z]+", shown)[0]  # type: ignore[index]
        node = words.path(shown, earlier)
        if isinstance(node, conditions.Bound):
            yield Read(shown, root, node.steps, found.start(1), node.name)
        elif isinstance(node, conditions.Path):
            yield Read(shown, root, node.steps, found.start(1))
        elif isinstance(node, conditions.Nowhere):
            yield Read(shown, root, (), found.start(1))


def of_attribute(text: str) -> Read | None:
    """What an attribute of a throttle reads."""
    steps = throttles.attribute(text)
    return Read(text, "event", steps, 0) if steps else None


@functools.lru_cache(maxsize=KEPT_MAX)
def of_template(text: str) -> tuple[Read, ...]:
    """What a template reads; nothing of a text that is none, or cannot be read."""
    if not templates.is_template(text):
        return ()
    if plain := _PLAIN.fullmatch(text.strip()):
        return (Read(plain[1], "event", tuple(plain[1].split(".")[1:]), text.find(plain[1])),)
    try:
        templates.check(text)
        tree = _ENVIRONMENT.parse(text)
    except (errors.TemplateError, jinja2.TemplateError, RecursionError, ValueError):
        return ()
    local = {node.name for node in tree.find_all(nodes.Name) if node.ctx != "load"}
    found = dict.fromkeys(one for one in _reads(tree, text) if one.root not in local)
    return tuple(found)


@functools.lru_cache(maxsize=KEPT_MAX)
def names_of_template(text: str) -> tuple[str, ...]:
    """The names that a template cannot be rendered without: those that it takes from nowhere in itself, and asks not if they are there."""
    if not templates.is_template(text):
        return ()
    if _PLAIN.fullmatch(text.strip()):
        return ("event",)
    try:
        templates.check(text)
        tree = _ENVIRONMENT.parse(text)
        found = meta.find_undeclared_variables(tree)
    except (errors.TemplateError, jinja2.TemplateError, RecursionError, ValueError):
        return ()
    asked = {
        name.name
        for node in tree.find_all((nodes.Filter, nodes.Test))
        if node.name in _ASKING and node.node is not None
        for name in (node.node, *node.node.find_all(nodes.Name))
        if isinstance(name, nodes.Name)
    }
    return tuple(sorted(found - asked))


def _reads(node: nodes.Node, text: str) -> Iterator[Read]:
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):  # a method: what it is of is read
        yield from _reads(node.node.node, text)
        for inner in (*node.args, *node.kwargs):
            yield from _reads(inner, text)
        return
    if isinstance(node, nodes.Getattr | nodes.Getitem) and (made := _path(node)) is not None:
        yield from _made(*made, text)
        return
    for inner in node.iter_child_nodes():
        yield from _reads(inner, text)


def _made(root: str, steps: values.Steps, text: str) -> Iterator[Read]:
    if root not in ("event", "fact", "events", "facts") or not steps:
        return
    shown = root + "".join(f".{one}" if isinstance(one, str) else f"[{one}]" for one in steps)
    if root in ("event", "fact"):
        yield Read(shown, root, steps, text.find(shown))
    elif len(steps) > 1 and isinstance(steps[0], str):
        yield Read(shown, root, steps[1:], text.find(shown), steps[0])


def _path(node: nodes.Node) -> tuple[str, values.Steps] | None:
    """`event.a["b"][0]` as its root and its steps, up to what is not known before it is rendered; None for anything else."""
    steps: list[Any] = []
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        if isinstance(node, nodes.Getattr):
            steps.append(node.attr)
        elif isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str | int):
            steps.append(node.arg.value)
        else:
            steps = []  # what is below depends on the event
        node = node.node
    return (node.name, tuple(reversed(steps))) if isinstance(node, nodes.Name) else None
