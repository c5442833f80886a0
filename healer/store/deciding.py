"""T2: what the decided rows led to, in one transaction with the position.

`decide` evaluated the rules on its loop; here the gates are asked, on rows read in this transaction, and everything is written:
alerts, decisions, runs, first attempts, rows that internal actions append, the position. If the position is not where `decide`
read from, somebody else decided: `Fenced`, and its memory is void.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from healer import errors, model, telemetry
from healer.audit import records
from healer.policy import labels
from healer.store import asking, following, granting, journal, letters, notes, people, seeing
from healer.store.transaction import Transaction, dumps, loads


@dataclasses.dataclass(slots=True)
class AlertWord:
    """What an event said of an alert. `opens`: it begins the cycle; a resolved word closes it."""

    source: str
    key: str
    cycle: int
    firing: bool
    opens: bool
    ttl_us: int
    name: str
    target: str
    severity: str
    summary: str
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    explains: Sequence[tuple[str, str]] = ()
    """(rule of inhibition, what others have to share) while it fires."""
    full: int = 0
    """It would begin a cycle, and does not: so many alerts are open already."""


@dataclasses.dataclass(slots=True)
class Internal:
    """A decision on an internal action (`none`, `debug`, `set_fact` …): no run, no gate but the kill switch's."""

    rule: str
    action_index: int
    action: str
    outcome: str = "done"
    reason: str = ""
    explanation: str | None = None


@dataclasses.dataclass(slots=True)
class Outcome:
    """What one journal row led to, in the order in which it did."""

    seq: int
    at_us: int
    alerts: list[AlertWord] = dataclasses.field(default_factory=list)
    results: list[Internal | asking.Ask] = dataclasses.field(default_factory=list)
    appends: list[journal.Row] = dataclasses.field(default_factory=list)
    expired: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    look: bool = False
    quarantined: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    shut_down: list[tuple[str, str, bool]] = dataclasses.field(default_factory=list)
    """(activation, rule that did it, whether it begins anew)"""
    source: str = ""
    """Of the row: for the log."""

    def only_opens(self) -> bool:
        """Whether alerts begin their cycles and nothing else happens: of many such rows little has to be said."""
        return not (
            self.results or self.appends or self.expired or self.look or self.quarantined or self.shut_down
        ) and all(word.firing and word.opens and not word.full for word in self.alerts)


@dataclasses.dataclass(slots=True)
class Snapshot:
    """What the engine remembers after the last row of the unit."""

    oldest: int
    data: str


@dataclasses.dataclass(slots=True)
class Decided:
    """What `decide` hears back."""

    runs: dict[str, str]
    """run id → its state now."""
    queued: int
    next_look_us: int | None
    tells: bool = False
    """Whether a message says something else now."""


