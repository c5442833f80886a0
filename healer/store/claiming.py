"""T3: queued → running, with everything that must be on disk before an effect: state, lock, deadline, the audit's intent.

The gates are asked again here, on rows read in this transaction: between the decision and now an alert may have been resolved, a
target locked, a rule paused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from healer import policy, telemetry
from healer.audit import records
from healer.policy import gates
from healer.store import asking, budgets, following, forcing, seeing
from healer.store.transaction import Transaction, dumps, loads

SCAN_MAX = 500
TURNS_MAX = 50
"""So many of those behind the first `SCAN_MAX` are looked at beside them, in turn: what holds those must not hold these."""
SEVERITIES = 5
FULL_LOOKS_MAX = 20
"""So many are still asked once a claim has found that none of their like may begin, since no place of the daemon, of their controller or of
a ramp is free: a storm must not hold the writer."""
TOLD_LOOKS_MAX = 5
"""So many of those that have been told what they wait for."""


@dataclasses.dataclass(slots=True)
class Claimed:
    """One attempt that may take effect now."""

    token: str
    number: int
    run: asking.RunRow
    targets: list[str]
    values: dict[str, Any]
    """target → what the inventory said of it when it was decided."""
    deadline_s: float


@dataclasses.dataclass(slots=True)
class Claims:
    """What a claim brought. `changed`: run → new state, of those that may not start after all."""

    claimed: list[Claimed]
    changed: dict[str, str]
    next_us: int | None
    next_look_us: int | None
    after: str = ""
    """For the next claim: whose turn was the last of those behind the first."""


class Claim:
    """Claim up to `limit` attempts. `standing_of` says what holds for a run at this moment (pause, rule, mode, problems); `after`: as the
    claim before it gave it."""

    weight = 1

    def __init__(self, limit: int, standing_of: asking.StandingOf, after: str = "") -> None:
        self.limit = limit
        self.standing_of = standing_of
        self.after = after
        self._full: dict[str, list[int]] = {}
        """Flavor, or action and controller, or scope of a ramp, of runs of which none may begin → how many came since it was seen."""

    def apply(self, tx: Transaction) -> Claims:
        """Go through the queue by severity and age; each attempt is claimed, left where it is, or taken out with its run."""
        claims = Claims([], {}, None, None, self.after)
        seeing.end_ramps(tx)
        first = tx.all("attempts_due", *(tx.now_us, SCAN_MAX) * SEVERITIES, tx.now_us, tx.now_us, tx.now_us, SCAN_MAX)
        self._each(tx, first, claims)
        if len(first) == SCAN_MAX and len(claims.claimed) < self.limit:
            turns = tx.all("attempts_in_turn", self.after, tx.now_us, TURNS_MAX)
            claims.after = turns[-1][0] if len(turns) == TURNS_MAX else ""
            seen = {token for _, _, token in first}
            self._each(tx, [one for one in turns if one[2] not in seen], claims)
        claims.next_us = tx.one("attempt_next", tx.now_us)[0]
        claims.next_look_us = tx.one("run_next_look")[0]
        return claims

    def _each(self, tx: Transaction, queued: Sequence[tuple[str, int, str]], claims: Claims) -> None:
        for run, number, token in queued:
            if len(claims.claimed) >= self.limit:
                return
            self._one(tx, run, number, token, claims)

    def _one(self, tx: Transaction, run: str, number: int, token: str, claims: Claims) -> None:
        purpose = tx.one("attempt_of", run, number)[0]
        if self._full and purpose != following.VERIFY and self._is_past(tx, *tx.one("run_like", run, number)):
            return
        row = asking.run_row(tx, run)
        if purpose == following.VERIFY:
            self._check(tx, row, number, token, claims)
            return
        standing = self.standing_of(row)
        candidate = asking.candidate_of(row, standing)
        targets = loads(tx.one("attempt_targets", run, number)[0])
        candidate = dataclasses.replace(candidate, targets=tuple(targets))
        # A busy target or full places are a wait too: since it was queued.
        waits_us = row["deferred_us"] or (row["changed_us"] if row["reason"] else None)
        view = asking.view_of(tx, candidate, standing, (row["state"], row["reason"], waits_us))
        decision = policy.recheck(candidate, view, tx.now_us)
        if decision.state != "queued":
            _take_out(tx, row, number, decision, candidate, self.standing_of)
            asking.spend(tx, candidate, decision, tx.now_us)
            claims.changed[run] = decision.state
            return
        if decision.reason:
            self._note_full(tx, row, str(decision.fields.get("place", "")))
            tx.run("attempt_held", decision.reason, run, number)
            detail = dumps(dict(decision.fields))
            if (row["reason"], row["detail"]) != (decision.reason, detail):
                told = asking.looked(row, decision, tx.now_us)
                tx.run("run_held_by", decision.reason, detail, dumps(told), run)
            return
        if decision.left_out:
            candidate = _leave_out(tx, candidate, number, decision)
        claims.claimed.append(self._start(tx, row, number, token, candidate, decision))

    def _is_past(self, tx: Transaction, flavor: str, rule: str, action: str, controller: str, held: str) -> bool:
        """Whether enough of its like were asked since it was seen that none of them may begin."""
        told, limit = (1, TOLD_LOOKS_MAX) if held else (0, FULL_LOOKS_MAX)
        like = (flavor, _on(action, controller))
        mine = [one for one in self._full if one in like or tx.rules.covers(one, rule, controller)]
        for one in mine:
            self._full[one][told] += 1
        return any(self._full[one][told] > limit for one in mine)

    def _note_full(self, tx: Transaction, row: asking.RunRow, place: str) -> None:
        if place == gates.THE_DAEMON:
            self._full.setdefault(row["flavor"], [0, 0])
        elif place == row["controller"]:
            self._full.setdefault(_on(row["action"], place), [0, 0])
        for scope in seeing.ramps_called(tx, place) if place else ():
            self._full.setdefault(scope, [0, 0])

    def _check(self, tx: Transaction, row: asking.RunRow, number: int, token: str, claims: Claims) -> None:
        """An attempt at seeing whether a run helped: the kill switch and full places let it wait, no other gate is asked."""
        seen = following.as_check(row)
        standing = self.standing_of(seen)
        held = standing.limits or policy.Limits()
        plain = policy.Limits(
            concurrency_daemon=held.concurrency_daemon, concurrency_controller=held.concurrency_controller, lock_targets=False
        )  # fmt: skip
        candidate = dataclasses.replace(
            asking.candidate_of(row, standing), limits=plain, controller=seen["controller"], upstream=True, after="", lane="",
            changed="", forced=False,
        )  # fmt: skip
        view = asking.view_of(tx, candidate, standing, (row["state"], "", None))
        decision = policy.recheck(candidate, view, tx.now_us)
        if decision.state != "queued" or decision.reason:
            tx.run("attempt_held", decision.reason, row["id"], number)
            return
        deadline_us = tx.now_us + seen["timeout_ms"] * 1000
        targets = loads(tx.one("attempt_targets", row["id"], number)[0])
        tx.must(
            "attempt_start",
            tx.now_us,
            deadline_us,
            tx.epoch,
            row["id"],
            number,
            what=token,
            old="queued",
            new="running",
        )
        tx.audit(
            "intent", actor="daemon", run=row["id"], attempt=number, token=token, rule=row["rule"], action=seen["action"],
            controller=seen["controller"], targets=targets, deadline_us=deadline_us, epoch=tx.epoch, purpose=following.VERIFY,
        )  # fmt: skip
        values = {target: loads(value) for target, value in tx.all("run_target_values", row["id"])}
        claims.claimed.append(Claimed(token, number, seen, targets, values, seen["timeout_ms"] / 1000))

    def _start(
        self,
        tx: Transaction,
        row: asking.RunRow,
        number: int,
        token: str,
        candidate: policy.Candidate,
        decision: policy.Decision,
    ) -> Claimed:
        run, deadline_s = row["id"], candidate.limits.timeout_s
        deadline_us = tx.now_us + round(deadline_s * 1_000_000)
        tx.must("attempt_start", tx.now_us, deadline_us, tx.epoch, run, number, what=token, old="queued", new="running")
        told = asking.looked(row, decision, tx.now_us)
        if row["state"] != "running":
            tx.must(
                "run_start", tx.now_us, dumps(told), run, row["state"], what=run, old=row["state"], new="running",
            )  # fmt: skip
        if candidate.forced:
            forcing.used(tx, row)
        if candidate.limits.lock_targets:
            for target in candidate.targets:
                tx.run("lock_take", target, token, run, tx.epoch, tx.now_us, deadline_us)
        for budget, _ in candidate.limits.places:
            tx.run("place_take", budget, token)
        budgets.begin(tx, candidate, decision.left_out)
        if candidate.lane:
            tx.run("lock_take", candidate.lane, token, run, tx.epoch, tx.now_us, deadline_us)
        tx.audit(
            "intent", actor=row["actor"], run=run, attempt=number, token=token, rule=row["rule"], action=row["action"],
            controller=row["controller"], targets=list(candidate.targets), deadline_us=deadline_us, epoch=tx.epoch,
            gates=records.embed(told["gates"]),
        )  # fmt: skip
        telemetry.count("attempts_started")
        values = {target: loads(value) for target, value in tx.all("run_target_values", run)}
        return Claimed(token, number, row, list(candidate.targets), values, deadline_s)


def _on(action: str, controller: str) -> str:
    """The runs of an action on a controller: how many may be under way there is a matter of both."""
    return f"{action}\0{controller}"


def _leave_out(
    tx: Transaction, candidate: policy.Candidate, number: int, decision: policy.Decision
) -> policy.Candidate:
    """A gate says no to some of the targets only: the attempt goes without them."""
    asking.targets_again(tx, candidate, decision)
    kept = tuple(target for target in candidate.targets if target not in decision.left_out)
    tx.run("attempt_targets_set", dumps(list(kept)), candidate.run, number)
    return dataclasses.replace(candidate, targets=kept)


def _take_out(
    tx: Transaction, row: asking.RunRow, number: int, decision: policy.Decision, candidate: policy.Candidate,
    standing_of: asking.StandingOf,
) -> None:  # fmt: skip
    """The re-check said no: the attempt never happens, the run goes where the gate sends it."""
    run, waits = row["id"], decision.state in seeing.HELD
    row = forcing.used(tx, row, over=f"over before it began, as this held it; {forcing.ASKED_AGAIN}")
    tx.must("attempt_move", "withdrawn", tx.now_us, run, number, "queued", what=run, old="queued", new="withdrawn")
    explanation = asking.looked(row, decision, tx.now_us)
    tx.must(
        "run_decide_again", decision.state, decision.reason, dumps(dict(decision.fields)), tx.now_us,
        tx.now_us if waits and row["deferred_us"] is None else None, int(waits), decision.look_at_us if waits else None,
        None if waits else tx.now_us, dumps(explanation),
        run, row["state"],
        what=run, old=row["state"], new=decision.state,
    )  # fmt: skip
    asking.asks(tx, row, decision, candidate.limits, standing_of)
    asking.transition_audit(tx, row, decision)
    if decision.state == "failed":
        following.not_tried_again(tx, row)
    telemetry.count(f"rechecks_{decision.reason}")
