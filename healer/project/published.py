"""The files of a project as JSON Schema (draft 2020-12): what `healer schema` prints, for editors.

Made of the tables and shapes that the checks use; only plugins that ship with healer are known by their options. What the schemas
cannot say (what exists, what stands twice, spans that are too long) `healer validate` says.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from healer import catalog, plugins, rulebook
from healer.project import activations, controllers, locating, receivers, settings, sources, told, validation

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_NOTHING: Final = {"type": "null"}

Parts = tuple[dict[str, Any], dict[str, Any]]
"""A schema, and the `$defs` that it refers to."""


class Kind(NamedTuple):
    """One kind of file: where it lies, one line about it, and what makes its schema."""

    files: str
    about: str
    parts: Callable[[], Parts]


def schema(kind: str, kinds: Mapping[str, Kind] | None = None) -> dict[str, Any]:
    """The schema of the files of a kind, one of `KINDS`, or of those that are given."""
    known = KINDS if kinds is None else kinds
    made, defs = known[kind].parts()
    head = {
        "$schema": DIALECT,
        "$id": f"urn:auto-healer:schema:{kind}",
        "title": f"auto-healer: {known[kind].files}",
        "description": known[kind].about,
    }
    found = {**made.pop("$defs", {}), **defs}
    body = {key: part for key, part in made.items() if key not in head}
    return {
        **head,
        **told.of(body, kind, kind),
        "$defs": {name: told.of(part, name.rpartition("__")[2], kind) for name, part in sorted(found.items())},
    }


def _rulebook() -> Parts:
    known, defs = _sources()
    return rulebook.schema(known), defs


def _actions() -> Parts:
    entry, defs = catalog.entry_schema(beside=False)
    listed = {
        "type": ["object", "null"],
        "propertyNames": {"pattern": catalog.whole(catalog.NAME.pattern)},
        "maxProperties": catalog.ENTRIES_MAX,
        "additionalProperties": {"$ref": "#/$defs/action"},
    }
    return _file({"actions": listed}), {**defs, "action": entry}


def _metadata() -> Parts:
    entry, defs = catalog.entry_schema(beside=True)
    return {**entry, "type": ["object", "null"]}, defs


def _controllers() -> Parts:
    types = {name: getattr(module := plugins.find("controllers", name), "CONTROLLER", module).Options
             for name in plugins.builtin_names("controllers")}  # fmt: skip
    _, defs = plugins.schemas([controllers.Common, controllers.Inventory, *types.values()])
    common = {shape: defs.pop(shape.__name__)["properties"] for shape in (controllers.Common, controllers.Inventory)}
    beside = {key: part for properties in common.values() for key, part in properties.items()}
    chosen = []
    for name, shape in types.items():
        options = defs.pop(shape.__name__)
        options["properties"] = {"type": {"const": name}, **beside, **options["properties"]}
        defs[f"controller_{name}"] = options
        chosen.append({"if": {"properties": {"type": {"const": name}}}, "then": {"$ref": f"#/$defs/controller_{name}"}})
    one = {
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": {"type": "string", "description": f"{', '.join(types)}, or one of controllers/"},
            **beside,
        },
        "allOf": chosen,
    }
    listed = {
        "type": ["object", "null"],
        "propertyNames": {"pattern": catalog.whole(controllers.NAME.pattern)},
        "maxProperties": controllers.CONTROLLERS_MAX,
        "additionalProperties": {"$ref": "#/$defs/controller"},
    }
    default = {"type": ["string", "null"], "description": "the controller of actions that name none"}
    several = {"properties": {"controllers": {"type": "object", "minProperties": 2}}, "required": ["controllers"]}
    made = _file({"controllers": listed, "default": default}) | {"if": several, "then": {"required": ["default"]}}
    return made, {**defs, "controller": one}


def _healer() -> Parts:
    known, defs = _sources(but=sources.SHARED)
    _, more = plugins.schemas([settings.Settings, activations.Shape])
    made = more.pop(settings.Settings.__name__)
    found = made["properties"]
    found["sources"] |= {
        "description": "sources that rulebooks share, as healer.source: {name: …}",
        "propertyNames": {
            "pattern": catalog.whole(sources.NAME.pattern),
            "not": {"pattern": f"^{sources.NATIVE.pattern}"},
        },
        "additionalProperties": {"$ref": "#/$defs/source"},
    }
    found["activations"] = {"type": ["array", "null"], "items": {"$ref": "#/$defs/activation"}}
    activation = more.pop(activations.Shape.__name__)
    activation["properties"]["mode"]["anyOf"] += [{"const": False}]  # what YAML reads `off` as
    for levels in more[validation.Validation.__name__]["properties"]["severity"]["patternProperties"].values():
        del levels["type"]
        levels["enum"] = [*levels["enum"], False]  # the same
    for key in (*settings.SECTIONS, *settings.LISTS):
        found[key] = {"anyOf": [found[key], _NOTHING]}
    channels = _channels(more[receivers.Notifications.__name__]["properties"])
    source = rulebook.source_schema({**known, sources.SHARED: False})
    return {**made, "type": ["object", "null"]}, {
        **defs,
        **more,
        **channels,
        "source": source,
        "activation": activation,
    }


def _channels(found: dict[str, Any]) -> dict[str, Any]:
    """Put the accounts and receivers of the channels that ship into the properties of `notifications`; the `$defs` for it."""
    shapes = {name: receivers.notifier(name) for name in plugins.builtin_names("notifiers")}
    _, defs = plugins.schemas([shape for one in shapes.values() for shape in (one.Account, one.Options)])
    accounts = {name: {"$ref": f"#/$defs/{one.Account.__name__}"} for name, one in shapes.items()}
    found["channels"] |= {"properties": accounts, "additionalProperties": True}
    to = {name: {"$ref": f"#/$defs/{one.Options.__name__}"} for name, one in shapes.items()}
    hears = plugins.schemas([receivers.Hears])[1][receivers.Hears.__name__]["properties"]
    found["receivers"] |= {
        "propertyNames": {"pattern": catalog.whole(receivers.NAME.pattern)},
        "additionalProperties": {
            "type": "object",
            "properties": {**hears, **to},
            "minProperties": 1,
            "maxProperties": 2,
        },
    }
    return defs


def _sources(but: str = "") -> Parts:
    """The options of our own sources by the names that they have in a file, and the `$defs`."""
    nowhere = pathlib.Path("/nonexistent")
    names = [name for name in locating.names(nowhere) if name != but and locating.locate(name, nowhere).kind != "eda"]
    shapes = {name: locating.locate(name, nowhere).plugin.Options for name in names}
    _, defs = plugins.schemas(list(dict.fromkeys(shapes.values())))
    made = {}
    for name, shape in shapes.items():
        options = {"$ref": f"#/$defs/{shape.__name__}"}
        needs = defs[shape.__name__].get("required") or "oneOf" in defs[shape.__name__]
        made[name] = options if needs else {"anyOf": [options, _NOTHING]}
    return made, defs


def _file(properties: dict[str, Any]) -> dict[str, Any]:
    """A file that is a mapping of these keys, or empty."""
    return {"type": ["object", "null"], "properties": properties, "additionalProperties": False}


KINDS: Final = {
    "rulebook": Kind("rulebooks/*.yml", "rulesets: sources, and rules with conditions and actions", _rulebook),
    "actions": Kind("actions.yaml", "what may be done: each action with what it takes", _actions),
    "metadata": Kind("playbooks/*.meta.yml, scripts/*.meta.yml", "one action, beside the file that it runs", _metadata),
    "controllers": Kind("controllers.yaml", "the named ways to reach targets", _controllers),
    "healer": Kind("healer.yaml", "how the daemon runs", _healer),
}
