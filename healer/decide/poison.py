"""A batch that cannot be committed for a reason of its own is tried row by row, and the row that fails again is set aside.

Without this one poison row would end the daemon at each start, at the same place. What the store itself says (fenced, disk full)
is no poison and goes up.
"""

from __future__ import annotations

from loguru import logger

from healer import errors, store, telemetry
from healer.store import deciding

ERROR_MAX = 1000
EVERY_RULESET = "*"


async def submit(opened: store.Store, unit: deciding.Decide) -> deciding.Decided:
    """Commit the unit, or all of it but what poisons it. Raises `errors.HealerError` of the store."""
    error = await _try(opened, unit)
    if isinstance(error, deciding.Decided):
        return error
    logger.error("a batch of decisions failed and is tried row by row: {}", error)
    decided, after = deciding.Decided({}, 0, None), unit.after
    for outcome in unit.outcomes:
        one = deciding.Decide(after, outcome.seq, outcome.at_us, unit.revision, [outcome], unit.standing_of)
        got = await _try(opened, one)
        if not isinstance(got, deciding.Decided):
            got = await opened.insist(_set_aside(one, outcome, got))
        after = outcome.seq
        decided.runs |= got.runs
        decided.queued += got.queued
    rest = deciding.Decide(after, unit.to, unit.at_us, unit.revision, [], unit.standing_of, unit.snapshot)
    decided.next_look_us = (await opened.insist(rest)).next_look_us
    return decided


async def _try(opened: store.Store, unit: deciding.Decide) -> deciding.Decided | Exception:
    try:
        decided: deciding.Decided = await opened.insist(unit)
    except errors.HealerError:
        raise
    except Exception as error:  # whatever a row of strangers' making provokes: the caller finds out which row
        return error
    return decided


def _set_aside(one: deciding.Decide, outcome: deciding.Outcome, error: Exception) -> deciding.Decide:
    telemetry.count("events_quarantined")
    said = f"{type(error).__name__}: {error}"[:ERROR_MAX]
    logger.bind(event=outcome.seq).error("event quarantined: {}", said)
    aside = deciding.Outcome(outcome.seq, outcome.at_us, quarantined=[(EVERY_RULESET, said)])
    return deciding.Decide(one.after, one.to, one.at_us, one.revision, [aside], one.standing_of)
