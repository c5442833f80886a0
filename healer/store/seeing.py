"""What the gates are shown: the rows of now, read in the transaction that asks them, so that two can never both pass the last place.

Callers: `asking` (T2), `claiming` (T3), `people`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from healer import model, policy
from healer.policy import brakes, gates, labels
from healer.store import budgets, candidates, scopes
from healer.store.transaction import Transaction, loads, placeholders

Alert = tuple[str, str, int, bool]
"""(source, key, cycle, whether it fired) of a run's alert."""

_LAST_TURN: Final = 1 << 62
_US: Final = 1_000_000
HELD: Final = ("deferred", "awaiting_approval")
"""States in which a gate holds a run."""
WAITING: Final = (*HELD, "queued")


def view_of(
    tx: Transaction, candidate: policy.Candidate, standing: policy.Standing, held: Any, alerts: Iterable[Alert] | None = None
) -> policy.View:  # fmt: skip
    """Read what the gates look at. `held` is (state, reason, deferred since) of the run, or None; `alerts`: those of a new one."""
    run, asked = candidate.run, candidate.limits
    state = held[0] if held is not None else None
    running = dict(tx.all("running_by_controller"))
    wall_us = tx.now_us + standing.wall_offset_us
    own = list(alerts) if alerts is not None else [(*one, True) for one in tx.all("run_alerts_firing", run)]
    failures = _failures(tx, candidate) if asked.breakers else brakes.Failures()
    approved, void = candidates.approved(tx, candidate, standing) if state in WAITING else ("", False)
    return policy.View(
        paused=standing.paused or paused(tx, candidate),
        state=state,
        reason=held[1] if held is not None else "",
        attempts_made=tx.one("attempts_made", run)[0] if held is not None else 0,
        resolved_us=resolved_us(tx, run, candidate.lifecycle),
        deferred_us=held[2] if state in WAITING else None,
        last_ended=_last_ended(tx, candidate, state),
        locked_by=_locked_by(tx, candidate.targets),
        running_daemon=sum(running.values()),
        running_controller=running.get(candidate.controller, 0),
        places={budget: tx.one("places_taken", budget)[0] for budget, _ in asked.places},
        ramps=tuple(_ramps(tx, candidate)),
        lane_held_by=_lane_held_by(tx, candidate),
        instead=None if state is None or state in WAITING else tx.one("run_instead", run),
        before=_before(tx, candidate.after),
        opened_us=_opened(tx, candidate, own),
        wall_us=wall_us,
        silences=_silences(tx, wall_us),
        inhibited_by=_inhibited_by(tx, candidate, standing.inhibitions, own),
        reserved=budgets.reserved(tx, run, state),
        spent=budgets.spent(tx, candidate),
        touched=budgets.touched(tx, candidate),
        failures=failures,
        trial=_trial(tx, candidate) if failures.is_open(asked.breakers) else "",
        storm=_storm(tx),
        storm_limit=standing.storm,
        before_people=tx.one("runs_before_people")[0] if standing.approvals_max is not None else 0,
        approvals_max=standing.approvals_max,
        approved=bool(approved),
        approved_for=approved,
        void=void,
        begun=bool(void and tx.one("attempts_failed", run)[0]),
        last_word_us=(last_word := _last_word_us(tx, candidate, state)),
        check_untold=last_word is not None and bool(candidate.check) and _is_untold(tx, run, last_word),
    )


def _last_word_us(tx: Transaction, candidate: policy.Candidate, state: Any) -> int | None:
    """The last sign that a run which waits is needed. Its alerts are asked only where its own event is too old."""
    own_us, limit_s = candidate.event_us, candidate.limits.max_age_s
    if state not in WAITING:
        return None
    if limit_s is None or tx.now_us - own_us <= limit_s * _US:
        return own_us
    heard_us = tx.one("alerts_heard", candidate.run)[0]
    return own_us if heard_us is None else max(own_us, int(heard_us))


def _is_untold(tx: Transaction, run: str, since_us: int) -> bool:
    """Whether the run's check was asked since then and could not tell. One that somebody ended says nothing, and is asked again."""
    last = tx.one("check_last", run)
    return last is not None and last[0] in ("unknown", "timed_out") and last[1] >= since_us


def resolved_us(tx: Transaction, run: str, lifecycle: bool) -> int | None:
    """When the last of the run's firing alerts closed, None while one of them still fires in that cycle."""
    if not lifecycle:
        return None
    open_, closed_us = tx.one("run_alerts_open", run)
    return None if open_ or closed_us is None else int(closed_us)


