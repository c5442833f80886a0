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
_SELECTED: Final = re.compile(r"selectattr\s*\(\s*(\"[^\"]*\"|'[^']*')")
_PLAIN: Final = re.compile(r"\{\{-?\s*(event(?:\.[A-Za-z_]\w*)+)\s*-?\}\}")
"""What nearly all templates are, and no parser is needed for."""
_ENVIRONMENT: Final = jinja2.Environment()  # noqa: S701 - it parses, and renders nothing
_ASKING: Final = frozenset({"default", "d", "defined", "undefined"})
"""Filters and tests that take also what is not there."""
_ATTRIBUTE_AT: Final = {
    "selectattr": 0, "rejectattr": 0, "groupby": 0, "sum": 0, "min": 1, "max": 1, "unique": 1, "join": 1, "sort": 2, "map": None,
}  # fmt: skip
"""Filter → at which place its `attribute` is where it is not named."""
_SAME_ELEMENTS: Final = frozenset({"list", "sort", "unique", "reverse", "select", "reject", "selectattr", "rejectattr"})
KEPT_MAX: Final = 8192


class Read(NamedTuple):
    """A path that is read: as written, its root (`event`, `events`, `fact`, `facts`), its steps; of `events.NAME` those behind that.
    `at`: its offset in the text, -1 where that is not known. `asked`: what each element of it is asked for, as `written`."""

    shown: str
    root: str
    steps: values.Steps
    at: int = -1
    name: str = ""
    asked: values.Steps = ()
    written: str = ""


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


def of_selection(leaf: conditions.Leaf) -> Read | None:
    """What `is selectattr(…)` asks of the elements of a field; None of another test."""
    test = leaf.test
    if not isinstance(test, conditions.Select) or not test.steps or test.steps == ("",):
        return None
    if not isinstance(test.value, conditions.Path | conditions.Bound):
        return None
    field, quoted = _TOKEN.search(leaf.text), _SELECTED.search(leaf.text)
    attribute = ".".join(map(str, test.steps))
    shown = f"{field[1]}.{attribute}" if field and field[1] else attribute
    name = test.value.name if isinstance(test.value, conditions.Bound) else ""
    written = quoted[1] if quoted else attribute
    return Read(shown, "events" if name else "event", test.value.steps, -1, name, test.steps, written)


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
    if isinstance(node, nodes.Filter) and node.node is not None:
        yield from _asked(node, text)


def _asked(node: nodes.Filter, text: str) -> Iterator[Read]:
    """What a filter asks of the elements of a list, where it is known what these are."""
    attribute = _attribute(node)
    for written in attribute.split(",") if node.name == "sort" else (attribute,):
        if steps := _steps(written):
            quoted = next((one for one in (f"'{attribute}'", f'"{attribute}"') if one in text), attribute)
            for one in _elements(node.node):
                shown = f"{one.shown}.{written}" if one.shown else written
                yield one._replace(shown=shown, asked=steps, written=quoted)


def _attribute(node: nodes.Filter) -> str:
    at = _ATTRIBUTE_AT.get(node.name, -1)
    found = next((one.value for one in node.kwargs if one.key == "attribute"), None)
    if found is None and at is not None and 0 <= at < len(node.args):
        found = node.args[at]
    named = node.name in _ATTRIBUTE_AT and isinstance(found, nodes.Const) and isinstance(found.value, str)
    return found.value if named else ""  # type: ignore[union-attr]


def _steps(attribute: str) -> values.Steps:
    """As Jinja takes an attribute apart."""
    return tuple(int(one) if one.isdigit() else one for one in attribute.split(".")) if attribute else ()


def _elements(node: nodes.Node | None) -> list[Read]:
    """What the elements of a list are, where they are events or of events."""
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr) and isinstance(node.node.node, nodes.Name):
        root = node.node.node.name
        return [Read("", root, ())] if node.node.attr == "values" and root in ("events", "facts") else []
    if isinstance(node, nodes.List | nodes.Tuple):
        return [read for one in node.items if (path := _path(one)) and _is_whole(one) for read in _of_path(*path)]
    if not isinstance(node, nodes.Filter):
        return []
    if node.name in _SAME_ELEMENTS:
        return _elements(node.node)
    steps = _steps(_attribute(node)) if node.name == "map" else ()
    return [one._replace(steps=(*one.steps, *steps)) for one in _elements(node.node)] if steps else []


def _is_whole(node: nodes.Node) -> bool:
    """Whether all of a path is known before it is rendered."""
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        if isinstance(node, nodes.Getitem) and not (
            isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str | int)
        ):
            return False
        node = node.node
    return True


def _of_path(root: str, steps: values.Steps) -> Iterator[Read]:
    """A path of a list's element: also an event as a whole."""
    shown = root + "".join(f".{one}" if isinstance(one, str) else f"[{one}]" for one in steps)
    if root in ("event", "fact"):
        yield Read(shown, root, steps)
    elif root in ("events", "facts") and steps and isinstance(steps[0], str):
        yield Read(shown, root, steps[1:], -1, steps[0])


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
