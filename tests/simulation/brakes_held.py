"""Checkers of the brakes with a memory: breakers with a single trial, the storm brake, and the ramps that let runs come back 1, 2, 4 …

Their state is made anew here, event by event, from what was committed in its order.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator
from typing import Any, Final

import execution
import simulating
import virtual

US: Final = virtual.US
BREAKERS: Final = {("clean", "a"): (2, 60 * US, 8 * US), ("failover", "c"): (3, 60 * US, 6 * US)}
"""(action, controller) → failures, within, until a trial."""
VERIFIED: Final = {"clean", "failover", "reboot"}
STORM_MATCHES, STORM_S, CALM_US = 14, 10, 6 * US


@dataclasses.dataclass(slots=True)
class _Breaker:
    failures: int
    within_us: int
    trial_us: int
    at_us: list[int] = dataclasses.field(default_factory=list)
    good: int = 0

    @property
    def is_open(self) -> bool:
        found = self.at_us
        return any(
            last - first <= self.within_us for first, last in zip(found, found[self.failures - 1 :], strict=False)
        )

    def fails(self, at_us: int) -> None:
        self.at_us.append(at_us)
        self.good = 0

    def helps(self, verified: bool) -> None:
        if self.is_open:
            self.good += 1
            if verified or self.good >= 2:
                self.closes()

    def closes(self) -> None:
        self.at_us, self.good = [], 0


def breakers_hold(seen: simulating.Seen) -> Iterator[str]:
    """A breaker opens after N failures in a window and lets one trial go at a time; "started" never closes it."""
    breakers = {key: _Breaker(*limits) for key, limits in BREAKERS.items()}
    at_work: dict[tuple[str, str], set[str]] = collections.defaultdict(set)
    ended: dict[str, dict[str, Any]] = {}
    """Run → the end of its last attempt."""
    for change in _story(seen):
        key, run = (change["action"], change["controller"]), change["run"]
        breaker = breakers.get(key)
        if breaker is None:
            continue
        what, new, at_us = change["what"], change["new"], change["at_us"]
        if what == "closed":
            breaker.closes()
        elif what == "attempt" and new == "running":
            if breaker.is_open and at_us < breaker.at_us[-1] + breaker.trial_us:
                yield f"{change['id']} began {(at_us - breaker.at_us[-1]) / US} s after the breaker of {key} opened"
            if breaker.is_open and at_work[key] - {run}:
                yield f"{change['id']} began as a second trial of {key} beside {sorted(at_work[key] - {run})}"
        elif what == "attempt" and change["old"] == "running":
            ended[run] = change
        elif what == "run" and new == "succeeded":
            breaker.helps(change["old"] == "verifying" or change["reason"] == "verified")
        elif what == "run" and _fails(change, ended.get(run)):
            breaker.fails(at_us)
        if what == "run":
            (at_work[key].add if new in ("running", "verifying") else at_work[key].discard)(run)


def _fails(change: dict[str, Any], end: dict[str, Any] | None) -> bool:
    """Whether a run has failed, however often it was tried, and neither a person nor the daemon's stop has ended its last attempt."""
    if end is None or end["cancel_by"] or end["new"] == "cancelled":
        return False
    return change["new"] in ("failed", "timed_out", "unknown") and change["old"] in ("running", "verifying")


def _story(seen: simulating.Seen) -> list[dict[str, Any]]:
    """Changes of runs and of attempts that act, with the journal's time, and breakers that people closed, in their order."""
    cursor = seen.raw.execute(
        """SELECT c.n, c.what, c.id, c.old, c.new, r.action, r.controller, r.rule, r.id AS run, r.reason, c.at_us, a.cancel_by
           FROM change c JOIN attempt a ON a.token = c.id JOIN run r ON r.id = a.run WHERE c.what = 'attempt' AND a.purpose = 'effect'
           UNION ALL
           SELECT c.n, c.what, c.id, c.old, c.new, r.action, r.controller, r.rule, r.id, r.reason, c.at_us, NULL
           FROM change c JOIN run r ON r.id = c.id WHERE c.what = 'run'
           UNION ALL
           SELECT c.n, c.what, c.id, '', c.new, '', '', '', '', '', c.at_us, NULL FROM change c WHERE c.what = 'ramp'
           UNION ALL
           SELECT c.n, 'closed', '', '', '', json_extract(a.record, '$.action'), json_extract(a.record, '$.controller'), '', '', '', c.at_us,
                  NULL
           FROM change c JOIN audit a ON a.seq = c.audit WHERE a.kind = 'breaker_closed' AND a.actor <> 'daemon'
           ORDER BY 1"""
    )
    columns = [column[0] for column in cursor.description]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def storms_hold(seen: simulating.Seen) -> Iterator[str]:
    """Too many matches in a window: no new runs until calm."""
    storms = _storms(seen)
    for one in execution._claims(seen):
        for begin_us, calm_us in storms:
            if begin_us < one["started_us"] < calm_us:
                yield f"{one['token']} began in a storm, {(one['started_us'] - begin_us) / US} s after it was one"


def _storms(seen: simulating.Seen) -> list[tuple[int, int]]:
    """(when there were too many, when it is calm if no more come) of each match that was one too many."""
    seconds: collections.Counter[int] = collections.Counter()
    found = []
    for (at_us,) in seen.rows("SELECT at_us FROM decision WHERE run IS NOT NULL ORDER BY at_us, seq, n"):
        seconds[at_us // US] += 1
        if sum(count for second, count in seconds.items() if second > at_us // US - STORM_S) > STORM_MATCHES:
            found.append((at_us, at_us + CALM_US))
    return found


def ramps_hold(seen: simulating.Seen) -> Iterator[str]:
    """After a storm and after a pause runs come back as a ramp: 1, 2, 4 …: each that ends makes room for two."""
    ramps: dict[str, int] = {}
    running: dict[str, dict[str, Any]] = {}
    ended: list[dict[str, Any]] = []
    begun = {
        (scope, int(since))
        for scope, since in seen.rows("SELECT id, new FROM change WHERE what = 'ramp' AND new <> ''")
    }
    yield from (
        f"no ramp after the storm until {calm_us}" for _, calm_us in _storms(seen) if ("all", calm_us) not in begun
    )
    for change in _story(seen):
        if change["what"] == "ramp":
            ramps.pop(change["id"], None)
            ramps |= {change["id"]: int(change["new"])} if change["new"] else {}
        elif change["what"] == "attempt" and change["new"] != "running":
            began = running.pop(change["id"], None)
            if began is not None and change["new"] != "withdrawn":
                ended.append(change | {"began_us": began["at_us"]})
        elif change["what"] == "attempt":
            running[change["id"]] = change
            for scope, at_us in ramps.items():
                if at_us > change["at_us"] or not execution._covers(scope, change["rule"], change["controller"]):
                    continue
                mine = [one for one in running.values() if one["at_us"] >= at_us and _same(scope, one)]
                over = [one for one in ended if one["began_us"] >= at_us and _same(scope, one)]
                if len(mine) > 1 + len(over):
                    yield f"{change['id']} began as one of {len(mine)} after {len(over)} on the ramp of {scope} since {at_us}"


def _same(scope: str, one: dict[str, Any]) -> bool:
    return execution._covers(scope, one["rule"], one["controller"])


CHECKS: Final = (breakers_hold, storms_hold, ramps_hold)
