"""The only code that commits: a thread that takes what has queued up, does it in one transaction, and wakes the waiters once.

Group commit without a timer: a batch is what queued while the last commit was on its way to the disk. A unit that fails takes
only itself back (savepoint). A failed commit fails its whole batch; an I/O error ends the writer for good, since after a failed
fsync nobody knows what is on disk. With `loop=None` everything runs inline: that is how simulations and tests use it.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from loguru import logger

from healer import errors, telemetry
from healer.store import journal, space, witness
from healer.store.transaction import Transaction

BATCH_ROWS_MAX: Final = 2000
CHECKPOINT_BYTES: Final = 32 << 20
IDLE_S: Final = 2.0
ROW_BYTES: Final = 300
UNIT_BYTES: Final = 16_384
BATCH_BYTES: Final = 3 * 8192
"""What a batch adds to the log at least: the pages that it touches."""
EPOCH_GUARD: Final = "SELECT epoch FROM instance"

_OF_A_VALUE: Final = (
    sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError, sqlite3.DataError, TypeError, ValueError, OverflowError,
)  # fmt: skip
"""What is raised for a value that cannot be stored or bound."""

CommittedRows = Callable[[list[journal.Row]], None]


class Unit(Protocol):
    """What can be submitted: applied inside a transaction, alone within its savepoint."""

    @property
    def weight(self) -> int:
        """How many rows it counts for the size of a batch."""
        ...

    def apply(self, tx: Transaction) -> Any:
        """Do it; the result is what the submitter gets. Raising takes this unit back and nothing else."""
        ...


class Writer:
    """Owns the writing connection. `clock` gives journal time in µs; `on_rows` hears of new journal rows after each commit;
    `none_left` says whether the disk has no room; `witnessed` is told what is committed."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        epoch: int,
        environment: str,
        clock: Callable[[], int],
        *,
        loop: asyncio.AbstractEventLoop | None,
        on_rows: CommittedRows,
        on_fatal: Callable[[Exception], None],
        batch_rows_max: int = BATCH_ROWS_MAX,
        none_left: Callable[[], bool] = lambda: False,
        witnessed: witness.Witness | None = None,
    ) -> None:
        self.tx = Transaction(connection, epoch, environment)
        self._witness = witnessed
        self._clock = clock
        self._loop = loop
        self._on_rows = on_rows
        self._on_fatal = on_fatal
        self._batch_rows_max = batch_rows_max
        self._none_left = none_left
        self._queue: queue.SimpleQueue[tuple[Unit, asyncio.Future[Any]] | None] = queue.SimpleQueue()
        self._dead: Exception | None = None
        self.full = False
        """Whether the last batch failed because the disk is full."""
        self._written = True
        self._logged_bytes = 0
        self._records = self._committed_records = self.tx.records
        self.on_records: Callable[[], None] = lambda: None
        """Called on the loop behind a commit that has records of the audit."""
        self._thread: threading.Thread | None = None
        self._note()
        if loop is not None:
            self._thread = threading.Thread(target=self._work, name="healer-writer", daemon=True)
            self._thread.start()

    def submit(self, unit: Unit) -> asyncio.Future[Any]:
        """Queue a unit; the future gives its result after the commit, or the reason why it did not happen."""
        if self._loop is None:
            return self._inline(unit)
        future: asyncio.Future[Any] = self._loop.create_future()
        dead = self._dead
        if dead is not None:
            future.set_exception(errors.StoreError(reason=str(dead)))
            return future
        self._queue.put((unit, future))
        if self._dead is not None:  # since then, and it may have looked through the queue before
            self._fail_queued()
        return future

    def now(self, unit: Unit) -> Any:
        """Inline only: the unit's result, raising what it raised."""
        ((result, error),) = self._batch([unit])
        if rows := self.tx.take_appended():
            self._on_rows(rows)
        if error is not None:
            raise error
        return result

    def close(self) -> None:
        """Commit what is queued, end the thread, checkpoint, close the connection."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None
        if self._dead is None:
            self._checkpoint("TRUNCATE")
        self.tx.connection.close()
        if self._witness is not None:
            self._witness.close()
        self._dead = self._dead or RuntimeError("the store is closed")

    def _inline(self, unit: Unit) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_event_loop().create_future()
        ((result, error),) = self._batch([unit])
        self._settle([(future, result, error)], self.tx.take_appended())
        return future

    def _work(self) -> None:
        """The thread: until None comes, or the disk fails."""
        stop = False
        while not stop:
            taken, stop = self._take()
            if not taken:
                continue
            units = [unit for unit, _ in taken]
            try:
                results = self._batch(units)
            except Exception as error:  # a mistake of ours: without a word nothing would be written any more
                results = self._failed(units, error)
            settled = [(future, result, error) for (_, future), (result, error) in zip(taken, results, strict=True)]
            self._tell(settled, self.tx.take_appended())
            if self._dead is not None:
                self._fail_queued()
                return
            self._logged_bytes += BATCH_BYTES + sum(map(_bytes_of, taken))
            if self._logged_bytes > CHECKPOINT_BYTES:
                self._checkpoint("PASSIVE")
                self._logged_bytes = 0

    def _take(self) -> tuple[list[tuple[Unit, asyncio.Future[Any]]], bool]:
        """Wait for the first unit, then take all that is there, up to the cap. (units, whether to stop after them)"""
        get = self._queue.get
        try:
            first = get(timeout=IDLE_S) if self._written else get()
        except queue.Empty:
            self._checkpoint("TRUNCATE")
            self._written = False
            first = get()
        taken: list[tuple[Unit, asyncio.Future[Any]]] = []
        rows = 0
        while first is not None:
            taken.append(first)
            rows += first[0].weight
            if rows >= self._batch_rows_max:
                return taken, False
            try:
                first = self._queue.get_nowait()
            except queue.Empty:
                return taken, False
        return taken, True

    def _batch(self, units: Sequence[Unit]) -> list[tuple[Any, Exception | None]]:
        """One transaction over the units; for each its result or its error."""
        tx = self.tx
        tx.now_us = max(tx.now_us, self._clock())
        self._written = True
        if rows := journal.plain(units):
            try:
                if self._append_plain(rows):
                    return [(unit.rows, None) for unit in units if isinstance(unit, journal.Append)]
            except sqlite3.DatabaseError as error:
                return self._failed(units, error)
        try:
            tx.connection.execute("BEGIN IMMEDIATE")
            (epoch,) = tx.connection.execute(EPOCH_GUARD).fetchone()
            if epoch != tx.epoch:
                raise errors.Fenced(got=epoch, ours=tx.epoch)
            results = self._apply(units)
            tx.write_head()
            tx.connection.execute("COMMIT")
        except (sqlite3.Error, errors.Fenced) as error:
            return self._failed(units, error)
        self._committed(len(units))
        return results

    def _append_plain(self, rows: list[journal.Row]) -> bool:
        """Rows that need nothing but to be inserted: one statement is the whole transaction, guard of the epoch included, since the
        GIL is taken again after each.

        False (and nothing done) when a row cannot be taken, or another owner is there: the long way says which. What ends a batch is
        raised: it is not tried twice on a disk that failed.
        """
        mark = self.tx.mark()
        try:
            done = journal.insert_guarded(self.tx, rows)
        except _OF_A_VALUE:
            done = False
        if not done:
            self.tx.back_to(mark)
            return False
        self._committed(len(rows))
        return True

    def _committed(self, units: int) -> None:
        telemetry.count("store_commits")
        telemetry.count("store_units", units)
        self.full = False
        self._committed_records = self.tx.records
        self._note()
        told, self.tx.told = self.tx.told, []
        for record, line in told:
            logger.bind(audit=record["seq"], kind=record["kind"], run=record.get("run")).warning("{}", line)

    def _note(self) -> None:
        if self._witness is not None:
            self._witness.note(self.tx.epoch, self.tx.records, self.tx.last_seq)

    def _apply(self, units: Sequence[Unit]) -> list[tuple[Any, Exception | None]]:
        appends = [unit for unit in units if isinstance(unit, journal.Append)]
        merged = bool(appends) and self._apply_merged(appends)
        results: list[tuple[Any, Exception | None]] = []
        for unit in units:
            if merged and isinstance(unit, journal.Append):
                results.append((unit.rows, None))
            else:
                results.append(self._apply_alone(unit))
        return results

    def _apply_merged(self, appends: list[journal.Append]) -> bool:
        """All appends in one go; False (and nothing done) when one of them cannot be taken. They come first in a transaction, so that
        they need no savepoint: a statement less, and each statement takes the GIL again."""
        mark = self.tx.mark()
        connection = self.tx.connection
        try:
            journal.append_all(self.tx, appends)
        except Exception as error:  # a value that cannot be bound is none of SQLite's
            if isinstance(error, sqlite3.Error) and _ends_batch(error):
                raise
            connection.execute("ROLLBACK")
            connection.execute("BEGIN IMMEDIATE")
            self.tx.back_to(mark)
            telemetry.count("store_merges_undone")
            return False
        return True

    def _apply_alone(self, unit: Unit) -> tuple[Any, Exception | None]:
        mark = self.tx.mark()
        connection = self.tx.connection
        connection.execute("SAVEPOINT unit")
        try:
            result = unit.apply(self.tx)
        except Exception as error:  # whatever a unit raises is its submitter's, who gets it; its neighbours go on
            if isinstance(error, sqlite3.Error) and _ends_batch(error):
                raise
            connection.execute("ROLLBACK TO unit")
            connection.execute("RELEASE unit")
            self.tx.back_to(mark)
            return None, error
        connection.execute("RELEASE unit")
        return result, None

    def _failed(self, units: Sequence[Unit], error: Exception) -> list[tuple[Any, Exception | None]]:
        """The batch did not happen: take it back, tell all of its submitters, and end for good where the disk is not to be trusted."""
        connection = self.tx.connection
        full = space.was_missing(error, self._none_left)
        passes = full or getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
        telemetry.count("store_batches_failed")
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self.tx.reload()
        except sqlite3.Error as second:
            error, passes = second, False
        if isinstance(error, errors.Fenced):
            self._dead = error
            return [(None, error)] * len(units)
        self.full = full
        told = errors.StoreFull() if full else errors.StoreError(reason=str(error))
        if not passes:
            self._dead = error
        return [(None, told)] * len(units)

    def _tell(self, settled: list[tuple[asyncio.Future[Any], Any, Exception | None]], rows: list[journal.Row]) -> None:
        """One wake-up a batch."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._settle, settled, rows)

    def _settle(
        self, settled: list[tuple[asyncio.Future[Any], Any, Exception | None]], rows: list[journal.Row]
    ) -> None:
        if rows:
            self._on_rows(rows)
        if self._committed_records != self._records:  # not those of the transaction, which goes on meanwhile
            self._records = self._committed_records
            self.on_records()
        for future, result, error in settled:
            if future.done():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
        if self._dead is not None and self._loop is not None:
            self._on_fatal(self._dead)

    def _fail_queued(self) -> None:
        waiting: list[tuple[asyncio.Future[Any], Any, Exception | None]] = []
        while True:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if item is not None:
                waiting.append((item[1], None, errors.StoreError(reason=str(self._dead))))
        self._tell(waiting, [])

    def _checkpoint(self, how: str) -> None:
        """Move the log into the database. A checkpoint that cannot finish (a reader is there) is tried again later."""
        try:
            self.tx.connection.execute(f"PRAGMA wal_checkpoint({how})").fetchall()
        except sqlite3.Error:
            telemetry.count("store_checkpoints_failed")


def _bytes_of(taken: tuple[Unit, asyncio.Future[Any]]) -> int:
    """About what a unit adds to the log. The size of its file says nothing: a checkpointed log keeps it and is written anew."""
    unit = taken[0]
    if type(unit) is journal.Append:
        return sum(ROW_BYTES + len(row.body or b"") + len(row.raw or b"") for row in unit.rows)
    return unit.weight * UNIT_BYTES


def _ends_batch(error: sqlite3.Error) -> bool:
    """Whether the whole transaction is lost: disk full, I/O error, corruption; a constraint is not."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    return code in (
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_READONLY,
    )
