"""One rule: its keys, name, condition, actions, throttle. Caller: `rulesets`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from healer import config, engine, errors, templates
from healer.engine import values
from healer.rulebook import actions, conditions, fields, policies, throttles

KEYS: Final = ("name", "condition", "action", "actions", "enabled", "throttle", "policy")
REQUIRED: Final = ("name", "condition")
TYPES: Final = {"name": "string", "enabled": "boolean"}


def read(
    document: config.Document, item: Any, mark: config.Mark | None, index: int, variables: Mapping[str, Any]
) -> engine.Rule | None:
    """The rule, or None after saying everything that is wrong with it."""
    if not isinstance(item, config.Map):
        fields.wrong_type(document, mark, f"rule {index + 1}", item, "a mapping")
        return None
    good = fields.keys(document, item, KEYS, REQUIRED, "a rule")
    policy = policies.read(document, item)
    good &= fields.typed(document, item, "enabled", TYPES["enabled"])
    name = name_of(document, item, variables) if "name" in item else None
    condition = conditions.read(document, item, variables) if "condition" in item else None
    acts = actions.read(document, item)
    throttle = throttles.read(document, item, condition) if "throttle" in item else None
    if (
        not good
        or policy is None
        or name is None
        or condition is None
        or acts is None
        or ("throttle" in item and throttle is None)
    ):
        return None
    return engine.Rule(
        name, condition, acts, item.get("enabled", True), throttle, document.place(item.mark), index, policy
    )


def name_of(document: config.Document, item: config.Map, variables: Mapping[str, Any]) -> str | None:
    """The name with its template rendered."""
    mark = item.values_at.get("name")
    if not fields.typed(document, item, "name", "string"):
        return None
    try:
        name = values.java_text(templates.render(item["name"], variables))
    except errors.TemplateError as error:
        document.error("template", error.message, mark)
        return None
    if not name.strip():
        document.error("empty-name", "the name has to have a visible character", mark, "give it a name")
        return None
    return name
