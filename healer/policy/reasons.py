"""The reason codes: for each its gate, the outcome, the sentence and the next step. Log, API, metrics, audit and page use these.

A sentence's braces are filled from the verdict's fields; what is missing shows as `?`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from healer import model


@dataclasses.dataclass(frozen=True, slots=True)
class Reason:
    """One way in which a gate says no. `outcome` is the state the run goes to; empty: it waits where it is."""

    code: str
    gate: str
    outcome: model.RunState | None
    sentence: str
    next_step: str = ""


_ALL: Final = (
    Reason(
        "paused",
        "kill switch",
        "deferred",
        "Paused by {who} since {since}: {reason}.",
        "remove the file PAUSE from the data directory",
    ),
    Reason("disabled", "kill switch", "suppressed", "The rule is switched off (enabled: false)."),
    Reason(
        "rule_changed",
        "kill switch",
        "awaiting_approval",
        "Decided before {scope} was changed; the rule of today may not want it.",
        "healer approvals",
    ),
    Reason(
        "stale",
        "age",
        "suppressed",
        "The event was {age} old when it was decided; limit {max_age}.",
        "raise max_age:",
    ),
    Reason(
        "duplicate",
        "once",
        "suppressed",
        "Already being healed by {run} in this firing ({state}).",
        "healer explain {run}",
    ),
    Reason(
        "attempts", "once", "suppressed", "Tried {made} times in this firing; limit {limit}.", "healer runs --failed"
    ),
    Reason("resolved", "resolved", "withdrawn", "Resolved by itself {age} before the action."),
    Reason("settling", "settle", "deferred", "Waiting {left} to see whether it resolves by itself.", "settle:"),
    Reason("flapping", "settle", "awaiting_approval", "Fired and resolved {n} times in {window}.", "healer approvals"),
    Reason("silenced", "silence", "deferred", "Silenced by {who} until {until}: {comment}.", "healer silence end {id}"),
    Reason("outside_window", "silence", "deferred", "Not allowed now; next window {next}.", "windows:"),
    Reason("inhibited", "inhibition", "deferred", "Explained by {alert}, which is firing."),
    Reason("unknown_action", "validity", "refused", "No action is named {action}. {nearest}", "healer validate"),
    Reason(
        "unknown_target",
        "validity",
        "refused",
        "No target {target} in {inventory}. {nearest}",
        "add it to the inventory, or mend the alert's target",
    ),
    Reason(
        "invalid_parameters",
        "validity",
        "refused",
        "The parameters of {action} are wrong: {detail}",
        "mend what the rule or its event gives to the action",
    ),
    Reason(
        "alerts_full",
        "validity",
        "refused",
        "{limit} alerts are open already, so this one is not followed and nothing is done for it.",
        "raise alerts_max:",
    ),
    Reason(
        "controller_forbidden",
        "validity",
        "refused",
        "{controller} may not do this: {detail}",
        "healer controllers list",
    ),
    Reason("cooldown", "cooldown", "deferred", "{action} ran on {target} {ago} ago; again after {left}.", "cooldown:"),
    Reason("rate_limited", "rate", "deferred", "{n} of {limit} runs in {window} used ({budget}).", "rate_limit:"),
    Reason(
        "breaker_open",
        "breaker",
        "deferred",
        "{action} on {controller} stopped after {n} failures in {window}; one trial in {left}.",
        "healer breakers",
    ),
    Reason(
        "blast_radius",
        "blast radius",
        "awaiting_approval",
        "{n} of {group} already touched in {window}, and this would add {more}; limit {limit}.",
        "healer approvals",
    ),
    Reason(
        "storm", "storm", "deferred", "{n} matches in {window}; no new runs until calm for {calm}.", "healer status"
    ),
    Reason("chain", "chain", "suppressed", "The step before it ({run}) did not succeed.", "healer explain {run}"),
    Reason("escalation", "chain", "deferred", "Tried in {left}, unless {run} helps after all.", "healer explain {run}"),
    Reason("not_needed", "chain", "withdrawn", "It was to follow on a failure of {run}, which is {state}."),
    Reason("chain_depth", "chain", "refused", "Depth {depth}: this rule is fed by its own effect; limit {limit}."),
    Reason("target_busy", "lock", None, "{run} is working on {target}.", "healer locks"),
    Reason("lane_busy", "lock", None, "{run} is before it in {lane}.", "healer runs show {run}"),
    Reason("concurrency", "lock", None, "{used} of {limit} places of {place} taken."),
    Reason(
        "needs_approval", "approval", "awaiting_approval", "Waiting for {k} of {who} until {until}.", "healer approvals"
    ),
    Reason("approval_void", "approval", "void", "What was approved is not what would run any more."),
    Reason(
        "not_retried", "approval", "failed", "It failed, and what was approved is not what a retry would run any more."
    ),
    Reason(
        "no_fresh_sign",
        "approval",
        "awaiting_approval",
        "The last word of its sender is {age} old; limit max_age {max_age}: a repeat or a person says whether it is still needed.",
        "healer approvals",
    ),
    Reason(
        "approvals_full",
        "approval",
        "deferred",
        "{n} runs wait for a person already; limit {limit}. {detail}",
        "healer approvals",
    ),
    Reason(
        "observe",
        "mode",
        "simulated",
        "Would have run; nothing was touched (mode observe).",
        "set mode: active (--mode, HEALER_MODE, file), healer reload",
    ),
    Reason("dry_run", "mode", "simulated", "Would have run; nothing was touched (dry run)."),
)

REASONS: Final[dict[str, Reason]] = {reason.code: reason for reason in _ALL}


CHOSEN: Final = {
    "override": "chosen by {who} in the place of its own", "rule": "as the rule says", "action": "as the action says",
    "default": "the default one", "kind": "the first that can run it",
}  # fmt: skip
"""What chose the controller of a run."""


def chosen(told: Mapping[str, Any]) -> str:
    """What chose its controller, of a run's explanation; '' where that was not written down."""
    found = told.get("chosen")
    if not isinstance(found, Mapping) or found.get("by") not in CHOSEN:
        return ""
    return CHOSEN[found["by"]].format(who=found.get("who") or "?")


