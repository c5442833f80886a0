"""What follows on an effect, as its decision froze it (`run.extra`): the next wave of targets, its verification, the next rung.

Callers: `finishing` (T4), `asking` (ticks and closed alerts). `verifying` holds no lock and no place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

from healer import model, policy, telemetry
from healer.policy import reasons
from healer.store import breaking, candidates, seeing
from healer.store.transaction import Transaction, dumps, loads

VERIFY: Final = "verify"
EXPIRED: Final = "expired"
"""In the `extra` of a run: what is tried where nobody approves it in time."""
NO_SIGN: Final = "no_fresh_sign"
AGAIN_US: Final = 5_000_000
"""After a check that failed the next comes so much later, or a fifth of their time where that is less."""
LOOK_US: Final = 30_000_000
"""Where the time is over and a check is still to come, it is looked at again so much later."""
UNTOLD_MAX: Final = 3
"""So many checks of which nobody knows how they ended are made at the end of their time; then it has not been verified in it."""
WAITED_FOR: Final = ("", "paused", "concurrency")
"""What may keep a check waiting beyond the time of its run; whatever else does may never end."""
BAD: Final = ("failed", "timed_out", "cancelled", "unknown")
_MS: Final = 1000


# --- waves ------------------------------------------------------------------------------------------------------------------


def wave(tx: Transaction, run: str, extra: dict[str, Any]) -> list[str]:
    """The targets of the run's next attempt: those that are left, of many as many as the ramp has come to."""
    left, done = [], 0
    for target, state in tx.all("run_target_states", run):
        if state in ("succeeded", *BAD):
            done += 1
        elif state != "left_out":
            left.append(target)
    ramp = extra.get("ramp")
    return left if ramp is None else left[: min(ramp["limit"], done + ramp["first"])]


def queue_attempt(tx: Transaction, run: str, not_before_us: int) -> str:
    """Queue the next attempt of a run on those of its targets that are not left out; its token."""
    number = tx.one("attempt_last", run)[0] + 1
    token = f"{run}-{number}"
    targets = wave(tx, run, loads(tx.one("run_extra", run)[0]))
    tx.run("attempt_insert", run, number, token, dumps(targets), not_before_us, run)
    return token


def without_done(tx: Transaction, candidate: policy.Candidate) -> policy.Candidate:
    """Between two waves only those count that no wave has come to: the others are not to be decided on, or done, again."""
    done = {target for target, state in tx.all("run_target_states", candidate.run) if state in ("succeeded", *BAD)}
    left = tuple(target for target in candidate.targets if target not in done)
    return dataclasses.replace(candidate, targets=left) if left else candidate


def goes_on(tx: Transaction, row: candidates.RunRow, extra: dict[str, Any]) -> bool:
    """Whether another wave follows on one that has ended; else what is left is not touched any more."""
    if "ramp" not in extra or not wave(tx, row["id"], extra):
        return False
    bad = sum(state in BAD for _, state in tx.all("run_target_states", row["id"]))
    if bad <= extra["ramp"]["max_errors"]:
        return True
    fields = dumps({"errors": bad, "limit": extra["ramp"]["max_errors"]})
    tx.run("run_targets_stop", "max_errors", fields, row["id"])
    return False


def summed_up(
    tx: Transaction, run: str, state: model.RunState, summary: str, last: Sequence[str]
) -> tuple[model.RunState, str]:
    """(state, summary) of a run of several waves, of which the one on its `last` targets ended so."""
    states = [state for _, state in tx.all("run_target_states", run)]
    bad, good, left = sum(one in BAD for one in states), states.count("succeeded"), states.count("left_out")
    if state == "succeeded" and not bad and good > len(last):
        return state, f"{good} targets succeeded; the last{f' {len(last)}' if len(last) > 1 else ''}: {summary}"
    if not bad or state == "unknown":
        return state, summary
    text = f"{bad} of {bad + good} targets failed" + (f", {left} not touched" if left else "")
    return ("failed" if state == "succeeded" else state), f"{text}; the last: {summary}"


# --- verification -------------------------------------------------------------------------------------------------------------


def is_verified_later(row: candidates.RunRow, extra: dict[str, Any]) -> bool:
    """Whether a success of the run counts only once it is verified."""
    return bool(extra.get(VERIFY)) and not row["dry_run"]


def begin(tx: Transaction, row: candidates.RunRow, extra: dict[str, Any], summary: str) -> bool:
    """running (or unknown) → verifying, until its time is over. False: its alert is resolved already, and that is all that is asked."""
    wanted, run = extra[VERIFY], row["id"]
    if "action" not in wanted and seeing.resolved_us(tx, run, row["lifecycle"]) is not None:
        return False
    until_us = tx.now_us + wanted["within_ms"] * _MS
    fields = {"summary": summary, "until_us": until_us}
    tx.must(
        "run_verify", dumps(fields), tx.now_us, until_us, run, row["state"], what=run, old=row["state"], new="verifying"
    )  # fmt: skip
    tx.audit(
        "transition",
        actor="daemon",
        run=run,
        rule=row["rule"],
        action=row["action"],
        old=row["state"],
        state="verifying",
    )
    if "action" in wanted:
        queue(tx, row, wanted["action"], tx.now_us)
    return True


