"""Asking the gates about one run inside a transaction, and writing what they said.

Called by T2 for new matches and for deferred runs that are due. The view is built from rows read here and now, so that two
transactions can never both pass the last place.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, Final

from healer import model, policy, telemetry
from healer.audit import records
from healer.policy import gates
from healer.store.transaction import Transaction, dumps, loads, placeholders

RunRow = dict[str, Any]

_PLACES: Final = {name: place for place, (name, _) in enumerate(gates.ORDER)}
TURNS_A_ROW: Final = 1_000_000
"""Turns of a row's decisions lie between those of the rows before and after it."""
_LAST_TURN: Final = 1 << 62
WAITED_MAX: Final = 10
"""How many waits of a run are told, the last ones."""

StandingOf = Callable[[RunRow], policy.Standing]
"""What holds for a run now, from its row: pure, called inside transactions."""


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


def ask(tx: Transaction, asked: Ask, seq: int, n: int, at_us: int, revision: int) -> tuple[str, int]:
    """Decide, write the decision and the run. (the run's state, how many attempts were queued)"""
    candidate = asked.candidate
    held = tx.one("run_state", candidate.run)
    view = view_of(tx, candidate, asked.standing, held)
    decision = policy.decide(candidate, view, at_us)
    telemetry.count(f"decisions_{decision.reason or decision.state}")
    explanation = {
        "conditions": asked.conditions,
        "gates": [verdict.as_json() for verdict in decision.verdicts],
        "would": decision.would,
        **({"events": [*asked.events]} if asked.events else {}),
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
    tx.audit(
        "decision", actor=asked.actor, run=candidate.run, rule=candidate.rule, action=candidate.action, event=seq,
        state=decision.state, reason=decision.reason or None, targets=list(candidate.targets), controller=candidate.controller,
        parameters=records.embed(asked.parameters), dry_run=candidate.dry_run or None, revision=revision,
        explanation=records.embed(explanation),
    )  # fmt: skip
    queued = decision.state == "queued"
    if queued:
        queue_attempt(tx, candidate.run, at_us)
    return decision.state, int(queued)


def look_again(tx: Transaction, run: str, standing_of: StandingOf, at_us: int) -> tuple[str, int]:
    """Decide a deferred run again. An audit record only when it leaves `deferred` or its reason changes."""
    row = run_row(tx, run)
    standing = standing_of(row)
    candidate = candidate_of(row, standing)
    view = view_of(tx, candidate, standing, (row["state"], row["reason"], row["deferred_us"]))
    decision = policy.look_again(candidate, view, at_us)
    explanation = dumps(looked(row, decision, at_us))
    if decision.state == "deferred" and decision.reason == row["reason"]:
        tx.run("run_look_later", decision.look_at_us, at_us, dumps(dict(decision.fields)), explanation, run)
        return "deferred", 0
    _again(tx, run, row["state"], decision, at_us, explanation)
    targets_again(tx, candidate, decision)
    transition_audit(tx, row, decision)
    if decision.state == "queued":
        queue_attempt(tx, run, at_us)
        return "queued", 1
    return decision.state, 0


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
    if row["state"] in ("deferred", "queued") and row["reason"] and before != (decision.state, decision.reason):
        waited = told.get("waited", [])
        began_us = (row["deferred_us"] if row["state"] == "deferred" else None) or row["changed_us"]
        since_us = max([began_us, *(one["until_us"] for one in waited[-1:])])
        ended = {"code": row["reason"], "fields": loads(row["detail"]), "since_us": since_us, "until_us": now_us}
        told["waited"] = [*waited, ended][-WAITED_MAX:]
    return told


def transition_audit(tx: Transaction, row: RunRow, decision: policy.Decision, actor: str = "daemon") -> None:
    """The record of a run that changes without an attempt having ended."""
    tx.audit(
        "transition", actor=actor, run=row["id"], rule=row["rule"], action=row["action"], old=row["state"], state=decision.state,
        reason=decision.reason or None, gates=records.embed([verdict.as_json() for verdict in decision.verdicts if not verdict.ok]),
    )  # fmt: skip


def view_of(tx: Transaction, candidate: policy.Candidate, standing: policy.Standing, held: Any) -> policy.View:
    """Read what the gates look at. `held` is (state, reason, deferred since) of the run, or None."""
    attempts = tx.one("attempts_made", candidate.run)[0] if held is not None else 0
    running = dict(tx.all("running_by_controller"))
    state = held[0] if held is not None else None
    return policy.View(
        paused=standing.paused,
        state=state,
        reason=held[1] if held is not None else "",
        attempts_made=attempts,
        resolved_us=resolved_us(tx, candidate.run, candidate.lifecycle),
        deferred_us=held[2] if held is not None and state in ("deferred", "queued") else None,
        last_ended=_last_ended(tx, candidate),
        locked_by=_locked_by(tx, candidate.targets),
        running_daemon=sum(running.values()),
        running_controller=running.get(candidate.controller, 0),
        running_by_rule=dict(tx.all("running_by_rule")) if candidate.limits.places else {},
        lane_held_by=_lane_held_by(tx, candidate),
        before=_before(tx, candidate.after),
    )


def resolved_us(tx: Transaction, run: str, lifecycle: bool) -> int | None:
    """When the last of the run's firing alerts closed, None while one of them still fires in that cycle."""
    if not lifecycle:
        return None
    open_, closed_us = tx.one("run_alerts_open", run)
    return None if open_ or closed_us is None else int(closed_us)


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


def _last_ended(tx: Transaction, candidate: policy.Candidate) -> dict[str, tuple[int, str]]:
    if not candidate.limits.cooldown_s:
        return {}
    found = {}
    for target in candidate.targets:
        row = tx.one("last_ended", target, candidate.action)
        if row is not None:
            found[target] = (row[0], row[1])
    return found


def _locked_by(tx: Transaction, targets: Sequence[str]) -> dict[str, str]:
    if not targets:
        return {}
    sql = f"SELECT target, run FROM lock WHERE target IN ({placeholders(targets)})"
    return dict(tx.connection.execute(sql, list(targets)).fetchall())


def run_row(tx: Transaction, run: str) -> RunRow:
    """The run's row by column name."""
    cursor = tx.connection.execute("SELECT * FROM run WHERE id = ?", (run,))
    return dict(zip([column[0] for column in cursor.description], cursor.fetchone(), strict=True)) | {
        "targets": [row[0] for row in tx.all("run_targets_in", run)],
        "lifecycle": bool(tx.one("run_has_firing_alert", run)[0]),
    }


def candidate_of(row: RunRow, standing: policy.Standing) -> policy.Candidate:
    """The candidate again, from the run's row and what holds now: today's limits; the timeout belongs to the files that run."""
    limits = policy.Limits.from_json(loads(row["limits"]))
    if standing.limits is not None:
        limits = dataclasses.replace(standing.limits, timeout_s=limits.timeout_s)
    return policy.Candidate(
        run=row["id"],
        rule=row["rule"],
        action=row["action"],
        controller=row["controller"],
        targets=tuple(row["targets"]),
        event_us=row["event_us"],
        limits=limits,
        upstream=row["flavor"] == "upstream",
        enabled=standing.enabled,
        dry_run=bool(row["dry_run"]),
        mode=standing.mode,
        lifecycle=row["lifecycle"],
        problems=standing.problems,
        depth=row["depth"],
        after=row["after"],
        lane=row["lane"],
    )


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
    waits = decision.state == "deferred"
    ended_us = at_us if decision.state in model.ENDED_STATES else None
    tx.run(
        "run_insert", candidate.run, decision.state, decision.shown[0], dumps(dict(decision.shown[1])), seq, candidate.rule,
        candidate.action, asked.action_index, "upstream" if candidate.upstream else "catalog", asked.kind, dumps(asked.subject),
        candidate.controller, dumps(asked.parameters), dumps(asked.extra), int(asked.idempotent), int(candidate.dry_run),
        dumps(candidate.limits.as_json()), asked.severity, candidate.depth, asked.actor, revision, candidate.event_us, at_us, at_us,
        at_us if waits else None, decision.look_at_us if waits else None, ended_us, explanation, candidate.after,
        candidate.lane, turn,
    )  # fmt: skip
    for source, key, cycle, firing in asked.alerts:
        tx.run("run_alert_insert", candidate.run, source, key, cycle, int(firing))


def _refresh(tx: Transaction, asked: Ask, seq: int, revision: int, turn: int) -> None:
    """A repeat decides again with what the rules say today: what was refused may have been mended by a reload."""
    candidate = asked.candidate
    tx.run(
        "run_refresh", seq, candidate.action, asked.kind, dumps(asked.subject), candidate.controller, dumps(asked.parameters),
        dumps(asked.extra), int(asked.idempotent), int(candidate.dry_run), dumps(candidate.limits.as_json()), asked.severity, revision,
        candidate.event_us, candidate.after, candidate.lane, turn, candidate.run,
    )  # fmt: skip
    tx.run("run_targets_clear", candidate.run)


def _again(tx: Transaction, run: str, old: str, decision: policy.Decision, at_us: int, explanation: str) -> None:
    waits = decision.state == "deferred"
    kept = old == "deferred" and decision.state in ("deferred", "queued")
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
        })  # fmt: skip
        tx.run(
            "run_target_put", asked.candidate.run, name, value, asked.candidate.action, state, reason, dumps(dict(fields)),
        )  # fmt: skip


def targets_again(tx: Transaction, candidate: policy.Candidate, decision: policy.Decision) -> None:
    """What a later look says of each target; who is left out now stays out of this run."""
    for target in candidate.targets:
        state, reason, fields = decision.target_state(target)
        tx.run("run_target_verdict", state, reason, dumps(dict(fields)), candidate.run, target)


def queue_attempt(tx: Transaction, run: str, not_before_us: int) -> str:
    """Queue the next attempt of a run on those of its targets that are not left out; its token."""
    number = tx.one("attempt_last", run)[0] + 1
    token = f"{run}-{number}"
    targets = [row[0] for row in tx.all("run_targets_in", run)]
    tx.run("attempt_insert", run, number, token, dumps(targets), not_before_us, run)
    return token


@functools.cache
def decision_statement(rows: int) -> str:
    """The multi-row INSERT into `decision`."""
    columns = "seq, n, part, at_us, rule, action_index, action, run, outcome, reason, revision, explanation"
    return f"INSERT INTO decision ({columns}) VALUES {','.join(['(?,?,?,?,?,?,?,?,?,?,?,?)'] * rows)}"
