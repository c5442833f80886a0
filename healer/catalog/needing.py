"""What a template cannot be filled without: names that it certainly computes, and that raise where they are missing.

Pure. Caller: `handing`. Of what is behind an `if`, an `or`, in a loop or handed to `default` nothing is said: maybe it is never computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from jinja2 import nodes

ROOT: Final = "parameters"


class Need(NamedTuple):
    """A name that is needed; with `parameter` that of `parameters.NAME`."""

    name: str
    parameter: bool


_STRICT: Final = frozenset({
    "abs", "capitalize", "count", "dictsort", "e", "escape", "filesizeformat", "first", "float", "forceescape", "groupby",
    "indent", "int", "join", "last", "length", "list", "lower", "max", "min", "replace", "reverse", "round", "safe", "sort",
    "string", "striptags", "sum", "title", "tojson", "trim", "truncate", "upper", "urlencode", "wordcount", "wordwrap", "xmlattr",
})  # fmt: skip
"""Filters that raise for what is missing."""
_LAZY: Final = frozenset({"batch", "map", "reject", "rejectattr", "select", "selectattr", "slice", "unique"})
"""Filters that look at nothing before somebody goes through what they give."""
_WALKING: Final = frozenset({"dictsort", "first", "groupby", "join", "list", "max", "min", "sort", "sum"})
_COMPARING: Final = frozenset({
    "!=", "<", "<=", "==", ">", ">=", "divisibleby", "eq", "equalto", "even", "ge", "greaterthan", "gt", "le", "lessthan",
    "lower", "lt", "ne", "odd", "upper",
})  # fmt: skip
"""Tests that raise for what is missing; the others only say no."""


def of(tree: nodes.Template) -> tuple[Need, ...]:
    """What a template needs, each once. One that gives `parameters` another meaning needs none of them."""
    found = dict.fromkeys(_of_body(tree.body))
    stored = {one.name for one in tree.find_all(nodes.Name) if one.ctx != "load"}
    return tuple(one for one in found if (ROOT if one.parameter else one.name) not in stored)


def parameter(node: nodes.Node) -> str:
    """The NAME of `parameters.NAME`; '' of anything else, also of what every mapping has (`parameters.get`)."""
    if isinstance(node, nodes.Getattr):
        name: Any = node.attr
    elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        name = node.arg.value
    else:
        return ""
    of_it = isinstance(node.node, nodes.Name) and node.node.name == ROOT
    return name if of_it and isinstance(name, str) and not hasattr(dict, name) else ""


def _of_body(body: list[nodes.Node]) -> Iterator[Need]:
    for node in body:
        if isinstance(node, nodes.Output):
            for one in node.nodes:
                yield from _used(one)
        elif isinstance(node, nodes.If):
            yield from _used(node.test)
        elif isinstance(node, nodes.For):
            yield from _walked(node.iter)
        elif isinstance(node, nodes.Assign):
            yield from _computed(node.node)
        elif isinstance(node, nodes.With):
            for one in node.values:
                yield from _computed(one)
            yield from _of_body(node.body)


def _used(node: nodes.Node) -> Iterator[Need]:
    """What a value needs that is shown, compared or asked if it is true."""
    yield from _computed(node)
    if isinstance(node, nodes.Name):
        yield Need(node.name, False)
    elif name := parameter(node):
        yield Need(name, True)


def _walked(node: nodes.Node) -> Iterator[Need]:
    """What a value needs that is gone through."""
    while isinstance(node, nodes.Filter) and node.name in _LAZY and node.node is not None:
        for one in _given(node):
            yield from _computed(one)
        node = node.node
    yield from _used(node)


def _computed(node: nodes.Node) -> Iterator[Need]:
    """What is needed to compute an expression, whatever becomes of its value."""
    if isinstance(node, nodes.Getattr | nodes.Getitem):
        if not (isinstance(node.node, nodes.Name) and node.node.name == ROOT):
            yield from _used(node.node)
        if isinstance(node, nodes.Getitem):
            yield from _computed(node.arg)
    elif isinstance(node, nodes.Filter):
        yield from _of_filter(node)
    elif isinstance(node, nodes.Test):
        yield from (_used if node.name in _COMPARING else _computed)(node.node)
    elif isinstance(node, nodes.Call):
        yield from _computed(node.node)
        for one in _given(node):
            yield from _computed(one)
    elif isinstance(node, nodes.And | nodes.Or):
        yield from _used(node.left)
    elif isinstance(node, nodes.CondExpr):
        yield from _used(node.test)
    elif isinstance(node, nodes.Compare):
        yield from _of_comparison(node)
    elif isinstance(node, nodes.Concat | nodes.BinExpr | nodes.UnaryExpr):
        for one in node.iter_child_nodes():
            yield from _used(one)
    elif isinstance(node, nodes.List | nodes.Tuple | nodes.Dict | nodes.Pair):
        for one in node.iter_child_nodes():
            yield from _computed(one)


def _of_filter(node: nodes.Filter) -> Iterator[Need]:
    if node.node is None:
        return
    for one in _given(node):
        yield from _computed(one)
    if node.name in _WALKING:
        yield from _walked(node.node)
    elif node.name in _STRICT:
        yield from _used(node.node)
    else:
        yield from _computed(node.node)
    if node.name == "join" and isinstance(node.node, nodes.List | nodes.Tuple):
        for one in node.node.items:
            yield from _used(one)


def _of_comparison(node: nodes.Compare) -> Iterator[Need]:
    """Of `a < b < c` the last is compared only where the first two hold; nothing is compared with what an empty list has."""
    first = node.ops[0]
    among = first.op in ("in", "notin")
    yield from (_computed if among else _used)(node.expr)
    yield from _used(first.expr)


def _given(node: nodes.Filter | nodes.Call) -> Iterator[nodes.Node]:
    """The arguments."""
    yield from node.args
    for one in node.kwargs:
        yield one.value
    for more in (node.dyn_args, node.dyn_kwargs):
        if more is not None:
            yield more
