"""Faults 1 to 3 of `docs/faults.md` as the store answers them: a kill, another owner, the disk. Each holds, and does not without its
protection.
"""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import sqlite3
import threading
from collections.abc import Callable
from typing import Any, Final

import faults
import pytest

from healer import errors, store
from healer.store import claiming, connection, deciding, finishing, journal, names, notes, transaction, writer

# --- 1: kill -9 -------------------------------------------------------------------------------------------------------


class Torn:
    """A unit that is cut off in the middle."""

    weight = 1

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def apply(self, tx: Any) -> Any:
        """All of it, then no more."""
        self.inner.apply(tx)
        raise KeyboardInterrupt


def decided_in_part(make_kit: Any, folder: pathlib.Path) -> None:
    """Cut off between evaluation and T2's commit: neither the position has moved nor is there a run."""
    kit = make_kit(folder)
    kit.use("f" * 64)
    (row,) = kit.append()
    unit = deciding.Decide(
        kit.position,
        row.seq,
        kit.now_us,
        kit.revision,
        [deciding.Outcome(row.seq, kit.now_us, results=[kit.asked("k")])],
        lambda _: kit.standing,
    )
    before = faults.dump(folder)
    with contextlib.suppress(KeyboardInterrupt):
        kit.do(Torn(unit))
    kit.connection.close()
    faults.hold(faults.dump(folder) == before, "a part of a decision is on disk")


