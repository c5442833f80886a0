"""The actions of a rule: known names, their arguments and types, as upstream's schema has them, and our `run_action`.

Caller: `rules`. Arguments are kept as written: they are rendered when the rule fires.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from healer import config, engine, errors, model
from healer.rulebook import fields, freeform

ACTIONS_MAX: Final = 100


class Shape(NamedTuple):
    """The arguments of an action by type, the required ones, and whether it may stand without any."""

    arguments: dict[str, str]
    required: tuple[str, ...] = ()
    empty: bool = False


_RETRY: Final = {"retry": "boolean", "retries": "integer", "delay": "number", "lock": "string"}
_RUN: Final = {
    "name": "string", "post_events": "boolean", "set_facts": "boolean", "verbosity": "integer",
    "var_root": "string|object", "json_mode": "boolean", "extra_vars": "object", **_RETRY,
}  # fmt: skip
_TEMPLATE: Final = {
    "name": "string", "organization": "string", "job_args": "object", "post_events": "boolean", "set_facts": "boolean",
    "ruleset": "string", "var_root": "string", "include_events": "boolean", "labels": "list", "add_event_uuid_label": "boolean",
    **_RETRY, "delay": "integer",
}  # fmt: skip
SHAPES: Final[dict[str, Shape]] = {
    "run_action": Shape(
        {
            "name": "string",
            "target": "string|list",
            "parameters": "object",
            "controller": "string",
            "lock": "string",
            "dry_run": "boolean",
        },
        ("name",),
    ),
    "run_playbook": Shape({**_RUN, "copy_files": "boolean", "ruleset": "string"}, ("name",)),
    "run_module": Shape({**_RUN, "module_args": "object|string"}, ("name",)),
    "run_job_template": Shape(_TEMPLATE, ("name", "organization")),
    "run_workflow_template": Shape(_TEMPLATE, ("name", "organization")),
    "post_event": Shape({"ruleset": "string", "event": "object"}, ("event",)),
    "set_fact": Shape({"ruleset": "string", "fact": "object"}, ("fact",)),
    "retract_fact": Shape({"ruleset": "string", "fact": "object", "partial": "boolean"}, ("fact",)),
    "print_event": Shape({"var_root": "string|object", "pretty": "boolean"}, empty=True),
    "debug": Shape({"msg": "string|list", "var": "string"}, empty=True),
    "none": Shape({}, empty=True),
    "shutdown": Shape({"delay": "number", "message": "string", "kind": "string"}, empty=True),
}
CHOICES: Final = {("shutdown", "kind"): ("graceful", "now")}
"""(action, argument) → what it may be."""
ALONE: Final = {"debug": ("msg", "var")}
"""Of these arguments of an action only one may stand."""


def read(document: config.Document, rule: config.Map) -> tuple[engine.Action, ...] | None:
    """The actions of a rule, or None after saying why not."""
    if "action" in rule and "actions" in rule:
        message = "a rule has either action: or actions:, not both"
        document.error("action-twice", message, rule.keys_at.get("actions"), "list all of them below actions:")
        _action(document, rule["action"], rule.values_at.get("action"), 0)  # what is wrong in them is told too
        if rule["actions"]:
            _listed(document, rule)
        return None
    if "action" in rule:
        one = _action(document, rule["action"], rule.values_at.get("action"), 0)
        return (one,) if one else None
    if "actions" not in rule:
        document.error(
            "missing-key", "a rule needs action: or actions:", rule.mark, "for no action write: action: {none: }"
        )
        return None
    return _listed(document, rule)


def _listed(document: config.Document, rule: config.Map) -> tuple[engine.Action, ...] | None:
    items = rule["actions"]
    if not isinstance(items, config.Seq) or len(items) > ACTIONS_MAX:
        fields.wrong_type(
            document, rule.values_at.get("actions"), "actions", items, f"a list of at most {ACTIONS_MAX} actions"
        )
        return None
    if not items:
        document.error(
            "missing-key", "actions: holds no action", rule.keys_at.get("actions"), "for none write: action: {none: }"
        )
        return None
    made = [_action(document, item, items.items_at[index], index) for index, item in enumerate(items)]
    return None if any(one is None for one in made) else tuple(one for one in made if one)


def _action(document: config.Document, item: Any, mark: config.Mark | None, index: int) -> engine.Action | None:
    if not isinstance(item, config.Map):
        fields.wrong_type(document, mark, "an action", item, "a mapping of one action: {name: arguments}")
        return None
    if len(item) != 1:
        message = f"an action is a mapping of exactly one key, got {len(item)}"
        document.error("action-shape", message, mark, "list each of them below actions:, with a - of its own")
        return None
    name = next(iter(item))
    at = item.keys_at.get(name)
    if name not in SHAPES:
        near = errors.nearest(str(name), SHAPES) or "known: " + ", ".join(SHAPES)
        document.error("action-keyword", f"rulebooks have no action {name!r}", at, near)
        return None
    if not _arguments(document, name, item):
        return None
    args = plain(item[name]) or {}
    if name == "run_module" and isinstance(args.get("module_args"), str):
        args = _free_form(document, item[name], args)
        if args is None:
            return None
    return engine.Action(name, args, document.place(at), index)


def _free_form(document: config.Document, written: config.Map, args: dict[str, Any]) -> dict[str, Any] | None:
    """The arguments of a module that stand as one text, taken apart before any event has a say."""
    if freeform.is_one_template(args["module_args"]):
        return args
    try:
        return args | {"module_args": freeform.arguments(args["name"], args["module_args"])}
    except ValueError as error:
        document.error("module-args", str(error), written.values_at.get("module_args"), "write a mapping")
        return None


def _arguments(document: config.Document, name: str, item: config.Map) -> bool:
    shape, found = SHAPES[name], item[name]
    if found is None and shape.empty:
        return True
    if not isinstance(found, config.Map):
        wanted = "a mapping or nothing" if shape.empty else "a mapping of arguments"
        fields.wrong_type(document, item.values_at.get(name), name, found, wanted)
        return False
    if name == "none":
        return True
    good = fields.keys(document, found, shape.arguments, shape.required, name)
    for key, kind in shape.arguments.items():
        good &= fields.typed(document, found, key, kind, f"{key} of {name}")
    return _details(document, name, found) and good


def _details(document: config.Document, name: str, found: config.Map) -> bool:
    good = True
    alone = [key for key in ALONE.get(name, ()) if key in found]
    if len(alone) > 1:
        message = f"{name} takes {' or '.join(alone)}, not both"
        document.error("action-shape", message, found.keys_at.get(alone[-1]), "leave one of them out")
        good = False
    for (action, key), choices in CHOICES.items():
        if action == name and isinstance(found.get(key), str) and found[key] not in choices:
            fields.wrong_type(document, found.values_at.get(key), key, found[key], " or ".join(choices))
            good = False
    for key, kind in SHAPES[name].arguments.items():
        items = found.get(key)
        if "list" in kind and isinstance(items, config.Seq):
            for number, item in enumerate(items):
                if not isinstance(item, str):
                    fields.wrong_type(document, items.items_at[number], f"{key} {number + 1}", item, "a text")
                    good = False
    return good


def plain(value: Any) -> Any:
    """The value without marks: plain dictionaries and lists, what is vaulted as references."""
    return model.sealed(value)
