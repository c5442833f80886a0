"""What people ask of runs and locks: that a run ends, how one ended of which nobody knew, that a lock is let go.

Each unit is one transaction with its audit record, which names who asked. `dispatch.wishes` submits them, and then sees to what has
to happen outside of the store.
"""

from __future__ import annotations

import dataclasses
from typing import Final, Literal

from healer import errors, model, telemetry
from healer.policy import states
from healer.store import asking, breaking, finishing, following, handing
from healer.store.transaction import Transaction, dumps, loads

AT_ONCE: Final = frozenset(old for old, news in states.RUN.items() if "cancelled" in news) - {"running", "unknown"}
"""States of runs of which nothing is at work and something may yet be."""
RESOLVED_AS: Final = ("succeeded", "failed", "queued")
NEAR_MAX: Final = 10
_SHORT: Final = 8

Word = Literal["succeeded", "failed", "queued"]


class RunEnded(errors.RequestError):
    """the run {run} has ended: it is {state}"""

    code = "run-ended"
    status = 409


class RunUnknown(errors.RequestError):
    """nobody knows how the run {run} ended; of what its controller knows nothing runs that could be stopped"""

    code = "run-unknown"
    status = 409


class NotUnknown(errors.RequestError):
    """the run {run} is {state}; only one that is unknown is resolved"""

    code = "not-unknown"
    status = 409


class StillRunning(errors.RequestError):
    """the run {run} still runs, its controller says{detail}"""

    code = "still-running"
    status = 409


class LockInUse(errors.RequestError):
    """{target} stays locked: the run {run} is working on it"""

    code = "lock-in-use"
    status = 409


