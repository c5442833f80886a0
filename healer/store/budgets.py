"""Budgets in rows: what runs took of rates and blast radii, and who has its part already.

Callers: `seeing` shows them to the gates; `asking` takes a run's part (T2), `claiming` says that it begins (T3). A trigger gives back
what nothing was begun with.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from healer import policy
from healer.policy import limits
from healer.store.transaction import Transaction

_US: Final = 1_000_000


def shadow_of(candidate: policy.Candidate) -> str:
    """What begins the budgets of a run: those of one that only looks are nobody else's."""
    return limits.SHADOW if candidate.dry_run or candidate.mode == "observe" else ""


def reserved(tx: Transaction, run: str, state: str | None) -> frozenset[str]:
    """The budgets of which a run has its part. One that a gate holds, or that is decided anew, has to take it once more."""
    if state not in ("queued", "running"):
        return frozenset()
    return frozenset(budget for budget, _, _ in tx.all("spent_of", run))


def spent(tx: Transaction, candidate: policy.Candidate) -> dict[str, tuple[int, ...]]:
    """When runs took of each rate of a candidate."""
    shadow, found = shadow_of(candidate), {}
    for one in candidate.limits.rates:
        budget, since_us = shadow + one.budget, tx.now_us - round(one.within_s * _US)
        rows = tx.all("spent_times", tx.now_us, budget, one.count, budget, since_us, one.count)
        found[one.budget] = tuple(row[0] for row in rows)
    return found


def touched(tx: Transaction, candidate: policy.Candidate) -> dict[str, frozenset[str]]:
    """The targets of each blast radius of a candidate."""
    shadow, found = shadow_of(candidate), {}
    for one in candidate.limits.blasts:
        for budget, _, _ in budgets_of(candidate, one):
            since_us = tx.now_us - round(one.within_s * _US)
            rows = tx.all("spent_targets", shadow + budget, shadow + budget, since_us)
            found[budget] = frozenset(row[0] for row in rows)
    return found


def budgets_of(candidate: policy.Candidate, blast: limits.Blast) -> list[tuple[str, str, str]]:
    """(budget, group, target) of each target of a candidate."""
    return [
        (budget, group, target)
        for target in candidate.targets
        for budget, group in blast.budgets(candidate.groups.get(target, ()))
    ]


def spend(tx: Transaction, candidate: policy.Candidate, at_us: int, *, left_out: Iterable[str] = ()) -> None:
    """Take a run's part of its budgets: in T2, so that the last place is given once. It comes back if no attempt begins."""
    shadow = shadow_of(candidate)
    for budget, target in wanted(candidate, {*left_out}):
        tx.run("spent_put", shadow + budget, candidate.run, target, at_us, int(bool(shadow)))


def wanted(candidate: policy.Candidate, gone: Collection[str] = ()) -> list[tuple[str, str]]:
    """(budget, target) of what a run takes; a rate has no target."""
    blasts = [one for blast in candidate.limits.blasts for one in budgets_of(candidate, blast)]
    return [(one.budget, "") for one in candidate.limits.rates] + [
        (budget, on) for budget, _, on in blasts if on not in gone
    ]


def begin(tx: Transaction, candidate: policy.Candidate, left_out: Iterable[str] = ()) -> None:
    """An attempt begins: what it takes stays spent, from now on, also of budgets that came with a reload; what it leaves out comes back."""
    run = candidate.run
    has = {(budget, target) for budget, target, _ in tx.all("spent_of", run)}
    for budget, target in wanted(candidate):
        if (budget, target) not in has:
            tx.run("spent_put", budget, run, target, tx.now_us, 1)
    for target in ("", *candidate.targets):
        tx.run("spent_start", tx.now_us, run, target)
    for target in left_out:
        tx.run("spent_back", run, target)
