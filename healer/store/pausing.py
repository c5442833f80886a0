"""The kill switch in rows: what people pause and resume, and what a resume would let go.

Callers: `daemon.switching` (people's requests, what ends by itself, and what a start finds), `daemon.watching` (the file PAUSE, another
way to the same gate, which has no row but its records). Each act is one transaction with its record.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from healer import model, policy, telemetry
from healer.store import budgets, candidates, forcing, reader, scopes, seeing
from healer.store.transaction import Transaction, dumps, loads

PREVIEWED: Final = 200
"""Runs that one transaction looks at ahead of a resume."""
EVERYTHING: Final = "all"


@dataclasses.dataclass(frozen=True, slots=True)
class UnderWay:
    """An attempt that goes on though everything new is paused."""

    run: str
    token: str
    action: str
    targets: list[str]
    started_us: int


class Pause:
    """From its commit on nothing new that the scope covers takes effect. The result: what is under way, and how many runs wait.

    `until_us` is the wall clock's. `digest`: of what the scope covers; the pause ends once that means something else.
    """

    weight = 1

    def __init__(
        self, scope: str, actor: str, reason: str, until_us: int | None = None, digest: str | None = None
    ) -> None:
        self.scope = scope
        self.actor = actor
        self.reason = reason
        self.until_us = until_us
        self.digest = digest

    def apply(self, tx: Transaction) -> tuple[list[UnderWay], int]:
        """The row (a second pause of a scope takes the place of the first), and the record."""
        tx.run("pause_put", self.scope, self.actor, self.reason, tx.now_us, self.until_us, self.digest)
        tx.run("ramp_drop", self.scope)
        tx.audit(
            "pause", actor=self.actor, scope=self.scope, reason=self.reason or None, until_us=self.until_us,
            until_changed=True if self.digest is not None else None,
        )  # fmt: skip
        telemetry.count("pauses")
        forcing.take_back(tx, self.scope)
        rows = tx.all("attempts_covered")
        found = [
            UnderWay(run, token, action, loads(targets), started_us)
            for run, token, action, targets, started_us, rule, controller in rows
            if tx.rules.covers(self.scope, rule, controller)
        ]
        return found, waiting(tx, self.scope)


class Resume:
    """The pause of exactly this scope ends; what it held is looked at, and comes back slowly. The result: whether there was one.

    `changed`: the number of the revision that has another meaning for the scope, where that ends it: what was decided before is a person's.
    """

    weight = 1

    def __init__(self, scope: str, actor: str, why: str = "", changed: int | None = None) -> None:
        self.scope = scope
        self.actor = actor
        self.why = why
        self.changed = changed

    def apply(self, tx: Transaction) -> bool:
        """Drop the row; a ramp over the scope begins."""
        if not tx.run("pause_drop", self.scope):
            return False
        asked = 0 if self.changed is None else _to_a_person(tx, self.scope, self.changed)
        _resumed(tx, self.scope, f"the pause of {in_words(self.scope)}")
        tx.audit("resume", actor=self.actor, scope=self.scope, reason=self.why or None, asked=asked or None)
        telemetry.count("resumes")
        return True


class Lifted:
    """The file PAUSE is not there: what nothing else holds is looked at and comes back slowly. The result: how many are looked at.

    `detail`: of the record; None where there is none to write, since it was never seen.
    """

    weight = 1

    def __init__(self, detail: Mapping[str, Any] | None = None) -> None:
        self.detail = detail

    def apply(self, tx: Transaction) -> int:
        """As the end of a pause of everything."""
        if self.detail is not None:
            tx.audit("resume", actor="daemon", detail=dict(self.detail))
        return _resumed(tx, EVERYTHING, "the file PAUSE")


class FileSeen:
    """Whether the file PAUSE is there, beside what its last record says, which an earlier daemon may have left.

    The result: whether that is new. `now`: the pause as `daemon.standing` shows it; None: there is no file.
    """

    weight = 1

    def __init__(self, now: Mapping[str, Any] | None) -> None:
        self.now = now

    def apply(self, tx: Transaction) -> bool:
        """A record where it came; where it went, what it held comes back slowly."""
        last = tx.one("file_pause_last")
        was = last is not None and last[0] == "pause"
        if self.now is not None:
            if not was:
                tx.audit("pause", actor="daemon", detail=dict(self.now))
                forcing.take_back(tx, EVERYTHING)
            return not was
        if was:
            Lifted({"scope": "everything"}).apply(tx)
        elif _held_by_none(tx):
            Lifted().apply(tx)
        else:
            return False
        return True


async def held_by_none(rows: reader.Reader, rules: scopes.Rules) -> bool:
    """Whether a run waits for the end of a pause that no row has: the file had held it, and is not there."""
    held = await rows.all("rules_paused")
    pauses = [row["scope"] for row in await rows.all("pauses")] if held else []
    return any(not any(rules.covers(scope, one["rule"], one["controller"]) for scope in pauses) for one in held)


def _held_by_none(tx: Transaction) -> bool:
    """Whether a run waits for the end of a pause that no row has, nor comes back already: only the gate had seen the file."""
    scopes = [row[0] for name in ("pauses", "ramps") for row in tx.all(name)]
    return any(
        not any(tx.rules.covers(scope, rule, controller) for scope in scopes)
        for _, rule, controller, _, _ in tx.all("runs_paused")
    )


def _resumed(tx: Transaction, scope: str, what: str) -> int:
    """What the scope covers goes on: those that wait for it are looked at with the next tick, and start 1, 2, 4 …"""
    if waiting(tx, scope):
        tx.run("ramp_put", scope, what, tx.now_us)
    held = [row[0] for row in _paused(tx, scope)]
    for run in held:
        tx.run("run_look_now", tx.now_us, run)
    return len(held)


def _to_a_person(tx: Transaction, scope: str, revision: int) -> int:
    """What a scope covers that was decided by another revision and may begin by itself may do so no more; so what follows on what is under
    way. How many runs wait."""
    mark = {"scope": in_words(scope), "revision": revision}
    found = [row for row in tx.all("runs_of_before", revision) if tx.rules.covers(scope, row[1], row[2])]
    for run, _, _, extra, _ in found:
        tx.run("run_extra_set", dumps(loads(extra) | {candidates.CHANGED: mark}), run)
    return sum(not under_way for *_, under_way in found)


def _paused(tx: Transaction, scope: str) -> list[Any]:
    """The runs that a pause holds and a scope covers, in the order in which they are looked at."""
    return [row for row in tx.all("runs_paused") if tx.rules.covers(scope, row[1], row[2])]


def waiting(tx: Transaction, scope: str) -> int:
    """How many runs that a scope covers would go on but for a pause: those that one holds, and those whose turn has not come."""
    queued = [run for run, rule, controller in tx.all("runs_queued") if tx.rules.covers(scope, rule, controller)]
    return len(_paused(tx, scope)) + len(queued)


class EndOfThemselves:
    """Pauses end that were asked to: their time is over by the wall clock, or what they cover means something else. Their scopes.

    `digests`: scope → digest of today, of those scopes that are known, by the revision of that number; None: they are not to be looked at.
    """

    weight = 1

    def __init__(self, wall_us: int, digests: Mapping[str, str] | None = None, revision: int = 0) -> None:
        self.wall_us = wall_us
        self.digests = digests
        self.revision = revision

    def apply(self, tx: Transaction) -> list[str]:
        """A record for each."""
        ended = []
        for scope, _, _, _, until_us, digest in tx.all("pauses"):
            over = until_us is not None and until_us <= self.wall_us
            changed = digest is not None and self.digests is not None and self.digests.get(scope, "") != digest
            if changed:
                Resume(scope, "daemon", "what it covers has changed", self.revision).apply(tx)
            elif over:
                Resume(scope, "daemon", "its time is over").apply(tx)
            if over or changed:
                ended.append(scope)
        return ended


# --- looking ahead ----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(slots=True)
class Ahead:
    """What runs come to that are looked at ahead: state → reason → how many; of those that would start, by rule.

    It also knows what those before one would have taken of budgets, so that the last place is counted once.
    """

    seen: int = 0
    states: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)
    starting: dict[str, int] = dataclasses.field(default_factory=dict)
    last: tuple[int, int, str] | None = None
    """(severity, created, id) of the last one."""
    _spent: dict[str, int] = dataclasses.field(default_factory=dict)
    _touched: dict[str, set[str]] = dataclasses.field(default_factory=dict)
    _trials: dict[tuple[str, str], str] = dataclasses.field(default_factory=dict)
    _states: dict[str, model.RunState] = dataclasses.field(default_factory=dict)
    _people: int = 0

    def before(self, candidate: policy.Candidate, view: policy.View, now_us: int) -> policy.View:
        """What a run would see after those before it."""
        shadow = budgets.shadow_of(candidate)
        spent = {name: (*times, *(now_us,) * self._spent.get(shadow + name, 0)) for name, times in view.spent.items()}
        touched = {name: on | self._touched.get(shadow + name, set()) for name, on in view.touched.items()}
        trial = view.trial
        if view.failures.is_open(candidate.limits.breakers):
            trial = trial or self._trials.get((candidate.action, candidate.controller), "")
        before = self._states.get(candidate.after, view.before)
        people = view.before_people + self._people
        return dataclasses.replace(view, spent=spent, touched=touched, trial=trial, before=before, before_people=people)

    def add(self, candidate: policy.Candidate, decision: policy.Decision) -> None:
        """What a run would come to, and take."""
        self.seen += 1
        reasons = self.states.setdefault(decision.state, {})
        reasons[decision.reason] = reasons.get(decision.reason, 0) + 1
        self._states[candidate.run] = decision.state
        self._people += decision.state == "awaiting_approval"
        if decision.state == "queued":
            self.starting[candidate.rule] = self.starting.get(candidate.rule, 0) + 1
            self._trials.setdefault((candidate.action, candidate.controller), candidate.run)
        if decision.state == "queued" or (decision.state == "simulated" and not decision.would):
            shadow = budgets.shadow_of(candidate)
            for name, target in budgets.wanted(candidate, {*decision.left_out}):
                if target:
                    self._touched.setdefault(shadow + name, set()).add(target)
                else:
                    self._spent[shadow + name] = self._spent.get(shadow + name, 0) + 1


class Preview:
    """What would become of runs that a pause holds if it ended now: nothing is written. A piece at a time, told to `ahead`."""

    weight = 1

    def __init__(self, scope: str, standing_of: candidates.StandingOf, ahead: Ahead) -> None:
        self.scope = scope
        self.standing_of = standing_of
        self.ahead = ahead

    def apply(self, tx: Transaction) -> bool:
        """Whether there are more."""
        ahead = self.ahead
        rows = [(run, (severity, created_us, run)) for run, _, _, severity, created_us in _paused(tx, self.scope)]
        left = [(run, place) for run, place in rows if ahead.last is None or place > ahead.last]
        for run, place in left[:PREVIEWED]:
            row = candidates.run_row(tx, run)
            standing = self.standing_of(row)
            candidate = candidates.candidate_of(row, standing)
            view = seeing.view_of(tx, candidate, standing, (row["state"], row["reason"], row["deferred_us"]))
            view = dataclasses.replace(view, paused=standing.paused or seeing.paused(tx, candidate, but=self.scope))
            view = ahead.before(candidate, view, tx.now_us)
            ahead.add(candidate, policy.look_again(candidate, view, tx.now_us))
            ahead.last = place
        return len(left) > PREVIEWED


def in_words(scope: str) -> str:
    """`rule:a/b/c` for people."""
    kind, _, name = scope.partition(":")
    return "everything" if kind == EVERYTHING else f"{kind} {name}"


def row_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """A pause as the API shows it."""
    return {key: row[key] for key in ("scope", "who", "reason", "since_us", "until_us")} | {
        "until_changed": row["digest"] is not None
    }
