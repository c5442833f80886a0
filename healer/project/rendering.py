"""Templates in the arguments of a source, filled with what its activation gives. Caller: `sources`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from healer import config, errors, templates
from healer.catalog import building


def source(document: config.Document, item: config.Map, name: str, variables: Mapping[str, Any]) -> config.Map | None:
    """The source with the activation's variables in its arguments; None after saying which template is wrong."""
    args = item[name]
    if not isinstance(args, config.Map):
        return item
    made, good = building.without(args, ()), True
    for key, value in args.items():
        try:
            made[key] = _render(value, variables)
        except errors.TemplateError as error:
            document.error("template", error.message, args.values_at.get(key))
            good = False
    whole = building.without(item, ())
    whole[name] = made
    return whole if good else None


def _render(value: Any, variables: Mapping[str, Any]) -> Any:
    """A value with variables in it; what has none stays as it is, with its marks."""
    if isinstance(value, str):
        return templates.render(value, variables)
    if isinstance(value, config.Map):
        made = building.without(value, ())
        made.update({key: _render(inner, variables) for key, inner in value.items()})
        return made
    if isinstance(value, config.Seq):
        listed = config.Seq(value.mark)
        listed.extend(_render(inner, variables) for inner in value)
        listed.items_at = value.items_at
        return listed
    return value
