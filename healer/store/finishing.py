"""T4 and what a start after a crash writes: how attempts end, and what becomes of their runs, locks and targets.

Each is guarded by the attempt's state, so that a result which comes late (the attempt was called unknown, or another daemon
took over) changes nothing: it is kept in the audit as evidence.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

from healer import model, telemetry
from healer.audit import records
from healer.policy import reasons
from healer.store import asking, breaking, following, handing, journal
from healer.store.transaction import Transaction, dumps, loads

DELAY_MAX_MS: Final = 86_400_000
ONCE_MORE_MAX: Final = 2
"""So often a run of an idempotent action is done again by itself since nobody knows how it ended; then a person says."""
WAS: Final = "was"
"""In the outcome of an attempt that was settled: what it was called before."""


@dataclasses.dataclass(slots=True)
class Kept:
    """The attempt's output, kept by content."""

    stdout: journal.Blob
    stderr: journal.Blob

    def insert(self, tx: Transaction) -> None:
        """Into the store; an attempt's row names it."""
        for blob in (self.stdout, self.stderr):
            tx.run("blob_insert", blob.hash, blob.size, blob.data, tx.now_us)


class Stopping:
    """The daemon is about to end these attempts, since its stop waits no longer: on disk first, so that its death there forgets it not."""

    weight = 1

    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens = tokens

    def apply(self, tx: Transaction) -> None:
        """What ends so is no failure of theirs, and nobody's wish."""
        for token in self.tokens:
            tx.run("attempt_stops", tx.now_us, token)


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """Who asked for the end of an attempt, and why ('' where they did not say)."""

    actor: str
    reason: str


