"""Policies and roles that name what is not there: they hold nothing back, or grant nothing, and nobody would notice. Caller: `loading`.

Words of environments, labels, severities and impacts are not looked at: what they meet is not known before a run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from healer import config, errors, model
from healer.project import revision

NOUNS: Final = {
    "actions": "action", "rulesets": "ruleset", "rules": "rule", "sources": "source", "targets": "target", "tags": "tag",
}  # fmt: skip


def warn(document: config.Document, of: revision.Revision) -> None:
    """Tell of each word of `policies[].select` and of the scopes of `roles` that meets nothing in the project."""
    value = document.value if isinstance(document.value, config.Map) else config.Map((0, 0, 0))
    policies, roles = value.get("policies") or (), value.get("roles") or {}
    section = value.get("validate")
    checks = (section.get("checks") or ()) if isinstance(section, config.Map) else ()
    known = _known(of) if policies or roles or checks else {}
    for policy in policies:
        _tell(document, known, policy.get("select"), f"the policy {policy.get('name')} selects", "holds nothing")
    for check in checks:
        if isinstance(check, config.Map):
            _tell(document, known, check.get("select"), f"the check {check.get('name')} is about", "asks nothing")
    for name, role in roles.items():
        _tell(document, known, role, f"the role {name} is for", "grants nothing there")


def _tell(
    document: config.Document, known: Mapping[str, Collection[str] | None], words: Any, what: str, then: str
) -> None:
    for key, word, mark in _words(words) if isinstance(words, config.Map) else ():
        names = known.get(key)
        if names is not None and not any(model.like(name, word) for name in names):
            message = f"{what} the {NOUNS[key]} {word!r}, and there is none: it {then}"
            document.warning("selects-nothing", message, mark, errors.nearest(word, names) or _some(names, NOUNS[key]))


def _words(select: config.Map) -> Iterator[tuple[str, str, config.Mark | None]]:
    for key, value in select.items():
        if isinstance(value, config.Seq):
            yield from ((key, word, value.items_at[at]) for at, word in enumerate(value) if isinstance(word, str))


def _known(of: revision.Revision) -> Mapping[str, Collection[str] | None]:
    """By key, all that its words may meet; None where that cannot be told."""
    entries = of.catalog.entries
    rulesets, rules = dict[str, None](), dict[str, None]()
    actions = dict.fromkeys((*entries, *revision.UPSTREAM))
    for activation, ruleset in of.rulesets():
        name = f"{activation.name}/{ruleset.name}"
        rulesets |= dict.fromkeys((ruleset.name, name))
        for rule in ruleset.rules:
            rules |= dict.fromkeys((rule.name, f"{ruleset.name}/{rule.name}", f"{name}/{rule.name}"))
            actions |= dict.fromkeys(f"{one.name} {one.args.get('name')}" for one in rule.actions)
    return {
        "actions": actions, "rulesets": rulesets, "rules": rules, "sources": of.sources,
        "targets": _targets(of),
        "tags": dict.fromkeys(
            [tag for one in entries.values() for tag in one.tags] + [tag for one in of.controllers.values() for tag in one.tags]
        ),
    }  # fmt: skip


def _targets(of: revision.Revision) -> Collection[str] | None:
    found = dict[str, None]()
    for inventory in of.inventories.values():
        if inventory.partial:
            return None
        found |= dict.fromkeys(inventory.hosts)
        found |= dict.fromkeys(f"host:{name}" for name in inventory.hosts)
        found |= dict.fromkeys(f"group:{name}" for name in inventory.groups)
    return found


def _some(names: Collection[Any], noun: str) -> str:
    shown = sorted(map(str, names))[:5]
    return (
        f"there are: {', '.join(shown)}" + (" …" if len(names) > 5 else "") if shown else f"there is no {noun} at all"
    )
