"""The sources of a ruleset: a type with its arguments, a name, filters. Whether a type exists is checked elsewhere.

Callers: `rulesets`, and `project` for shared ones.
"""

from __future__ import annotations

from typing import Any

from healer import config, engine
from healer.rulebook import actions, fields


def read(document: config.Document, ruleset: config.Map) -> tuple[engine.SourceSpec, ...] | None:
    """The sources, or None after saying what is wrong."""
    items = ruleset["sources"]
    if not isinstance(items, config.Seq):
        fields.wrong_type(document, ruleset.values_at.get("sources"), "sources", items, "a list of sources")
        return None
    made = [source(document, item, items.items_at[number]) for number, item in enumerate(items)]
    return None if any(one is None for one in made) else tuple(one for one in made if one)


def source(document: config.Document, item: Any, mark: config.Mark | None) -> engine.SourceSpec | None:
    """One source, also of `healer.yaml`; or None after saying what is wrong."""
    if not isinstance(item, config.Map):
        fields.wrong_type(document, mark, "a source", item, "a mapping: {type: arguments}")
        return None
    good = fields.typed(document, item, "name", "string", "name of a source")
    types = [key for key in item if key not in ("name", "filters")]
    if len(types) != 1 or not isinstance(types[0], str):
        shown = ", ".join(str(one) for one in types) or "none"
        document.error(
            "source-type", f"a source has exactly one type, got {shown}", mark, "write one list item a source"
        )
        return None
    kind = types[0]
    if item[kind] is not None and not isinstance(item[kind], config.Map):
        wanted = "a mapping of arguments or nothing"
        fields.wrong_type(document, item.values_at.get(kind), f"the arguments of {kind}", item[kind], wanted)
        good = False
    filters = _filters(document, item)
    if not good or filters is None:
        return None
    place = document.place(item.keys_at.get(kind))
    return engine.SourceSpec(item.get("name") or kind, kind, actions.plain(item[kind]) or {}, filters, place)


def _filters(document: config.Document, item: config.Map) -> tuple[tuple[str, dict[str, Any]], ...] | None:
    if "filters" not in item:
        return ()
    found = item["filters"]
    if not isinstance(found, config.Seq):
        fields.wrong_type(document, item.values_at.get("filters"), "filters", found, "a list of filters")
        return None
    made: list[tuple[str, dict[str, Any]]] = []
    for number, one in enumerate(found):
        args = next(iter(one.values())) if isinstance(one, config.Map) and len(one) == 1 else 0
        if not isinstance(args, config.Map | None):
            fields.wrong_type(
                document, found.items_at[number], "a filter", one, "a mapping of one filter: {type: arguments}"
            )
            continue
        made.append((str(next(iter(one))), actions.plain(args) or {}))
    return tuple(made) if len(made) == len(found) else None
