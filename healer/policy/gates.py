"""The gates, one function each: (candidate, view, now) → what it saw, and a no or nothing.

A gate never looks at a clock or a row; it says no by giving a `No`. Those of what is better left alone are in `leaving`, the brakes
in `braking`. Its result also stands in the explanation when it says
yes, with the values that it saw. To add a gate: write the function, put it into `ORDER`, give its codes to `reasons`.
"""

from __future__ import annotations

from typing import Final

from healer import model
from healer.policy import answers, braking, leaving, reasons, states
from healer.policy.candidate import Candidate, View
from healer.policy.limits import Approval

THE_DAEMON: Final = "the daemon"
"""Whose places are for all runs."""


def kill_switch(candidate: Candidate, view: View, now_us: int) -> answers.Answer:
    """Gate 1: something that covers it is paused; the rule is switched off, or not in the rulebooks any more, or another one than then."""
    saw: answers.Saw = {"enabled": candidate.enabled, "paused": dict(view.paused) if view.paused else None}
    if candidate.forced and (candidate.past_pause or view.paused is None):
        return saw, []
    if view.paused is not None:
        return saw, [answers.No("paused", view.paused)]
    noes = _problems(candidate, "kill switch") + ([] if candidate.enabled else [answers.No("disabled", {})])
    if candidate.changed:
        saw |= {"changed": candidate.changed, "approved": view.approved}
        waits = _is_before_its_turn(candidate, view, now_us) or _ends_anyway(candidate, view, now_us)
        if not (noes or view.approved or waits):
            fields = {"scope": candidate.changed}
            noes = [answers.No("rule_changed", fields, look_at_us=answers.expires_us(candidate, now_us))]
    return saw, noes


def age(candidate: Candidate, view: View, now_us: int) -> answers.Answer:
    """Gate 2: the event was too old when first decided, or it has waited too long for a gate."""
    limits = candidate.limits
    if view.deferred_us is not None:
        since_us = max(view.deferred_us, view.last_word_us or 0)  # a sender that says it again wants it still
        waited_s = (now_us - since_us) / answers.US
        saw: answers.Saw = {"waited_ms": answers.ms(waited_s), "defer_for_ms": answers.ms(limits.defer_for_s)}
        if limits.defer_for_s is not None and waited_s > limits.defer_for_s:
            fields = {
                "age": reasons.span(waited_s),
                "max_age": reasons.span(limits.defer_for_s),
                "waited": True,
                "gate": _waited_for(view.reason),
            }
            return saw, [answers.No("stale", fields)]
        return saw, []
    old_s = max(0.0, (now_us - candidate.event_us) / answers.US)
    saw = {"age_ms": answers.ms(old_s), "max_age_ms": answers.ms(limits.max_age_s)}
    if limits.max_age_s is not None and old_s > limits.max_age_s and view.last_word_us is None:
        return saw, [answers.No("stale", {"age": reasons.span(old_s), "max_age": reasons.span(limits.max_age_s)})]
    return saw, []


def once(candidate: Candidate, view: View, now_us: int) -> answers.Answer:
    """Gate 3: a run of this rule for this firing exists and has not failed, or its escalation is at work; its attempts are used up."""
    limit = candidate.limits.attempts
    saw: answers.Saw = {"state": view.state, "attempts": view.attempts_made, "limit": limit}
    if view.state is None:
        return saw, []
    repeat = states.ON_REPEAT[view.state]
    inert = view.state == "simulated" and (candidate.mode == "observe" or candidate.dry_run)
    if repeat == "duplicate" or inert:
        simulated = {"simulated": True} if inert else {}
        return saw, [answers.No("duplicate", {"run": candidate.run, "state": view.state} | simulated)]
    if view.instead is not None:
        saw["instead"] = view.instead[1]
        return saw, [answers.No("duplicate", {"run": view.instead[0], "state": view.instead[1]})]
    if limit is not None and view.attempts_made >= limit:
        return saw, [answers.No("attempts", {"made": view.attempts_made, "limit": limit})]
    return saw, []


def resolved(candidate: Candidate, view: View, now_us: int) -> answers.Answer:
    """Gate 4: all alerts that fired in the match have been resolved since."""
    saw: answers.Saw = {"lifecycle": candidate.lifecycle, "resolved": view.resolved_us is not None}
    if candidate.lifecycle and view.resolved_us is not None:
        return saw, [answers.No("resolved", {"age": reasons.span(max(0, now_us - view.resolved_us) / answers.US)})]
    return saw, []


def validity(candidate: Candidate, view: View, now_us: int) -> answers.Answer:
    """Gate 8: action, parameters, controller and each target are known, allowed and valid."""
    saw: answers.Saw = {"problems": len(candidate.problems), "targets": list(candidate.targets)}
    return saw, _problems(candidate, "validity")


