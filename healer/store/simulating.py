"""What an event would come to if it came now: T2 on the rows of now, taken back before anything is committed.

It is the very unit that decides, so that no gate, budget, chain or trigger can be seen otherwise than it would be. Caller: the daemon's
`simulate`.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from healer import telemetry
from healer.store import asking, candidates, deciding
from healer.store.transaction import Transaction

if TYPE_CHECKING:
    from healer import store


@dataclasses.dataclass(slots=True)
class Simulated:
    """The rows as they would be: decisions (of the statement `decisions_of`), and of each run by its id its row and its targets."""

    seq: int
    decisions: list[dict[str, Any]]
    runs: dict[str, candidates.RunRow]
    targets: dict[str, list[dict[str, Any]]]


class Simulate:
    """Decides a row that is not there. `revision`: the id of the revision whose rules would hear it. See `simulated`."""

    weight = 1

    def __init__(self, outcome: deciding.Outcome, revision: str, standing_of: asking.StandingOf) -> None:
        self.outcome = outcome
        self.revision = revision
        self.standing_of = standing_of

    def apply(self, tx: Transaction) -> None:
        """Never returns: what it finds is raised, so that all of it is taken back."""
        with telemetry.uncounted():
            raise _TakenBack(self._decided(tx))

    def _decided(self, tx: Transaction) -> Simulated:
        (after,) = tx.one("decided_to")
        outcome = dataclasses.replace(self.outcome, seq=tx.last_seq + 1, at_us=tx.now_us)
        number = deciding.revision_number(tx, self.revision, "")
        deciding.Decide(after, outcome.seq, outcome.at_us, number, [outcome], self.standing_of).apply(tx)
        decisions = tx.named("decisions_of", outcome.seq)
        names = dict.fromkeys(one["run"] for one in decisions if one["run"] is not None)
        return Simulated(
            outcome.seq, decisions, {run: candidates.run_row(tx, run) for run in names},
            {run: tx.named("targets_of_run", run) for run in names},
        )  # fmt: skip


class _TakenBack(Exception):
    """the simulation is over, and leaves nothing behind"""

    def __init__(self, found: Simulated) -> None:
        super().__init__()
        self.found = found


async def simulated(opened: store.Store, unit: Simulate) -> Simulated:
    """What the unit finds, of an open store."""
    try:
        await opened.submit(unit)
    except _TakenBack as over:
        return over.found
    raise AssertionError("a simulation was committed")
