"""Units that delete what its time is over for, a bounded number of rows each. Callers: `retain`."""

from __future__ import annotations

from typing import ClassVar, Final

from healer.store.transaction import Transaction

ROWS: Final = 2_000
RUNS: Final = 200
DELIVERIES_US: Final = 7 * 86_400 * 1_000_000
BACK_US: Final = 31 * 86_400 * 1_000_000
"""How far gates look back at most (`measures.WINDOW_MAX_S`)."""


class TrimJournal:
    """Journal rows (with their decisions) before a time that nothing needs any more."""

    weight = 1
    at_most: ClassVar[int] = ROWS

    def __init__(self, before_us: int) -> None:
        self.before_us = before_us

    def apply(self, tx: Transaction) -> int:
        """How many rows went."""
        oldest = tx.one("journal_oldest_needed")[0]
        tx.run("decision_trim", oldest, self.before_us, ROWS)
        tx.run("opening_trim", oldest, tx.now_us - BACK_US, ROWS)
        tx.run("quarantine_trim", oldest, self.before_us, ROWS)
        count = tx.run("journal_trim", oldest, self.before_us, ROWS)
        if count:
            tx.run("past_trim")
        return count


class TrimSpent:
    """What runs took of budgets, and counts of matches, that no gate looks back at any more."""

    weight = 1
    at_most: ClassVar[int] = ROWS

    def apply(self, tx: Transaction) -> int:
        """How many entries went."""
        tx.run("matched_trim", (tx.now_us - BACK_US) // 1_000_000)
        return tx.run("spent_trim", tx.now_us - BACK_US, ROWS)


class TrimDeliveries:
    """Delivery ids; kept for a time of their own, whatever the journal keeps."""

    weight = 1
    at_most: ClassVar[int] = ROWS

    def __init__(self, before_us: int) -> None:
        self.before_us = before_us

    def apply(self, tx: Transaction) -> int:
        """How many ids went."""
        return tx.run("delivery_trim", self.before_us, ROWS)


class TrimPlans:
    """What plans say; that there was one stays."""

    weight = 1
    at_most: ClassVar[int] = ROWS

    def __init__(self, before_us: int) -> None:
        self.before_us = before_us

    def apply(self, tx: Transaction) -> int:
        """How many plans lost what they say."""
        return tx.run("plan_trim", self.before_us, ROWS)


class TrimOutputs:
    """What attempts printed; the attempt itself stays."""

    weight = 1
    at_most: ClassVar[int] = ROWS

    def __init__(self, before_us: int) -> None:
        self.before_us = before_us

    def apply(self, tx: Transaction) -> int:
        """How many attempts lost their output."""
        return tx.run("output_trim", self.before_us, ROWS)


class TrimMessages:
    """Messages that nothing is to be done about any more."""

    weight = 1
    at_most: ClassVar[int] = ROWS

    def __init__(self, before_us: int) -> None:
        self.before_us = before_us

    def apply(self, tx: Transaction) -> int:
        """How many went."""
        tx.run("outbox_forget_runs", self.before_us, ROWS)
        return tx.run("outbox_forget", self.before_us, ROWS)


FORGOTTEN: Final = (
    "attempt_forget", "run_target_forget", "run_alert_forget", "review_forget", "approval_forget", "plan_forget", "run_forget",
)  # fmt: skip
"""What goes of a run, in this order."""


class TrimRuns:
    """Runs that ended long ago, with their targets, alerts and attempts. Their audit records stay."""

    weight = 1
    at_most: ClassVar[int] = RUNS

    def __init__(self, before_us: int) -> None:
        self.before_us = before_us

    def apply(self, tx: Transaction) -> int:
        """How many runs went."""
        runs = [row[0] for row in tx.all("runs_over", self.before_us, RUNS)]
        for run in runs:
            for name in FORGOTTEN:
                tx.run(name, run)
        return len(runs)


class TrimAlerts:
    """Alerts that were closed long ago. Which ones: (source, key, cycle) of each."""

    weight = 1
    at_most: ClassVar[int] = ROWS

    def __init__(self, before_us: int) -> None:
        self.before_us = before_us

    def apply(self, tx: Transaction) -> list[tuple[str, str, int]]:
        """Delete the rows; who keeps them in memory has to forget them too."""
        return [(row[0], row[1], row[2]) for row in tx.all("alert_trim", self.before_us, ROWS)]


class TrimBlobs:
    """Content that no row names. The names of those that lie in files."""

    weight = 1
    at_most: ClassVar[int] = ROWS

    def apply(self, tx: Transaction) -> list[str]:
        """Delete the rows; the files are the caller's."""
        return [row[0] for row in tx.all("blob_trim", tx.now_us - 3_600_000_000, ROWS)]
