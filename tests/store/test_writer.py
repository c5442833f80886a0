"""The writer: group commit, one bad unit among good ones, a full disk, a disk that fails, another owner, the end."""

from __future__ import annotations

import asyncio
import pathlib
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from loguru import logger

from healer import errors, store, telemetry
from healer.store import connection, deciding, journal, notes, transaction, writer

S = 1_000_000


class Box:
    """What a threaded store told."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.fatal: list[Exception] = []
        self.store: store.Store


@pytest.fixture
async def box(tmp_path: pathlib.Path) -> AsyncIterator[Box]:
    """A store with its thread."""
    made = Box()
    made.store = store.Store.open(
        tmp_path, lambda: 100 * S, loop=asyncio.get_running_loop(), on_fatal=made.fatal.append,
        on_rows=lambda rows: made.rows.extend(row.seq for row in rows),
    )  # fmt: skip
    yield made
    await made.store.close()


class Hold:
    """Keeps the writer's thread until it is let go, so that others queue up behind it."""

    weight = 1

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()

    def apply(self, tx: Any) -> None:
        """Wait."""
        self.begun.set()
        assert self.go.wait(30)


class Raise:
    """A unit that writes and then fails."""

    weight = 1

    def __init__(self, error: Exception) -> None:
        self.error = error

    def apply(self, tx: Any) -> None:
        """Append, note, and fail."""
        journal.append_all(tx, [journal.Append([row()])])
        tx.audit("start", actor="nobody")
        raise self.error


def row(**more: Any) -> journal.Row:
    return journal.Row("event", "s", b"{}", **more)


def bad() -> journal.Row:
    return journal.Row(None, "s", b"{}")  # type: ignore[arg-type]  # a NOT NULL column


async def held(box: Box) -> Hold:
    hold = Hold()
    box.store.writer.submit(hold)
    await asyncio.to_thread(hold.begun.wait, 30)
    return hold


def seqs(folder: pathlib.Path) -> list[int]:
    reading = connection.open_reader(folder / store.DATABASE)
    found = [seq for (seq,) in reading.execute("SELECT seq FROM journal ORDER BY seq")]
    reading.close()
    return found


async def test_what_queued_up_is_one_commit(box: Box, tmp_path: pathlib.Path) -> None:
    hold = await held(box)
    waiting = [box.store.writer.submit(journal.Append([row(), row()])) for _ in range(50)]
    before = telemetry.read().get("store_commits", 0)
    hold.go.set()
    results = await asyncio.gather(*waiting)
    assert telemetry.read().get("store_commits", 0) - before == 2  # that of the one who held, and that of all others
    assert [one.seq for rows in results for one in rows] == list(range(1, 101)) == box.rows == seqs(tmp_path)


@pytest.mark.parametrize("more", [{"delivery": "d"}, {}])
async def test_a_value_that_cannot_be_bound_is_its_own_rows_alone(box: Box, tmp_path: pathlib.Path, more: Any) -> None:
    hold = await held(box)
    units = [journal.Append([row()]), journal.Append([row(meta="\ud800", **more)]), journal.Append([row(meta=2**70)])]
    waiting = [box.store.writer.submit(unit) for unit in [*units, journal.Append([row()])]]
    hold.go.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in results] == [list, UnicodeEncodeError, OverflowError, list]
    assert seqs(tmp_path) == [1, 2]
    assert (await box.store.submit(journal.Append([row()])))[0].seq == 3
    assert box.fatal == []


async def test_what_a_try_together_noted_of_a_row_is_gone_when_it_is_tried_alone(box: Box) -> None:
    hold = await held(box)
    wrong = journal.Append([row(meta="\ud800", delivery="d", digest="x")])
    waiting = [box.store.writer.submit(unit) for unit in (wrong, journal.Append([row(delivery="d", digest="y")]))]
    hold.go.set()
    _, [taken] = await asyncio.gather(*waiting, return_exceptions=True)
    assert (taken.duplicate, taken.conflict, taken.digest) == (False, False, "y")
    [again] = await box.store.submit(journal.Append([row(delivery="d", digest="y")]))
    assert (again.seq, again.duplicate, again.conflict) == (taken.seq, True, False)


