"""What a change of the files does to requests for a person's word, and to runs with that word which have not started: those that mean
something else now are void.

Callers: the daemon's reload, which shows them before (`write=False`), and ends them once the new files hold. Small pieces: each request is
looked at with the rules of today.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from healer import telemetry
from healer.store import candidates
from healer.store.transaction import Transaction, dumps

AT_ONCE: Final = 50
REASON: Final = "approval_void"


@dataclasses.dataclass(slots=True)
class Found:
    """Requests that are void: id, run, rule, action, targets. `last`: where the next piece goes on; None: there are no more."""

    items: list[dict[str, Any]]
    last: str | None


class Void:
    """The next requests, by id, that are not what they were under `standing_of`. `given`: those that were approved, whose runs, or steps
    behind them, have not started. `write`: they end."""

    weight = 5

    def __init__(
        self,
        standing_of: candidates.StandingOf,
        after: str = "",
        *,
        write: bool,
        given: bool = False,
        actor: str = "daemon",
    ) -> None:
        self.given = given
        self.standing_of = standing_of
        self.after = after
        self.write = write
        self.actor = actor

    def apply(self, tx: Transaction) -> Found:
        """One piece."""
        rows = tx.all("approvals_given_after" if self.given else "approvals_open_after", self.after, AT_ONCE)
        found = Found([], rows[-1][0] if len(rows) == AT_ONCE else None)
        for approval, run, digest, author, steps in rows:
            gone = candidates.changed(tx, run, digest, author, steps, self.standing_of)
            if not gone:
                continue
            if candidates.has_not_begun(tx, run):
                gone = {run: next(iter(gone.values()))}  # the steps behind it follow on its end
            for one, why in gone.items():
                row = candidates.run_row(tx, one)
                told = {key: row[key] for key in ("rule", "action", "targets")}
                found.items.append({"approval": approval, "run": one, **told})
                if self.write:
                    self._end(tx, row, why)
        return found

    def _end(self, tx: Transaction, row: candidates.RunRow, why: str) -> None:
        run, old = row["id"], row["state"]
        tx.run("attempts_withdraw", tx.now_us, run)
        tx.must(
            "run_move", "void", REASON, dumps({"summary": why}), tx.now_us, tx.now_us, run, old, what=run, old=old, new="void"
        )  # fmt: skip
        tx.audit(
            "transition", actor=self.actor, run=run, rule=row["rule"], action=row["action"], old=old, state="void", reason=REASON,
            detail=why,
        )  # fmt: skip
        telemetry.count("approvals_void")