class Decide:
    """Rows (`after`, `to`] are decided. `revision` is the number of the rules' revision; `standing_of` as `asking.StandingOf`."""

    def __init__(
        self,
        after: int,
        to: int,
        at_us: int,
        revision: int,
        outcomes: Sequence[Outcome],
        standing_of: asking.StandingOf,
        snapshot: Snapshot | None = None,
    ) -> None:
        self.after = after
        self.to = to
        self.at_us = at_us
        self.revision = revision
        self.outcomes = outcomes
        self.standing_of = standing_of
        self.snapshot = snapshot

    @property
    def weight(self) -> int:
        """How many rows it counts for the size of a batch."""
        return 1 + sum(len(outcome.results) for outcome in self.outcomes)

    def apply(self, tx: Transaction) -> Decided:
        """Move the position, or raise `errors.Fenced`; then write what came of each row, in order."""
        if tx.run("position_move", self.to, self.at_us, tx.part, self.after) == 0:
            raise errors.Fenced(got="another position", ours=self.after)
        decided = Decided({}, 0, None)
        internal: list[tuple[Any, ...]] = []
        opening: list[tuple[AlertWord, Outcome]] = []
        for outcome in self.outcomes:
            if outcome.only_opens():
                opening += [(word, outcome) for word in outcome.alerts]
                continue
            _open(tx, opening)
            opening = []
            self._row(tx, outcome, decided, internal)
        _open(tx, opening)
        if internal:
            _write_internal(tx, internal)
        if self.snapshot is not None:
            snapshot = self.snapshot
            tx.run("snapshot_insert", tx.part, self.to, self.revision, snapshot.oldest, snapshot.data, tx.now_us)
            _keep_past(tx, self.to)
            tx.run("snapshot_drop_older", tx.part, self.to)
        decided.next_look_us = tx.one("run_next_look")[0]
        return decided

    def _row(self, tx: Transaction, outcome: Outcome, decided: Decided, internal: list[tuple[Any, ...]]) -> None:
        for word in outcome.alerts:
            decided.tells |= _alert(tx, word, outcome)
        for source, key in outcome.expired:
            decided.tells |= _expire(tx, source, key, outcome.at_us)
        for n, result in enumerate(outcome.results):
            if isinstance(result, Internal):
                internal.append((
                    outcome.seq, n, tx.part, outcome.at_us, result.rule, result.action_index, result.action, None,
                    result.outcome, result.reason, self.revision, result.explanation,
                ))  # fmt: skip
                continue
            state, new = asking.ask(tx, result, outcome.seq, n, _now(tx, outcome), self.revision)
            decided.runs[result.candidate.run] = state
            decided.queued += new
        for ordinal, row in enumerate(outcome.appends):
            _append(tx, row, outcome.seq, ordinal)
        for ruleset, error in outcome.quarantined:
            tx.run("quarantine_insert", outcome.seq, ruleset, error, letters.TRIES, tx.now_us)
            tx.audit("quarantine", actor="daemon", event=outcome.seq, ruleset=ruleset, error=error, tries=letters.TRIES)
        for activation, rule, anew in outcome.shut_down:
            what = "begins anew" if anew else "ended"
            tx.audit("shutdown", actor=f"rule:{rule}", activation=activation, event=outcome.seq, state=what)
        if outcome.look or outcome.alerts:
            self._look(tx, outcome, decided)

    def _look(self, tx: Transaction, outcome: Outcome, decided: Decided) -> None:
        """Runs that wait for a gate and are due, or whose alert was just resolved, are decided again."""
        due = [row[0] for row in tx.all("run_due", outcome.at_us)] if outcome.look else []
        for word in outcome.alerts:
            if not word.firing:
                due += [row[0] for row in tx.all("run_deferred_of_alert", word.source, word.key, word.cycle)]
        for run in dict.fromkeys(due):
            if tx.one("run_state", run)[0] == "unknown":
                people.once_more(tx, run)
                decided.runs[run] = "queued"
                decided.queued += 1
                continue
            state, new = asking.look_again(tx, run, self.standing_of, _now(tx, outcome))
            decided.runs[run] = state
            decided.queued += new


def _now(tx: Transaction, outcome: Outcome) -> int:
    """When the gates are asked: an event that waited long in the journal (the daemon was down) is as old as that makes it."""
    return max(outcome.at_us, tx.now_us)


PAST_ROWS: Final = 2_000
"""Of snapshots that no start needs any more so many are kept that an event of the past is this many rows behind one, or one is."""
PAST_SIZE_MAX: Final = 256 << 20
PAST_EACH_MAX: Final = 8 << 20


def _keep_past(tx: Transaction, seq: int) -> None:
    """The snapshot that no start needs from now on stays for explanations, unless its neighbours are near; the oldest make room."""
    kept = [seq for (seq,) in tx.all("snapshots_kept", tx.part, seq)]
    if len(kept) < 3 or kept[1] - (tx.one("past_newest", tx.part)[0] or 0) < PAST_ROWS:
        return
    tx.run("past_keep", tx.part, kept[2], PAST_EACH_MAX)
    while tx.one("past_size")[0] > PAST_SIZE_MAX:
        tx.run("past_drop_oldest")


def _alert(tx: Transaction, word: AlertWord, outcome: Outcome) -> bool:
    """Whether a message says something else now."""
    tells = False
    if word.full:
        telemetry.count("alerts_refused")
        return tells
    if word.firing and word.opens:
        _open(tx, [(word, outcome)])
        return tells
    if word.firing:
        tx.run("alert_seen", outcome.at_us, outcome.seq, word.severity, word.summary, word.source, word.key)
        following.sign_came(tx, word.source, word.key)
    elif tx.run("alert_close", outcome.at_us, "resolved", outcome.seq, word.source, word.key):
        telemetry.count("alerts_resolved")
        tells = _fires_no_more(tx, word.source, word.key)
    _explain(tx, [word])
    return tells


def _fires_no_more(tx: Transaction, source: str, key: str) -> bool:
    return tx.run("outbox_touch_alert", tx.now_us, tx.now_us, tx.now_us, source, key) > 0


def _open(tx: Transaction, opening: Sequence[tuple[AlertWord, Outcome]]) -> None:
    """Alerts begin their cycles."""
    if not opening:
        return
    tx.run_many("alert_open", [
        (
            word.source, word.key, word.cycle, outcome.at_us, outcome.at_us, word.ttl_us, outcome.seq, outcome.seq, word.name, word.target,
            word.severity, word.summary, dumps(dict(word.labels)),
        )
        for word, outcome in opening
    ])  # fmt: skip
    tx.run_many(
        "opening_insert",
        [(word.source, word.key, outcome.seq, word.cycle, outcome.at_us) for word, outcome in opening],
    )
    telemetry.count("alerts_opened", len(opening))
    _explain(tx, [word for word, _ in opening])


