"""The parameters that a rule gives to an action of the catalog, against what its entry declares. Caller: `checking`.

A value with a template in it is known only when an event comes. What is known before is its type where it is none of the template's own:
a list, a mapping, a text that has more in it than one expression.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from healer import catalog, config, errors, templates
from healer.catalog import building
from healer.project import sources

AS_DECLARED: Final = "as its entry declares it"
ALONE: Final = 'write "{{ … }}" alone: with anything beside it a template gives a text'

Wrong = tuple[str, str, config.Mark | None, str]
"""Where in a value, what is wrong, its place, what to do."""


def check(document: config.Document, entry: catalog.Entry, args: config.Map, at: config.Mark | None) -> None:
    """Tell of each that is not declared, does not fit, or is missing. `at`: where the action is named."""
    given = args.get("parameters", {})
    if not isinstance(given, Mapping):
        return
    for name in given:
        if name not in entry.parameters:
            mark = given.keys_at.get(name) if isinstance(given, config.Map) else at
            message = f"the action {entry.name!r} declares no parameter {name!r}"
            near = errors.nearest(str(name), entry.parameters) or f"declared: {', '.join(entry.parameters) or 'none'}"
            document.error("invalid_parameters", message, mark, near)
        elif isinstance(given, config.Map) and not any(sources.secrets_in(given[name])):
            mark = given.values_at.get(name)
            for path, message, where, try_ in _wrong(entry.parameters[name], given[name], mark):
                document.error("invalid_parameters", f"{name}{path}: {message}", where, try_)
    for name in entry.required:
        schema = entry.parameters.get(name)
        if name not in given and not (isinstance(schema, Mapping) and "default" in schema):
            mark = args.keys_at.get("parameters") or at
            message, like = f"the action {entry.name!r} needs the parameter {name!r}", f"parameters: {{{name}: …}}"
            document.error("invalid_parameters", message, mark, like)


def _wrong(schema: Any, value: Any, mark: config.Mark | None) -> Iterator[Wrong]:
    """What is wrong with a value, as far as that is known before an event comes."""
    if not has_template(value):
        for path, message in catalog.mistakes(schema, building.plain(value)):
            yield path, message, mark, AS_DECLARED
        return
    text = isinstance(value, str)
    if not isinstance(schema, Mapping) or (text and not _gives_text(value)):
        return
    typed = catalog.mistakes({"type": schema["type"]}, building.plain(value)) if "type" in schema else ()
    for path, message in typed:
        yield path, message, mark, ALONE if text else AS_DECLARED
    if not typed:
        yield from _inside(schema, value)


def _inside(schema: Mapping[str, Any], value: Any) -> Iterator[Wrong]:
    """The same of what is in a list or a mapping, where each has one schema."""
    below: list[tuple[str, Any, Any, config.Mark | None]] = []
    if isinstance(value, config.Seq) and "prefixItems" not in schema and "items" in schema:
        marks = value.items_at
        below = [(f"[{at}]", schema["items"], inner, marks[at]) for at, inner in enumerate(value)]
    elif isinstance(value, config.Map) and isinstance(known := schema.get("properties"), Mapping):
        marks_of = value.values_at
        below = [(f".{key}", known[key], inner, marks_of.get(key)) for key, inner in value.items() if key in known]
    for step, own, inner, mark in below:
        yield from ((step + path, message, where, try_) for path, message, where, try_ in _wrong(own, inner, mark))


def _gives_text(value: str) -> bool:
    try:
        return templates.check(value)
    except errors.TemplateError:  # which is told
        return False


def has_template(value: Any) -> bool:
    """Whether a template is anywhere in a value."""
    if isinstance(value, str):
        return templates.is_template(value)
    if isinstance(value, Mapping):
        return any(map(has_template, value.values()))
    return isinstance(value, list) and any(map(has_template, value))
