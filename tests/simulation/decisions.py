"""Checkers of decisions and of what becomes of alerts: the journal is decided once more, by a daemon that nothing ever happened to."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator
from typing import Any, Final

import life
import orjson
import simulating
import virtual

from healer import store
from healer.daemon import rules, standing
from healer.decide import alerts, evaluating, recovery
from healer.store import asking, deciding, journal


@dataclasses.dataclass(slots=True)
class Decided:
    """What a row leads to when nothing comes between. `revision`: whose rules hold."""

    row: journal.Row
    revision: str
    outcome: deciding.Outcome | None


def again(seen: simulating.Seen) -> list[Decided]:
    """The journal decided once more, from an empty memory."""
    clock = virtual.Clock()
    with simulating.quiet(), virtual.no_real_time(clock):
        loop = virtual.Loop(clock)
        try:
            return loop.run_until_complete(_again(seen))
        finally:
            loop.close()


async def _again(seen: simulating.Seen) -> list[Decided]:
    opened = store.Store.open(None, lambda: 0, loop=None, memory=seen.raw)
    nothing = life.PauseFile(lambda: 0, lambda: "")
    evaluator: evaluating.Evaluator | None = None
    held, found = "", []
    for row in await opened.rows_after(0, 1_000_000):
        if row.kind == "revision":
            held = deciding.revision_of(row.body or b"")
            revision = life.by_id(seen.known, held)
            made = standing.Standing(revision, nothing, revision.settings.mode)
            known = evaluator.alerts if evaluator is not None else alerts.Alerts()
            fresh = await rules.evaluator(opened, revision, made, known)
            fresh.acting._say = lambda *_: None
            evaluator = await recovery.carry_over(opened, evaluator, fresh)
        outcome = evaluator.evaluate(row) if evaluator is not None else None
        found.append(Decided(row, held, outcome))
    return found


def decided_alike(seen: simulating.Seen) -> Iterator[str]:
    """Same events, rulebook and clock → byte-identical decisions · every match ends in exactly one decision · each decision names one
    rulebook hash."""
    numbers = dict(seen.rows("SELECT id, n FROM revision"))
    rows: dict[int, list[Any]] = collections.defaultdict(list)
    for one in seen.rows(
        "SELECT seq, n, rule, action_index, action, run, revision, outcome, reason, explanation FROM decision ORDER BY seq, n"
    ):
        rows[one[0]].append(one)
    (position,) = seen.rows("SELECT seq FROM position")[0]
    given: dict[int, list[Any]] = collections.defaultdict(list)
    for cause, kind, source, body, depth in seen.rows(
        "SELECT cause, kind, source, body, depth FROM journal WHERE cause IS NOT NULL ORDER BY cause, ordinal"
    ):
        given[cause].append((kind, source, body, depth))
    for one in again(seen):
        if one.row.seq > position:
            if one.outcome is not None and (one.outcome.results or one.outcome.alerts):
                yield f"e-{one.row.seq} was never decided"
            continue
        results = one.outcome.results if one.outcome is not None else []
        told = [_told(one, n, result, numbers) for n, result in enumerate(results)]
        kept = [_kept(row) for row in rows.pop(one.row.seq, [])]
        held = any(row[-1] == "paused" for row in kept)
        if held:
            told, kept = [row[:7] for row in told], [row[:7] for row in kept]
        if told != kept:
            yield f"e-{one.row.seq} was decided as {kept}, and without a crash it is {told}"
        if one.outcome is not None and not held:
            wanted = [(row.kind, row.source, row.body, row.depth) for row in one.outcome.appends]
            if wanted != given.pop(one.row.seq, []):
                yield f"e-{one.row.seq} appended something else than {wanted}"
    for seq in rows:
        yield f"e-{seq} has decisions, and nothing matched"


def _told(one: Decided, n: int, result: Any, numbers: dict[str, int]) -> tuple[Any, ...]:
    revision = numbers[one.revision]
    if isinstance(result, asking.Ask):
        asked = result.candidate
        return (
            one.row.seq,
            n,
            asked.rule,
            result.action_index,
            asked.action,
            asked.run,
            revision,
            _conditions(result.conditions),
            "",
        )
    return (
        one.row.seq,
        n,
        result.rule,
        result.action_index,
        result.action,
        None,
        revision,
        orjson.dumps([result.outcome, result.explanation]),
        result.reason,
    )


def _conditions(tests: Any) -> bytes:
    """Without the places: a rule that a reload left as it was keeps those of the file before."""
    return orjson.dumps(
        [{key: value for key, value in one.items() if key != "place"} for one in tests], option=orjson.OPT_SORT_KEYS
    )


def _kept(row: Any) -> tuple[Any, ...]:
    seq, n, rule, index, action, run, revision, outcome, reason, explanation = row
    if run is None:
        return (seq, n, rule, index, action, None, revision, orjson.dumps([outcome, explanation]), reason)
    return (seq, n, rule, index, action, run, revision, _conditions(orjson.loads(explanation)["conditions"]), "")


def one_run_a_firing(seen: simulating.Seen) -> Iterator[str]:
    """At most one run per (rule, dedup key, firing cycle) under concurrency, redelivery, restart and reload."""
    for rule, index, key, cycle, count in seen.rows(
        "SELECT r.rule, r.action_index, a.source || a.key, a.cycle, count(*) FROM run r JOIN run_alert a ON a.run = r.id WHERE r.rung = 0"
        " GROUP BY 1, 2, 3, 4 HAVING count(*) > 1"
    ):
        yield f"{count} runs of {rule} ({index}) for {key} in its firing {cycle}"


WAITS_FOR_AN_ACT: Final = ("inhibited", "chain", "escalation")
"""Deferred without a time: something else ends it, which is there as long as it holds."""
LATE_US: Final = 5 * virtual.US


def nothing_is_forgotten(seen: simulating.Seen) -> Iterator[str]:
    """No alert that still fires is ever forgotten: each has, for each rule that it fired, a run that is open and will be looked at, that
    helped, that is with a person, or that was refused with a reason."""
    firing = {
        (source, key, cycle)
        for source, key, cycle in seen.rows("SELECT source, key, cycle FROM alert WHERE status = 'firing'")
    }
    runs = {row[0]: row[1:] for row in seen.rows("SELECT id, state, reason, look_at_us, action FROM run")}
    last = {
        run: (outcome, reason)
        for run, outcome, reason in seen.rows(
            "SELECT run, outcome, reason FROM decision WHERE run IS NOT NULL ORDER BY seq, n"
        )
    }
    well = {run for (run,) in seen.rows("SELECT run FROM attempt WHERE purpose = 'verify' AND state = 'succeeded'")}
    ((now_us,),) = seen.rows("SELECT max(at_us) FROM change")
    wanted: dict[str, tuple[str, str, int]] = {}
    for one in again(seen):
        for result in one.outcome.results if one.outcome is not None else []:
            if isinstance(result, asking.Ask):
                for source, key, cycle, fires in result.alerts:
                    if fires and (source, key, cycle) in firing:
                        wanted[result.candidate.run] = (source, key, cycle)
    for run, alert in wanted.items():
        if run not in runs:
            yield f"{alert} fires, and its run {run} is not there"
            continue
        state, reason, look_us, action = runs[run]
        if state == "withdrawn" and run in well:
            continue  # its check looked before the effect, and found nothing to heal
        if not _is_remembered(state, reason, look_us, now_us):
            yield f"{alert} fires, and {run} ({action}) is {state} {reason}, decided at last as {last[run]}"


def _is_remembered(state: str, reason: str, look_us: int | None, now_us: int) -> bool:
    if state == "deferred":
        return reason in WAITS_FOR_AN_ACT if look_us is None else look_us > now_us - LATE_US
    if state in ("awaiting_approval", "unknown", "succeeded", "cancelled", "simulated", "rejected"):
        return True  # a person decides, has decided, or reads what would have been; it helped
    if state in ("refused", "suppressed", "expired", "void"):
        return bool(reason)
    # As the last word of its sender left it: a repeat tries it again while attempts are left.
    return state in ("failed", "timed_out")


def everything_ends(seen: simulating.Seen) -> Iterator[str]:
    """With faults stopped every queued run ends."""
    for run, state, reason, action in seen.rows(
        "SELECT id, state, reason, action FROM run WHERE state IN ('planned', 'queued', 'running', 'verifying')"
    ):
        yield f"{run} ({action}) is still {state} {reason}"
    for token, held in seen.rows("SELECT token, held FROM attempt WHERE state = 'queued'"):
        yield f"{token} still waits for its turn {held}"
    for target, run in seen.rows(
        "SELECT l.target, l.run FROM lock l JOIN run r ON r.id = l.run WHERE r.state <> 'unknown'"
    ):
        yield f"{target} is still locked by {run}"


CHECKS: Final = (decided_alike, one_run_a_firing, nothing_is_forgotten, everything_ends)
