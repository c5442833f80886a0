"""The actions of a rule: known names, their arguments and types, as upstream's schema has them, and our `run_action`.

Caller: `rules`. Arguments are kept as written: they are rendered when the rule fires.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from healer import config, engine, errors
from healer.rulebook import fields

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
SHAPES: Final[dict[str, Shape]] = {
    "run_action": Shape(
        {"name": "string", "target": "string|list", "parameters": "object", "controller": "string"}, ("name",)
    ),
    "run_playbook": Shape({**_RUN, "copy_files": "boolean", "ruleset": "string"}, ("name",)),
    "run_module": Shape({**_RUN, "module_args": "object|string"}, ("name",)),
    "post_event": Shape({"ruleset": "string", "event": "object"}, ("event",)),
    "set_fact": Shape({"ruleset": "string", "fact": "object"}, ("fact",)),
    "retract_fact": Shape({"ruleset": "string", "fact": "object", "partial": "boolean"}, ("fact",)),
    "print_event": Shape({"var_root": "string|object", "pretty": "boolean"}, empty=True),
    "debug": Shape({"msg": "string|list", "var": "string"}, empty=True),
    "none": Shape({}, empty=True),
    "shutdown": Shape({"delay": "number", "message": "string", "kind": "string"}, empty=True),
}
NOT_YET: Final = ("run_job_template", "run_workflow_template", "pg_notify")
_LATER: Final = ("post_events", "set_facts", "var_root", "retry", "retries", "delay", "lock", "ruleset")
NOT_YET_ARGUMENTS: Final[dict[str, tuple[str, ...]]] = {
    "run_playbook": _LATER, "run_module": _LATER, "print_event": ("var_root",), "shutdown": ("delay",),
}  # fmt: skip
"""Arguments of upstream that are known and do nothing yet: refused where they ask for something, never ignored."""


def read(document: config.Document, rule: config.Map) -> tuple[engine.Action, ...] | None:
    """The actions of a rule, or None after saying why not."""
    if "action" in rule and "actions" in rule:
        document.error("action-twice", "a rule has either action: or actions:, not both", rule.keys_at.get("actions"))
        return None
    if "action" in rule:
        one = _action(document, rule["action"], rule.values_at.get("action"), 0)
        return (one,) if one else None
    if "actions" not in rule:
        document.error(
            "missing-key", "a rule needs action: or actions:", rule.mark, "for no action write: action: {none: }"
        )
        return None
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
        document.error("action-shape", f"an action is a mapping of exactly one key, got {len(item)}", mark)
        return None
    name = next(iter(item))
    at = item.keys_at.get(name)
    if name in NOT_YET:
        fields.action_not_yet(document, item, name, f"the action {name}")
        return engine.Action(name, plain(item[name]) if isinstance(item[name], dict) else {}, document.place(at), index)
    if name not in SHAPES:
        near = errors.nearest(str(name), SHAPES) or "known: " + ", ".join(SHAPES)
        document.error("action-keyword", f"rulebooks have no action {name!r}", at, near)
        return None
    if not _arguments(document, name, item):
        return None
    return engine.Action(name, plain(item[name]) or {}, document.place(at), index)


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
    for key in NOT_YET_ARGUMENTS.get(name, ()):
        if found.get(key):  # nought and false ask for nothing
            fields.action_not_yet(document, found, key, f"{key}: of {name}")
    if name == "run_module" and isinstance(found.get("module_args"), str) and not _one_template(found["module_args"]):
        fields.action_not_yet(document, found, "module_args", "module_args: as a text (write a mapping)")
    if name == "debug" and "msg" in found and "var" in found:
        document.error("action-shape", "debug takes msg or var, not both", found.keys_at.get("var"))
        good = False
    if name == "shutdown" and found.get("kind", "graceful") not in ("graceful", "now"):
        fields.wrong_type(document, found.values_at.get("kind"), "kind", found["kind"], "graceful or now")
        good = False
    for key in ("msg", "target"):
        items = found.get(key)
        if isinstance(items, config.Seq):
            for number, item in enumerate(items):
                if not isinstance(item, str):
                    fields.wrong_type(document, items.items_at[number], f"{key} {number + 1}", item, "a text")
                    good = False
    return good


def _one_template(text: str) -> bool:
    """Whether a text is one template and nothing else: it gives a value of any type."""
    return text.strip().startswith("{{") and text.strip().endswith("}}")


def plain(value: Any) -> Any:
    """The value without marks: plain dictionaries and lists."""
    if isinstance(value, dict):
        return {key if isinstance(key, str) else str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value
