"""Plans in rows: which are wanted (a trigger of `run` says so), and what became of them. Caller: `dispatch.planning`."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Any, Final, Literal

from healer import telemetry
from healer.store import candidates, journal
from healer.store.transaction import Transaction, dumps

STATES: Final = ("simulated", "awaiting_approval")
"""Runs in these have a plan."""


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """A plan that is to be made: the run's row, and its targets as `targets_of_run` gives them."""

    asked_us: int
    run: candidates.RunRow
    targets: list[dict[str, Any]]


class Take:
    """The `count` that are to be made next, of the first `keep`, which may wait. All others but those under way will not be made.

    `why`: what is said of these.
    """

    weight = 1

    def __init__(self, count: int, keep: int, under_way: Collection[str], why: str) -> None:
        self.count = count
        self.keep = keep
        self.under_way = under_way
        self.why = why

    def apply(self, tx: Transaction) -> list[Wanted]:
        """The first ones, as they are now; those of runs that wait for a person before others."""
        tx.run("plans_over", tx.now_us)
        rows = tx.all("plans_wanted", self.keep + len(self.under_way))
        waiting = [row for row in rows if row[0] not in self.under_way][: self.keep]
        kept = dumps([*self.under_way, *(run for run, _ in waiting)])
        if skipped := tx.run("plans_skip", tx.now_us, self.why, kept):
            telemetry.count("plans_skipped", skipped)
        return [
            Wanted(asked_us, candidates.run_row(tx, run), tx.named("targets_of_run", run))
            for run, asked_us in waiting[: self.count]
        ]  # fmt: skip


class End:
    """A plan was made, or why there is none. Nothing where the run was decided anew meanwhile: that asks for another one."""

    weight = 1

    def __init__(
        self, wanted: Wanted, state: Literal["made", "failed", "skipped"], detail: str, seconds: float, content: journal.Blob | None
    ) -> None:  # fmt: skip
        self.wanted = wanted
        self.state = state
        self.detail = detail
        self.seconds = seconds
        self.content = content

    def apply(self, tx: Transaction) -> bool:
        """wanted → what became of it, with its record where its controller was asked."""
        run, content = self.wanted.run, self.content
        if content is not None:
            tx.run("blob_insert", content.hash, content.size, content.data, tx.now_us)
        name = content.hash if content is not None else None
        if not tx.run(
            "plan_end", self.state, tx.now_us, self.seconds, self.detail, name, run["id"], self.wanted.asked_us
        ):
            return False
        telemetry.count(f"plans_{self.state}")
        if self.state != "skipped":
            tx.audit(
                "plan", actor="daemon", run=run["id"], rule=run["rule"], action=run["action"], controller=run["controller"],
                state=self.state, targets=run["targets"], detail=self.detail or None, content=name,
            )  # fmt: skip
        return True