def cooldown(candidate: Candidate, view: View, now_us: int) -> answers.Answer:
    """Gate 9: the action ended on the target less than `cooldown` ago. At exactly the cooldown's end it passes."""
    limit_s = candidate.limits.cooldown_s
    ended_ms_ago = {
        target: answers.ms((now_us - end_us) / answers.US) for target, (end_us, _) in sorted(view.last_ended.items())
    }
    saw: answers.Saw = {"cooldown_ms": answers.ms(limit_s), "ended_ms_ago": ended_ms_ago}
    if not limit_s:
        return saw, []
    noes = []
    for target in candidate.targets:
        end_us, run = view.last_ended.get(target, (None, ""))
        if end_us is None:
            continue
        again_us = end_us + round(limit_s * answers.US)
        if now_us < again_us:
            ago, left = reasons.span((now_us - end_us) / answers.US), reasons.span((again_us - now_us) / answers.US)
            fields = {"action": candidate.action, "target": target, "ago": ago, "left": left, "run": run}
            noes.append(answers.No("cooldown", fields, look_at_us=again_us, target=target))
    return saw, noes


def chain(candidate: Candidate, view: View, now_us: int) -> answers.Answer:
    """Gate 14: the step before it has not ended, or not as it must; effects that cause events that cause effects, too deep.

    A catalog action goes on only after success. One of ansible-rulebook's goes on after a failure too, as it did there, but not
    after a gate's no.
    """
    limit = candidate.limits.chain_depth
    saw: answers.Saw = {"depth": candidate.depth, "limit": limit}
    if limit is not None and candidate.depth > limit:
        return saw, [answers.No("chain_depth", {"depth": candidate.depth, "limit": limit})]
    if not candidate.after:
        return saw, []
    saw |= {"after": candidate.after, "before": view.before}
    fields = {"run": candidate.after, "state": view.before}
    if view.before is not None and view.before not in model.ENDED_STATES:
        return saw, [answers.No("chain", fields | {"waits": True}, waits=True)]
    if candidate.rung:
        return saw, _rung(candidate, view, now_us)
    passes = view.before == "succeeded" or (candidate.upstream and view.before in ("failed", "timed_out"))
    if view.before == "simulated":
        passes = candidate.dry_run or candidate.mode == "observe"  # what only looked has healed nothing to go on from
    return saw, [] if passes else [answers.No("chain", fields)]


def _ends_anyway(candidate: Candidate, view: View, now_us: int) -> bool:
    """Whether one of the gates behind ends the whole run, so that there is nothing to ask a person about."""
    passes_few = candidate.upstream and not candidate.limits.selected
    ends = (validity,) if passes_few else (age, resolved, validity)
    return any(no.target not in candidate.targets for gate in ends for no in gate(candidate, view, now_us)[1])


def _is_before_its_turn(candidate: Candidate, view: View, now_us: int) -> bool:
    """Whether the step before it is to end first, or its time as a rung to come: the gate chain holds it until then."""
    waits = view.before is not None and view.before not in model.ENDED_STATES
    return bool(candidate.after) and (waits or (candidate.rung > 0 and now_us < candidate.not_before_us))


def _rung(candidate: Candidate, view: View, now_us: int) -> list[answers.No]:
    """What escalates goes on where the run before it did not help, or where nobody approved that; and not before its time."""
    fields = {"run": candidate.after, "state": view.before}
    if view.before not in ("failed", "timed_out", "expired"):
        return [answers.No("not_needed", fields)]
    if now_us < candidate.not_before_us:
        left = reasons.span((candidate.not_before_us - now_us) / answers.US)
        return [answers.No("escalation", fields | {"left": left}, look_at_us=candidate.not_before_us)]
    return []


def lock(candidate: Candidate, view: View, now_us: int) -> answers.Answer:
    """Gate 15: somebody works on a target; another is first in its lane; the places of the controller or the daemon are taken."""
    limits = candidate.limits
    saw: answers.Saw = {
        "locked": {
            target: run
            for target, run in sorted(view.locked_by.items())
            if run != candidate.run and target in candidate.targets
        },
        "running": view.running_daemon,
        "running_controller": view.running_controller,
    }
    if candidate.lane:
        saw["lane"] = {"name": candidate.lane, "held_by": view.lane_held_by}
    noes = []
    if limits.lock_targets:
        noes = [answers.No("target_busy", {"run": run, "target": target}) for target, run in saw["locked"].items()]
    if view.lane_held_by:
        noes.append(answers.No("lane_busy", {"run": view.lane_held_by, **_lane(candidate.lane)}))
    if candidate.forced:
        return saw, noes
    for used, limit, place in (
        (view.running_daemon, limits.concurrency_daemon, THE_DAEMON),
        (view.running_controller, limits.concurrency_controller, candidate.controller),
    ):
        if limit is not None and used >= limit:
            noes.append(answers.No("concurrency", {"used": used, "limit": limit, "place": place}))
    for budget, limit in limits.places:
        if (used := view.places.get(budget, 0)) >= limit:
            noes.append(
                answers.No("concurrency", {"used": used, "limit": limit, "place": answers.budget_in_words(budget)})
            )
    for ramp in view.ramps:
        if ramp.running >= ramp.limit:
            noes.append(
                answers.No(
                    "concurrency", {"used": ramp.running, "limit": ramp.limit, "place": ramp_in_words(ramp.what)}
                )
            )
    return saw, noes


