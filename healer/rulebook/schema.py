"""The rulebook language as JSON Schema (draft 2020-12), for editors: `healer schema rulebook`.

Caller: `project`. It is made of the tables that the checks use, so that a key of one is a key of the other; what a schema cannot
say (conditions, names that stand twice) only the checks say. A test compares both, and upstream's schema, on many documents.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from healer import plugins
from healer.rulebook import actions, conditions, policies, rules, rulesets, throttles

_ABOUT: Final = {
    "default_events_ttl": "how long an event waits for its partners; else 2 hours",
    "execution_strategy": "whether matches wait for each other",
    "gather_facts": "facts of the hosts as events, before the sources start",
    "hosts": "the hosts that upstream's actions are for",
    "match_multiple_rules": "whether an event fires every rule that holds, not the first alone",
    "policy": "gates that come on top of all others; they tighten only",
    "rules": "what fires, in this order",
    "sources": "where events come from",
    "action": "the one action",
    "actions": "actions, one after the other",
    "condition": "when it fires",
    "enabled": "false: as if it were not there",
    "throttle": "fire less often",
    "all": "each has an event of its own",
    "any": "one of them holds",
    "not_all": "not all of them come in time",
    "timeout": "the longest time between the first and the last of them",
    "once_within": "fire for the first event of a group, then not for so long",
    "once_after": "gather for so long, then fire once",
    "accumulate_within": "fire for each threshold-th event of a group within so long",
    "threshold": "how many events, with accumulate_within",
    "group_by_attributes": "paths of fields that make a group, like event.host",
}
_NAMED: Final = {"type": "string", "pattern": r"\S"}
_TEXTS: Final = {"type": "array", "items": {"type": "string"}}


def schema(sources: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a rulebook, without `$schema` and `$id`. `sources`: by name, that of the options of each of our own sources.

    References in those lead to the `$defs` of the whole, which the caller adds to.
    """
    return {
        "type": "array",
        "minItems": 1,
        "items": {"$ref": "#/$defs/ruleset"},
        "$defs": {
            "ruleset": _of_keys(rulesets.KEYS, rulesets.REQUIRED, _ruleset_keys()),
            "source": source(sources),
            "rule": _of_keys(rules.KEYS, rules.REQUIRED, _rule_keys())
            | {"oneOf": [{"required": [key]} for key in ("action", "actions")]},
            "condition": {"anyOf": [{"type": ["string", "boolean"]}, *map(_condition, conditions.KINDS)]},
            "throttle": _throttle(),
            "action": _one_of(
                {name: _action(name, shape) for name, shape in actions.SHAPES.items()}, "an action and its arguments"
            ),
            **_policy(),
        },
    }


def _policy() -> dict[str, Any]:
    """`policy` and what it refers to."""
    _, defs = plugins.schemas([policies.Policy])
    return {"policy": defs.pop(policies.Policy.__name__), **defs}


def source(known: Mapping[str, Any]) -> dict[str, Any]:
    """One source, also of `healer.yaml`: a type with its options, with or without a name and filters. As `schema`."""
    filters = {"type": "array", "items": _one_of({}, "a filter and its arguments", {"type": ["object", "null"]})}
    return {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "how the source is called in events and in `healer status`"},
            "filters": {"description": "what changes an event before rules see it, in this order", **filters},
            **known,
        },
        "additionalProperties": {"type": ["object", "null"]},
        "if": {"anyOf": [{"required": [name]} for name in known]},
        "then": {"not": {"required": ["filters"]}},
        "oneOf": [_beside_one(given) for given in ([], ["name"], ["filters"], ["name", "filters"])],
    }


def _beside_one(given: list[str]) -> dict[str, Any]:
    """Exactly these of `name` and `filters`, and one more key."""
    absent = [{"required": [key]} for key in ("name", "filters") if key not in given]
    counts = {"minProperties": len(given) + 1, "maxProperties": len(given) + 1}
    return {"required": given, **counts, **({"not": {"anyOf": absent}} if absent else {})}