async def test_a_mistake_of_ours_ends_the_writer_with_a_word(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("x")

    monkeypatch.setattr(box.store.writer, "_note", broken)
    with pytest.raises(errors.StoreError):
        await box.store.submit(journal.Append([row()]))
    assert {type(one) for one in box.fatal} == {ZeroDivisionError}


async def test_a_batch_has_a_size(tmp_path: pathlib.Path) -> None:
    box = Box()
    box.store = store.Store.open(tmp_path, lambda: 1, loop=asyncio.get_running_loop(), batch_rows_max=10)
    hold = await held(box)
    waiting = [box.store.writer.submit(journal.Append([row()] * 1)) for _ in range(25)]
    before = telemetry.read().get("store_commits", 0)
    hold.go.set()
    await asyncio.gather(*waiting)
    assert telemetry.read().get("store_commits", 0) - before == 4
    await box.store.close()


async def test_one_bad_row_fails_alone(box: Box, tmp_path: pathlib.Path) -> None:
    hold = await held(box)
    units = [[row()], [row(), bad()], [row()], [row(), row()]]
    waiting = [box.store.writer.submit(journal.Append(rows)) for rows in units]
    hold.go.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(results[1], sqlite3.IntegrityError)
    assert [[one.seq for one in rows] for rows in (results[0], *results[2:])] == [[1], [2], [3, 4]]
    assert seqs(tmp_path) == [1, 2, 3, 4] == box.rows


@pytest.mark.parametrize(
    "error", [ValueError("x"), errors.IllegalTransition(what="r", old="a", new="b"), KeyError("x")]
)
async def test_what_a_unit_raises_takes_back_what_it_did_and_nothing_else(box: Box, error: Exception) -> None:
    hold = await held(box)
    waiting = [
        box.store.writer.submit(one) for one in (notes.Note("start", "a"), Raise(error), notes.Note("stop", "a"))
    ]
    last = box.store.writer.submit(journal.Append([row()]))
    hold.go.set()
    first, got, third = await asyncio.gather(*waiting, return_exceptions=True)
    assert (first, got, third) == (0, error, 1)
    assert [one.seq for one in await last] == [1] == box.rows
    head = await box.store.reader.all("audit_head")
    assert head[0]["size"] == 2


async def test_closing_commits_what_is_queued(box: Box, tmp_path: pathlib.Path) -> None:
    hold = await held(box)
    waiting = [box.store.writer.submit(journal.Append([row()])) for _ in range(20)]
    closing = asyncio.create_task(box.store.close())
    await asyncio.sleep(0)
    hold.go.set()
    await closing
    await asyncio.gather(*waiting)
    assert not pathlib.Path(f"{tmp_path / store.DATABASE}-wal").exists()
    assert seqs(tmp_path) == list(range(1, 21))
    with pytest.raises(errors.StoreError, match="closed"):
        await box.store.submit(journal.Append([row()]))


async def test_another_owner_ends_this_one(box: Box, tmp_path: pathlib.Path) -> None:
    await box.store.submit(journal.Append([row()]))
    other = store.Store.open(tmp_path, lambda: 100 * S, loop=None)
    assert other.epoch == box.store.epoch + 1
    for _ in range(2):
        with pytest.raises(errors.StoreError, match="owns"):
            await box.store.submit(journal.Append([row()]))
    assert isinstance(box.fatal[0], errors.Fenced)
    other.writer.close()
    assert seqs(tmp_path) == [1]


async def test_a_full_disk_refuses_loses_nothing_and_goes_on(box: Box, tmp_path: pathlib.Path) -> None:
    writing = box.store.writer.tx.connection
    answered = await box.store.submit(journal.Append([row()]))
    (pages,) = writing.execute("PRAGMA page_count").fetchone()
    writing.execute(f"PRAGMA max_page_count = {pages + 2}")
    refused: Exception | None = None
    while refused is None:
        assert len(answered) < 1000
        try:
            answered += await box.store.submit(journal.Append([journal.Row("event", "s", b"x" * 4000)]))
        except errors.StoreFull as error:
            refused = error
    assert (refused.status, refused.code) == (503, "disk-full")
    assert seqs(tmp_path) == [one.seq for one in answered]
    with pytest.raises(errors.StoreFull):
        await box.store.submit(journal.Append([journal.Row("event", "s", b"x" * 4000 * 10)]))
    writing.execute("PRAGMA max_page_count = 1073741823")
    answered += await box.store.submit(journal.Append([journal.Row("event", "s", b"x" * 4000)]))
    assert [one.seq for one in answered] == list(range(1, len(answered) + 1)) == seqs(tmp_path) == box.rows
    assert box.fatal == []


async def test_a_full_disk_fails_the_whole_batch(box: Box, tmp_path: pathlib.Path) -> None:
    hold = await held(box)
    writing = box.store.writer.tx.connection
    small = box.store.writer.submit(notes.Note("start", "a"))
    large = [box.store.writer.submit(journal.Append([journal.Row("event", "s", b"x" * 4000)])) for _ in range(50)]
    hold.go.set()  # the holder's own commit was begun before the limit
    await box.store.submit(notes.Note("stop", "a"))
    await asyncio.gather(small, *large)
    hold = await held(box)
    (pages,) = writing.execute("PRAGMA page_count").fetchone()
    writing.execute(f"PRAGMA max_page_count = {pages + 1}")
    before = len(seqs(tmp_path))
    waiting = [
        box.store.writer.submit(one)
        for one in (
            notes.Note("start", "a"),
            *[journal.Append([journal.Row("event", "s", b"x" * 4000)]) for _ in range(50)],
        )
    ]
    hold.go.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(one) for one in results} == {errors.StoreFull}
    assert len(seqs(tmp_path)) == before
    assert (await box.store.reader.all("audit_head"))[0]["size"] == 2
    writing.execute("PRAGMA max_page_count = 1073741823")


