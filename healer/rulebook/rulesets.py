"""A rulebook: the list of rulesets, each with its keys, sources and rules. Caller: the room's door."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from healer import config, engine
from healer.rulebook import fields, policies, rules, sources, throttles

KEYS: Final = (
    "name", "hosts", "sources", "rules", "match_multiple_rules", "default_events_ttl", "gather_facts",
    "execution_strategy", "policy",
)  # fmt: skip
REQUIRED: Final = ("name", "hosts", "sources", "rules")
TYPES: Final = {"name": "string", "hosts": "string", "match_multiple_rules": "boolean", "gather_facts": "boolean"}
STRATEGIES: Final = ("sequential", "parallel")
TTL_S: Final = 7200.0
TTL: Final = re.compile(r"\d+\s(seconds?|minutes?|hours?|days?)")


def read(document: config.Document, variables: Mapping[str, Any]) -> list[engine.Ruleset]:
    """All rulesets that could be read; what is wrong stands in the document."""
    found = document.value
    if found is None and not document.ok:
        return []
    if not isinstance(found, config.Seq) or not found:
        mark = getattr(found, "mark", None) or ((1, 1, 1) if document.lines else None)
        fields.wrong_type(document, mark, "a rulebook", found, "a list of rulesets, at least one")
        return []
    made = [_ruleset(document, item, found.items_at[number], variables) for number, item in enumerate(found)]
    _twice(document, found, "ruleset", [_name(item) for item in found])
    return [one for one in made if one is not None]


def _name(item: Any) -> str | None:
    name = item.get("name") if isinstance(item, config.Map) else None
    return name.strip() if isinstance(name, str) else None


def _twice(document: config.Document, items: config.Seq, what: str, names: list[str | None]) -> None:
    seen: dict[str, int] = {}
    for number, name in enumerate(names):
        if name is None:
            continue
        if name in seen:
            first = document.place(items[seen[name]].keys_at.get("name"))
            mark = items[number].values_at.get("name")
            document.error(
                "duplicate-name", f"the {what} {name!r} is there twice, first at {first}", mark, "another name"
            )
        else:
            seen[name] = number


def _ruleset(
    document: config.Document, item: Any, mark: config.Mark | None, variables: Mapping[str, Any]
) -> engine.Ruleset | None:
    if not isinstance(item, config.Map):
        fields.wrong_type(document, mark, "a ruleset", item, "a mapping")
        return None
    good = fields.keys(document, item, KEYS, REQUIRED, "a ruleset")
    for key, kind in TYPES.items():
        good &= fields.typed(document, item, key, kind)
    good &= _strategy(document, item)
    ttl_s = _ttl_s(document, item)
    name = _name(item)
    if name == "":
        mark = item.values_at.get("name")
        document.error("empty-name", "the name has to have a visible character", mark, "give it a name")
    specs = sources.read(document, item) if "sources" in item else None
    made = _rules(document, item, variables) if "rules" in item else None
    policy = policies.read(document, item)
    if not good or not name or specs is None or made is None or ttl_s is None or policy is None:
        return None
    return engine.Ruleset(
        name=name,
        hosts=item["hosts"],
        sources=specs,
        rules=made,
        match_multiple_rules=item.get("match_multiple_rules", False),
        default_events_ttl_s=ttl_s,
        execution_strategy=item.get("execution_strategy", "sequential"),
        place=document.place(item.mark),
        policy=policy,
        gather_facts=item.get("gather_facts", False),
    )


def _strategy(document: config.Document, item: config.Map) -> bool:
    if item.get("execution_strategy", "sequential") in STRATEGIES:
        return True
    mark, got = item.values_at.get("execution_strategy"), item["execution_strategy"]
    fields.wrong_type(document, mark, "execution_strategy", got, " or ".join(STRATEGIES))
    return False


def _ttl_s(document: config.Document, item: config.Map) -> float | None:
    if "default_events_ttl" not in item:
        return TTL_S
    text = item["default_events_ttl"]
    if isinstance(text, str) and TTL.fullmatch(text.removesuffix("\n")) and (made := throttles.window(text)):
        return made[0] / 1_000_000
    wanted = "a duration like '2 hours' (seconds, minutes, hours, days)"
    fields.wrong_type(document, item.values_at.get("default_events_ttl"), "default_events_ttl", text, wanted)
    return None


def _rules(document: config.Document, item: config.Map, variables: Mapping[str, Any]) -> tuple[engine.Rule, ...] | None:
    found = item["rules"]
    if not isinstance(found, config.Seq):
        fields.wrong_type(document, item.values_at.get("rules"), "rules", found, "a list of rules")
        return None
    made = [rules.read(document, one, found.items_at[number], number, variables) for number, one in enumerate(found)]
    _twice(
        document, found, "rule", [one.name if one else _written(item_) for one, item_ in zip(made, found, strict=True)]
    )
    return tuple(one for one in made if one is not None)


def _written(item: Any) -> str | None:
    name = item.get("name") if isinstance(item, config.Map) else None
    return name if isinstance(name, str) and "{{" not in name else None
