"""A batch that cannot be committed for a reason of its own is tried row by row, and the row that fails to the end is set aside.

Without this one poison row would end the daemon at each start, at the same place. What the store itself says (fenced, disk full)
is no poison and goes up.
"""

from __future__ import annotations

import dataclasses

from loguru import logger

from healer import errors, store, telemetry
from healer.decide import evaluating
from healer.store import deciding, letters


@dataclasses.dataclass(frozen=True, slots=True)
class Committed:
    """What is committed. `aside`: the row that was set aside; what was decided behind it is void, since its rules had heard of it."""

    decided: deciding.Decided
    aside: deciding.Outcome | None = None


async def submit(opened: store.Store, unit: deciding.Decide) -> Committed:
    """Commit the unit, or of it what comes before the first row that poisons it, and that row as set aside.

    Raises `errors.HealerError` of the store.
    """
    got = await _try(opened, unit)
    if isinstance(got, deciding.Decided):
        return Committed(got)
    if not unit.outcomes:
        raise got
    logger.error("a batch of decisions failed and is tried row by row: {}", got)
    decided, after = deciding.Decided({}, 0, None), unit.after
    for outcome in unit.outcomes:
        one = deciding.Decide(after, outcome.seq, outcome.at_us, unit.revision, [outcome], unit.standing_of)
        got = await _tried(opened, one)
        if not isinstance(got, deciding.Decided):
            _join(decided, await set_aside(opened, one, outcome, evaluating.told(got)))
            return Committed(decided, outcome)
        after = outcome.seq
        _join(decided, got)
    rest = deciding.Decide(after, unit.to, unit.at_us, unit.revision, [], unit.standing_of, unit.snapshot)
    _join(decided, await opened.insist(rest))
    return Committed(decided)


async def set_aside(
    opened: store.Store, one: deciding.Decide, outcome: deciding.Outcome, error: str
) -> deciding.Decided:  # fmt: skip
    """Commit a row as one that nobody could digest."""
    telemetry.count("events_quarantined")
    tell(outcome, letters.EVERY_RULESET, error)
    aside = deciding.Outcome(outcome.seq, outcome.at_us, quarantined=[(letters.EVERY_RULESET, error)])
    unit = deciding.Decide(one.after, one.to, one.at_us, one.revision, [aside], one.standing_of)
    decided: deciding.Decided = await opened.insist(unit)
    return decided


def tell(outcome: deciding.Outcome, ruleset: str, error: str) -> None:
    """Log that a row is in quarantine: which one, whose, and for whom."""
    whose = f" of {outcome.source}" if outcome.source else ""
    whom = "" if ruleset == letters.EVERY_RULESET else f" for {ruleset}"
    logger.bind(event=outcome.seq, source=outcome.source, ruleset=ruleset).error(
        "e-{}{} is quarantined{}: {}", outcome.seq, whose, whom, error
    )


def _join(decided: deciding.Decided, more: deciding.Decided) -> None:
    decided.runs |= more.runs
    decided.queued += more.queued
    decided.next_look_us = more.next_look_us
    decided.tells |= more.tells


async def _tried(opened: store.Store, one: deciding.Decide) -> deciding.Decided | Exception:
    """A row of its own, as often as is left: the batch was the first time."""
    for _ in range(letters.TRIES - 2):
        got = await _try(opened, one)
        if isinstance(got, deciding.Decided):
            return got
    return await _try(opened, one)


async def _try(opened: store.Store, unit: deciding.Decide) -> deciding.Decided | Exception:
    try:
        decided: deciding.Decided = await opened.insist(unit)
    except errors.HealerError:
        raise
    except Exception as error:  # whatever a row of strangers' making provokes: the caller finds out which row
        return error
    return decided
