"""What holds by the files, the environment and the flags, flat and by name, as the audit compares it from one start or reload to the next.

Callers: `keys.take` at a start, `reloading`. Of what may have a secret in it (options of sources and controllers, environments, addresses)
only a digest is kept: the audit tells that it changed, never what it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from healer import project
from healer.daemon import meanings

OPAQUE: Final = ("heartbeat.url",)
ELSEWHERE: Final = ("sources", "activations", "policies", "roles", "principals")
"""By name below, or in the audit's record `access`."""
SHOWN_MAX: Final = 1_000
"""A longer text is a digest too."""


def of(revision: project.Revision) -> dict[str, Any]:
    """`settings`: name with dots → what it is; `entries`: what has a name of its own → a digest of it."""
    dumped = revision.settings.model_dump(mode="json", by_alias=True)
    values = {name: value for key, inner in dumped.items() if key not in ELSEWHERE for name, value in _flat(key, inner)}
    values |= {f"policies.{one['name']}": one for one in dumped["policies"]}
    values |= {f"activations.{one.name}.mode": one.mode for one in revision.activations if one.mode and not one.hidden}
    found = {name: _plain(value) for name, value in values.items()}
    hidden = {name for name, value in found.items() if name in OPAQUE or len(str(value)) > SHOWN_MAX}
    digests = {name: _digest(values[name]) for name in hidden}
    digests |= {f"sources.{name}": _digest(_source(one)) for name, one in revision.sources.items()}
    digests |= {f"controllers.{name}": meanings.of_controller(one) for name, one in revision.controllers.items()}
    digests |= {f"actions.{name}": one.digest for name, one in revision.catalog.entries.items()}
    digests |= {
        f"activations.{one.name}": _digest([one.file, one.variables, one.env, one.inventory, one.mode, one.restart])
        for one in revision.activations if not one.hidden
    }  # fmt: skip
    return {"settings": {name: value for name, value in found.items() if name not in hidden}, "entries": digests}


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}", inner)
    else:
        yield name, value


def _plain(value: Any) -> Any:
    """As it is where the audit can hold it; else (numbers with a fraction, lists) as its text."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return (
        value
        if value is None or isinstance(value, str | bool | int)
        else json.dumps(value, sort_keys=True, default=str)
    )


def _source(one: project.Source) -> list[Any]:
    return [one.type, one.args, one.filters, one.env, one.max_quiet_s, one.alert_ttl_s, one.code]


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
