"""What has happened in a case by now, read from its store: what expectations are compared with, and what the gates said.

Caller: `playing`. Times are µs since the case began.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Set
from typing import Any

from healer.decide import firing
from healer.harness import rig
from healer.policy import reasons
from healer.store import transaction

Row = dict[str, Any]


@dataclasses.dataclass(slots=True)
class Seen:
    """All of it. `runs` have `targets`, `begun` (when its effects began) and `sentence` (what is said of its state)."""

    runs: list[Row]
    decisions: list[Row]
    approvals: list[Row]
    notifications: list[Row]
    """Messages: `to`, `news`, `count`, when they were begun, and the rules and actions of their runs where that is one."""
    alerts: list[Row]
    facts: list[tuple[str, Mapping[str, Any]]]
    """(ruleset, fact)"""
    unkept: list[Row]
    """Facts that came, and pass no condition of their `ruleset`: such a one is not stored."""
    events: list[Row]
    quarantined: list[Row]


async def look(on: rig.Rig, kinds: Set[str] | None = None) -> Seen:
    """What there is now; `kinds`: only what expectations of these look at."""
    read, start_us = on.store.reader.all, on.clock.start_us

    async def of(name: str, *wanted: str) -> list[Row]:
        return await read(name) if kinds is None or not kinds.isdisjoint(wanted) else []

    targets: dict[str, list[str]] = {}
    for row in await of("seen_targets", "runs", "approvals"):
        if row["state"] != "left_out":
            targets.setdefault(row["run"], []).append(row["target"])
    begun: dict[str, list[int]] = {}
    for row in await of("seen_attempts", "runs"):
        begun.setdefault(row["run"], []).append(row["started_us"] - start_us)
    rules = {row["id"]: (row["rule"], row["action"]) for row in await of("seen_runs", "notifications")}
    return Seen(
        [_run(row, start_us, targets, begun) for row in await of("seen_runs", "runs")],
        [row | {"at_us": row["at_us"] - start_us} for row in await of("seen_decisions", "decisions", "fired")],
        [
            row | {"asked_us": row["asked_us"] - start_us, "targets": targets.get(row["run"], [])}
            for row in await of("seen_approvals", "approvals")
        ],
        [_message(row, start_us, rules) for row in await of("seen_messages", "notifications")],
        await of("seen_alerts", "alerts"),
        [(name, one.body) for name, running in on.decider.evaluator.running.items() for one in running.session.facts.stored],
        [one for row in await of("seen_facts", "facts") if (one := _unkept(on, row))],
        [row | {"at_us": row["at_us"] - start_us} for row in await of("seen_events")],
        await of("seen_quarantine"),
    )  # fmt: skip


def _unkept(on: rig.Rig, row: Row) -> Row | None:
    running = on.decider.evaluator.running.items()
    name, session = next(
        ((name, one.session) for name, one in running if firing.inner_source(name) == row["source"]), ("", None)
    )
    body = transaction.loads(row["body"])
    meta = {"meta": transaction.loads(row["meta"])} if row["meta"] else {}
    if session is None or session.relevant(body | meta):
        return None
    return {"ruleset": name, "fact": body, "at_us": row["at_us"] - on.clock.start_us}


def _message(row: Row, start_us: int, rules: Mapping[str, tuple[str, str]]) -> Row:
    of = {rules[one["run"]] for one in transaction.loads(row["members"]) if one.get("run") in rules}
    rule, action = of.pop() if len(of) == 1 else ("", "")
    return {
        "to": row["receiver"], "news": row["news"], "rule": rule, "action": action, "count": row["count"],
        "made_us": row["made_us"] - start_us,
    }  # fmt: skip


def _run(row: Row, start_us: int, targets: Mapping[str, list[str]], begun: Mapping[str, list[int]]) -> Row:
    detail = transaction.loads(row["detail"])
    return row | {
        "parameters": transaction.loads(row["parameters"]), "targets": targets.get(row["id"], []), "begun": begun.get(row["id"], []),
        "created_us": row["created_us"] - start_us, "changed_us": row["changed_us"] - start_us, "sentence": _sentence(row, detail),
        "waited": [one["code"] for one in transaction.loads(row["explanation"]).get("waited", [])],
    }  # fmt: skip


def _sentence(row: Row, detail: Mapping[str, Any]) -> str:
    """Why a run is in its state, as people are told."""
    if "summary" in detail:
        return str(detail["summary"])
    return reasons.sentence(row["reason"], detail) if row["reason"] in reasons.REASONS else ""
