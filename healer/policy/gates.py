"""The gates, one function each: (candidate, view, now) → what it saw, and a no or nothing.

A gate never looks at a clock or a row; it says no by giving a `No`. Its result also stands in the explanation when it says
yes, with the values that it saw. To add a gate: write the function, put it into `ORDER`, give its codes to `reasons`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

from healer import model
from healer.policy import reasons, states
from healer.policy.candidate import Candidate, View

US: Final = 1_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class No:
    """A gate's no. `look_at_us`: the earliest moment at which it can pass; None: an act ends it. `target`: only that one.
    `waits`: it is no no for good: the run is deferred, whatever the code's outcome is."""

    code: str
    fields: Mapping[str, Any]
    look_at_us: int | None = None
    target: str = ""
    waits: bool = False


Saw = dict[str, Any]
Answer = tuple[Saw, list[No]]
Gate = Callable[[Candidate, View, int], Answer]


def kill_switch(candidate: Candidate, view: View, now_us: int) -> Answer:
    """Gate 1: something that covers it is paused; the rule is switched off, or not in the rulebooks any more."""
    saw: Saw = {"enabled": candidate.enabled, "paused": dict(view.paused) if view.paused else None}
    if view.paused is not None:
        return saw, [No("paused", view.paused)]
    return saw, _problems(candidate, "kill switch") + ([] if candidate.enabled else [No("disabled", {})])


def age(candidate: Candidate, view: View, now_us: int) -> Answer:
    """Gate 2: the event was too old when first decided (or when its turn came), or it has waited too long for a gate."""
    limits = candidate.limits
    if view.deferred_us is not None:
        waited_s = (now_us - view.deferred_us) / US
        saw: Saw = {"waited_ms": _ms(waited_s), "defer_for_ms": _ms(limits.defer_for_s)}
        if limits.defer_for_s is not None and waited_s > limits.defer_for_s:
            fields = {
                "age": reasons.span(waited_s),
                "max_age": reasons.span(limits.defer_for_s),
                "waited": True,
                "gate": _waited_for(view.reason),
            }
            return saw, [No("stale", fields)]
        return saw, []
    old_s = max(0.0, (now_us - candidate.event_us) / US)
    saw = {"age_ms": _ms(old_s), "max_age_ms": _ms(limits.max_age_s)}
    if limits.max_age_s is not None and old_s > limits.max_age_s:
        return saw, [No("stale", {"age": reasons.span(old_s), "max_age": reasons.span(limits.max_age_s)})]
    return saw, []


def once(candidate: Candidate, view: View, now_us: int) -> Answer:
    """Gate 3: a run of this rule for this firing exists and has not failed; its attempts are used up."""
    limit = candidate.limits.attempts
    saw: Saw = {"state": view.state, "attempts": view.attempts_made, "limit": limit}
    if view.state is None:
        return saw, []
    repeat = states.ON_REPEAT[view.state]
    inert = view.state == "simulated" and (candidate.mode == "observe" or candidate.dry_run)
    if repeat == "duplicate" or inert:
        simulated = {"simulated": True} if inert else {}
        return saw, [No("duplicate", {"run": candidate.run, "state": view.state} | simulated)]
    if limit is not None and view.attempts_made >= limit:
        return saw, [No("attempts", {"made": view.attempts_made, "limit": limit})]
    return saw, []


def resolved(candidate: Candidate, view: View, now_us: int) -> Answer:
    """Gate 4: all alerts that fired in the match have been resolved since."""
    saw: Saw = {"lifecycle": candidate.lifecycle, "resolved": view.resolved_us is not None}
    if candidate.lifecycle and view.resolved_us is not None:
        return saw, [No("resolved", {"age": reasons.span(max(0, now_us - view.resolved_us) / US)})]
    return saw, []


def validity(candidate: Candidate, view: View, now_us: int) -> Answer:
    """Gate 8: action, parameters, controller and each target are known, allowed and valid."""
    saw: Saw = {"problems": len(candidate.problems), "targets": list(candidate.targets)}
    return saw, _problems(candidate, "validity")


def cooldown(candidate: Candidate, view: View, now_us: int) -> Answer:
    """Gate 9: the action ended on the target less than `cooldown` ago. At exactly the cooldown's end it passes."""
    limit_s = candidate.limits.cooldown_s
    ended_ms_ago = {target: _ms((now_us - end_us) / US) for target, (end_us, _) in sorted(view.last_ended.items())}
    saw: Saw = {"cooldown_ms": _ms(limit_s), "ended_ms_ago": ended_ms_ago}
    if not limit_s:
        return saw, []
    noes = []
    for target in candidate.targets:
        end_us, run = view.last_ended.get(target, (None, ""))
        if end_us is None:
            continue
        again_us = end_us + round(limit_s * US)
        if now_us < again_us:
            ago, left = reasons.span((now_us - end_us) / US), reasons.span((again_us - now_us) / US)
            fields = {"action": candidate.action, "target": target, "ago": ago, "left": left, "run": run}
            noes.append(No("cooldown", fields, look_at_us=again_us, target=target))
    return saw, noes