class Failing:
    """A connection whose commits fail as a broken disk makes them fail."""

    def __init__(self, inner: sqlite3.Connection, code: int) -> None:
        self._inner = inner
        self._code = code

    def execute(self, sql: str, *more: Any) -> Any:
        if sql == "COMMIT" or "WHERE (SELECT epoch" in sql:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = self._code
            raise error
        return self._inner.execute(sql, *more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


async def test_a_disk_that_fails_ends_the_writer_for_good(box: Box, tmp_path: pathlib.Path) -> None:
    await box.store.submit(journal.Append([row()]))
    tx = box.store.writer.tx
    sound = tx.connection
    tx.connection = Failing(sound, sqlite3.SQLITE_IOERR | (5 << 8))  # type: ignore[assignment]
    hold = await held(box)
    waiting = [box.store.writer.submit(journal.Append([row()])) for _ in range(3)]
    hold.go.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(one) for one in results} == {errors.StoreError}
    tx.connection = sound
    with pytest.raises(errors.StoreError):
        await box.store.submit(journal.Append([row()]))
    assert box.fatal
    assert seqs(tmp_path) == [1] == box.rows


async def test_a_busy_disk_refuses_one_batch(box: Box) -> None:
    tx = box.store.writer.tx
    sound = tx.connection
    tx.connection = Failing(sound, sqlite3.SQLITE_BUSY)  # type: ignore[assignment]
    with pytest.raises(errors.StoreError):
        await box.store.submit(journal.Append([row()]))
    tx.connection = sound
    assert [one.seq for one in await box.store.submit(journal.Append([row()]))] == [1]


async def test_who_stopped_waiting_does_not_disturb_the_others(box: Box) -> None:
    hold = await held(box)
    gone, stays = (box.store.writer.submit(journal.Append([row()])) for _ in range(2))
    gone.cancel()
    hold.go.set()
    assert [one.seq for one in await stays] == [2]


