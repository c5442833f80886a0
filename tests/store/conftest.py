"""A store with a clock that a test turns, and the units as short calls."""

from __future__ import annotations

import importlib.util
import json
import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from healer import model, policy, store
from healer.audit import verify
from healer.store import asking, claiming, deciding, finishing, journal, outbox

FAULTS = pathlib.Path(__file__).with_name("faults.py")
S = 1_000_000
START_US = 100 * S
LIMITS = policy.Limits(max_age_s=900, attempts=3, cooldown_s=600, timeout_s=10, concurrency_daemon=20)


def _beside(path: pathlib.Path) -> None:
    """A module of this folder, which is no package; tests import it by its name."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[path.stem] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


_beside(FAULTS)
_beside(FAULTS.with_name("told.py"))

import told  # noqa: E402 - it is found only now


class Kit:
    """One store, everything inline, `now_us` turned by hand."""

    def __init__(self, folder: pathlib.Path | None) -> None:
        self.now_us = START_US
        self.standing = policy.Standing(enabled=True, mode="active")
        self.store = store.Store.open(folder, lambda: self.now_us, loop=None, environment="test")
        self.revision = 0
        self.position = 0

    @property
    def connection(self) -> Any:
        """The writing connection."""
        return self.store.writer.tx.connection

    def do(self, unit: Any) -> Any:
        """Commit a unit."""
        return self.store.writer.now(unit)

    def rows(self, sql: str, *parameters: Any) -> list[Any]:
        """What a statement reads."""
        return list(self.connection.execute(sql, parameters))

    def append(self, *rows: journal.Row) -> Sequence[journal.Row]:
        """Journal rows; without any, one plain event."""
        made: Sequence[journal.Row] = self.do(journal.Append(rows or [journal.Row("event", "s", b"{}")]))
        return made

    def asked(self, key: str, *targets: str, limits: policy.Limits = LIMITS, **more: Any) -> asking.Ask:
        """A match's question for the gates. `more`: fields of the candidate, and `alerts`."""
        alerts, extra = more.pop("alerts", []), more.pop("extra", {})
        run, names = model.run_id("a", "b", "c", key, 0, 0), targets or ("host:web1",)
        made = {"event_us": self.now_us, "limits": limits} | more
        candidate = policy.Candidate(run, "a/b/c", "clean", "here", tuple(names), **made)
        hosts = [model.Target("host", name[5:], name[5:]) for name in names]
        return asking.Ask(
            candidate, self.standing, 0, "script", "scripts/x.sh", {}, extra, False, 4, "rule:a/b/c", hosts, alerts, []
        )

    def use(self, revision_id: str) -> None:
        """A revision's row, decided."""
        row, self.revision = self.do(deciding.UseRevision(revision_id, "", "daemon", {}))
        self.do(deciding.Decide(row.seq - 1, row.seq, self.now_us, self.revision, [], lambda _: self.standing))
        self.position = row.seq

    def decide(self, *results: Any, **more: Any) -> deciding.Decided:
        """One more journal row, decided with these results. `more`: fields of the outcome, and `snapshot`."""
        snapshot = more.pop("snapshot", None)
        if not self.revision:
            self.use("f" * 64)
        (row,) = self.append()
        outcome = deciding.Outcome(row.seq, self.now_us, results=list(results), **more)
        unit = deciding.Decide(
            self.position, row.seq, self.now_us, self.revision, [outcome], lambda _: self.standing, snapshot
        )
        decided: deciding.Decided = self.do(unit)
        self.position = row.seq
        return decided

    def run_of(self, key: str, *targets: str, **more: Any) -> str:
        """One more row with one match; the run that it has."""
        (run,) = self.decide(self.asked(key, *(targets or (f"host:{key}",)), **more)).runs
        return str(run)

    def state_of(self, run: str) -> tuple[str, str]:
        """(state, reason) of a run."""
        ((state, reason),) = self.rows("SELECT state, reason FROM run WHERE id = ?", run)
        return state, reason

    def claim(self, limit: int = 20) -> claiming.Claims:
        """T3."""
        claims: claiming.Claims = self.do(claiming.Claim(limit, lambda _: self.standing))
        return claims

    def finish(
        self, claimed: claiming.Claimed, state: model.EndState = "succeeded", output: bytes = b"out", facts: Any = None,
        *, refused: bool = False,
    ) -> bool:  # fmt: skip
        """T4."""
        kept = finishing.Kept(self.store.blobs.keep(output), self.store.blobs.keep(b""))
        outcome = model.Outcome(state, state, 0, facts=facts, refused=refused)
        return bool(self.do(finishing.Finish(claimed.token, claimed.run["id"], claimed.number, outcome, kept)))

    def audit(self) -> list[dict[str, Any]]:
        """All audit records."""
        return [json.loads(text) for (text,) in self.rows("SELECT record FROM audit ORDER BY seq")]

    def queue(self, key: str = "k", *targets: str, **more: Any) -> str:
        """Decide a run that goes; its id. `more`: as of `asked`."""
        self.decide(self.asked(key, *targets, **({"limits": policy.Limits(timeout_s=10, cooldown_s=600)} | more)))
        return model.run_id("a", "b", "c", key, 0, 0)

    def only(self) -> claiming.Claimed:
        """T3, of the only attempt that may go."""
        (claimed,) = self.claim().claimed
        return claimed

    def unknown(self, key: str = "k", *targets: str, **more: Any) -> claiming.Claimed:
        """An attempt of which nobody knows how it ended."""
        self.queue(key, *targets, **more)
        claimed = self.only()
        self.finish(claimed, "unknown")
        return claimed

    def states(self, run: str) -> tuple[str, list[str]]:
        """(of a run, of its attempts)"""
        ((state,),) = self.rows("SELECT state FROM run WHERE id = ?", run)
        return state, [one for (one,) in self.rows("SELECT state FROM attempt WHERE run = ? ORDER BY number", run)]

    def summary(self, run: str) -> str:
        """What is said of a run."""
        ((detail,),) = self.rows("SELECT detail FROM run WHERE id = ?", run)
        return str(json.loads(detail)["summary"])

    def locks(self) -> list[str]:
        """What is locked."""
        return [target for (target,) in self.rows("SELECT target FROM lock ORDER BY target")]

    def record(self, kind: str) -> dict[str, Any]:
        """The last audit record of a kind."""
        return [one for one in self.audit() if one["kind"] == kind][-1]

    def verify(self) -> verify.Report:
        """What verification says of the audit."""
        verifier = verify.Verifier()
        verifier.feed(self.rows("SELECT seq, record, chain FROM audit ORDER BY seq"))
        return verifier.finish(*self.rows("SELECT size, root, chain, frontier FROM audit_head")[0])

    def close(self) -> None:
        """Close the store."""
        self.store.writer.close()


@pytest.fixture
def make_kit() -> Callable[[pathlib.Path | None], Kit]:
    """`make_kit(folder)`; None: in memory."""
    return Kit


@pytest.fixture(params=["disk", "memory"])
def kit(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[Kit]:
    """On disk and in memory."""
    made = Kit(tmp_path if request.param == "disk" else None)
    yield made
    made.close()


@pytest.fixture
def follow(kit: Kit) -> Callable[..., None]:
    """`follow(routes=told.ROUTES)`: the audit is followed to its end; from the first call on."""

    def do(routes: Any = told.ROUTES) -> None:
        while kit.do(outbox.Follow(routes)):
            pass

    do()
    return do
