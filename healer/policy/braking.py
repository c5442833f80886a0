"""Gates that brake: rates, breakers, the blast radius over all rules and time, the storm brake."""

from __future__ import annotations

from typing import Final

from healer.policy import answers, brakes, reasons
from healer.policy.candidate import Candidate, View

TRIAL_LOOK_US: Final = 60 * answers.US
"""While another's trial goes on, a run is looked at again after so long at the latest; the trial's end wakes it."""


def rate(candidate: Candidate, view: View, now_us: int) -> answers.Answer:
    """Gate 10: the runs of a budget within its time are used up. One that has its place already passes."""
    saw: answers.Saw = {
        "used": {one.budget: len(view.spent.get(one.budget, ())) for one in candidate.limits.rates},
        "reserved": sorted(view.reserved),
    }
    noes = []
    for one in candidate.limits.rates:
        if one.budget in view.reserved:
            continue
        within_us = round(one.within_s * answers.US)
        inside = [at for at in view.spent.get(one.budget, ()) if now_us - at < within_us]
        if len(inside) >= one.count:
            again_us = sorted(inside)[-one.count] + within_us
            fields = {
                "n": len(inside), "limit": one.count, "window": reasons.span(one.within_s),
                "budget": answers.budget_in_words(one.budget),
            }  # fmt: skip
            noes.append(answers.No("rate_limited", fields, look_at_us=again_us))
    return saw, noes


def breaker(candidate: Candidate, view: View, now_us: int) -> answers.Answer:
    """Gate 11: it failed too often; after a time one trial is let go at once, until one is seen to have helped."""
    failures, limits = view.failures, candidate.limits.breakers
    saw: answers.Saw = {"failures": len(failures.at_us), "trial": view.trial}
    noes = []
    for one in limits:
        opened_us = failures.opened_us(one)
        if opened_us is None:
            continue
        trial_us = opened_us + round(one.retry_after_s * answers.US)
        fields = {
            "n": len(failures.at_us),
            "window": reasons.span(one.within_s),
            "action": candidate.action,
            "controller": candidate.controller,
        }
        if now_us < trial_us:
            noes.append(
                answers.No(
                    "breaker_open",
                    fields | {"left": reasons.span((trial_us - now_us) / answers.US)},
                    look_at_us=trial_us,
                )
            )
        elif view.trial:
            noes.append(answers.No("breaker_open", fields | {"trial": view.trial}, look_at_us=now_us + TRIAL_LOOK_US))
    return saw, noes


def blast_radius(candidate: Candidate, view: View, now_us: int) -> answers.Answer:
    """Gate 12: more distinct targets of a group than its budget has, over all runs that share it. A person who was asked for that may let
    it pass; their word for another gate's reason does not."""
    allowed = view.approved_for == "blast_radius"
    saw: answers.Saw = {"touched": {}, "reserved": sorted(view.reserved), "approved": view.approved}
    noes: list[answers.No] = []
    for one in candidate.limits.blasts:
        wanted: dict[tuple[str, str], set[str]] = {}
        for target in candidate.targets:
            for budget, group in one.budgets(candidate.groups.get(target, ())):
                wanted.setdefault((budget, group), set()).add(target)
        for (budget, group), own in sorted(wanted.items()):
            touched = view.touched.get(budget, frozenset())
            size = candidate.sizes.get(group, 0)
            limit = one.limit(size) if group or one.count is not None else one.otherwise
            saw["touched"][budget] = {"targets": len(touched), "limit": limit, "size": size}
            if len(touched | own) > limit and own - touched and not (budget in view.reserved or allowed):
                fields = {
                    "n": len(touched), "more": len(own - touched), "group": group or "its targets",
                    "size": size, "window": reasons.span(one.within_s), "limit": limit,
                }  # fmt: skip
                noes.append(answers.No("blast_radius", fields, look_at_us=answers.expires_us(candidate, now_us)))
    return saw, noes


def storm(candidate: Candidate, view: View, now_us: int) -> answers.Answer:
    """Gate 13: there were too many matches; nothing new starts until it is calm, then it comes back 1, 2, 4 …"""
    seen, limit = view.storm, view.storm_limit
    saw: answers.Saw = {"storm": dict(brakes.shown(seen)) if seen else None}
    if seen is None or limit is None or now_us >= seen.calm_us(limit):
        return saw, []
    fields = {"n": seen.peak, "window": reasons.span(limit.within_s), "calm": reasons.span(limit.calm_s)}
    return saw, [answers.No("storm", fields, look_at_us=seen.calm_us(limit))]
