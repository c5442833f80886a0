"""The parameters that a rule gives to an action of the catalog, against what its entry declares. Caller: `checking`.

A value with a template in it is known only when an event comes; what is wrong with it whatever that brings is told before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from healer import catalog, config, errors, templates
from healer.catalog import building, foreseen
from healer.project import sources

AS_DECLARED: Final = "as its entry declares it"


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
            for one, try_ in foreseen.mistakes(entry.parameters[name], given[name]):
                where = building.mark_at(given, (name, *one.steps), at)
                document.error("invalid_parameters", f"{name}{one.path}: {one.message}", where, try_ or AS_DECLARED)
    for name in entry.required:
        schema = entry.parameters.get(name)
        if name not in given and not (isinstance(schema, Mapping) and "default" in schema):
            mark = args.keys_at.get("parameters") or at
            message, like = f"the action {entry.name!r} needs the parameter {name!r}", f"parameters: {{{name}: …}}"
            document.error("invalid_parameters", message, mark, like)


def has_template(value: Any) -> bool:
    """Whether a template is anywhere in a value."""
    if isinstance(value, str):
        return templates.is_template(value)
    if isinstance(value, Mapping):
        return any(map(has_template, value.values()))
    return isinstance(value, list) and any(map(has_template, value))
