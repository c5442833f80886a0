"""What is certainly wrong with the parameters that an action hands on to another (`verify`, `escalate`). Pure. Caller: `building`.

Their templates know `parameters` alone, which are those of the action that hands them on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import jinja2
from jinja2 import meta, nodes

from healer import errors, templates
from healer.catalog import foreseen
from healer.catalog.entries import Entry

Wrong = tuple[str, str, tuple[Any, ...], str]
"""Code, message, where in the parameters, what to do."""
_ENVIRONMENT: Final = jinja2.Environment()  # noqa: S701 - it parses, and renders nothing
_ASKING: Final = frozenset({"default", "d", "defined", "undefined"})
_DOUBTFUL: Final = (nodes.If, nodes.For, nodes.CondExpr, nodes.And, nodes.Or, nodes.Assign)
"""With one of these it is not certain that all of a template is computed."""


def mistakes(own: Entry, found: Entry, given: Mapping[str, Any]) -> Iterator[Wrong]:
    """`own` hands `given` on to `found`."""
    declared = f"declared: {', '.join(found.parameters) or 'none'}"
    if not any(True for _ in _templates(given, ())):
        if isinstance(problems := found.parameters_of(given), list):
            yield "parameters", f"{found.name}: {'; '.join(problems)}", (), declared
        return
    for name, value in given.items():
        if name not in found.parameters:
            yield (
                "parameters",
                f"{found.name}: {name}: is not declared",
                (name,),
                errors.nearest(name, found.parameters) or declared,
            )
            continue
        for one, try_ in foreseen.mistakes(found.parameters[name], value):
            yield "parameters", f"{found.name}: {name}{one.path}: {one.message}", (name, *one.steps), try_ or declared
    for name in found.lacking:
        if name not in given:
            yield "parameters", f"{found.name}: {name}: is required", (), declared
    for text, steps in _templates(given, ()):
        yield from ((code, message, steps, try_) for code, message, try_ in _names(own, text))


def _templates(value: Any, steps: tuple[Any, ...]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _templates(inner, (*steps, key))
    elif isinstance(value, list | tuple):
        for at, inner in enumerate(value):
            yield from _templates(inner, (*steps, at))
    elif isinstance(value, str) and templates.is_template(value):
        yield value, steps


def _names(own: Entry, text: str) -> Iterator[tuple[str, str, str]]:
    """What a template names and never has."""
    try:
        templates.check(text)
        tree = _ENVIRONMENT.parse(text)
        names = meta.find_undeclared_variables(tree) - {"parameters", *templates.GLOBALS}
    except errors.TemplateError as error:
        yield "template", error.message, ""
        return
    except (jinja2.TemplateError, RecursionError, ValueError):
        return
    asks = any(node.name in _ASKING for node in tree.find_all((nodes.Filter, nodes.Test)))
    if asks or any(True for _ in tree.find_all(_DOUBTFUL)):
        return
    for name in sorted(names):
        yield (
            "template",
            f"nothing is named {name!r} here: these templates know parameters alone",
            "{{ parameters.NAME }}",
        )
    for node in tree.find_all(nodes.Getattr):
        root, name = node.node, node.attr
        if (
            isinstance(root, nodes.Name)
            and root.name == "parameters"
            and not hasattr(dict, name)
            and name not in own.parameters
        ):
            near = errors.nearest(name, own.parameters) or "declare it in parameters: of this action"
            yield "unknown-parameter", f"the parameter {name!r} is not declared", near