def _ruleset_keys() -> dict[str, Any]:
    return {
        **{key: {"type": kind} for key, kind in rulesets.TYPES.items()},
        "name": _NAMED,
        "sources": {"type": "array", "items": {"$ref": "#/$defs/source"}},
        "rules": {"type": "array", "items": {"$ref": "#/$defs/rule"}},
        "default_events_ttl": _duration(rulesets.TTL),
        "execution_strategy": {"enum": list(rulesets.STRATEGIES), "default": rulesets.STRATEGIES[0]},
        "policy": {"$ref": "#/$defs/policy"},
    }


def _rule_keys() -> dict[str, Any]:
    action = {"$ref": "#/$defs/action"}
    return {
        **{key: {"type": kind} for key, kind in rules.TYPES.items()},
        "name": _NAMED,
        "condition": {"$ref": "#/$defs/condition"},
        "action": action,
        "actions": {"type": "array", "minItems": 1, "maxItems": actions.ACTIONS_MAX, "items": action},
        "throttle": {"$ref": "#/$defs/throttle"},
        "policy": {"$ref": "#/$defs/policy"},
    }


def _condition(kind: str) -> dict[str, Any]:
    several = {"type": "array", "minItems": 1, "maxItems": conditions.PATTERNS_MAX, "items": {"type": "string"}}
    known = (kind, *(("timeout",) if kind not in conditions.WITHOUT_TIMEOUT else ()))
    required = (kind, *(("timeout",) if kind in conditions.WITH_TIMEOUT else ()))
    return _of_keys(known, required, {kind: several, "timeout": _duration()})


def _throttle() -> dict[str, Any]:
    whole = [[kind, "threshold"] if kind in throttles.WITH_THRESHOLD else [kind] for kind in throttles.KINDS]
    attributes = {"type": "array", "maxItems": throttles.ATTRIBUTES_MAX, "items": _NAMED}
    threshold = {"type": "integer", "minimum": 1, "maximum": throttles.THRESHOLD_MAX}
    known = {
        **dict.fromkeys(throttles.KINDS, _duration()),
        "threshold": threshold,
        "group_by_attributes": attributes,
    }
    return _of_keys(throttles.KEYS, throttles.REQUIRED, known) | {"oneOf": [{"required": keys} for keys in whole]}


def _action(name: str, shape: actions.Shape) -> dict[str, Any]:
    kind: Any = ["object", "null"] if shape.empty else "object"
    if not shape.arguments:
        return {"type": kind}
    made: dict[str, Any] = {key: _typed(written) for key, written in shape.arguments.items()}
    for (action, key), choices in actions.CHOICES.items():
        if action == name:
            made[key] = {"enum": list(choices)}
    alone = {"not": {"type": "object", "required": list(actions.ALONE[name])}} if name in actions.ALONE else {}
    return _of_keys(shape.arguments, shape.required, made) | {"type": kind} | alone


def _typed(written: str) -> dict[str, Any]:
    """The schema of a type as the tables have it: `string|list`. Lists are of texts."""
    kinds = written.split("|")
    if "list" not in kinds:
        return {"type": kinds if len(kinds) > 1 else kinds[0]}
    others = [kind for kind in kinds if kind != "list"]
    return {"anyOf": [{"type": others}, _TEXTS]} if others else _TEXTS


def _duration(pattern: re.Pattern[str] = throttles.WINDOW) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^{pattern.pattern}$", "maxLength": throttles.DURATION_LENGTH_MAX - 1}


def _of_keys(known: Iterable[str], required: Iterable[str], made: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping with these keys and no others."""
    properties = {key: {"description": _ABOUT[key], **made[key]} if key in _ABOUT else made[key] for key in known}
    return {
        "type": "object",
        "properties": properties,
        **({"required": list(required)} if required else {}),
        "additionalProperties": False,
    }


def _one_of(made: Mapping[str, Any], about: str, others: Any = False) -> dict[str, Any]:
    """A mapping of exactly one key."""
    return {
        "type": "object",
        "description": about,
        "minProperties": 1,
        "maxProperties": 1,
        **({"properties": dict(made)} if made else {}),
        "additionalProperties": others,
    }