def _explain(tx: Transaction, words: Sequence[AlertWord]) -> None:
    """What fires explains others by the rules of inhibition."""
    tx.run_many("inhibitor_put", [
        (rule, shared, word.source, word.key, f"{word.name or word.key} of {word.source}")
        for word in words if word.firing for rule, shared in word.explains
    ])  # fmt: skip


def _expire(tx: Transaction, source: str, key: str, at_us: int) -> bool:
    if not tx.run("alert_close", at_us, "ttl", 0, source, key):
        return False
    tx.audit("alert_expired", actor="daemon", source=source, alert=key)
    return _fires_no_more(tx, source, key)


def _append(tx: Transaction, row: journal.Row, cause: int, ordinal: int) -> None:
    """A row of an internal action, at the tail; (cause, ordinal) is unique, so that replay appends it once."""
    row.cause, row.ordinal = cause, ordinal
    if tx.one("journal_caused", cause, ordinal) is None:
        tx.last_seq += 1
        row.seq, row.at_us = tx.last_seq, tx.now_us
        journal.insert(tx, [row])


def _write_internal(tx: Transaction, rows: list[tuple[Any, ...]]) -> None:
    """Decision rows of internal actions in few statements, and one audit record with their count and digest."""
    digest = hashlib.sha256()
    for at in range(0, len(rows), journal.ROWS_PER_STATEMENT):
        piece = rows[at : at + journal.ROWS_PER_STATEMENT]
        tx.connection.execute(asking.decision_statement(len(piece)), [value for row in piece for value in row])
    for row in rows:
        digest.update(dumps(row[:2] + row[4:10]).encode())
    tx.audit(
        "decisions", actor="daemon", count=len(rows), first=rows[0][0], last=rows[-1][0], digest=digest.hexdigest(),
    )  # fmt: skip


def revision_number(tx: Transaction, revision_id: str, git: str) -> int:
    """The number of a revision, given to it at its first use."""
    tx.run("revision_insert", revision_id, tx.now_us, git)
    return int(tx.one("revision_find", revision_id)[0])


class UseRevision:
    """Note that a revision holds from a journal row of its own on; the result is (row, number).

    `holds`: who may what then. `storm`: whether anything counts as a storm then.
    """

    weight = 1

    def __init__(
        self, revision_id: str, git: str, actor: str, difference: dict[str, Any], inhibitions: Sequence[labels.Inhibition] = (),
        holds: Mapping[str, Any] | None = None, storm: bool = True,
    ) -> None:  # fmt: skip
        self.revision_id = revision_id
        self.git = git
        self.actor = actor
        self.difference = difference
        self.inhibitions = inhibitions
        self.holds = holds
        self.storm = storm

    def apply(self, tx: Transaction) -> tuple[journal.Row, int]:
        """Append the row `revision` and its audit record; runs that wait are looked at anew."""
        number = revision_number(tx, self.revision_id, self.git)
        body = dumps({"revision": self.revision_id, "n": number, "git": self.git}).encode()
        row = journal.Row(
            "revision", "healer", body, actor=self.actor, data={"revision": self.revision_id, "n": number}
        )
        journal.append_all(tx, [journal.Append([row])])
        notes.Wake().apply(tx)
        _inhibit(tx, self.inhibitions)
        if not self.storm:
            seeing.forget_storm(tx)
        tx.audit(
            "revision", actor=self.actor, revision=self.revision_id, git=self.git or None, event=row.seq,
            difference=records.embed(self.difference),
        )  # fmt: skip
        if self.holds is not None:
            granting.hold(tx, self.actor, self.holds)
        return row, number


def _inhibit(tx: Transaction, rules: Sequence[labels.Inhibition]) -> None:
    """Which firing alerts explain others by the rules of today; only where these have changed."""
    known, wanted = {row[0] for row in tx.all("inhibitor_rules")}, {rule.digest: rule for rule in rules}
    for gone in known - wanted.keys():
        tx.run("inhibitor_clear", gone)
    fresh = [rule for digest, rule in wanted.items() if digest not in known]
    for source, key, name, text in tx.all("alerts_firing") if fresh else ():
        found = loads(text)
        for rule in fresh:
            if rule.explains(found):
                tx.run("inhibitor_put", rule.digest, rule.shared(found), source, key, f"{name or key} of {source}")


def revision_of(body: bytes) -> str:
    """The id that a journal row `revision` names."""
    return str(loads(body)["revision"])


def revision_number_of(body: bytes) -> int:
    """The number of it."""
    return int(loads(body)["n"])


def severity_rank(severity: str) -> int:
    """0 critical … 4 unknown."""
    return {name: rank for rank, name in enumerate(model.ALERT_SEVERITIES)}.get(severity, 4)
