"""Asking the gates about one run inside a transaction, and writing what they said.

Called by T2 for new matches and for deferred runs that are due. The view is built from rows read here and now, so that two
transactions can never both pass the last place.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, Final

from healer import model, policy, telemetry
from healer.audit import records
from healer.policy import gates
from healer.store import approving, budgets, candidates, following, seeing
from healer.store.candidates import RunRow, StandingOf, candidate_of, run_row
from healer.store.seeing import view_of
from healer.store.transaction import Transaction, dumps, loads

__all__ = ["Ask", "RunRow", "StandingOf", "ask", "candidate_of", "look_again", "run_row", "view_of"]

_PLACES: Final = {name: place for place, (name, _) in enumerate(gates.ORDER)}
TURNS_A_ROW: Final = 1_000_000
"""Turns of a row's decisions lie between those of the rows before and after it."""
WAITED_MAX: Final = 10
"""How many waits of a run are told, the last ones."""


@dataclasses.dataclass(slots=True)
class Ask:
    """A match's effectful action: the candidate for the gates and all that the run's row keeps."""

    candidate: policy.Candidate
    standing: policy.Standing
    action_index: int
    kind: str
    subject: Any
    parameters: dict[str, Any]
    extra: dict[str, Any]
    idempotent: bool
    severity: int
    actor: str
    targets: Sequence[model.Target]
    alerts: Sequence[tuple[str, str, int, bool]]
    conditions: list[Any]
    events: Sequence[int] = ()
    """The rows of the firing's events that came before this one."""
    told: dict[str, Any] = dataclasses.field(default_factory=dict)
    """More of its explanation: `chosen`, which controller and by what; `reason`, a person's for an action by hand."""


def ask(tx: Transaction, asked: Ask, seq: int, n: int, at_us: int, revision: int) -> tuple[str, int]:
    """Decide, write the decision and the run. (the run's state, how many attempts were queued)"""
    candidate = asked.candidate
    held = tx.one("run_state", candidate.run)
    seeing.count_match(tx, asked.standing.storm, at_us)
    view = view_of(tx, candidate, asked.standing, held, asked.alerts)
    decision = policy.decide(candidate, view, at_us)
    telemetry.count(f"decisions_{decision.reason or decision.state}")
    explanation = {
        "conditions": asked.conditions,
        "gates": [verdict.as_json() for verdict in decision.verdicts],
        "would": decision.would,
        **({"events": [*asked.events]} if asked.events else {}),
        **asked.told,
    }
    text = dumps(explanation)
    kept = decision.reason in ("duplicate", "attempts")
    tx.connection.execute(
        decision_statement(1),
        (seq, n, tx.part, at_us, candidate.rule, asked.action_index, candidate.action, candidate.run, decision.state,
         decision.reason, revision, text),
    )  # fmt: skip
    if kept:
        return str(held[0]), 0
    turn = seq * TURNS_A_ROW + n
    if held is None:
        _insert_run(tx, asked, decision, seq, at_us, revision, text, turn)
    else:
        _refresh(tx, asked, seq, revision, turn)
        _again(tx, candidate.run, str(held[0]), decision, at_us, text)
    _targets(tx, asked, decision)
    if decision.state == "awaiting_approval":
        approving.request(tx, candidate.run, decision, candidate.limits, asked.standing)
    if candidate.first:
        approving.add_step(tx, candidate.run, asked.standing)
    tx.audit(
        "decision", actor=asked.actor, run=candidate.run, rule=candidate.rule, action=candidate.action, event=seq,
        state=decision.state, reason=decision.reason or None, targets=list(candidate.targets), controller=candidate.controller,
        parameters=records.embed(asked.parameters), dry_run=candidate.dry_run or None, revision=revision,
        explanation=records.embed(explanation),
    )  # fmt: skip
    queued = decision.state == "queued"
    if queued:
        following.queue_attempt(tx, candidate.run, at_us)
    spend(tx, candidate, decision, at_us)
    return decision.state, int(queued)


