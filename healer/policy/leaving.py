"""Gates that hold what is better left alone for now: it may resolve by itself, people said so, another alert explains it."""

from __future__ import annotations

from healer import model
from healer.policy import answers, calendar, labels, reasons
from healer.policy.candidate import Candidate, View


def settle(candidate: Candidate, view: View, now_us: int) -> answers.Answer:
    """Gate 5: whether it resolves by itself is waited for; one that fires and resolves too often is a person's."""
    limits = candidate.limits
    latest_us = max((at for one in view.opened_us for at in one), default=None)
    saw: answers.Saw = {"settle_ms": answers.ms(limits.settle_s), "openings": max(map(len, view.opened_us), default=0)}
    if not candidate.lifecycle or latest_us is None:
        return saw, []
    settled_us = latest_us + round((limits.settle_s or 0.0) * answers.US)
    if now_us < settled_us:
        left = reasons.span((settled_us - now_us) / answers.US)
        return saw, [answers.No("settling", {"left": left}, look_at_us=settled_us)]
    noes = []
    for one in () if view.approved else limits.flapping:
        within_us = round(one.within_s * answers.US)
        count = max(sum(now_us - at < within_us for at in openings) for openings in view.opened_us)
        if count >= one.cycles:
            fields = {"n": count, "window": reasons.span(one.within_s)}
            noes.append(answers.No("flapping", fields, look_at_us=answers.expires_us(candidate, now_us)))
    return saw, noes


def silence(candidate: Candidate, view: View, now_us: int) -> answers.Answer:
    """Gate 6: a silence covers it; it is outside the windows in which it may run. Both go by the wall clock."""
    words = _words(candidate)
    covering = [one for one in view.silences if labels.all_match(one.matchers, candidate.labels, words)]
    saw: answers.Saw = {"silences": [one.id for one in covering], "windows": len(candidate.limits.windows)}
    noes = []
    if covering:
        last = max(covering, key=lambda one: one.until_us)
        fields = {"id": last.id, "who": last.who, "until": answers.when(last.until_us), "comment": last.comment}
        noes.append(answers.No("silenced", fields, look_at_us=now_us + max(0, last.until_us - view.wall_us)))
    for windows in candidate.limits.windows:
        if not calendar.is_open(windows, view.wall_us):
            opens_us = calendar.next_open_us(windows, view.wall_us)
            if opens_us is None:
                noes.append(answers.No("outside_window", {"far": True}))
            else:
                fields = {"next": answers.when(opens_us)}
                noes.append(answers.No("outside_window", fields, now_us + opens_us - view.wall_us))
    return saw, noes


def inhibition(candidate: Candidate, view: View, now_us: int) -> answers.Answer:
    """Gate 7: another alert that fires explains this one."""
    saw: answers.Saw = {"by": list(view.inhibited_by)}
    return saw, [answers.No("inhibited", {"alert": view.inhibited_by[0]})] if view.inhibited_by else []


def _words(candidate: Candidate) -> dict[str, tuple[str, ...]]:
    """What matchers may say of the run itself: a target by its whole name or without its kind."""
    names = [name for target in candidate.targets for name in (target, target.partition(":")[2])]
    activation, ruleset, rule = candidate.names or model.rule_names(candidate.rule)
    return {
        "rule": (candidate.rule, rule), "ruleset": (f"{activation}/{ruleset}", ruleset),
        "action": (candidate.action,), "controller": (candidate.controller,), "target": tuple(names),
        "environment": (candidate.environment,),
    }  # fmt: skip