class Finish:
    """An attempt ended. The result says whether it was still ours to end."""

    def __init__(self, token: str, run: str, number: int, outcome: model.Outcome, kept: Kept) -> None:
        self.token = token
        self.run = run
        self.number = number
        self.outcome = outcome
        self.kept = kept

    weight = 2

    def apply(self, tx: Transaction) -> bool:
        """running → the outcome's state, with lock, targets, run and audit."""
        outcome = self.outcome
        self.kept.insert(tx)
        ended = tx.run(
            "attempt_end", outcome.state, tx.now_us, outcome_text(outcome), self.kept.stdout.hash, self.kept.stderr.hash,
            self.run, self.number, tx.epoch,
        )  # fmt: skip
        row = asking.run_row(tx, self.run)
        purpose, wave = tx.one("attempt_of", self.run, self.number)
        extra = loads(row["extra"])
        asked = asked_to_end(tx, self.run, self.number)
        self._audit(tx, row, asked, purpose, "outcome" if ended else "late")
        if not ended:
            telemetry.count("outcomes_late")
            return False
        if purpose == following.VERIFY:
            asking.checked(tx, row, self.number, outcome)
            return True
        unknown = outcome.state == "unknown"
        tx.run("lane_release" if unknown else "lock_release", self.token)
        if not unknown:
            targets_ended(tx, self.run, loads(wave), outcome, tx.now_us)
        stopped = asked is None and outcome.state == "cancelled" and tx.one("attempt_stopping", self.run, self.number)
        if (stopped and self._anew(tx, row)) or (asked is None and self._goes_on(tx, row, extra)):
            return True
        state, reason, summary = end_of_run(outcome, asked)
        if "ramp" in extra:
            state, summary = following.summed_up(tx, self.run, state, summary, loads(wave))
            whole = state == "succeeded" and not following.wave(tx, self.run, extra)
            if asked is not None and state in ("succeeded", "failed") and not whole:
                state, reason, summary = end_of_run(dataclasses.replace(outcome, state="cancelled"), asked)
        if state == "succeeded" and asked is None and following.is_verified_later(row, extra):
            if following.begin(tx, row, extra, summary):
                if outcome.facts is not None:
                    handing.on(tx, row, outcome.facts)
                return True
            reason = "verified"
        ended = asked is not None or outcome.state == "cancelled"  # by somebody: no failure of the action
        breaking.ended(tx, row, "cancelled" if ended or outcome.refused else state, verified=reason == "verified")
        tx.must(
            "run_move", state, reason, dumps({"summary": summary}), tx.now_us, None if unknown else tx.now_us,
            self.run, "running", what=self.run, old=row["state"], new=state,
        )  # fmt: skip
        if unknown and asked is None:
            self._once_more(tx, row)
        if state == "cancelled":
            tx.run("run_targets_cancel", self.run)
        if outcome.facts is not None:
            handing.on(tx, row, outcome.facts)
        telemetry.count(f"attempts_{outcome.state}")
        if asked is None and state in ("failed", "timed_out") and not (ended and self._is_repeated(tx, row)):
            following.escalate(tx, row, extra)
        return True

    def _is_repeated(self, tx: Transaction, row: asking.RunRow) -> bool:
        """Whether a repeat of its alert may try it again: then it is for that to say whether the next rung is needed."""
        attempts = loads(row["limits"]).get("attempts")
        left = attempts is None or tx.one("attempts_made", self.run)[0] < attempts
        return bool(row["lifecycle"]) and not row["rung"] and left

    def _once_more(self, tx: Transaction, row: asking.RunRow) -> None:
        """What may be done again though nobody knows how it ended is, a few times, once its time is over; its locks hold until then."""
        told = (loads(text) for (text,) in tx.all("attempt_outcomes", self.run))
        if (
            row["idempotent"]
            and sum(one["state"] == "unknown" or one.get(WAS) == "unknown" for one in told) <= ONCE_MORE_MAX
        ):
            deadline_us = tx.one("attempt_deadline", self.run, self.number)[0]
            tx.run("run_once_more_at", max(deadline_us, tx.now_us), self.run)

    def _goes_on(self, tx: Transaction, row: asking.RunRow, extra: dict[str, Any]) -> bool:
        """Whether another attempt follows: it is tried again, or other targets have their turn."""
        if self.outcome.state == "unknown":
            return False
        if self._retry(tx, row, extra):
            return True
        if not following.goes_on(tx, row, extra):
            return False
        _queued_again(tx, row, self.number, self.token, {"summary": self.outcome.summary}, "the next targets")
        following.queue_attempt(tx, self.run, tx.now_us)
        return True

    def _anew(self, tx: Transaction, row: asking.RunRow) -> bool:
        """What the daemon's own stop ended, and may be done twice, has its turn anew, at the next start: it is the same try."""
        if not row["idempotent"]:
            return False
        fields = {"summary": self.outcome.summary}
        _queued_again(tx, row, self.number, self.token, fields, "the daemon's stop ended it")
        for target in targets_of(tx, self.run, self.number):
            tx.run("run_target_again", self.run, target)
        following.queue_attempt(tx, self.run, tx.now_us)
        return True

    def _retry(self, tx: Transaction, row: asking.RunRow, extra: dict[str, Any]) -> bool:
        """A failed one is tried again as often as its action says: a new attempt, after the delay, first in its lane."""
        wanted = extra.get("retries")
        if wanted is None or self.outcome.state != "failed" or self.outcome.refused:
            return False
        made = tx.one("attempts_failed", self.run)[0]
        if made > wanted["times"]:
            return False
        delay_ms = min(wanted["delay_ms"] * wanted.get("backoff", 1) ** (made - 1), DELAY_MAX_MS)
        which, after = (
            f"retry {made} of {wanted['times']}",
            f" after {reasons.span(delay_ms / 1000)}" if delay_ms else "",
        )
        fields = {"summary": f"{self.outcome.summary}; {which}{after}", "retry": made, "of": wanted["times"]}
        _queued_again(tx, row, self.number, self.token, fields, which)
        telemetry.count("attempts_retried")
        tx.run("run_targets_again", self.run)
        following.queue_attempt(tx, self.run, tx.now_us + round(delay_ms) * 1000)
        return True

    def _audit(self, tx: Transaction, row: asking.RunRow, asked: Asked | None, purpose: str, what: str) -> None:
        outcome = self.outcome
        tx.audit(
            "outcome", actor=row["actor"], run=self.run, attempt=self.number, token=self.token, rule=row["rule"], action=row["action"],
            controller=row["controller"], state=outcome.state, summary=outcome.summary, exit_code=outcome.exit_code,
            result=records.embed(outcome.result), stdout=self.kept.stdout.hash, stderr=self.kept.stderr.hash,
            truncated=outcome.truncated or None, ms=round(outcome.seconds * 1000), late=True if what == "late" else None,
            targets=row["targets"], cancelled_by=asked.actor if asked else None,
            purpose=None if purpose == "effect" else purpose,
        )  # fmt: skip


def outcome_text(outcome: model.Outcome) -> str:
    """What is kept of an outcome beside the output."""
    return dumps({
        "state": outcome.state, "summary": outcome.summary, "exit_code": outcome.exit_code, "result": outcome.result,
        "per_target": dict(outcome.per_target), "truncated": outcome.truncated, "seconds": outcome.seconds,
    })  # fmt: skip


def asked_to_end(tx: Transaction, run: str, number: int) -> Asked | None:
    """Who asked for the end of an attempt; None: nobody."""
    found = tx.one("attempt_asked_to_end", run, number)
    return None if found is None else Asked(found[0], found[1] or "")


def by_person(what: str, actor: str, reason: str) -> str:
    """`cancelled by os:ana: the wrong host`."""
    return f"{what} by {actor}" + (f": {reason}" if reason else "")


def end_of_run(outcome: model.Outcome, asked: Asked | None) -> tuple[model.RunState, str, str]:
    """(state, reason, summary) of a run whose last attempt ended so.

    What a person cancelled is cancelled, whatever word its attempt ended with, unless it had succeeded before, or nobody knows. Where
    the daemon's stop ended what may not be done twice, nobody decided that it shall not happen: it has failed, and a repeat of the alert
    is a new attempt; the next rung follows only where none comes or none is left.
    """
    if outcome.state == "succeeded":
        return "succeeded", "unverified", outcome.summary
    if asked is not None and outcome.state != "unknown":
        return "cancelled", "", f"{by_person('cancelled', asked.actor, asked.reason)} ({outcome.summary})"
    return "failed" if outcome.state == "cancelled" else outcome.state, "", outcome.summary