def spend(tx: Transaction, candidate: policy.Candidate, decision: policy.Decision, at_us: int) -> None:
    """A run that goes takes its part of the budgets; one that only would go takes it of those of its like."""
    if decision.state == "queued" or (decision.state == "simulated" and not decision.would):
        budgets.spend(tx, candidate, at_us, left_out=decision.left_out)


def look_again(tx: Transaction, run: str, standing_of: StandingOf, at_us: int) -> tuple[str, int]:
    """Decide a deferred run again: (its state, how many attempts were queued).

    An audit record only when it leaves `deferred` or its reason changes.
    """
    row = run_row(tx, run)
    if row["state"] == "verifying":
        return following.look(tx, row), 0
    standing = standing_of(row)
    candidate = following.without_done(tx, candidate_of(row, standing))
    view = view_of(tx, candidate, standing, (row["state"], row["reason"], row["deferred_us"]))
    decision = policy.look_again(candidate, view, at_us)
    if row["state"] == "awaiting_approval" and view.paused is not None:
        # What is over is over for people in a pause too.
        unpaused = policy.look_again(candidate, dataclasses.replace(view, paused=None), at_us)
        decision = decision if unpaused.state == "queued" else unpaused
    explanation = dumps(looked(row, decision, at_us))
    if row["state"] == "awaiting_approval":
        if not (row["reason"] == following.NO_SIGN and decision.state == "queued"):
            return _of_person(tx, row, decision, at_us, explanation), 0
        tx.run("approval_not_needed", at_us, run)
    if decision.state == "deferred" and decision.reason == row["reason"]:
        tx.run("run_look_later", decision.look_at_us, at_us, dumps(dict(decision.fields)), explanation, run)
        return "deferred", asks(tx, row, decision, candidate.limits, standing_of)
    _again(tx, run, row["state"], decision, at_us, explanation)
    targets_again(tx, candidate, decision)
    checks = asks(tx, row, decision, candidate.limits, standing_of)
    transition_audit(tx, row, decision)
    spend(tx, candidate, decision, at_us)
    if decision.state == "failed":
        following.not_tried_again(tx, row)
    if decision.state == "queued":
        following.queue_attempt(tx, run, at_us)
        return "queued", 1
    return decision.state, checks


def go_on(tx: Transaction, row: RunRow, standing_of: StandingOf) -> None:
    """What a person has let into the queue asks the gates as a whole, all of its targets: what holds it is known before its first attempt,
    and what it takes of budgets is taken once more."""
    standing = standing_of(row)
    candidate = following.without_done(tx, candidate_of(row, standing))
    view = view_of(tx, candidate, standing, ("deferred", "", None))
    decision = policy.look_again(candidate, view, tx.now_us)
    if decision.state != "queued":
        _again(tx, row["id"], "queued", decision, tx.now_us, dumps(looked(row, decision, tx.now_us)))
        targets_again(tx, candidate, decision)
        asks(tx, row, decision, candidate.limits, standing_of)
        transition_audit(tx, row, decision)
        return
    targets_again(tx, candidate, decision)
    spend(tx, candidate, decision, tx.now_us)
    following.queue_attempt(tx, row["id"], tx.now_us)


def asks(tx: Transaction, row: RunRow, decision: policy.Decision, asked: policy.Limits, standing_of: StandingOf) -> int:
    """Whom a run asks that goes on waiting: a person, or its check whether it is still needed, which nobody else has to know then.

    How many attempts that queued.
    """
    if decision.state == "awaiting_approval":
        approving.request(tx, row["id"], decision, asked, standing_of(row), standing_of)
    if decision.state == "deferred" and decision.reason == following.NO_SIGN:
        return int(bool(following.ask_sign(tx, row)))
    if following.waits_for_sign(row):
        tx.run("checks_cancel", tx.now_us, row["id"])
    return 0