class _Shown(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


@dataclasses.dataclass(frozen=True, slots=True)
class Other:
    """What is said instead where the fields have a value of this name. `next_step` None: that of the reason."""

    field: str
    sentence: str
    next_step: str | None = None


OTHERS: Final = {
    "paused": Other("resume", "Paused by {who} since {since}: {reason}.", "{resume}"),
    "duplicate": Other("simulated", "Already simulated by {run} in this firing."),
    "disabled": Other("gone", "The rule {rule} is not in the rulebooks any more."),
    "stale": Other("waited", "It waited {age}, in the end for {gate}; limit defer_for {max_age}.", "raise defer_for:"),
    "outside_window": Other("far", "Not allowed now, and no window opens within a year."),
    "unknown_target": Other("why", "No target: {why}.", "{step}"),
    "breaker_open": Other(
        "trial", "{action} on {controller} stopped after {n} failures in {window}; {trial} is its trial."
    ),
    "chain": Other("waits", "Waits for the step before it ({run}) to end."),
    "resolved": Other("check", "{check} found nothing to heal any more."),
    "no_fresh_sign": Other(
        "check",
        "The last word of its sender is {age} old; limit max_age {max_age}: {check} looks whether it is still needed.",
        "reconcile:",
    ),
    "observe": Other("why", "Nothing was touched (mode observe), and active it would {end}: {why}"),
    "dry_run": Other("why", "Nothing was touched (dry run), and it would {end}: {why}"),
}
"""`waits`: it is a no that may end by itself; `why` of a target: the name means something, but no host that can be taken, of a simulated
run: a gate would have held it, and `end` is what had come of it."""
NOT_RUN: Final = "not have run"


def sentence(code: str, fields: Mapping[str, Any]) -> str:
    """The sentence of a code, filled in; the bare code for one that this version does not know."""
    reason, other = REASONS.get(code), _other(code, fields)
    if reason is None:
        return code
    return (other.sentence if other else reason.sentence).format_map(_Shown({"end": NOT_RUN, **fields})).strip()


def next_step(code: str, fields: Mapping[str, Any]) -> str:
    """What a person may do about it, or an empty string."""
    reason, other = REASONS.get(code), _other(code, fields)
    if reason is None:
        return ""
    step = reason.next_step if other is None or other.next_step is None else other.next_step
    return step.format_map(_Shown(fields))


def _other(code: str, fields: Mapping[str, Any]) -> Other | None:
    other = OTHERS.get(code)
    return other if other is not None and fields.get(other.field) else None


def span(seconds: float) -> str:
    """A span for people: `0.4 s`, `12 s`, `4 min`, `3 h 5 min`, `2 d 4 h`."""
    if seconds < 1:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
