"""`policy:` of a ruleset or a rule: gates that come on top of all others. Caller: `rulesets`, `rules`.

It tightens only: what is stricter elsewhere stays. It also holds for ansible-rulebook's own actions, which pass no such gate
without it. Spans are seconds in what is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import pydantic

from healer import config, plugins
from healer.rulebook import fields

NOT_YET: Final = ("approval", "blast_radius", "rate_limit", "breaker", "windows", "settle", "flapping")
"""Their gates are not there yet: refused where actions are run, never ignored."""
Span = Annotated[plugins.Duration, pydantic.Field(ge=0)]
Count = Annotated[int, pydantic.Field(ge=1, le=1_000_000)]


class Policy(plugins.Options):
    """The keys whose gates are there."""

    cooldown: Span | None = pydantic.Field(None, description="least time between two effects of an action on a target")
    concurrency: Count | None = pydantic.Field(None, description="most runs of it at once")
    max_age: Span | None = pydantic.Field(None, description="oldest event that is acted on")
    defer_for: Span | None = pydantic.Field(None, description="how long a run may wait for a gate")
    attempts: Count | None = pydantic.Field(None, description="most attempts while an alert fires")
    timeout: Annotated[Span, pydantic.Field(gt=0)] | None = pydantic.Field(None, description="then an attempt is ended")


KEYS: Final = (*Policy.model_fields, *NOT_YET)


def read(document: config.Document, item: config.Map) -> Mapping[str, float] | None:
    """What `item` has under `policy`, by key; None after saying what is wrong with it."""
    found = item.get("policy")
    if "policy" not in item:
        return {}
    if not isinstance(found, config.Map):
        fields.wrong_type(document, item.values_at.get("policy"), "policy", found, "a mapping")
        return None
    good = fields.keys(document, found, KEYS, (), "policy")
    for key in NOT_YET:
        if key in found:
            fields.action_not_yet(document, found, key, f"{key}: of policy")
    known: Any = config.Map(found.mark)
    known.update({key: value for key, value in found.items() if key in Policy.model_fields})
    known.keys_at, known.values_at = found.keys_at, found.values_at
    shape = plugins.check_options(document, Policy, known, found.mark, "policy")
    if shape is None or not good:
        return None
    return {key: value for key, value in shape.model_dump().items() if value is not None}