def checked(tx: Transaction, row: RunRow, number: int, outcome: model.Outcome) -> None:
    """A look at a run's targets has ended: whether it helped, or whether it is still needed at all.

    Needed: that is a fresh sign. Where the look could not tell the run is looked at again, and a person is asked.
    """
    run = row["id"]
    if not following.waits_for_sign(row):
        following.checked(tx, row, number, outcome)
        return
    if outcome.state != "succeeded":
        if outcome.state == "failed":
            tx.run("run_fresh", tx.now_us, run)
        tx.run("run_look_now", tx.now_us, run)
        return
    extra = loads(row["extra"])
    fields = {"check": extra[following.VERIFY]["action"]["name"]}
    decision = policy.Decision("withdrawn", "resolved", fields, None, ())
    _again(tx, run, row["state"], decision, tx.now_us, row["explanation"])
    for target in row["targets"]:
        tx.run("run_target_verdict", decision.state, "", "{}", run, target)
    transition_audit(tx, row, decision)


def _of_person(tx: Transaction, row: RunRow, decision: policy.Decision, at_us: int, explanation: str) -> str:
    """A run that waits for a person stays one: it goes if it is not needed any more, expires, or means something else now (`void`)."""
    run = row["id"]
    if decision.state == "withdrawn":
        _again(tx, run, "awaiting_approval", decision, at_us, explanation)
        transition_audit(tx, row, decision)
        return "withdrawn"
    void = decision.state in ("refused", "suppressed") and decision.reason != "stale"  # it has an end of its own
    if not void and (row["look_at_us"] is None or at_us < row["look_at_us"]):
        return "awaiting_approval"
    new, reason = ("void", decision.reason) if void else ("expired", row["reason"])
    detail = dumps(dict(decision.fields)) if void else row["detail"]
    tx.must(
        "run_move",
        new,
        reason,
        detail,
        at_us,
        at_us,
        run,
        "awaiting_approval",
        what=run,
        old="awaiting_approval",
        new=new,
    )
    tx.audit(
        "transition",
        actor="daemon",
        run=run,
        rule=row["rule"],
        action=row["action"],
        old="awaiting_approval",
        state=new,
        reason=reason,
    )
    telemetry.count(f"approvals_{new}")
    if new == "expired":
        following.expired(tx, row)
    return new


def looked(row: RunRow, decision: policy.Decision, now_us: int) -> dict[str, Any]:
    """A run's explanation after another look at it: its gates are those of this look, `look` is when that was (µs).

    Without `look` they are those of the decision. `once` is asked of that alone and stays. `waited`: for which gates it waited before,
    each from when to when.
    """
    told: dict[str, Any] = loads(row["explanation"])
    kept = [gate for gate in told.get("gates", []) if gate["gate"] == "once"]
    seen = kept + [verdict.as_json() for verdict in decision.verdicts]
    told |= {"gates": sorted(seen, key=lambda gate: _PLACES[gate["gate"]]), "would": decision.would, "look": now_us}
    before = (row["state"], row["reason"])
    if row["state"] in seeing.WAITING and row["reason"] and before != (decision.state, decision.reason):
        told["waited"] = waited(row, told, now_us)
    return told


def waited(row: RunRow, told: dict[str, Any], now_us: int) -> list[dict[str, Any]]:
    """What a run waited for, the last of it until now."""
    before = told.get("waited", [])
    began_us = (row["deferred_us"] if row["state"] in seeing.HELD else None) or row["changed_us"]
    since_us = max([began_us, *(one["until_us"] for one in before[-1:])])
    ended = {"code": row["reason"], "fields": loads(row["detail"]), "since_us": since_us, "until_us": now_us}
    return [*before, ended][-WAITED_MAX:]


def transition_audit(tx: Transaction, row: RunRow, decision: policy.Decision, actor: str = "daemon") -> None:
    """The record of a run that changes without an attempt having ended."""
    tx.audit(
        "transition", actor=actor, run=row["id"], rule=row["rule"], action=row["action"], old=row["state"], state=decision.state,
        reason=decision.reason or None, gates=records.embed([verdict.as_json() for verdict in decision.verdicts if not verdict.ok]),
    )  # fmt: skip


def _extra(asked: Ask) -> str:
    """What the run's row keeps beside: also what is not valid, which a gate before `validity` may have hidden for now."""
    kept = [dataclasses.asdict(problem) for problem in asked.candidate.problems]
    return dumps(asked.extra | ({candidates.PROBLEMS: kept} if kept else {}))