# --- breakers, storms, ramps ------------------------------------------------------------------------------------------------


def _failures(tx: Transaction, candidate: policy.Candidate) -> brakes.Failures:
    return failures_of(tx, candidate.action, candidate.controller)


def failures_of(tx: Transaction, action: str, controller: str) -> brakes.Failures:
    """How an action failed on a controller since its breaker was closed last."""
    row = tx.one("breaker_find", action, controller)
    return brakes.Failures() if row is None else brakes.Failures(tuple(loads(row[0])), row[1])


def _trial(tx: Transaction, candidate: policy.Candidate) -> str:
    row = tx.one("breaker_trial", candidate.action, candidate.controller, candidate.run)
    return "" if row is None else str(row[0])


def _storm(tx: Transaction) -> brakes.Storm | None:
    row = tx.one("storm_find")
    return None if row is None else brakes.Storm(*row)


STORM: Final = "the storm"
"""After what a ramp is that a storm began."""


def count_match(tx: Transaction, limit: brakes.StormLimit | None, at_us: int) -> None:
    """One more match that asks for an effect: of too many a storm is made."""
    if limit is None:
        return
    second = at_us // _US
    tx.run("matched_add", second)
    count = tx.one("matched_since", second - max(1, round(limit.within_s)))[0]
    if count > limit.matches:
        before = _storm(tx)
        after = brakes.storm_after(before, limit, count, at_us)
        if after is not None and after != before:
            if before is not None and after.since_us != before.since_us:
                storm_over(tx, before, before.calm_us(limit))
            tx.run("storm_put", after.since_us, after.last_us, after.peak)
            if before is None or after.since_us != before.since_us:
                tx.audit(
                    "storm", actor="daemon", matches=count, limit=limit.matches, within_ms=round(limit.within_s * 1000)
                )
            tx.run("ramp_put", "all", STORM, after.calm_us(limit))


def storm_over(tx: Transaction, seen: brakes.Storm, calm_us: int) -> None:
    """It is calm since then: the audit says so, once for each storm."""
    if tx.one("storm_untold")[0]:
        tx.audit("storm_over", actor="daemon", since_us=seen.since_us, calm_us=calm_us, peak=seen.peak)


class Calm:
    """A look whether the last storm is over by the limit of today: nothing else would say when it is."""

    weight = 1

    def __init__(self, limit: brakes.StormLimit) -> None:
        self.limit = limit

    def apply(self, tx: Transaction) -> None:
        """Note it. What comes after that is another storm, also where the settings want a longer calm by then."""
        seen = _storm(tx)
        if seen is not None and tx.now_us >= seen.calm_us(self.limit):
            storm_over(tx, seen, seen.calm_us(self.limit))
            tx.run("storm_drop")


def forget_storm(tx: Transaction) -> None:
    """Nothing counts as a storm (any more): what the last one held comes back at once."""
    if (seen := _storm(tx)) is not None:
        storm_over(tx, seen, tx.now_us)
    tx.run("storm_drop")
    tx.run("ramps_drop_after", STORM)


RAMP_MAX: Final = 64
"""Once so many have ended, everything is as it was."""
RAMP_US: Final = 3600 * _US
"""And after so long, where nothing waits any more that it covers."""


def end_ramps(tx: Transaction) -> None:
    """Ramps that have come up to everything end."""
    for scope, _, since_us in tx.all("ramps"):
        is_long = since_us + RAMP_US <= tx.now_us and not any(
            tx.rules.covers(scope, rule, controller) for _, rule, controller in tx.all("runs_queued")
        )
        if is_long or (since_us <= tx.now_us and _on_ramp(tx, scope, since_us)[1] >= RAMP_MAX):
            tx.run("ramp_drop", scope)


def ramps_called(tx: Transaction, place: str) -> list[str]:
    """The scopes of the ramps whose places a gate calls so."""
    return [scope for scope, what, _ in tx.all("ramps") if gates.ramp_in_words(what) == place]


def _on_ramp(tx: Transaction, scope: str, since_us: int) -> tuple[int, int]:
    """(attempts under way, ended) of the runs that a scope covers, of those that began after it did."""
    running = ended = 0
    for rule, controller, at_work, over in tx.all("ramp_attempts", since_us):
        if tx.rules.covers(scope, rule, controller):
            running, ended = running + at_work, ended + over
    return running, ended


def _ramps(tx: Transaction, candidate: policy.Candidate) -> Iterable[brakes.Ramp]:
    for scope, what, since_us in tx.all("ramps"):
        if since_us > tx.now_us or not _covers(tx, scope, candidate):
            continue
        yield brakes.Ramp(what, *_on_ramp(tx, scope, since_us))


