"""What is certainly wrong with the parameters that an action hands on to another (`verify`, `escalate`). Pure. Caller: `building`.

Their templates know `parameters` alone, which are those of the action that hands them on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import jinja2
from jinja2 import meta, nodes

from healer import errors, templates
from healer.catalog import foreseen, needing
from healer.catalog.entries import Entry


class Wrong(NamedTuple):
    """`steps`: where in the parameters; `certain`: with every run, not only with one that lacks a parameter."""

    code: str
    message: str
    steps: tuple[Any, ...]
    try_: str
    certain: bool = True


_ENVIRONMENT: Final = jinja2.Environment()  # noqa: S701 - it parses, and renders nothing
_ASKING: Final = frozenset({"defined", "undefined"})


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
    """What a template names and never has, or may not have: an error where it could never be filled, else a warning."""
    try:
        templates.check(text)
        tree = _ENVIRONMENT.parse(text)
        names = meta.find_undeclared_variables(tree) - {needing.ROOT, *templates.GLOBALS}
    except errors.TemplateError as error:
        yield Wrong("template", error.message, steps, "")
        return
    except (jinja2.TemplateError, RecursionError, ValueError):
        return
    stored = {node.name for node in tree.find_all(nodes.Name) if node.ctx != "load"}
    needed = needing.of(tree)
    asked = {
        node.node.name
        for node in tree.find_all(nodes.Test)
        if node.name in _ASKING and isinstance(node.node, nodes.Name)
    }
    for name in sorted(names - stored):
        near = errors.nearest(name, [needing.ROOT])
        certain = needing.Need(name, False) in needed
        if certain or near or name not in asked:
            said = f"nothing is named {name!r} here: these templates know parameters alone"
            yield Wrong("template", said, steps, near or "{{ parameters.NAME }}", certain)
    for name in () if needing.ROOT in stored else _read(tree):
        certain = needing.Need(name, True) in needed
        if name not in own.parameters:
            near = errors.nearest(name, own.parameters) or "declare it in parameters: of this action"
            yield Wrong("unknown-parameter", f"the parameter {name!r} is not declared", steps, near, certain)
        elif certain and not own.always(name):
            try_ = f"list it in required, give it a default, or write parameters.{name} | default(…)"
            yield Wrong(
                "template", f"the parameter {name!r} may be missing, and is used here", steps, try_, certain=False
            )


def _read(tree: nodes.Node) -> list[str]:
    """The parameters that a template reads by name, each once."""
    found = map(needing.parameter, tree.find_all((nodes.Getattr, nodes.Getitem)))
    return list(dict.fromkeys(name for name in found if name))
