"""A run's row as what the gates are asked about: its candidate, and the digest of what a person would approve.

Callers: `seeing` and whoever asks the gates about a run that is there; `approving`, `voiding`.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from healer import policy
from healer.policy import approvals
from healer.store.transaction import Transaction, dumps, loads

RunRow = dict[str, Any]
StandingOf = Callable[[RunRow], policy.Standing]
"""What holds for a run now, from its row: pure, called inside transactions."""

PROBLEMS: Final = "problems"
"""In the `extra` of a run: what was not valid when it was decided."""
CHANGED: Final = "rule_changed"
"""In it too: what a pause covered that ended since this was changed (`scope`), and the number of the revision that did (`revision`)."""
FORCED: Final = "break_glass"
"""In it too: who has it start past its gates (`actor`, `reason`, `at_us`, `paused`: whether it was then), until its attempt begins or
a pause comes."""
CHAIN: Final = "chain"
"""In it too, where a step of a rule's list needs a person: of the first one that asks gates all of the steps behind it (`steps`: runs),
whose word those need (`approvals`) and for how long (`expires_s`), of each behind it that one (`first`)."""
NOT_GIVEN: Final = (PROBLEMS, CHANGED, FORCED, CHAIN)
"""What no controller gets of it."""
NEEDED: Final = "needs_approval"
NOT_BEGUN: Final = ("deferred", "awaiting_approval", "queued")
OTHERWISE: Final = "what would run is not what was asked for any more"
OFF: Final = "its rule is switched off, or in no rulebook any more"
LIMITS_KEPT: Final = 256


def run_row(tx: Transaction, run: str) -> RunRow:
    """The run's row by column name, with its targets, their groups, and the labels of its alert."""
    cursor = tx.connection.execute("SELECT * FROM run WHERE id = ?", (run,))
    row = dict(zip([column[0] for column in cursor.description], cursor.fetchone(), strict=True))
    targets = tx.all("run_targets_in", run)
    return row | {
        "targets": [name for name, _ in targets],
        "groups": {name: tuple(loads(value)["groups"]) for name, value in targets},
        "labels": loads(row["labels"]),
        "lifecycle": bool(tx.one("run_has_firing_alert", run)[0]),
    }


def _problems(row: RunRow, extra: Mapping[str, Any]) -> list[policy.Problem]:
    """What was not valid when it was decided; a target that is left out for that is none of its any more."""
    found = [policy.Problem(**one) for one in extra.get(PROBLEMS, ())]
    return [one for one in found if not one.target or one.target in row["targets"]]


def candidate_of(row: RunRow, standing: policy.Standing) -> policy.Candidate:
    """The candidate again, from the run's row and what holds now: today's limits; the timeout belongs to the files that run."""
    held = _limits(row["limits"])
    if standing.limits is not None:
        held = dataclasses.replace(standing.limits, timeout_s=held.timeout_s)
    extra = loads(row["extra"])
    chain = extra.get(CHAIN, {})
    if chain.get("approvals"):
        held = with_steps(held, approvals.from_json(chain["approvals"]), chain["expires_s"])
    return policy.Candidate(
        run=row["id"],
        rule=row["rule"],
        action=row["action"],
        controller=row["controller"],
        targets=tuple(row["targets"]),
        event_us=row["event_us"],
        limits=held,
        upstream=row["flavor"] == "upstream",
        enabled=standing.enabled,
        dry_run=bool(row["dry_run"]) or standing.dry_run,
        mode=standing.mode,
        lifecycle=row["lifecycle"],
        problems=(*standing.problems, *_problems(row, extra)),
        depth=row["depth"],
        after=row["after"],
        lane=row["lane"],
        rung=row["rung"],
        not_before_us=row["not_before_us"],
        labels=row["labels"],
        groups=row["groups"],
        sizes=standing.sizes,
        environment=standing.environment,
        names=standing.names,
        check=_check(extra),
        changed=extra[CHANGED]["scope"] if CHANGED in extra else "",
        forced=FORCED in extra,
        past_pause=bool(extra.get(FORCED, {}).get("paused")),
        first=chain.get("first", ""),
    )


