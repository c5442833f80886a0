"""What is certainly wrong with the parameters that an action hands on to another (`verify`, `escalate`). Pure. Caller: `building`.

Their templates know `parameters` alone, which are those of the action that hands them on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import jinja2
from jinja2 import meta, nodes

from healer import errors, templates
from healer.catalog import foreseen
from healer.catalog.entries import Entry


class Wrong(NamedTuple):
    """`steps`: where in the parameters; `certain`: with every run, not only with one that lacks a parameter."""

    code: str
    message: str
    steps: tuple[Any, ...]
    try_: str
    certain: bool = True


_ENVIRONMENT: Final = jinja2.Environment()  # noqa: S701 - it parses, and renders nothing
_ASKING: Final = frozenset({"default", "d", "defined", "undefined"})
_DOUBTFUL: Final = (
    nodes.If,
    nodes.For,
    nodes.CondExpr,
    nodes.And,
    nodes.Or,
    nodes.Assign,
    nodes.AssignBlock,
    nodes.Macro,
)
"""With one of these it is not certain that all of a template is computed."""


def mistakes(own: Entry, found: Entry, given: Mapping[str, Any]) -> Iterator[Wrong]:
    """`own` hands `given` on to `found`."""
    declared = f"declared: {', '.join(found.parameters) or 'none'}"
    if not any(True for _ in _templates(given, ())):
        if isinstance(problems := found.parameters_of(given), list):
            yield Wrong("parameters", f"{found.name}: {'; '.join(problems)}", (), declared)
        return
    for name, value in given.items():
        if name not in found.parameters:
            near = errors.nearest(name, found.parameters) or declared
            yield Wrong("parameters", f"{found.name}: {name}: is not declared", (name,), near)
            continue
        for one, try_ in foreseen.mistakes(found.parameters[name], value):
            said = f"{found.name}: {name}{one.path}: {one.message}"
            yield Wrong("parameters", said, (name, *one.steps), try_ or declared)
    for name in found.lacking:
        if name not in given:
            yield Wrong("parameters", f"{found.name}: {name}: is required", (), declared)
    for text, steps in _templates(given, ()):
        yield from _names(own, text, steps)


def _templates(value: Any, steps: tuple[Any, ...]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _templates(inner, (*steps, key))
    elif isinstance(value, list | tuple):
        for at, inner in enumerate(value):
            yield from _templates(inner, (*steps, at))
    elif isinstance(value, str) and templates.is_template(value):
        yield value, steps


def _names(own: Entry, text: str, steps: tuple[Any, ...]) -> Iterator[Wrong]:
    """What a template names and never has, or may not have."""
    try:
        templates.check(text)
        tree = _ENVIRONMENT.parse(text)
        names = meta.find_undeclared_variables(tree) - {"parameters", *templates.GLOBALS}
    except errors.TemplateError as error:
        yield Wrong("template", error.message, steps, "")
        return
    except (jinja2.TemplateError, RecursionError, ValueError):
        return
    if any(True for _ in tree.find_all(_DOUBTFUL)):
        return
    if not any(node.name in _ASKING for node in tree.find_all((nodes.Filter, nodes.Test))):
        for name in sorted(names):
            said = f"nothing is named {name!r} here: these templates know parameters alone"
            yield Wrong("template", said, steps, "{{ parameters.NAME }}")
        for name in _read(tree):
            if name not in own.parameters:
                near = errors.nearest(name, own.parameters) or "declare it in parameters: of this action"
                yield Wrong("unknown-parameter", f"the parameter {name!r} is not declared", steps, near)
    asked = _asked(tree)
    for name in _read(tree):
        if name in own.parameters and name not in asked and not own.always(name):
            try_ = f"list it in required, give it a default, or write parameters.{name} | default(…)"
            said = f"the parameter {name!r} may be missing, and is used here"
            yield Wrong("template", said, steps, try_, certain=False)


def _read(tree: nodes.Node) -> list[str]:
    """The parameters that a template reads by name, each once."""
    read = [
        *((node.node, node.attr) for node in tree.find_all(nodes.Getattr)),
        *((node.node, node.arg.value) for node in tree.find_all(nodes.Getitem) if isinstance(node.arg, nodes.Const)),
    ]
    found = [name for root, name in read if isinstance(root, nodes.Name) and root.name == "parameters"]
    return list(dict.fromkeys(name for name in found if isinstance(name, str) and not hasattr(dict, name)))


def _asked(tree: nodes.Node) -> set[str]:
    """The parameters that a template asks whether they are there, or takes anyway: a test raises for none that is missing."""
    asking = [node for node in tree.find_all((nodes.Filter, nodes.Test)) if isinstance(node, nodes.Test) or _asks(node)]
    return {name for node in asking for name in _read(node)}


def _asks(node: nodes.Expr) -> bool:
    """Whether a filter takes also what is missing: `default`, `select("defined")`."""
    given = [one.value for one in getattr(node, "args", ()) if isinstance(one, nodes.Const)]
    return getattr(node, "name", "") in _ASKING or not _ASKING.isdisjoint(one for one in given if isinstance(one, str))
