"""`gather_facts: true`: a hidden ruleset asks Ansible for the facts of all hosts, once a start and when the rulebook changes.

It is a run as any other: it passes the gates, stands in the audit, and touches nothing in mode observe. As with upstream, the rulesets
after the one that says so in its file get the facts too. Caller: `loading`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Final

from healer import config, engine, rulebook

RULESET: Final = "(gather_facts)"
GATHERED_FOR: Final = "gathered_for"
"""An argument that no written rulebook can have: the rulesets that get the facts."""


def is_reserved(name: str) -> bool:
    """Whether a written ruleset of this name could be taken for ours, of its own activation or of one below (`a` and `x/…` of `a/x`)."""
    return name == RULESET or name.endswith(f"/{RULESET}")


def ruleset(found: Sequence[engine.Ruleset]) -> engine.Ruleset | None:
    """The ruleset that gathers for a rulebook; None where none of its rulesets asks."""
    first = next((number for number, one in enumerate(found) if one.gather_facts), None)
    if first is None:
        return None
    action = {"run_module": {"name": "ansible.builtin.setup", "set_facts": True}}
    rule = {"name": "gather", "condition": "event.gather == true", "action": action}
    written = {"name": RULESET, "hosts": "all", "execution_strategy": "parallel", "sources": [], "rules": [rule]}
    (made,) = rulebook.parse(config.read_text(json.dumps([written]), "<gather_facts>"), {})
    args = made.rules[0].actions[0].args | {GATHERED_FOR: [one.name for one in found[first:]]}
    place = found[first].place
    act = dataclasses.replace(made.rules[0].actions[0], args=args, place=place)
    return dataclasses.replace(
        made, place=place, rules=(dataclasses.replace(made.rules[0], actions=(act,), place=place),)
    )