DAEMON: Final = "daemon"


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What became of a wish. `state`: that of the run now. `tokens`: attempts that have to be ended. `before`: who had asked already."""

    state: model.RunState
    tokens: tuple[str, ...] = ()
    before: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """A lock that was let go: its whole name, and which run had it, in which state."""

    target: str
    run: str
    state: model.RunState


class Cancel:
    """A run ends: at once where nothing of it is at work, else as soon as its attempts have been ended.

    `runs_on`: its controller knows that it goes on though it was called unknown. Raises `errors.NotFound`, `RunEnded`,
    `RunUnknown`.
    """

    weight = 1

    def __init__(self, run: str, *, actor: str, reason: str, runs_on: bool = False) -> None:
        self.run = run
        self.actor = actor
        self.reason = reason
        self.runs_on = runs_on

    def apply(self, tx: Transaction) -> Asked:
        """The wish is on disk before anything is stopped."""
        row = row_of(tx, self.run)
        state: model.RunState = row["state"]
        if state in AT_ONCE:
            tokens, _ = self._ask(tx, "running")  # what only looks whether it helped
            finishing.cancel_run(tx, row, finishing.Asked(self.actor, self.reason))
            self._audit(tx, row, "cancelled")
            return Asked("cancelled", tokens)
        if state == "running" or (state == "unknown" and self.runs_on):
            tokens, before = self._ask(tx, state)
            tx.run("run_once_more_at", None, self.run)  # what somebody ended is not done again by itself
            if not before:
                self._audit(tx, row, state)
            return Asked(state, tokens, before)
        if state == "unknown":
            raise RunUnknown(f"healer runs resolve {self.run[:_SHORT]} --as failed --reason TEXT", run=self.run)
        raise RunEnded(f"healer runs show {self.run[:_SHORT]}", run=self.run, state=state)

    def _ask(self, tx: Transaction, state: model.RunState) -> tuple[tuple[str, ...], str]:
        """(the run's attempts in that state, which are to end; who asked for that before). Those that are queued never begin."""
        tx.run("attempts_cancel_queued", tx.now_us, self.actor, tx.now_us, self.reason, self.run)
        found = [(token, by) for _, token, at, by in tx.all("attempts_under_way", self.run) if at == state]
        before = next((by for _, by in found if by), "") if state == "running" else ""
        for token, _ in found if not before else ():
            tx.run("attempt_ask_end", self.actor, tx.now_us, self.reason, token)
        return tuple(token for token, _ in found), before

    def _audit(self, tx: Transaction, row: asking.RunRow, state: str) -> None:
        tx.audit(
            "cancel", actor=self.actor, run=self.run, rule=row["rule"], action=row["action"], old=row["state"], state=state,
            detail=self.reason or None,
        )  # fmt: skip


class Resolve:
    """A person says how an unknown run ended, or that it is to be tried again. Raises `errors.NotFound`, `NotUnknown`.

    `never`: its controller is certain that the attempt never began.
    """

    weight = 1

    def __init__(self, run: str, state: Word, *, actor: str, reason: str, never: bool = False) -> None:
        self.run = run
        self.state: Word = state
        self.actor = actor
        self.reason = reason
        self.never = never

    def apply(self, tx: Transaction) -> Asked:
        """unknown → as they say, with attempt, targets, locks and audit."""
        row = _unknown_row(tx, self.run)
        summary = finishing.by_person(f"resolved as {self.state}", self.actor, self.reason)
        ends: list[tuple[int, str]] = []
        ender = ""
        for number, token, state, by in tx.all("attempts_under_way", self.run):
            ender = ender or by or ""
            if state == "unknown":
                self._attempt(tx, number, summary)
                tx.run("lock_release", token)
                ends.append((number, token))
        again = self.state == "queued"
        if self.state == "queued":
            self._budgets(tx, ends)
            if self.actor != DAEMON:  # nobody's word for it that it is still needed
                tx.run("run_fresh", tx.now_us, self.run)
            following.queue_attempt(tx, self.run, tx.now_us)
        else:
            targets = [target for number, _ in ends for target in finishing.targets_of(tx, self.run, number)]
            finishing.targets_ended(tx, self.run, targets, model.Outcome(self.state, summary), tx.now_us)
            tx.run("run_targets_cancel", self.run)
        tx.must(
            "run_move", self.state, "", dumps({"summary": summary}), tx.now_us, None if again else tx.now_us, self.run, "unknown",
            what=self.run, old="unknown", new=self.state,
        )  # fmt: skip
        number, token = ends[-1] if ends else (None, None)
        _audit_resolved(tx, row, self.state, finishing.Asked(self.actor, self.reason), attempt=number, token=token)
        _tell_breaker(tx, row, self.state)
        if self.state == "failed" and not ender:
            following.escalate(tx, row, loads(row["extra"]))
        return Asked(self.state)

    def _budgets(self, tx: Transaction, ends: list[tuple[int, str]]) -> None:
        """The next attempt takes its part of the budgets anew: what the one before took stays its own, or comes back if it never began."""
        for number, token in ends:
            if self.never:
                tx.run("spent_not_begun", self.run, number)
            tx.run("spent_give_back", self.run)
            tx.run("spent_apart", token, self.run)

    def _attempt(self, tx: Transaction, number: int, summary: str) -> None:
        """Tried again, it counts as one that failed, unless it never began."""
        state = (
            "withdrawn" if self.never and self.state == "queued" else "failed" if self.state == "queued" else self.state
        )
        (before,) = tx.one("attempt_outcome", self.run, number)
        text = dumps((loads(before) if before else {}) | {"state": state, "summary": summary, finishing.WAS: "unknown"})
        tx.must(
            "attempt_settle",
            state,
            tx.now_us,
            text,
            None,
            None,
            self.run,
            number,
            what=self.run,
            old="unknown",
            new=state,
        )


class Settle:
    """An attempt that was unknown has ended so: its controller knows now, since a person asked.

    `asked`: who, and why; None: who asked for its end. None as the result: somebody was first, and nothing has changed.
    """

    weight = 2

    def __init__(
        self, token: str, run: str, number: int, outcome: model.Outcome, kept: finishing.Kept, asked: finishing.Asked | None = None
    ) -> None:  # fmt: skip
        self.token = token
        self.run = run
        self.number = number
        self.outcome = outcome
        self.kept = kept
        self.asked = asked

    def apply(self, tx: Transaction) -> Asked | None:
        """unknown → the outcome's state, as T4 would have."""
        outcome, kept = self.outcome, self.kept
        kept.insert(tx)
        settled = tx.run(
            "attempt_settle", outcome.state, tx.now_us, finishing.outcome_text(outcome), kept.stdout.hash, kept.stderr.hash, self.run,
            self.number,
        )  # fmt: skip
        if not settled:
            return None
        row = asking.run_row(tx, self.run)
        tx.run("lock_release", self.token)
        targets = finishing.targets_of(tx, self.run, self.number)
        finishing.targets_ended(tx, self.run, targets, outcome, tx.now_us)
        tx.run("run_targets_cancel", self.run)
        ender = finishing.asked_to_end(tx, self.run, self.number)
        state, reason = self._end(tx, row, ender)
        asked = self.asked or ender or finishing.Asked("daemon", "")
        _audit_resolved(
            tx, row, state, asked, attempt=self.number, token=self.token, found=outcome.state, summary=outcome.summary,
            exit_code=outcome.exit_code, stdout=kept.stdout.hash, stderr=kept.stderr.hash,
        )  # fmt: skip
        _tell_breaker(tx, row, state, verified=reason == "verified")
        if outcome.facts is not None:
            handing.on(tx, row, outcome.facts)
        if ender is None and state in ("failed", "timed_out"):
            following.escalate(tx, row, loads(row["extra"]))
        return Asked(state)

    def _end(self, tx: Transaction, row: asking.RunRow, ender: finishing.Asked | None) -> tuple[model.RunState, str]:
        """The run's state and reason now. A success that only its controller has seen is verified, as any."""
        state, reason, summary = finishing.end_of_run(self.outcome, ender)
        extra = loads(row["extra"])
        if state == "succeeded" and ender is None and following.is_verified_later(row, extra):
            if following.begin(tx, row, extra, summary):
                return "verifying", ""
            reason = "verified"
        tx.must(
            "run_move", state, reason, dumps({"summary": summary}), tx.now_us, tx.now_us, self.run, "unknown",
            what=self.run, old=row["state"], new=state,
        )  # fmt: skip
        return state, reason


class Release:
    """A lock is let go, though its run is unknown. `target`: its name, or the last part of it. `run`: only if that holds it ('': whoever).

    Raises `errors.NotFound`, `errors.Ambiguous`, `LockInUse`.
    """

    weight = 1

    def __init__(self, target: str, *, actor: str, reason: str, run: str = "") -> None:
        self.target = target
        self.actor = actor
        self.reason = reason
        self.run = run

    def apply(self, tx: Transaction) -> Held:
        """The lock's row goes; the run stays what it is."""
        target, token, run, number, state = self._find(tx)
        if state == "running":
            raise LockInUse(f"healer runs cancel {run[:_SHORT]}", target=target, run=run)
        tx.run("lock_let_go", target, token)
        tx.audit(
            "lock_released",
            actor=self.actor,
            target=target,
            run=run,
            attempt=number,
            token=token,
            state=state,
            detail=self.reason,
        )
        telemetry.count("locks_released")
        return Held(target, run, tx.one("run_state", run)[0])

    def _find(self, tx: Transaction) -> tuple[str, str, str, int | None, str | None]:
        found = tx.one("lock_named", self.target)
        if found is None:
            names = [row[0] for row in tx.all("locks_ending_in", self.target)]
            if len(names) > 1:
                raise errors.Ambiguous(
                    f"one of: {', '.join(names[:NEAR_MAX])}",
                    prefix=self.target[:80],
                    count=len(names),
                    near=names[:NEAR_MAX],
                )
            found = tx.one("lock_named", names[0]) if names else None
        if found is None or self.run not in ("", found[2]):
            raise errors.NotFound("healer locks", what=f"a lock of {self.target[:80]!r}")
        target, token, run, number, state = found
        return target, token, run, number, state


def row_of(tx: Transaction, run: str) -> asking.RunRow:
    """The row of a run that a person names. Raises `errors.NotFound`."""
    if tx.one("run_state", run) is None:
        raise errors.NotFound("healer runs", what=f"the run {run[:80]!r}")
    return asking.run_row(tx, run)


def once_more(tx: Transaction, run: str) -> None:
    """An unknown run of an idempotent action whose time is over: it is queued again, and its locks are let go until it has them anew."""
    Resolve(run, "queued", actor=DAEMON, reason="it is idempotent, and its time is over").apply(tx)


def _unknown_row(tx: Transaction, run: str) -> asking.RunRow:
    row = row_of(tx, run)
    if row["state"] != "unknown":
        raise not_unknown(run, row["state"])
    return row


def not_unknown(run: str, state: str) -> NotUnknown:
    """Why a run is not resolved."""
    step = "show" if state in model.ENDED_STATES else "cancel"
    return NotUnknown(f"healer runs {step} {run[:_SHORT]}", run=run, state=state)


def _tell_breaker(tx: Transaction, row: asking.RunRow, state: str, *, verified: bool = False) -> None:
    """Unknown counted as a failure already: only a success is news."""
    breaking.ended(tx, row, state if state == "succeeded" else "cancelled", verified=verified)


def _audit_resolved(
    tx: Transaction, row: asking.RunRow, state: str, asked: finishing.Asked, **fields: str | int | None
) -> None:  # fmt: skip
    tx.audit(
        "resolved", actor=asked.actor, run=row["id"], rule=row["rule"], action=row["action"], old="unknown", state=state,
        detail=asked.reason or None, targets=row["targets"], **fields,
    )  # fmt: skip
    telemetry.count("runs_resolved")