def migrated_in_part(_make_kit: Any, folder: pathlib.Path) -> None:
    """Cut off in a migration: all of it or nothing."""
    path = folder / "torn.db"
    opened = sqlite3.connect(path, isolation_level=None)
    known = names.schema()
    half = [(1, known[0][1].partition("CREATE TABLE audit (")[0] + "CREATE TABLE journal (twice INTEGER);\n")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(names, "schema", lambda: half)
        with contextlib.suppress(sqlite3.Error):
            connection._migrate(opened)
    faults.hold(not opened.execute("SELECT name FROM sqlite_master").fetchall(), "half a schema is on disk")
    opened.close()


def migrations_without_transactions(patch: faults.Patch) -> None:
    """Each statement of a schema is on its own."""
    made = connection._migrate
    patch.setattr(connection, "_migrate", lambda opened: made(faults.Through(opened, faults.autocommit)))  # type: ignore[arg-type]


def claimed_and_killed(make_kit: Any, folder: pathlib.Path) -> None:
    """Killed between T3 and the effect, in it, or before T4: the next owner neither claims it again nor lets its target go."""
    kit = make_kit(folder)
    kit.queue("k", "host:web1")
    kit.only()
    kit.connection.close()  # as a kill leaves it
    later = make_kit(folder)
    later.standing = kit.standing
    again = later.claim().claimed
    faults.hold(
        not again and later.rows("SELECT state FROM attempt") == [("running",)], "what may have begun is claimed again"
    )
    later.close()


def begun_anew_at_a_start(patch: faults.Patch) -> None:
    """What a crash left running counts as if nothing had been."""
    begin = store._begin

    def forgetful(opened: sqlite3.Connection, now_us: int) -> tuple[str, int]:
        guards = opened.execute(
            "SELECT name, sql FROM sqlite_master WHERE name IN ('attempt_legal', 'run_legal')"
        ).fetchall()
        for name, _ in guards:
            opened.execute(f"DROP TRIGGER {name}")
        opened.execute("UPDATE run SET state = 'queued' WHERE state = 'running'")
        opened.execute("UPDATE attempt SET state = 'queued' WHERE state = 'running'")
        opened.execute("DELETE FROM lock")
        for _, sql in guards:
            opened.execute(sql)
        return begin(opened, now_us)

    patch.setattr(store, "_begin", forgetful)


# --- 2: another owner -------------------------------------------------------------------------------------------------


def by_a_stranger(do: Callable[[Any], Any], prepare: Callable[[Any], Any] = lambda _: None) -> faults.Scene:
    """Stopped for longer than its lease exactly before a transaction, then going on: `Fenced`, and nothing has changed."""

    def scene(make_kit: Any, folder: pathlib.Path) -> None:
        old = make_kit(folder)
        prepared = prepare(old)
        new = make_kit(folder)  # who has the data directory now
        before = faults.dump(folder)
        try:
            do(old) if prepared is None else do((old, prepared))
        except errors.Fenced:
            pass
        except (
            errors.HealerError,
            sqlite3.Error,
        ) as error:  # kept back by something else, and it goes on as if it were the owner
            raise faults.Broken(error) from error
        else:
            raise faults.Broken("it was not fenced")
        finally:
            old.connection.close()
        faults.hold(faults.dump(folder) == before, "one that owns nothing any more wrote")
        new.append()
        faults.hold(new.verify().ok, "the audit of who owns it is damaged")
        new.close()

    return scene


def undecided(kit: Any) -> None:
    """A revision holds, and a row waits."""
    kit.use("f" * 64)
    kit.append()


def decides(kit: Any) -> None:
    """T2 of that row."""
    outcome = deciding.Outcome(kit.position + 1, kit.now_us, results=[kit.asked("k")])
    kit.do(deciding.Decide(kit.position, kit.position + 1, kit.now_us, kit.revision, [outcome], lambda _: kit.standing))


def ends(given: tuple[Any, claiming.Claimed]) -> None:
    """T4."""
    kit, claimed = given
    kit.finish(claimed)


def no_epoch(patch: faults.Patch) -> None:
    """The epoch is not compared."""
    made = transaction.Transaction.__init__

    def init(self: Any, opened: Any, epoch: int, environment: str) -> None:
        made(self, strangers(opened, epoch), epoch, environment)

    patch.setattr(transaction.Transaction, "__init__", init)
    guarded = journal._guarded_statement
    patch.setattr(
        journal, "_guarded_statement", lambda rows: guarded(rows).replace("(SELECT epoch FROM instance) = ?", "? > 0")
    )


def strangers(opened: Any, epoch: int) -> Any:
    """A connection that says of each epoch that it holds."""
    return faults.Through(opened, lambda sql: f"SELECT {epoch}" if sql == writer.EPOCH_GUARD else sql)


def decided_twice(make_kit: Any, folder: pathlib.Path) -> None:
    """T2 from a position that somebody else has moved: `Fenced`, whatever the epoch is."""
    kit = make_kit(folder)
    undecided(kit)
    decides(kit)
    before = faults.dump(folder)
    try:
        decides(kit)
    except errors.Fenced:
        pass
    except (
        errors.HealerError,
        sqlite3.Error,
    ) as error:  # kept back by something else, and it goes on as if it were the owner
        raise faults.Broken(error) from error
    faults.hold(faults.dump(folder) == before, "a row is decided twice")
    kit.close()


def late(make_kit: Any, folder: pathlib.Path) -> None:
    """T4 of an attempt that another owner has taken up: kept as evidence, and it changes nothing, whatever lets it through to here."""
    old = make_kit(folder)
    claimed = faults.claimed_one(old)
    new = make_kit(folder)
    new.do(finishing.TakeUp(claimed.token, claimed.run["id"], claimed.number))
    tx = old.store.writer.tx
    tx.connection = strangers(tx.connection, tx.epoch)
    tx.reload()
    ours = old.finish(claimed, "failed")
    old.connection.close()
    faults.hold(
        not ours and new.states(claimed.run["id"]) == ("running", ["running"]),
        "the word of an old owner ends an attempt",
    )
    faults.hold(new.record("outcome")["late"], "no evidence is kept")
    new.connection.close()


# --- 3: the disk ------------------------------------------------------------------------------------------------------


def full(make_kit: Any, folder: pathlib.Path) -> None:
    """Full, and with space again: what was answered is there and nothing else, and the same connection goes on."""
    kit = make_kit(folder)
    (pages,) = kit.connection.execute("PRAGMA page_count").fetchone()
    kit.connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    seqs = []
    with contextlib.suppress(errors.StoreFull):
        while len(seqs) < 1000:
            seqs += [row.seq for row in kit.append(journal.Row("event", "s", b"x" * 4000, delivery=f"d{len(seqs)}"))]
    kit.connection.execute("PRAGMA max_page_count = 1073741823")
    try:
        seqs += [row.seq for row in kit.append()]
    except errors.HealerError as error:
        raise faults.Broken(error) from error
    faults.hold(
        seqs == list(range(1, len(seqs) + 1)) == [seq for (seq,) in kit.rows("SELECT seq FROM journal")],
        "positions have a gap",
    )
    kit.close()


def sync_fails(code: int) -> faults.Scene:
    """What could not be synced may or may not be on disk: nothing is taken any more, until a start looks."""

    def scene(make_kit: Any, folder: pathlib.Path) -> None:
        kit = make_kit(folder)
        kit.append()
        sound = kit.connection
        kit.store.writer.tx.connection = faults.Through(sound, faults.failing(code))
        with contextlib.suppress(errors.StoreError):
            kit.append()
        kit.store.writer.tx.connection = sound
        faults.hold(kit.store.writer._dead is not None, "the writer goes on after a sync that failed")
        kit.connection.close()
        later = make_kit(folder)
        faults.hold([row.seq for row in later.append()] == [2], "what was refused is there")
        later.close()

    return scene


def goes_on(patch: faults.Patch) -> None:
    """Whatever fails passes."""
    patch.setattr(writer.space, "was_missing", lambda *_: True)


def read_only(make_kit: Any, folder: pathlib.Path) -> None:
    """A file system that has become read-only: as one that fails."""
    kit = make_kit(folder)
    kit.append()
    kit.connection.execute("PRAGMA query_only = ON")
    try:
        kit.do(notes.Note("start", "daemon"))
        raise faults.Broken("something was written")
    except errors.StoreError:
        faults.hold(kit.store.writer._dead is not None, "the writer goes on on a disk that takes nothing")
    kit.connection.close()


async def test_an_answer_waits_for_a_slow_sync(tmp_path: pathlib.Path) -> None:
    begun, go = threading.Event(), threading.Event()

    def slow(sql: str) -> str:
        if sql == "COMMIT":
            begun.set()
            assert go.wait(60)
        return sql

    opened = store.Store.open(tmp_path, lambda: 1, loop=asyncio.get_running_loop())
    opened.writer.tx.connection = faults.Through(opened.writer.tx.connection, slow)  # type: ignore[assignment]
    answer = opened.writer.submit(journal.Append([faults.delivery()]))
    await asyncio.to_thread(begun.wait, 60)
    assert not answer.done()
    assert faults.dump(tmp_path)["journal"] == []
    go.set()
    await answer
    assert len(faults.dump(tmp_path)["journal"]) == 1
    await opened.close()


IOERR_FSYNC: Final = sqlite3.SQLITE_IOERR | (4 << 8)
CASES: Final[faults.Cases] = {
    "1 cut off in T2": (decided_in_part, faults.without_transactions),
    "1 cut off in a migration": (migrated_in_part, migrations_without_transactions),
    "1 killed after T3": (claimed_and_killed, begun_anew_at_a_start),
    "2 stopped before T1": (by_a_stranger(lambda kit: kit.append()), no_epoch),
    "2 stopped before T1 of a delivery": (by_a_stranger(lambda kit: kit.append(faults.delivery())), no_epoch),
    "2 stopped before T2": (by_a_stranger(decides, undecided), no_epoch),
    "2 stopped before T3": (by_a_stranger(lambda kit: kit.claim(), lambda kit: kit.queue() and None), no_epoch),
    "2 stopped before T4": (by_a_stranger(ends, faults.claimed_one), no_epoch),
    "2 T2 from an old position": (decided_twice, faults.statement("position_move", "UPDATE position SET seq = ?, at_us = ? WHERE part = ? AND ? >= 0")),
    "2 T4 of an old owner": (late, faults.statement("attempt_end", names.load()["attempt_end"].replace("epoch = ?", "? > 0"))),
    "3 full and then not": (full, lambda patch: patch.setattr(transaction.Transaction, "reload", lambda _: None)),
    "3 a sync that fails": (sync_fails(IOERR_FSYNC), goes_on),
    "3 a write that fails": (sync_fails(sqlite3.SQLITE_IOERR), goes_on),
    "3 read-only": (read_only, goes_on),
}  # fmt: skip


test_it_holds: faults.Test = faults.holds(CASES)
test_it_does_not_hold_without_its_protection: faults.Test = faults.does_not_hold_without(CASES)