def chain(candidate: Candidate, view: View, now_us: int) -> Answer:
    """Gate 14: the step before it has not ended, or not as it must; effects that cause events that cause effects, too deep.

    A catalog action goes on only after success. One of ansible-rulebook's goes on after a failure too, as it did there, but not
    after a gate's no.
    """
    limit = candidate.limits.chain_depth
    saw: Saw = {"depth": candidate.depth, "limit": limit}
    if limit is not None and candidate.depth > limit:
        return saw, [No("chain_depth", {"depth": candidate.depth, "limit": limit})]
    if not candidate.after:
        return saw, []
    saw |= {"after": candidate.after, "before": view.before}
    fields = {"run": candidate.after, "state": view.before}
    if view.before is not None and view.before not in model.ENDED_STATES:
        return saw, [No("chain", fields | {"waits": True}, waits=True)]
    passes = view.before == "succeeded" or (candidate.upstream and view.before in ("failed", "timed_out"))
    if view.before == "simulated":
        passes = candidate.dry_run or candidate.mode == "observe"  # what only looked has healed nothing to go on from
    return saw, [] if passes else [No("chain", fields)]


def lock(candidate: Candidate, view: View, now_us: int) -> Answer:
    """Gate 15: somebody works on a target; another is first in its lane; the places of the controller or the daemon are taken."""
    limits = candidate.limits
    saw: Saw = {
        "locked": {target: run for target, run in sorted(view.locked_by.items()) if run != candidate.run},
        "running": view.running_daemon,
        "running_controller": view.running_controller,
    }
    if candidate.lane:
        saw["lane"] = {"name": candidate.lane, "held_by": view.lane_held_by}
    noes = []
    if limits.lock_targets:
        noes = [No("target_busy", {"run": run, "target": target}) for target, run in saw["locked"].items()]
    if view.lane_held_by:
        noes.append(No("lane_busy", {"run": view.lane_held_by, **_lane(candidate.lane)}))
    for used, limit, place in (
        (view.running_daemon, limits.concurrency_daemon, "the daemon"),
        (view.running_controller, limits.concurrency_controller, candidate.controller),
    ):
        if limit is not None and used >= limit:
            noes.append(No("concurrency", {"used": used, "limit": limit, "place": place}))
    for scope, limit in limits.places:
        used = sum(
            count
            for rule, count in view.running_by_rule.items()
            if rule == scope or (scope[-1] == "/" and rule.startswith(scope))
        )
        if used >= limit:
            noes.append(
                No("concurrency", {"used": used, "limit": limit, "place": f"the policy of {scope.rstrip('/')}"})
            )
    return saw, noes


def _lane(lane: str) -> dict[str, str]:
    """A lane in words."""
    kind, _, name = lane.partition(":")
    return {"lane": f"the lock {name}" if kind == "lock" else f"{name}, whose actions run one after the other"}


def mode(candidate: Candidate, view: View, now_us: int) -> Answer:
    """Gate 17: the daemon only observes; the request is a dry run."""
    saw: Saw = {"mode": candidate.mode, "dry_run": candidate.dry_run}
    if candidate.dry_run:
        return saw, [No("dry_run", {})]
    return saw, [No("observe", {})] if candidate.mode == "observe" else []


def _problems(candidate: Candidate, gate: str) -> list[No]:
    """What is not valid, as far as it is for a gate to say: that of its reason."""
    found = [problem for problem in candidate.problems if reasons.REASONS[problem.code].gate == gate]
    return [No(problem.code, problem.fields, target=problem.target) for problem in found]


def _waited_for(reason: str) -> str:
    """What a run waited for at last, in words. Without a reason it was let go on, and had not come up yet."""
    known = reasons.REASONS.get(reason)
    return f"the gate {known.gate if known else reason}" if reason else "its turn"


def _ms(seconds: float | None) -> int | None:
    """Whole milliseconds: an explanation has no floats, so that its audit record is canonical."""
    return None if seconds is None else round(seconds * 1000)


ORDER: Final[tuple[tuple[str, Gate], ...]] = (
    ("kill switch", kill_switch),
    ("age", age),
    ("once", once),
    ("resolved", resolved),
    ("validity", validity),
    ("cooldown", cooldown),
    ("chain", chain),
    ("lock", lock),
    ("mode", mode),
)

UPSTREAM: Final = frozenset({"kill switch", "once", "validity", "chain", "lock", "mode"})
"""The gates that ansible-rulebook's own actions pass: they act as they acted. `once` so that a replayed row never acts twice,
`validity` since a playbook that is not there cannot run."""

RECHECKED: Final = frozenset({"kill switch", "age", "resolved", "validity", "cooldown", "chain", "lock", "mode"})
"""Looked at again just before the effect; `once` is about whether the run may exist."""
