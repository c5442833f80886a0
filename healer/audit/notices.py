"""What people should hear of without asking, said of the audit record that tells it. Caller: `store.writer`, behind the commit.

Until there are channels these are lines of the log. What is told of elsewhere already (the end of an attempt, a cap, an event in
quarantine) is not told again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

ENDS: Final = {
    ("transition", "expired"): "nobody decided on run {run} of {rule} in time: {action} is not done",
    (
        "transition",
        "void",
    ): "what was to be approved for run {run} of {rule} is something else now: {action} is not done",
}
REASONS: Final = {
    "attempts": "the attempts of {rule} for this alert are used up: {action} is not tried again (run {run})",
    "stale": "{action} of {rule} is not done, as it would come too late (run {run})",
}
"""Why a run is suppressed that its alert may still need."""
KINDS: Final = {
    "break_glass": "BREAK-GLASS: {actor} has run {run} of {rule} start past its gates ({past}): {action} on {targets}: {detail}",
    "breaker_opened": "the breaker of {action} on {controller} is open after {failures} failures: it is not started there for a while",
    "breaker_closed": "the breaker of {action} on {controller} is closed again",
    "storm": "a storm: {matches} matches at once (limit {limit}); nothing new starts until it is calm",
    "delivery_refused": "{count} deliveries of {source} were refused ({code}): {detail}",
    "approval_asked": "run {run} waits for a person: {action} of {rule} ({reason}); healer approvals",
}


def of(record: Mapping[str, Any]) -> str | None:
    """The line for a record; None where there is nothing to tell."""
    kind, state = record["kind"], record.get("state")
    if state == "suppressed":
        text = REASONS.get(str(record.get("reason"))) if kind in ("transition", "decision") else None
    else:
        text = KINDS.get(kind) or ENDS.get((kind, str(state)))
    return None if text is None else text.format_map(_Shown(record))


class _Shown(dict[str, Any]):
    """A record of a version that has less says `?`; lists are told one after the other."""

    def __getitem__(self, key: str) -> Any:
        value = super().__getitem__(key)
        return ", ".join(map(str, value)) or "none" if isinstance(value, list) else value

    def __missing__(self, key: str) -> str:
        return "?"
