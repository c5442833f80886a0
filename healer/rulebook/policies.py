"""`policy:` of a ruleset or a rule: gates that come on top of all others. Caller: `rulesets`, `rules`.

It tightens only: what is stricter elsewhere stays. It also holds for ansible-rulebook's own actions, which pass no such gate
without it. Spans are seconds in what is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from healer import config, measures, plugins
from healer.rulebook import fields

Policy: Final = measures.Gates
KEYS: Final = measures.KEYS


def read(document: config.Document, item: config.Map) -> Mapping[str, Any] | None:
    """What `item` has under `policy`, as a layer has it; None after saying what is wrong with it."""
    found = item.get("policy")
    if "policy" not in item:
        return {}
    if not isinstance(found, config.Map):
        fields.wrong_type(document, item.values_at.get("policy"), "policy", found, "a mapping")
        return None
    good = fields.keys(document, found, KEYS, (), "policy")
    known: Any = config.Map(found.mark)
    known.update({key: value for key, value in found.items() if key in KEYS})
    known.keys_at, known.values_at = found.keys_at, found.values_at
    shape = plugins.check_options(document, measures.Gates, known, found.mark, "policy")
    return shape.layer() if isinstance(shape, measures.Gates) and good else None
