"""The store on disk and its twin in memory give the same for any sequence of units, also across restarts."""

from __future__ import annotations

import dataclasses
import pathlib
import sqlite3
import tempfile
from typing import Any

import hypothesis
from hypothesis import stateful
from hypothesis import strategies as st

from healer import errors, model, policy, store
from healer.store import asking, claiming, deciding, finishing, journal, notes, trimming

S = 1_000_000
TABLES = (
    "journal", "delivery", "position", "quarantine", "alert", "decision", "run", "run_alert", "run_target", "attempt", "lock", "audit",
    "audit_head", "blob", "snapshot",
)  # fmt: skip
STANDINGS = [
    policy.Standing(True, "active"), policy.Standing(True, "observe"), policy.Standing(False, "active"),
    policy.Standing(True, "active", {"scope": "--all", "who": "x", "since": "y", "reason": "z"}),
]  # fmt: skip
LIMITS = policy.Limits(attempts=2, cooldown_s=30, timeout_s=10, concurrency_daemon=2, max_age_s=300, defer_for_s=600)
hosts = st.lists(st.sampled_from(["host:a", "host:b", "host:c"]), min_size=1, max_size=2, unique=True)


class Alike(stateful.RuleBasedStateMachine):
    """Each step is done in both; results and tables must be the same."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.now_us = 100 * S
        self.standing = STANDINGS[0]
        self.claimed: list[claiming.Claimed] = []
        self.position = self.last = 0
        self.memory: sqlite3.Connection | None = None
        self.open()

    def open(self) -> None:
        """Both, on what was committed."""
        disk = store.Store.open(pathlib.Path(self.folder.name), lambda: self.now_us, loop=None)
        twin = store.Store.open(None, lambda: self.now_us, loop=None, memory=self.memory)
        self.memory = twin.writer.tx.connection
        self.stores = (disk, twin)
        (self.revision,) = {self.both(deciding.UseRevision("f" * 64, "", "d", {}))[1]}
        self.last += 1
        for row in list(self.claimed):
            self.both(finishing.TakeUp(row.token, row.run["id"], row.number))

    def both(self, unit: Any) -> Any:
        """The unit's result, which has to be the same twice."""
        results = []
        for one in self.stores:
            try:
                results.append(one.writer.now(unit))
            except (errors.HealerError, sqlite3.IntegrityError) as error:
                results.append(f"{type(error).__name__}: {error}")
        first, second = (
            dataclasses.asdict(got) if dataclasses.is_dataclass(got) and not isinstance(got, type) else got
            for got in results
        )
        if not isinstance(unit, journal.Append | deciding.UseRevision):
            assert first == second
        return results[0]

    @stateful.rule(
        delivery=st.sampled_from(["", "d1", "d2"]), digest=st.sampled_from(["x", "y"]), count=st.integers(1, 3)
    )
    def append(self, delivery: str, digest: str, count: int) -> None:
        seqs = []
        for one in self.stores:
            rows = [journal.Row("event", "s", b"{}", delivery=delivery, digest=digest) for _ in range(count)]
            one.writer.now(journal.Append(rows))
            seqs.append([(row.seq, row.at_us, row.duplicate) for row in rows])
        assert seqs[0] == seqs[1]
        self.last = max(self.last, *(seq for seq, _, _ in seqs[0]))

    @stateful.precondition(lambda self: self.position < self.last)
    @stateful.rule(
        key=st.sampled_from("123"), on=hosts, alert=st.sampled_from(["none", "firing", "resolved"]), look=st.booleans(),
        dry_run=st.booleans(), upstream=st.booleans(), snapshot=st.booleans(),
    )  # fmt: skip
    def decide(
        self, key: str, on: list[str], alert: str, look: bool, dry_run: bool, upstream: bool, snapshot: bool
    ) -> None:
        candidate = policy.Candidate(
            model.run_id("a", "b", "c", key, 0, 0), "a/b/c", "clean", "here", tuple(on), self.now_us, LIMITS, upstream=upstream,
            dry_run=dry_run, mode=self.standing.mode, lifecycle=alert == "firing", enabled=self.standing.enabled,
        )  # fmt: skip
        named = [model.Target("host", name[5:], name[5:]) for name in on]
        alerts = [("am", key, 1, True)] if alert == "firing" else []
        ask = asking.Ask(candidate, self.standing, 0, "script", "x", {}, {}, False, 4, "rule", named, alerts, [])
        words = []
        if alert != "none":
            words = [
                deciding.AlertWord("am", key, 1, alert == "firing", alert == "firing", S, "n", "t", "critical", "s")
            ]
        outcome = deciding.Outcome(
            self.position + 1, self.now_us, words, [deciding.Internal("a/b/d", 0, "none"), ask], look=look
        )
        taken = deciding.Snapshot(self.position + 1, "{}") if snapshot else None
        unit = deciding.Decide(
            self.position, self.position + 1, self.now_us, self.revision, [outcome], lambda _: self.standing, taken
        )
        if not isinstance(self.both(unit), str):
            self.position += 1

    @stateful.rule(limit=st.integers(0, 3))
    def claim(self, limit: int) -> None:
        got = self.both(claiming.Claim(limit, lambda _: self.standing))
        assert not isinstance(got, str), got
        self.claimed += got.claimed

    @stateful.precondition(lambda self: self.claimed)
    @stateful.rule(
        state=st.sampled_from(["succeeded", "failed", "timed_out", "cancelled", "unknown"]), late=st.booleans()
    )
    def finish(self, state: model.EndState, late: bool) -> None:
        claimed = self.claimed[0] if late else self.claimed.pop(0)
        for one in self.stores:
            one_kept = finishing.Kept(one.blobs.keep(b"out"), one.blobs.keep(b""))
            one.writer.now(
                finishing.Finish(
                    claimed.token, claimed.run["id"], claimed.number, model.Outcome(state, "s", 0), one_kept
                )
            )
        self.claimed = [other for other in self.claimed if other.token != claimed.token]

    @stateful.precondition(lambda self: self.claimed)
    @stateful.rule()
    def take_back(self) -> None:
        claimed = self.claimed.pop(0)
        self.both(finishing.TakeBack(claimed.token, claimed.run["id"], claimed.number, "absent"))

    @stateful.rule(seconds=st.sampled_from([0, 1, 30, 301, 3601]))
    def wait(self, seconds: int) -> None:
        self.now_us += seconds * S

    @stateful.rule(standing=st.sampled_from(STANDINGS))
    def change(self, standing: policy.Standing) -> None:
        self.standing = standing
        self.both(notes.Wake("paused"))

    @stateful.rule()
    def trim(self) -> None:
        for unit in (
            trimming.TrimJournal(self.now_us - 60 * S), trimming.TrimDeliveries(self.now_us - 60 * S),
            trimming.TrimOutputs(self.now_us - 60 * S), trimming.TrimRuns(self.now_us - 3600 * S), trimming.TrimBlobs(),
        ):  # fmt: skip
            got = self.both(unit)
            assert not isinstance(got, str), got

    @stateful.rule()
    def restart(self) -> None:
        self.stores[0].writer.close()
        self.open()

    @stateful.invariant()
    def tables_are_the_same(self) -> None:
        for table in TABLES:
            disk, twin = (
                sorted(one.writer.tx.connection.execute(f"SELECT * FROM {table}"), key=repr) for one in self.stores
            )
            if table in ("instance",):
                continue
            assert disk == twin, table

    @stateful.invariant()
    def nothing_acts_on_a_target_twice_at_once(self) -> None:
        tx = self.stores[1].writer.tx
        (running,) = tx.connection.execute("SELECT count(*) FROM attempt WHERE state = 'running'").fetchone()
        assert running == len(self.claimed)
        assert running <= 2
        for (targets,) in tx.connection.execute("SELECT targets FROM attempt WHERE state IN ('queued', 'running')"):
            assert targets != "[]"

    def teardown(self) -> None:
        for one in self.stores:
            one.writer.close()
        self.folder.cleanup()


Alike.TestCase.settings = hypothesis.settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(hypothesis.HealthCheck)
)
TestAlike = Alike.TestCase