def targets_ended(tx: Transaction, run: str, targets: Sequence[str], outcome: model.Outcome, now_us: int) -> None:
    """The effect on each of an attempt's targets ended now. One that failed on none of them, as it says, has failed on all."""
    each = {target: outcome.per_target.get(target, outcome.state) for target in targets}
    if outcome.state != "succeeded" and all(state == "succeeded" for state in each.values()):
        each = dict.fromkeys(targets, outcome.state)
    for target, state in each.items():
        tx.run("run_target_end", state, now_us, run, target)


def targets_of(tx: Transaction, run: str, number: int) -> list[str]:
    """The targets of an attempt."""
    found: list[str] = loads(tx.one("attempt_of", run, number)[1])
    return found


def _queued_again(
    tx: Transaction, row: asking.RunRow, number: int, token: str, fields: dict[str, Any], detail: str
) -> None:
    """running → queued: another attempt is to follow."""
    run = row["id"]
    tx.must(
        "run_move",
        "queued",
        "",
        dumps(fields),
        tx.now_us,
        None,
        run,
        "running",
        what=run,
        old=row["state"],
        new="queued",
    )
    tx.audit(
        "transition", actor="daemon", run=run, attempt=number, token=token, rule=row["rule"], action=row["action"],
        old="running", state="queued", detail=detail,
    )  # fmt: skip


class TakeBack:
    """It is certain that the attempt never began (a crash, a full disk): it is withdrawn and a new one queued in its place.

    Where a person asked for its end meanwhile, it and its run are cancelled, and nothing is queued. `wait_s`: for the new one.
    """

    weight = 1

    def __init__(self, token: str, run: str, number: int, detail: str, wait_s: float = 0.0) -> None:
        self.token = token
        self.run = run
        self.number = number
        self.detail = detail
        self.wait_us = round(wait_s * 1_000_000)

    def apply(self, tx: Transaction) -> str:
        """The new attempt's token; '' where there is none."""
        row = asking.run_row(tx, self.run)
        asked = asked_to_end(tx, self.run, self.number)
        state = "withdrawn" if asked is None else "cancelled"
        tx.must(
            "attempt_move", state, tx.now_us, self.run, self.number, "running", what=self.token, old="?", new=state,
        )  # fmt: skip
        if tx.one("attempt_of", self.run, self.number)[0] == following.VERIFY:
            tx.audit(
                "outcome", actor="daemon", run=self.run, attempt=self.number, token=self.token, rule=row["rule"], action=row["action"],
                state=state, summary=self.detail, purpose=following.VERIFY,
            )  # fmt: skip
            if following.waits_for_sign(row):
                return following.ask_sign(tx, row)
            return following.again(tx, row, self.number) if row["state"] == "verifying" else ""
        tx.run("lock_release", self.token)
        tx.run("spent_not_begun", self.run, self.number)
        if asked is not None:
            cancel_run(tx, row, asked)
            tx.audit(
                "transition", actor=asked.actor, run=self.run, attempt=self.number, token=self.token, rule=row["rule"],
                action=row["action"], old=row["state"], state="cancelled", detail=self.detail,
            )  # fmt: skip
            return ""
        _queued_again(tx, row, self.number, self.token, {}, self.detail)
        telemetry.count("attempts_taken_back")
        return following.queue_attempt(tx, self.run, tx.now_us + self.wait_us)


def cancel_run(tx: Transaction, row: asking.RunRow, asked: Asked) -> None:
    """A run of which nothing is at work ends; its targets saw no effect."""
    run, detail = row["id"], dumps({"summary": by_person("cancelled", asked.actor, asked.reason)})
    tx.must(
        "run_move", "cancelled", "", detail, tx.now_us, tx.now_us, run, row["state"],
        what=run, old=row["state"], new="cancelled",
    )  # fmt: skip
    tx.run("run_targets_cancel", run)
    breaking.ended(tx, row, "cancelled")
    telemetry.count("runs_cancelled")


class TakeUp:
    """A start after a crash found the attempt running: it is ours now, so that our epoch may end it."""

    weight = 1

    def __init__(self, token: str, run: str, number: int) -> None:
        self.token = token
        self.run = run
        self.number = number

    def apply(self, tx: Transaction) -> bool:
        """The attempt and its locks get our epoch. Whether a person asked for its end."""
        tx.must("attempt_take_up", tx.epoch, self.run, self.number, what=self.token, old="?", new="running")
        tx.run("lock_take_up", tx.epoch, self.token)
        telemetry.count("attempts_taken_up")
        return asked_to_end(tx, self.run, self.number) is not None
