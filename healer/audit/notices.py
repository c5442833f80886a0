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
    "audit_broken": "the audit does not prove itself: {finding}; healer audit verify",
    "storm_over": "the storm is over ({peak} matches at most): what it held comes back, slowly at first",
    "delivery_refused": "{count} deliveries of {source} were refused ({code}): {detail}",
    "source_silent": "{source} was not heard of for longer than its max_quiet",
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


# --- classes --------------------------------------------------------------------------------------------------------------

NEWS: Final = {
    "needs_approval": "a run waits for a word of people",
    "failed": "a run failed, or took too long",
    "unknown": "nobody knows how a run ended",
    "not_done": "what an alert may still need is not done: refused, nobody decided in time, it would come too late, attempts are used up",
    "breaker_open": "an action failed on a controller too often",
    "storm": "too many matches came at once",
    "source_silent": "a source was not heard of for too long",
    "reload_refused": "changed files were not taken, for mistakes in them",
    "batch_refused": "deliveries were refused whose sender had proved who it is",
    "audit_broken": "the audit does not prove itself",
    "break_glass": "somebody had a run start past its gates",
    "paused": "something is paused",
    "succeeded": "a run succeeded",
    "deferred": "a run waits for a gate",
}
"""What people may be told of, by class: the words of `notifications` in healer.yaml."""
_OF_KIND: Final = {
    "approval_asked": "needs_approval", "breaker_opened": "breaker_open", "storm": "storm", "source_silent": "source_silent",
    "delivery_refused": "batch_refused", "break_glass": "break_glass", "pause": "paused",
    "audit_broken": "audit_broken",
}  # fmt: skip
_OF_STATE: Final = {
    "failed": "failed", "timed_out": "failed", "unknown": "unknown", "succeeded": "succeeded", "expired": "not_done", "void": "not_done",
    "refused": "not_done", "deferred": "deferred",
}  # fmt: skip
_OF_RUNS: Final = ("decision", "transition", "outcome")


def news(record: Mapping[str, Any]) -> str:
    """The class of what a record tells; '' where it tells nothing to be told of by itself. Of a run it is what became of it as far as the
    record knows: an attempt that failed may be followed by another."""
    kind, state = str(record["kind"]), str(record.get("state", ""))
    if kind in _OF_RUNS:
        if state == "suppressed":
            return "not_done" if record.get("reason") in REASONS else ""
        return _OF_STATE.get(state, "")
    if kind == "reload":
        return "reload_refused" if state == "refused" else ""
    return _OF_KIND.get(kind, "")