def again(tx: Transaction, row: candidates.RunRow, number: int) -> str:
    """The check of this number never began and is made again; its token. That a pause held it is kept: its time is to begin anew."""
    token = queue(tx, row, loads(row["extra"])[VERIFY]["action"], tx.now_us)
    if tx.one("check_began", row["id"], number)[1] == "paused":
        tx.run("attempt_held", "paused", row["id"], tx.one("attempt_last", row["id"])[0])
    return token


def queue(
    tx: Transaction, row: candidates.RunRow, action: dict[str, Any], not_before_us: int, *, before: bool = False
) -> str:
    """The next attempt at seeing whether it helped, or (`before`) whether it is still needed; its token."""
    run = row["id"]
    number = tx.one("attempt_last", run)[0] + 1
    states = tx.all("run_target_states", run)
    targets = wave(tx, run, {}) if before else [target for target, state in states if state == "succeeded"]
    tx.run(
        "attempt_insert_check", run, number, f"{run}-{number}", dumps(targets), action["controller"], row["severity"], not_before_us
    )  # fmt: skip
    return f"{run}-{number}"


def ask_sign(tx: Transaction, row: candidates.RunRow) -> str:
    """Nobody has said for long that the run is needed: the action that verifies it looks, unless it does already. The attempt's token."""
    if tx.all("checks_open", row["id"]):
        return ""
    return queue(tx, row, loads(row["extra"])[VERIFY]["action"], tx.now_us, before=True)


def waits_for_sign(row: candidates.RunRow) -> bool:
    """Whether the run waits for what a look at its targets says."""
    return bool(row["state"] == "deferred" and row["reason"] == NO_SIGN)


def sign_came(tx: Transaction, source: str, key: str) -> None:
    """The sender of an alert says that it fires: runs that wait for that are looked at with the next tick."""
    for (run,) in tx.all("runs_without_sign", source, key):
        tx.run("run_sign_came", tx.now_us, run)


def as_check(row: candidates.RunRow) -> candidates.RunRow:
    """The run's row as the action that verifies it: what an attempt of that is made of."""
    extra = loads(row["extra"])
    action = extra[VERIFY]["action"]
    kept = {key: extra[key] for key in ("inventory",) if key in extra}
    secrets = [
        [path[3:], reference] for path, reference in extra.get("secrets", ()) if path[:3] == ["extra", VERIFY, "action"]
    ]
    return {
        **row, "action": action["name"], "kind": action["kind"], "subject": dumps(action["subject"]), "controller": action["controller"],
        "parameters": dumps(action["parameters"]), "extra": dumps({**kept, **({"secrets": secrets} if secrets else {})}),
        "idempotent": int(action["idempotent"]), "timeout_ms": action["timeout_ms"], "purpose": VERIFY,
    }  # fmt: skip


def is_check(row: candidates.RunRow) -> bool:
    """Whether a row is that of a check, as `as_check` makes it."""
    return row.get("purpose") == VERIFY


