"""Requests for a person's word in rows: waiting is a row, no task holds it.

Callers: `asking` and `claiming` (a gate asks for a person). What people say is in `reviewing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from healer import model, policy, telemetry
from healer.policy import approvals
from healer.store import candidates
from healer.store.transaction import Transaction, dumps, loads

EVENTS_MAX: Final = 100
BY_HAND: Final = ("key:", "link:", "os:", "slack:")
"""Actors that a person may stand behind."""


def request(
    tx: Transaction, run: str, decision: policy.Decision, asked: policy.Limits, standing: policy.Standing,
    standing_of: candidates.StandingOf | None = None,
) -> None:  # fmt: skip
    """A run waits for a person from now on: the thresholds of this moment are frozen into the request.

    `standing_of`: what the steps behind it are is known already. Else each is added (`add_step`) as soon as it is.
    """
    row = candidates.run_row(tx, run)
    number = tx.one("approval_count", run)[0] + 1
    approval = "a-" + model.short_hash(f"{run}/{number}")[:12]
    wanted = asked.approvals or standing.asks
    author = standing.author if "author" in approvals.exclusions(wanted) else None
    steps = loads(row["extra"]).get(candidates.CHAIN, {}).get("steps", [])
    tx.run(
        "approval_insert", approval, decision.reason, candidates.digest_of(tx, row, standing, author),
        dumps(approvals.as_json(wanted)), _requester(tx, row), author, tx.now_us, decision.look_at_us, run,
    )  # fmt: skip
    tx.audit(
        "approval_asked", actor="daemon", run=run, approval=approval, rule=row["rule"], action=row["action"], reason=decision.reason,
        targets=row["targets"], author=author or None, steps=steps or None, expires_us=decision.look_at_us,
    )  # fmt: skip
    telemetry.count("approvals_asked")
    if standing_of is not None:
        for step in steps:
            found = candidates.run_row(tx, step)
            _add(tx, run, found, standing_of(found))


def bundle_of(row: Mapping[str, Any]) -> str:
    """What requests that are alike have in common: rule, action, why a person is asked, whose word counts, and who may not."""
    parts = [row[name] or "" for name in ("rule", "action", "reason", "asked", "requester", "author")]
    parts += [step["action"] for step in loads(row["steps"])]
    return "b-" + model.short_hash("\x1f".join(parts))[:12]


def _requester(tx: Transaction, row: candidates.RunRow) -> str:
    """Who asked for a run: of one that a rule asked for all who sent events of its match, if people or programs with keys did."""
    if not row["actor"].startswith("rule:"):
        return str(row["actor"])
    sent = [
        tx.one("event_sent_by", seq) for seq in (row["seq"], *loads(row["explanation"]).get("events", ())[:EVENTS_MAX])
    ]
    found = dict.fromkeys(one[0] for one in sent if one is not None and one[0].startswith(BY_HAND))
    return approvals.BETWEEN.join(found) or str(row["actor"])


def add_step(tx: Transaction, run: str, standing: policy.Standing) -> None:
    """A step that waits for a chain's first run, which may wait for a person: they say yes to this one too."""
    row = candidates.run_row(tx, run)
    if (first := loads(row["extra"]).get(candidates.CHAIN, {}).get("first")) is not None:
        _add(tx, first, row, standing)


def _add(tx: Transaction, first: str, row: candidates.RunRow, standing: policy.Standing) -> None:
    last = tx.one("approval_last", first)
    if row["state"] != "deferred" or last is None or last[1] != "open":
        return
    step = {
        "run": row["id"], "turn": row["turn"], "action": row["action"],
        "digest": candidates.digest_of(tx, row, standing, author=last[3]),
    }  # fmt: skip
    tx.run("approval_steps", dumps([*loads(last[5]), step]), last[0])
