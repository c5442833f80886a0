"""T4 and what a start after a crash writes: how attempts end, and what becomes of their runs, locks and targets.

Each is guarded by the attempt's state, so that a result which comes late (the attempt was called unknown, or another daemon
took over) changes nothing: it is kept in the audit as evidence.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from healer import model, telemetry
from healer.audit import records
from healer.store import asking, handing, journal
from healer.store.transaction import Transaction, dumps, loads


@dataclasses.dataclass(slots=True)
class Kept:
    """The attempt's output, kept by content."""

    stdout: journal.Blob
    stderr: journal.Blob


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
        text = dumps({
            "state": outcome.state, "summary": outcome.summary, "exit_code": outcome.exit_code, "result": outcome.result,
            "per_target": dict(outcome.per_target), "truncated": outcome.truncated, "seconds": outcome.seconds,
        })  # fmt: skip
        for blob in (self.kept.stdout, self.kept.stderr):
            tx.run("blob_insert", blob.hash, blob.size, blob.data, tx.now_us)
        ended = tx.run(
            "attempt_end",
            outcome.state,
            tx.now_us,
            text,
            self.kept.stdout.hash,
            self.kept.stderr.hash,
            self.run,
            self.number,
            tx.epoch,
        )
        row = asking.run_row(tx, self.run)
        self._audit(tx, row, "outcome" if ended else "late")
        if not ended:
            telemetry.count("outcomes_late")
            return False
        unknown = outcome.state == "unknown"
        tx.run("lane_release" if unknown else "lock_release", self.token)
        if not unknown:
            _targets_ended(tx, self.run, outcome, tx.now_us)
        if self._retry(tx, row):
            return True
        reason = "unverified" if outcome.state == "succeeded" else ""
        # Nobody decided that it shall not happen: a repeat of the alert is a new attempt, as after any failure.
        state = "failed" if outcome.state == "cancelled" else outcome.state
        tx.must(
            "run_move", state, reason, dumps({"summary": outcome.summary}), tx.now_us, None if unknown else tx.now_us,
            self.run, "running", what=self.run, old=row["state"], new=state,
        )  # fmt: skip
        if outcome.facts is not None:
            handing.on(tx, row, outcome.facts)
        telemetry.count(f"attempts_{outcome.state}")
        return True

    def _retry(self, tx: Transaction, row: asking.RunRow) -> bool:
        """A failed one is tried again as often as its action says: a new attempt, after the delay, first in its lane."""
        wanted = loads(row["extra"]).get("retries")
        if wanted is None or self.outcome.state != "failed":
            return False
        made = tx.one("attempts_failed", self.run)[0]
        if made > wanted["times"]:
            return False
        fields = {"summary": self.outcome.summary, "retry": made, "of": wanted["times"]}
        _queued_again(tx, row, self.number, self.token, fields, f"retry {made} of {wanted['times']}")
        telemetry.count("attempts_retried")
        asking.queue_attempt(tx, self.run, tx.now_us + wanted["delay_ms"] * 1000)
        return True

    def _audit(self, tx: Transaction, row: asking.RunRow, what: str) -> None:
        outcome = self.outcome
        tx.audit(
            "outcome", actor=row["actor"], run=self.run, attempt=self.number, token=self.token, rule=row["rule"], action=row["action"],
            controller=row["controller"], state=outcome.state, summary=outcome.summary, exit_code=outcome.exit_code,
            result=records.embed(outcome.result), stdout=self.kept.stdout.hash, stderr=self.kept.stderr.hash,
            truncated=outcome.truncated or None, ms=round(outcome.seconds * 1000), late=True if what == "late" else None,
            targets=row["targets"],
        )  # fmt: skip


def _targets_ended(tx: Transaction, run: str, outcome: model.Outcome, now_us: int) -> None:
    for target in tx.all("run_targets_in", run):
        tx.run("run_target_end", outcome.per_target.get(target[0], outcome.state), now_us, run, target[0])


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
    """It is certain that the attempt never began (a crash, a full disk): it is withdrawn and a new one queued in its place."""

    weight = 1

    def __init__(self, token: str, run: str, number: int, detail: str) -> None:
        self.token = token
        self.run = run
        self.number = number
        self.detail = detail

    def apply(self, tx: Transaction) -> str:
        """The new attempt's token."""
        row = asking.run_row(tx, self.run)
        tx.must(
            "attempt_move",
            "withdrawn",
            tx.now_us,
            self.run,
            self.number,
            "running",
            what=self.token,
            old="?",
            new="withdrawn",
        )
        tx.run("lock_release", self.token)
        _queued_again(tx, row, self.number, self.token, {}, self.detail)
        telemetry.count("attempts_taken_back")
        return asking.queue_attempt(tx, self.run, tx.now_us)


class TakeUp:
    """A start after a crash found the attempt running: it is ours now, so that our epoch may end it."""

    weight = 1

    def __init__(self, token: str, run: str, number: int) -> None:
        self.token = token
        self.run = run
        self.number = number

    def apply(self, tx: Transaction) -> None:
        """The attempt and its locks get our epoch."""
        tx.must("attempt_take_up", tx.epoch, self.run, self.number, what=self.token, old="?", new="running")
        tx.run("lock_take_up", tx.epoch, self.token)
        telemetry.count("attempts_taken_up")
