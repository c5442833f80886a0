"""Break-glass: a person has a run that waits start past its gates. Its own record says which gate had held it, who, and why.

Validity, mode, the locks of its targets and lane, and a pause that comes later still hold (`policy.gates.UNBROKEN`). It is for the run's
next attempt alone: what follows on that, a retry too, asks all gates again. Caller: `web`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

from healer import errors, model, policy, telemetry
from healer.policy import reasons
from healer.store import asking, budgets, candidates, following, people, seeing
from healer.store.transaction import Transaction, dumps, loads

ASKED_AGAIN: Final = "all gates are asked again"


class NotForced(errors.RequestError):
    """the run {run} cannot start even so: {why}"""

    code = "not-forced"
    status = 409


@dataclasses.dataclass(frozen=True, slots=True)
class Forced:
    """What became of the wish. `before`: who had it start so already; `past`: the sentences of all that held it; `waits`: what
    still does."""

    state: model.RunState
    before: str = ""
    past: Sequence[str] = ()
    waits: str = ""


class Force:
    """Waiting → queued, past its gates. Raises `errors.NotFound`, `people.RunEnded`, `NotForced`."""

    weight = 1

    def __init__(self, run: str, *, actor: str, reason: str, standing_of: candidates.StandingOf) -> None:
        self.run = run
        self.actor = actor
        self.reason = reason
        self.standing_of = standing_of

    def apply(self, tx: Transaction) -> Forced:
        """The mark, the attempt, and the record in one."""
        row = people.row_of(tx, self.run)
        state = row["state"]
        extra = loads(row["extra"])
        if candidates.FORCED in extra and state == "queued":
            return Forced(state, before=extra[candidates.FORCED]["actor"])
        if state not in seeing.WAITING:
            raise self._no(row)
        standing = self.standing_of(row)
        candidate = following.without_done(tx, candidates.candidate_of(row, standing))
        view = asking.view_of(tx, candidate, standing, (state, row["reason"], row["deferred_us"]))
        held = policy.held_by(candidate, view, tx.now_us)
        forced = dataclasses.replace(candidate, forced=True, past_pause=view.paused is not None)
        decision = policy.look_again(forced, view, tx.now_us)
        if decision.state != "queued":
            raise NotForced(f"healer explain {self.run[:8]}", run=self.run, why=decision.sentence)
        tx.run("checks_cancel", tx.now_us, self.run)
        if state == "awaiting_approval":
            tx.run("approval_not_needed", tx.now_us, self.run)
        past = [{"code": no.code, "fields": dict(no.fields)} for no in held]
        said = {"actor": self.actor, "reason": self.reason, "at_us": tx.now_us}
        mark = said | {"paused": forced.past_pause}
        tx.run("run_extra_set", dumps(extra | {candidates.FORCED: mark}), self.run)
        told = loads(row["explanation"]) | {candidates.FORCED: said | {"past": past}}
        row = row | {"explanation": dumps(told)}
        if state != "queued":
            self._queue(tx, row, forced, decision)
        else:
            tx.run("run_explained", row["explanation"], self.run)
        tx.run("attempts_at_once", self.run)
        tx.audit(
            "break_glass", actor=self.actor, run=self.run, rule=row["rule"], action=row["action"], old=state, state="queued",
            targets=row["targets"], past=[no.code for no in held], detail=self.reason,
        )  # fmt: skip
        telemetry.count("runs_forced")
        waits = reasons.sentence(*decision.shown) if decision.shown[0] else ""
        return Forced("queued", past=[reasons.sentence(no.code, no.fields) for no in held], waits=waits)

    def _queue(
        self, tx: Transaction, row: candidates.RunRow, candidate: policy.Candidate, decision: policy.Decision
    ) -> None:
        reason, fields = decision.shown  # what its turn waits for: the lock of a target
        told = dumps(fields if reason else {"summary": f"break-glass by {self.actor}: {self.reason}"})
        explanation = dumps(asking.looked(row, decision, tx.now_us))
        tx.must(
            "run_decide_again", "queued", reason, told, tx.now_us, None, 0, None, None, explanation, self.run, row["state"],
            what=self.run, old=row["state"], new="queued",
        )  # fmt: skip
        asking.targets_again(tx, candidate, decision)
        budgets.spend(tx, candidate, tx.now_us, left_out=decision.left_out)
        following.queue_attempt(tx, self.run, tx.now_us)

    def _no(self, row: candidates.RunRow) -> errors.RequestError:
        if row["state"] in ("running", "verifying", "unknown"):
            step = "resolve" if row["state"] == "unknown" else "show"
            return NotForced(f"healer runs {step} {self.run[:8]}", run=self.run, why=f"it is {row['state']}")
        return people.RunEnded(f"healer runs show {self.run[:8]}", run=self.run, state=row["state"])


def used(tx: Transaction, row: candidates.RunRow, over: str = "") -> candidates.RunRow:
    """Its attempt begins, or it is `over` before it could: what comes after it asks all gates again. The row as it is then."""
    extra = loads(row["extra"])
    if extra.pop(candidates.FORCED, None) is None:
        return row
    told = loads(row["explanation"])
    tx.run("run_extra_set", dumps(extra), row["id"])
    if over and candidates.FORCED in told:
        told[candidates.FORCED]["over"] = over
        tx.run("run_explained", dumps(told), row["id"])
    return row | {"extra": dumps(extra), "explanation": dumps(told)}


def take_back(tx: Transaction, scope: str) -> None:
    """A pause came later: its word is the last one, for all that it covers and has not begun."""
    for run, rule, controller in tx.all("runs_forced"):
        if tx.rules.covers(scope, rule, controller):
            used(tx, candidates.run_row(tx, run), over=f"over before it began, as a pause came later; {ASKED_AGAIN}")