def ramp_in_words(what: str) -> str:
    """The places of a ramp."""
    return f"the ramp after {what}"


def approval(candidate: Candidate, view: View, now_us: int) -> answers.Answer:
    """Gate 16: a person has to say yes to exactly this, and has not; or too long nobody has said that it is needed."""
    wanted = candidate.limits.approvals
    saw: answers.Saw = {"wanted": len(wanted), "approved": view.approved}
    if view.void:
        return saw, [answers.No("not_retried" if view.begun else "approval_void", {})]
    if view.approved:
        return saw, []
    if not wanted:
        return saw, _fresh_sign(candidate, view, now_us, saw)
    need = min(one.approve for one in wanted[0].thresholds)
    who = _names(wanted[0]) + "".join(
        f" and {min(one.approve for one in more.thresholds)} of {_names(more)}" for more in wanted[1:]
    )
    expires_us = answers.expires_us(candidate, now_us)
    until = "a person decides" if expires_us is None else answers.when(expires_us - now_us + view.wall_us)
    return saw, [answers.No("needs_approval", {"k": need, "who": who, "until": until}, look_at_us=expires_us)]


def _names(asked: Approval) -> str:
    return " or ".join(dict.fromkeys(one.name for one in asked.thresholds))


def _fresh_sign(candidate: Candidate, view: View, now_us: int, saw: answers.Saw) -> list[answers.No]:
    """An effect later than `max_age` after the last word needs a fresh sign: its check is asked, and where that cannot tell a person."""
    limit_s = candidate.limits.max_age_s
    if limit_s is None or view.last_word_us is None:
        return []
    old_s = max(0, now_us - view.last_word_us) / answers.US
    saw |= {"last_word_ms": answers.ms(old_s), "max_age_ms": answers.ms(limit_s)}
    if old_s <= limit_s:
        return []
    fields = {"age": reasons.span(old_s), "max_age": reasons.span(limit_s)}
    if candidate.check and not view.check_untold:
        return [answers.No("no_fresh_sign", fields | {"check": candidate.check}, waits=True)]
    return [answers.No("no_fresh_sign", fields, look_at_us=answers.expires_us(candidate, now_us))]


def _lane(lane: str) -> dict[str, str]:
    """A lane in words."""
    kind, _, name = lane.partition(":")
    return {"lane": f"the lock {name}" if kind == "lock" else f"{name}, whose actions run one after the other"}


def mode(candidate: Candidate, view: View, now_us: int) -> answers.Answer:
    """Gate 17: the daemon only observes; the request is a dry run."""
    saw: answers.Saw = {"mode": candidate.mode, "dry_run": candidate.dry_run}
    if candidate.dry_run:
        return saw, [answers.No("dry_run", {})]
    return saw, [answers.No("observe", {})] if candidate.mode == "observe" else []


def _problems(candidate: Candidate, gate: str) -> list[answers.No]:
    """What is not valid, as far as it is for a gate to say: that of its reason."""
    found = [problem for problem in candidate.problems if reasons.REASONS[problem.code].gate == gate]
    return [answers.No(problem.code, problem.fields, target=problem.target) for problem in found]


def _waited_for(reason: str) -> str:
    """What a run waited for at last, in words. Without a reason it was let go on, and had not come up yet."""
    known = reasons.REASONS.get(reason)
    return f"the gate {known.gate if known else reason}" if reason else "its turn"


ORDER: Final[tuple[tuple[str, answers.Gate], ...]] = (
    ("kill switch", kill_switch),
    ("age", age),
    ("once", once),
    ("resolved", resolved),
    ("settle", leaving.settle),
    ("silence", leaving.silence),
    ("inhibition", leaving.inhibition),
    ("validity", validity),
    ("cooldown", cooldown),
    ("rate", braking.rate),
    ("breaker", braking.breaker),
    ("blast radius", braking.blast_radius),
    ("storm", braking.storm),
    ("chain", chain),
    ("lock", lock),
    ("approval", approval),
    ("mode", mode),
)

UPSTREAM: Final = frozenset({"kill switch", "once", "validity", "storm", "chain", "lock", "mode"})
"""The gates that ansible-rulebook's own actions pass: they act as they acted. `once` so that a replayed row never acts twice,
`validity` since a playbook that is not there cannot run."""

UNBROKEN: Final = frozenset({"kill switch", "resolved", "validity", "lock", "mode"})
"""What holds also for a run that a person has started past its gates (break-glass): of the kill switch a pause that came later, of the lock
only its targets and lane. Where the alert is resolved there is nothing to heal any more; a daemon that observes has no effect, whoever
asks."""

RECHECKED: Final = frozenset(name for name, _ in ORDER) - {"once"}
"""Looked at again just before the effect; `once` is about whether the run may exist."""
