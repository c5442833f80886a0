"""T1 to T4 on real SQLite, on disk and in memory: positions, deliveries, decisions, claims, outcomes, the audit."""

from __future__ import annotations

import pathlib
import sqlite3
from collections.abc import Iterator

import pytest

from healer import errors, model, policy, store
from healer.audit import verify
from healer.policy import states
from healer.store import asking, claiming, connection, deciding, finishing, journal

S = 1_000_000
STANDING = policy.Standing(enabled=True, mode="active")
LIMITS = policy.Limits(max_age_s=900, attempts=3, cooldown_s=600, timeout_s=10, concurrency_daemon=20)


@pytest.fixture(params=["disk", "memory"])
def opened(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[store.Store]:
    made = store.Store.open(tmp_path if request.param == "disk" else None, lambda: 100 * S, loop=None)
    yield made
    made.writer.close()


def append(opened: store.Store, *rows: journal.Row) -> list[journal.Row]:
    return opened.writer.now(journal.Append(rows))


def asked(key: str, target: str = "host:web1") -> asking.Ask:
    run = model.run_id("a", "b", "c", key, 0, 0)
    candidate = policy.Candidate(run, "a/b/c", "clean", "here", (target,), 100 * S, LIMITS)
    host = model.Target("host", target[5:], target[5:])
    return asking.Ask(candidate, STANDING, 0, "script", "scripts/x.sh", {}, {}, False, 4, "rule:a/b/c", [host], [], [])


def decide(opened: store.Store, after: int, to: int, *results: asking.Ask | deciding.Internal) -> deciding.Decided:
    _, number = opened.writer.now(deciding.UseRevision("f" * 64, "", "daemon", {}))
    outcome = deciding.Outcome(to, 100 * S, results=list(results))
    return opened.writer.now(deciding.Decide(after, to, 100 * S, number, [outcome], lambda _: STANDING))


def finish(opened: store.Store, claimed: claiming.Claimed) -> bool:
    kept = finishing.Kept(opened.blobs.keep(b"out"), opened.blobs.keep(b""))
    return bool(
        opened.writer.now(
            finishing.Finish(
                claimed.token, claimed.run["id"], claimed.number, model.Outcome("succeeded", "ok", 0), kept
            )
        )
    )


def test_positions_are_dense_and_a_second_delivery_gets_the_old_one(opened: store.Store) -> None:
    first = append(opened, journal.Row("event", "s", b"1", delivery="a", digest="x"), journal.Row("event", "s", b"2"))
    again = append(opened, journal.Row("event", "s", b"1", delivery="a", digest="x"))
    assert [row.seq for row in first] == [1, 2]
    assert (again[0].seq, again[0].duplicate) == (1, True)


def test_a_position_moves_only_from_where_it_was_read(opened: store.Store) -> None:
    append(opened, journal.Row("event", "s", b"{}"))
    decide(opened, 0, 1)
    with pytest.raises(errors.Fenced):
        decide(opened, 0, 1)


def test_a_run_is_claimed_once_and_its_late_outcome_changes_nothing(opened: store.Store) -> None:
    decided = decide(opened, 0, 1, asked("k"))
    assert decided.queued == 1
    claims = opened.writer.now(claiming.Claim(5, lambda _: STANDING))
    assert [one.targets for one in claims.claimed] == [["host:web1"]]
    assert opened.writer.now(claiming.Claim(5, lambda _: STANDING)).claimed == []
    assert finish(opened, claims.claimed[0]) is True
    assert finish(opened, claims.claimed[0]) is False


def test_a_busy_target_is_not_claimed_and_a_cooldown_defers(opened: store.Store) -> None:
    decide(opened, 0, 1, asked("k1"), asked("k2"))
    claims = opened.writer.now(claiming.Claim(5, lambda _: STANDING))
    assert len(claims.claimed) == 1
    finish(opened, claims.claimed[0])
    later = opened.writer.now(claiming.Claim(5, lambda _: STANDING))
    assert later.claimed == []
    assert list(later.changed.values()) == ["deferred"]


def test_an_attempt_that_never_began_is_queued_anew(opened: store.Store) -> None:
    decide(opened, 0, 1, asked("k"))
    (claimed,) = opened.writer.now(claiming.Claim(5, lambda _: STANDING)).claimed
    token = opened.writer.now(finishing.TakeBack(claimed.token, claimed.run["id"], claimed.number, "absent"))
    (again,) = opened.writer.now(claiming.Claim(5, lambda _: STANDING)).claimed
    assert again.token == token != claimed.token


def test_the_same_ask_twice_is_a_duplicate(opened: store.Store) -> None:
    decide(opened, 0, 1, asked("k"))
    assert decide(opened, 1, 2, asked("k")).queued == 0


def test_each_transition_that_the_table_lacks_is_refused_by_the_store(opened: store.Store) -> None:
    decide(opened, 0, 1, asked("k"))
    writing = opened.writer.tx.connection
    for new in states.RUN:
        if new in states.RUN["queued"] or new == "queued":
            continue
        with pytest.raises(sqlite3.IntegrityError, match="illegal transition"):
            writing.execute("UPDATE run SET state = ?", (new,))


def test_the_audit_verifies_and_an_edited_record_is_named(tmp_path: pathlib.Path) -> None:
    opened = store.Store.open(tmp_path, lambda: 100 * S, loop=None)
    decide(opened, 0, 1, asked("k"), deciding.Internal("a/b/d", 0, "none"))
    assert look(tmp_path).ok
    writing = opened.writer.tx.connection
    writing.execute("DROP TRIGGER audit_no_update")
    writing.execute("UPDATE audit SET record = replace(record, 'a/b/c', 'a/b/x') WHERE seq = 1")
    assert look(tmp_path).first_bad == 1
    opened.writer.close()


def look(folder: pathlib.Path) -> verify.Report:
    reading = connection.open_reader(folder / store.DATABASE)
    verifier = verify.Verifier()
    verifier.feed(reading.execute("SELECT seq, record, chain FROM audit ORDER BY seq"))
    report = verifier.finish(*reading.execute("SELECT size, root, chain, frontier FROM audit_head").fetchone())
    reading.close()
    return report


def test_a_new_owner_fences_the_old_one(tmp_path: pathlib.Path) -> None:
    old = store.Store.open(tmp_path, lambda: 100 * S, loop=None)
    new = store.Store.open(tmp_path, lambda: 100 * S, loop=None)
    with pytest.raises(errors.Fenced):
        append(old, journal.Row("event", "s", b"{}"))
    new.writer.close()
    old.writer.close()