async def test_the_log_is_moved_into_the_database_when_it_is_long(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "CHECKPOINT_BYTES", 100_000)
    kept = store.Store.open(tmp_path, lambda: 1, loop=asyncio.get_running_loop())
    wal = pathlib.Path(f"{tmp_path / store.DATABASE}-wal")
    written = wal.stat().st_size
    for _ in range(60):
        await kept.submit(journal.Append([journal.Row("event", "s", b"x" * 4000)]))
    assert wal.stat().st_size < written + 2 * 100_000  # unmoved it would be 1.7 million
    await kept.close()


def test_a_position_that_is_not_ours_fences(tmp_path: pathlib.Path) -> None:
    kept = store.Store.open(tmp_path, lambda: 1, loop=None)
    with pytest.raises(errors.Fenced):
        kept.writer.now(deciding.Decide(5, 6, 1, 0, [], lambda _: None))  # type: ignore[arg-type,return-value]
    kept.writer.close()


async def test_the_daemons_own_work_waits_for_space(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "FULL_S", 0)
    tx = box.store.writer.tx
    sound = tx.connection
    tx.connection = Failing(sound, sqlite3.SQLITE_FULL)  # type: ignore[assignment]
    waits = asyncio.create_task(box.store.insist(journal.Append([row()])))
    with pytest.raises(errors.StoreFull):
        await box.store.submit(journal.Append([row()]))
    assert box.store.writer.full
    tx.connection = sound
    assert len(await waits) == 1
    assert not box.store.writer.full
    tx.connection = Failing(sound, sqlite3.SQLITE_FULL)  # type: ignore[assignment]
    box.store.patient = False
    with pytest.raises(errors.StoreFull):
        await box.store.insist(journal.Append([row()]))
    tx.connection = sound


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_WRITE])
async def test_a_full_disk_that_sqlite_does_not_name_is_waited_out_too(
    box: Box, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """The index of the log cannot grow, or a quota is used up."""
    monkeypatch.setattr(store.space, "lacking", lambda *_: True)
    tx = box.store.writer.tx
    sound = tx.connection
    tx.connection = Failing(sound, code)  # type: ignore[assignment]
    with pytest.raises(errors.StoreFull):
        await box.store.submit(journal.Append([row()]))
    assert box.store.lacks_space()
    tx.connection = sound
    assert [one.seq for one in await box.store.submit(journal.Append([row()]))] == [1]
    assert (box.fatal, box.store.lacks_space()) == ([], False)


def test_what_people_should_hear_of_is_told_behind_the_commit_and_only_then(told: list[str]) -> None:
    kept = store.Store.open(None, lambda: 1, loop=None, environment="test")

    def opened(tx: transaction.Transaction) -> None:
        tx.audit("breaker_opened", actor="daemon", action="clean", controller="site", failures=3)
        assert told == []

    def undone(tx: transaction.Transaction) -> None:
        tx.audit("storm", actor="daemon", matches=9, limit=3, within_ms=1)
        raise ValueError

    kept.writer.now(Do(opened))
    with pytest.raises(ValueError):
        kept.writer.now(Do(undone))
    kept.writer.now(Do(lambda tx: tx.audit("start", actor="daemon")))
    assert told == ["the breaker of clean on site is open after 3 failures: it is not started there for a while"]
    kept.writer.close()


@pytest.fixture
def told() -> Iterator[list[str]]:
    """The warnings that are logged meanwhile."""
    lines: list[str] = []
    handler = logger.add(lambda line: lines.append(str(line.record["message"])), level="WARNING")
    yield lines
    logger.remove(handler)


class Do:
    """A unit of a function."""

    weight = 1

    def __init__(self, act: Callable[[transaction.Transaction], Any]) -> None:
        self._act = act

    def apply(self, tx: transaction.Transaction) -> Any:
        return self._act(tx)