def _insert_run(
    tx: Transaction,
    asked: Ask,
    decision: policy.Decision,
    seq: int,
    at_us: int,
    revision: int,
    explanation: str,
    turn: int,
) -> None:
    candidate = asked.candidate
    waits = decision.state in seeing.HELD
    ended_us = at_us if decision.state in model.ENDED_STATES else None
    tx.run(
        "run_insert", candidate.run, decision.state, decision.shown[0], dumps(dict(decision.shown[1])), seq, candidate.rule,
        candidate.action, asked.action_index, "upstream" if candidate.upstream else "catalog", asked.kind, dumps(asked.subject),
        candidate.controller, dumps(asked.parameters), _extra(asked), int(asked.idempotent), int(candidate.dry_run),
        candidates.limits_text(candidate.limits), asked.severity, candidate.depth, asked.actor, revision, candidate.event_us, at_us, at_us,
        at_us if waits else None, decision.look_at_us if waits else None, ended_us, explanation, candidate.after,
        candidate.lane, turn, dumps(dict(candidate.labels)),
    )  # fmt: skip
    if decision.state == "awaiting_approval" or (decision.state == "simulated" and not decision.would):
        tx.run("plan_want", candidate.run, at_us)
    for source, key, cycle, firing in asked.alerts:
        tx.run("run_alert_insert", candidate.run, source, key, cycle, int(firing))


def _refresh(tx: Transaction, asked: Ask, seq: int, revision: int, turn: int) -> None:
    """A repeat decides again with what the rules say today: what was refused may have been mended by a reload."""
    candidate = asked.candidate
    tx.run(
        "run_refresh", seq, candidate.action, asked.kind, dumps(asked.subject), candidate.controller, dumps(asked.parameters),
        _extra(asked), int(asked.idempotent), int(candidate.dry_run), candidates.limits_text(candidate.limits), asked.severity, revision,
        candidate.event_us, candidate.after, candidate.lane, turn, dumps(dict(candidate.labels)), candidate.run,
    )  # fmt: skip
    tx.run("run_targets_clear", candidate.run)


def _again(tx: Transaction, run: str, old: str, decision: policy.Decision, at_us: int, explanation: str) -> None:
    waits = decision.state in seeing.HELD
    kept = old in seeing.HELD and decision.state in seeing.WAITING
    ended_us = at_us if decision.state in model.ENDED_STATES else None
    tx.must(
        "run_decide_again", decision.state, decision.shown[0], dumps(dict(decision.shown[1])), at_us,
        at_us if waits and not kept else None, int(kept), decision.look_at_us if waits else None, ended_us, explanation,
        run, old,
        what=run, old=old, new=decision.state,
    )  # fmt: skip


def _targets(tx: Transaction, asked: Ask, decision: policy.Decision) -> None:
    for target in asked.targets:
        name = str(target)
        state, reason, fields = decision.target_state(name)
        value = dumps({
            "inventory_name": target.inventory_name, "address": target.address, "groups": list(target.groups), "local": target.local,
            "port": target.port, "user": target.user,
        })  # fmt: skip
        tx.run(
            "run_target_put", asked.candidate.run, name, value, asked.candidate.action, state, reason, dumps(dict(fields)),
        )  # fmt: skip


def targets_again(tx: Transaction, candidate: policy.Candidate, decision: policy.Decision) -> None:
    """What a later look says of each target; who is left out now stays out of this run."""
    for target in candidate.targets:
        state, reason, fields = decision.target_state(target)
        tx.run("run_target_verdict", state, reason, dumps(dict(fields)), candidate.run, target)


@functools.cache
def decision_statement(rows: int) -> str:
    """The multi-row INSERT into `decision`."""
    columns = "seq, n, part, at_us, rule, action_index, action, run, outcome, reason, revision, explanation"
    return f"INSERT INTO decision ({columns}) VALUES {','.join(['(?,?,?,?,?,?,?,?,?,?,?,?)'] * rows)}"