# --- people's doing ---------------------------------------------------------------------------------------------------------


def _covers(tx: Transaction, scope: str, candidate: policy.Candidate) -> bool:
    """Whether a scope of a pause or ramp covers a run."""
    return scopes.covers(scope, candidate.names or tx.rules.names(candidate.rule), candidate.controller)


def paused(tx: Transaction, candidate: policy.Candidate, but: str = "") -> Mapping[str, Any] | None:
    """The pause of people that covers it, the one that lasts longest; `but`: a scope that is left out.

    It holds for as long as its row is there: who drops that lets go on what waits, slowly.
    """
    found = [row for row in tx.all("pauses") if row[0] != but and _covers(tx, row[0], candidate)]
    if not found:
        return None
    return told(*max(found, key=lambda row: row[4] or _LAST_TURN)[:5])


def told(scope: str, who: str, reason: str, since_us: int, until_us: int | None) -> dict[str, Any]:
    """A pause of people as its reason's sentence and next step take it."""
    kind, _, name = scope.partition(":")
    return {
        "scope": scope,
        "who": who,
        "since": model.iso(since_us),
        "reason": reason or "no reason given",
        "resume": f"healer resume --{kind}" + (f" {shlex.quote(name)}" if name else ""),
    } | ({} if until_us is None else {"until": model.iso(until_us)})


def _silences(tx: Transaction, wall_us: int) -> tuple[labels.Silence, ...]:
    return tuple(
        labels.Silence(one, tuple(labels.parse(text) for text in loads(matchers)), from_us, until_us, who, comment)
        for one, matchers, from_us, until_us, who, comment in tx.all("silences_now", wall_us, wall_us)
    )


def _inhibited_by(
    tx: Transaction, candidate: policy.Candidate, rules: Sequence[labels.Inhibition], own: Sequence[Alert]
) -> tuple[str, ...]:
    mine = {(source, key) for source, key, *_ in own}
    found = []
    for rule in rules:
        if mine and rule.concerns(candidate.labels):
            both = rule.explains(candidate.labels)
            rows = tx.all("inhibitors", rule.digest, rule.shared(candidate.labels))
            found += [
                name for source, key, name, text in rows
                if (source, key) not in mine and not (both and rule.concerns(loads(text)))
            ][:1]  # fmt: skip
    return tuple(found)


def _opened(tx: Transaction, candidate: policy.Candidate, own: Sequence[Alert]) -> tuple[tuple[int, ...], ...]:
    """The openings of each alert that fires, as far as a gate looks back."""
    asked = candidate.limits
    back_s = max([asked.settle_s or 0.0, *(one.within_s for one in asked.flapping)])
    if not back_s:
        return ()
    since_us = tx.now_us - round(back_s * _US)
    return tuple(
        tuple(row[0] for row in tx.all("openings_since", source, key, since_us))
        for source, key, _, firing in own if firing
    )  # fmt: skip


def _before(tx: Transaction, run: str) -> model.RunState | None:
    found = tx.one("run_state", run) if run else None
    return found[0] if found is not None else None


def _lane_held_by(tx: Transaction, candidate: policy.Candidate) -> str:
    """The run that is before a candidate in its lane: it holds it, or its turn is earlier. '' for none."""
    lane, run = candidate.lane, candidate.run
    if not lane:
        return ""
    found = tx.one("lane_holder", lane, run)
    if found is None:
        turn = tx.one("run_turn", run)
        first = "lane_first" if lane.startswith(policy.SEQUENCE) else "lane_again"
        found = tx.one(first, lane, turn[0] if turn is not None else _LAST_TURN)
    return str(found[0]) if found else ""


def _last_ended(tx: Transaction, candidate: policy.Candidate, state: Any) -> dict[str, tuple[int, str]]:
    """What a cooldown counts from. Retries, and what is done once more, are of one decision: for them its own effect is no other one."""
    if not candidate.limits.cooldown_s:
        return {}
    own = candidate.run if state in WAITING and tx.one("decision_began", candidate.run)[0] else ""
    found = {}
    for target in candidate.targets:
        row = tx.one("last_ended", target, candidate.action, own)
        if row is not None:
            found[target] = (row[0], row[1])
    return found


def _locked_by(tx: Transaction, targets: Sequence[str]) -> dict[str, str]:
    if not targets:
        return {}
    sql = f"SELECT target, run FROM lock WHERE target IN ({placeholders(targets)})"
    return dict(tx.connection.execute(sql, list(targets)).fetchall())
