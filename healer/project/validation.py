"""`validate:` of healer.yaml: how serious diagnostics are, which files are left out, what rules have to have. Callers: `settings`, `lint`.

It is about `healer validate` alone: the daemon starts and reloads by what is an error in itself.
"""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic

from healer import model, plugins

Requirement = Literal[
    "approval", "blast_radius", "verify", "cooldown", "rate_limit", "breaker", "windows", "settle", "concurrency", "timeout", "throttle",
    "escalate", "description", "idempotent",
]  # fmt: skip
"""What a check may want of an action: gates, and keys of its entry or rule."""
Words = Annotated[
    list[Annotated[str, pydantic.StringConstraints(min_length=1, max_length=200)]], pydantic.Field(max_length=100)
]


def _off(given: object) -> object:
    """YAML reads `off` as false."""
    return "off" if given is False else given


Severity = Annotated[Literal["error", "warning", "hint", "off"], pydantic.BeforeValidator(_off)]
Code = Annotated[
    str, pydantic.StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,63}$"), plugins.Wanted("a code, like no-brake")
]


class Select(plugins.Options):
    """Which actions of rules a check is about; as `select` of policies, without what is not known before an event comes."""

    environment: Words = pydantic.Field(default=[], description="of the daemon")
    impact: list[model.Impact] = pydantic.Field(default=[], description="of the action")
    actions: Words = pydantic.Field(
        default=[], description="by name; run_playbook and the like for ansible-rulebook's own"
    )
    rulesets: Words = pydantic.Field(default=[], description="by name, or activation/ruleset")
    rules: Words = pydantic.Field(default=[], description="by name, ruleset/rule or activation/ruleset/rule")
    sources: Words = pydantic.Field(default=[], description="that the ruleset listens to")
    tags: Words = pydantic.Field(default=[], description="of the action or its controller")


class Check(plugins.Options):
    """What the actions that it selects have to have."""

    name: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=100)] = pydantic.Field(
        description="for people"
    )
    select: Select = pydantic.Field(default=Select(), description="which actions it is about; without it all")
    require: Annotated[list[Requirement], pydantic.Field(min_length=1, max_length=20)] = pydantic.Field(
        description="what they have to have, all of it"
    )
    severity: Literal["error", "warning", "hint"] = pydantic.Field("error", description="of what is told")
    message: Annotated[str, pydantic.StringConstraints(max_length=300)] = pydantic.Field(
        "", description="why, for whoever wrote the rule"
    )


class Validation(plugins.Options):
    """How `healer validate` judges."""

    severity: Annotated[dict[Code, Severity], pydantic.Field(max_length=200)] = pydantic.Field(
        default={}, description="code: error, warning, hint or off; an error cannot be lowered"
    )
    ignore_paths: Words = pydantic.Field(
        default=[], description="files of which warnings and hints are not told; * and ? make patterns"
    )
    checks: Annotated[list[Check], pydantic.Field(max_length=100)] = pydantic.Field(
        default=[], description="what actions of rules have to have"
    )
