"""What the log says of attempts: which run of which rule begins what, and how that ended. Caller: the dispatcher."""

from __future__ import annotations

from collections.abc import Sequence

from loguru import logger

from healer import model
from healer.policy import reasons
from healer.store import asking, following, transaction


def begins(row: asking.RunRow, targets: Sequence[str]) -> None:
    """An attempt of a run on these targets is given to its controller."""
    on, action, controller = ", ".join(targets) or "no target", row["action"], row["controller"]
    chosen = "" if following.is_check(row) else reasons.chosen(transaction.loads(row["explanation"]))
    bound = logger.bind(run=row["id"], rule=row["rule"], action=action, controller=controller, targets=list(targets))
    by = f"{controller} ({chosen})" if chosen else controller
    bound.info("{} starts: {} of {} on {} by {}", _what(row), action, row["rule"], on, by)


def ended(row: asking.RunRow, outcome: model.Outcome) -> None:
    """How it ended, as its controller or we say. A check that finds nothing healed yet is no error."""
    bound = logger.bind(
        run=row["id"], rule=row["rule"], action=row["action"], state=outcome.state, exit_code=outcome.exit_code
    )
    fine = outcome.state == "succeeded" or (following.is_check(row) and outcome.state == "failed")
    bound.log(
        "INFO" if fine else "ERROR", "{} {}: {} of {}: {} ({:.1f} s)",
        _what(row), outcome.state, row["action"], row["rule"], outcome.summary, outcome.seconds,
    )  # fmt: skip


def _what(row: asking.RunRow) -> str:
    return f"the check of run {row['id']}" if following.is_check(row) else f"run {row['id']}"