def checked(tx: Transaction, row: candidates.RunRow, number: int, outcome: model.Outcome) -> None:
    """An attempt of the verifying action ended: it helped, it is asked again, or its time is over.

    The last one begins at the very end of the time. One that the daemon's own stop ended (`cancelled`; who cancels the run ends it) says
    nothing and is not the last, nor, a few times, one of which nobody knows how it ended. After one that a pause held the time begins
    anew: nobody could look while it went by.
    """
    if row["state"] != "verifying":
        return
    if outcome.state == "succeeded":
        end(tx, row, "succeeded", outcome.summary)
        return
    wanted, detail = loads(row["extra"])[VERIFY], loads(row["detail"])
    within_us, until_us = wanted["within_ms"] * _MS, detail["until_us"]
    started_us, held = tx.one("check_began", row["id"], number)
    if held == "paused":
        until_us = tx.now_us + within_us
        fields = dumps({**detail, "until_us": until_us})
        tx.must("run_verify_until", fields, until_us, row["id"], what=row["id"], old=row["state"], new="verifying")
    elif started_us >= until_us and not _says_nothing(tx, row["id"], outcome, until_us):
        end(tx, row, "failed", f"not verified: {outcome.summary}")
        return
    again_us = tx.now_us + min(AGAIN_US, within_us // 5)
    queue(tx, row, wanted["action"], again_us if started_us >= until_us else min(again_us, max(until_us, tx.now_us)))


def _says_nothing(tx: Transaction, run: str, outcome: model.Outcome, since_us: int) -> bool:
    """Whether a check at the end of its time has seen neither that it helped nor that it did not, and another one may."""
    untold = outcome.state == "unknown" and tx.one("checks_untold", run, since_us)[0] < UNTOLD_MAX
    return outcome.state == "cancelled" or untold


def look(tx: Transaction, row: candidates.RunRow) -> str:
    """A run that is verified: its alert may be resolved, or its time over. The state that it has then."""
    extra = loads(row["extra"])
    wanted = extra.get(VERIFY, {})
    if "action" not in wanted and seeing.resolved_us(tx, row["id"], row["lifecycle"]) is not None:
        end(tx, row, "succeeded", "the alert is resolved")
        return "succeeded"
    if row["look_at_us"] is None or tx.now_us < row["look_at_us"]:
        return "verifying"
    if any(attempt == "running" or held in WAITED_FOR for attempt, held in tx.all("checks_open", row["id"])):
        tx.run("run_verify_look", tx.now_us + LOOK_US, row["id"])
        return "verifying"
    end(tx, row, "failed", "not verified in its time" if "action" in wanted else "the alert still fires")
    return "failed"


def end(tx: Transaction, row: candidates.RunRow, state: model.RunState, summary: str) -> None:
    """verifying → succeeded or failed, which is when its breaker learns of it and the next rung begins."""
    run, reason = row["id"], "verified" if state == "succeeded" else "not_verified"
    tx.must(
        "run_move", state, reason, dumps({"summary": summary}), tx.now_us, tx.now_us, run, "verifying",
        what=run, old="verifying", new=state,
    )  # fmt: skip
    tx.run("checks_cancel", tx.now_us, run)
    tx.audit(
        "transition", actor="daemon", run=run, rule=row["rule"], action=row["action"], old="verifying", state=state, reason=reason,
        detail=summary,
    )  # fmt: skip
    breaking.ended(tx, row, state, verified=True)
    telemetry.count(f"runs_{reason}")
    if state == "failed":
        escalate(tx, row, loads(row["extra"]))


def not_tried_again(tx: Transaction, row: candidates.RunRow) -> None:
    """A run has failed since its retry may not be made: its breaker learns of it, and the next rung begins."""
    breaking.ended(tx, row, "failed")
    escalate(tx, row, loads(row["extra"]))


# --- escalation -------------------------------------------------------------------------------------------------------------


def escalate(tx: Transaction, row: candidates.RunRow, extra: dict[str, Any]) -> str:
    """The next rung: a run that waits for its time, and that this one goes on failing. Its id; '' where there is none (any more)."""
    rungs = extra.get("escalate")
    if not rungs or row["dry_run"]:
        return ""
    return _next(tx, row, extra, rungs[0], rungs[1:], "rung")


def expired(tx: Transaction, row: candidates.RunRow) -> None:
    """Nobody has said a word in time: what its approvals name for that case is tried, if the alert still fires."""
    extra = loads(row["extra"])
    for number, rung in enumerate([] if row["dry_run"] else extra.get(EXPIRED, [])):
        _next(tx, row, extra, rung, [], f"expired{number}")


def _next(
    tx: Transaction, row: candidates.RunRow, extra: dict[str, Any], rung: dict[str, Any], rest: list[Any], mark_of_id: str
) -> str:  # fmt: skip
    """A rung as a run of its own, once for each run and mark."""
    run = "r-" + model.short_hash(f"{row['id']}\x1f{mark_of_id}")
    if not rung or tx.one("run_state", run) is not None:
        return ""
    source = rung.get("of", row["id"])  # whose targets these are: another step's of its list
    if source != row["id"] and tx.all("run_target_states", source) and not tx.all("run_targets_in", source):
        return ""  # that step was refused all of them
    mark = (
        {candidates.CHANGED: extra[candidates.CHANGED]} if candidates.CHANGED in extra else {}
    )  # it is of the same decision
    made = {**rung["extra"], **({"escalate": rest} if rest else {}), **mark}
    limits = policy.Limits(timeout_s=rung["timeout_ms"] / 1000).as_json()
    not_before_us, left = tx.now_us + rung["after_ms"] * _MS, reasons.span(rung["after_ms"] / 1000)
    tx.run(
        "run_insert_rung", run, dumps({"run": row["id"], "left": left}), rung["name"], rung["kind"], dumps(rung["subject"]),
        rung["controller"], dumps(rung["parameters"]), dumps(made), int(rung["idempotent"]), dumps(limits), tx.now_us, tx.now_us,
        tx.now_us, tx.now_us, not_before_us, row["id"], row["rung"] + 1, not_before_us, row["id"],
    )  # fmt: skip
    tx.run("run_alerts_copy", run, row["id"])
    tx.run("run_targets_copy", run, rung["name"], source)
    targets = [name for name, _ in tx.all("run_targets_in", run)]
    tx.audit(
        "decision", actor="daemon", run=run, rule=row["rule"], action=rung["name"], event=row["seq"], state="deferred", reason="escalation",
        targets=targets, controller=rung["controller"], after=row["id"], rung=row["rung"] + 1, revision=row["revision"],
    )  # fmt: skip
    telemetry.count("escalations")
    return run