def with_steps(limits: policy.Limits, more: Iterable[policy.limits.Approval], expires_s: float | None) -> policy.Limits:
    """Those of a chain's first run: people are asked once, for all of its steps, until the first of them expires."""
    ends = [one for one in (limits.approval_expires_s, expires_s) if one is not None]
    return dataclasses.replace(
        limits, approvals=tuple(dict.fromkeys((*limits.approvals, *more))), approval_expires_s=min(ends, default=None)
    )


def _check(extra: Mapping[str, Any]) -> str:
    wanted = extra.get("verify") or {}
    return str(wanted["action"]["name"]) if "action" in wanted else ""


@functools.lru_cache(LIMITS_KEPT)
def limits_text(limits: policy.Limits) -> str:
    """For a run's row."""
    return dumps(limits.as_json())


@functools.lru_cache(LIMITS_KEPT)
def _limits(text: str) -> policy.Limits:
    """Of a run's row; many rows have the same."""
    return policy.Limits.from_json(loads(text))


# --- approvals --------------------------------------------------------------------------------------------------------------

_BOUND: Final = ("rule", "action", "kind", "subject", "controller", "parameters", "extra", "revision", "dry_run")


def digest_of(tx: Transaction, row: RunRow, standing: policy.Standing, author: str | None) -> str:
    """Of exactly what a person would approve: the run's row and targets, what the rules and files of today say of it.

    `author`: as the request has it; None where its approvals let the author of its rule say yes. Else today's counts too.
    """
    values = tx.all("run_targets_in", row["id"])
    wrote = [] if author is None else [standing.author]
    text = dumps([[row[name] for name in _BOUND], sorted(map(list, values)), standing.bound, *wrote])
    return hashlib.sha256(text.encode()).hexdigest()


def approved(tx: Transaction, candidate: policy.Candidate, standing: policy.Standing) -> tuple[str, bool]:
    """Whether a person has approved the run's last decision: (the reason that they were asked for, '' where it is not exactly this run as
    it is now; whether they have approved what is something else now). A step of a chain may be approved with the first one."""
    last = tx.one("approval_last", candidate.run)
    if last is None:
        return _with_first(tx, candidate, standing) if candidate.first else ("", False)
    if last[1] != "approved":
        return "", False
    same = last[2] == digest_of(tx, run_row(tx, candidate.run), standing, author=last[3])
    return (last[4], False) if same else ("", True)


def _with_first(tx: Transaction, candidate: policy.Candidate, standing: policy.Standing) -> tuple[str, bool]:
    """As `approved`: whoever said yes to the first step has seen this one, and said yes to no brake of it."""
    last = tx.one("approval_last", candidate.first)
    if last is None or last[1] != "approved":
        return "", False
    row = run_row(tx, candidate.run)
    for step in loads(last[5]):
        if (step["run"], step["turn"]) == (candidate.run, row["turn"]):
            same = step["digest"] == digest_of(tx, row, standing, author=last[3])
            return (NEEDED, False) if same else ("", True)
    return "", False


def has_not_begun(tx: Transaction, run: str) -> bool:
    """Whether it waits and has done nothing yet: what has acted is not void, but not tried again where it is
    something else."""
    return tx.one("run_state", run)[0] in NOT_BEGUN and not tx.one("attempts_failed", run)[0]


def changed(
    tx: Transaction, run: str, digest: str, author: str | None, steps: str, standing_of: StandingOf
) -> dict[str, str]:
    """Which runs of a request have not begun, and are not what was asked for any more, or their rule is off: its own, steps behind it.
    Each with why."""
    found = {}
    for one, asked, turn in [
        (run, digest, None),
        *((step["run"], step["digest"], step["turn"]) for step in loads(steps)),
    ]:
        row = run_row(tx, one)
        if turn not in (None, row["turn"]) or not has_not_begun(tx, one):
            continue
        standing = standing_of(row)
        off = not standing.enabled or any(problem.code == "disabled" for problem in standing.problems)
        if off or digest_of(tx, row, standing, author) != asked:
            found[one] = OFF if off else OTHERWISE
    return found
