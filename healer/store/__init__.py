"""The store: one port for everything that has to survive. SQLite on disk, or in memory as its twin for tests and simulations.

`Store.open` takes what the data directory holds, counts the epoch up, and starts the writer. Who commits submits a unit
(`journal.Append`, `deciding.Decide`, `claiming.Claim`, `finishing.Finish` …); who reads uses `reader`. No SQL, dialect or
database path outside this room.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import sqlite3
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from healer import errors, telemetry
from healer.store import blobs, connection, journal, reader, soundness, space, transaction, witness, writer

DATABASE = "healer.db"
FULL_S = 1.0


class Store:
    """An open store. Make it with `Store.open`."""

    def __init__(
        self, opened: sqlite3.Connection, uid: str, epoch: int, made: writer.Writer, path: pathlib.Path | None
    ) -> None:
        self.uid = uid
        self.epoch = epoch
        self.writer = made
        self.path = path
        self.blobs = blobs.Blobs(path.parent / "blobs" if path else None)
        self.reader: reader.Reader = reader.DiskReader(path) if path else reader.MemoryReader(opened)
        self.fresh = epoch == 1
        self.patient = True
        self.short = False
        """Whether something else than a batch found the disk full."""

    @classmethod
    def open(
        cls,
        data_dir: pathlib.Path | None,
        clock: Callable[[], int],
        *,
        loop: asyncio.AbstractEventLoop | None,
        environment: str = "",
        on_rows: writer.CommittedRows = lambda _: None,
        on_fatal: Callable[[Exception], None] = lambda _: None,
        batch_rows_max: int = writer.BATCH_ROWS_MAX,
        memory: sqlite3.Connection | None = None,
    ) -> Store:
        """Open (and create, migrate) the store in `data_dir`; None: in memory.

        Raises `errors.StoreError` (`errors.StoreFull`), `errors.NewerSchema`, `errors.StartError` for one that is damaged, older than
        what was done with it, or has gone.

        `memory`: a connection of an earlier in-memory store, to start again on what it committed (as after a crash).
        """
        path = data_dir / DATABASE if data_dir is not None else None
        if path is not None:
            soundness.refuse_lost(path, path.parent / "revisions")
        opened = memory or connection.open_writer(str(path) if path else connection.MEMORY)
        witnessed = witness.Witness(path) if path else None
        try:
            if path is not None and witnessed is not None:
                with contextlib.closing(connection.blank()) as fresh:
                    soundness.refuse_damaged(opened, fresh, path)
                witnessed.refuse_older(opened)
            uid, epoch = _begin(opened, clock())
        except BaseException as error:
            opened.close()
            if witnessed is not None:
                witnessed.close()
            if isinstance(error, sqlite3.Error) and path is not None:
                raise connection.failed(error, path) from error
            raise
        made = writer.Writer(
            opened, epoch, environment, clock, loop=loop, on_rows=on_rows, on_fatal=on_fatal, batch_rows_max=batch_rows_max,
            none_left=lambda: path is not None and space.lacking(path.parent), witnessed=witnessed,
        )  # fmt: skip
        return cls(opened, uid, epoch, made, path)

    async def submit(self, unit: writer.Unit) -> Any:
        """Commit a unit and give its result."""
        return await self.writer.submit(unit)

    async def insist(self, unit: writer.Unit) -> Any:
        """As `submit`, for the daemon's own work: a full disk is waited out, for as long as the store is `patient`."""
        while True:
            try:
                return await self.writer.submit(unit)
            except errors.StoreFull:
                if not self.patient:
                    raise
                telemetry.count("store_full_waits")
                await asyncio.sleep(FULL_S)

    async def keep(self, data: bytes) -> journal.Blob:
        """Content ready for a unit, on disk where it is large. Raises `errors.StoreFull`."""
        if len(data) <= journal.INLINE_MAX or self.path is None:
            return self.blobs.keep(data)
        try:
            return await asyncio.to_thread(self.blobs.keep, data)
        except OSError as error:
            if error.errno not in errors.NO_SPACE:
                raise
            self.short = True
            raise errors.StoreFull from error

    async def forget_unnamed(self) -> int:
        """At a start, before anything is kept: the files of content whose unit failed (a full disk, a crash), so that no row names them."""
        files = self.blobs.folder.iterdir() if self.blobs.folder else ()
        names = sorted(path.name for path in files if blobs.OURS.fullmatch(path.name) and path.is_file())
        gone = 0
        for at in range(0, len(names), journal.ROWS_PER_STATEMENT):
            piece = names[at : at + journal.ROWS_PER_STATEMENT]
            rows = await self.reader.select(
                f"SELECT hash FROM blob WHERE hash IN ({transaction.placeholders(piece)})", list(piece)
            )
            unnamed = sorted(set(piece) - {row["hash"] for row in rows})
            await asyncio.to_thread(lambda found: [*map(self.blobs.forget, found)], unnamed)
            gone += len(unnamed)
        return gone

    def lacks_space(self) -> bool:
        """Whether the last batch, or something else since, found the disk full, and it still is."""
        self.short = self.short and not self.has_room()
        return self.short or (self.writer.full and not (self.path is not None and self.has_room()))

    def has_room(self) -> bool:
        """Whether the disk has room for more than a few small files."""
        return self.path is None or space.back(self.path.parent)

    async def rows_after(self, after: int, limit: int) -> list[journal.Row]:
        """Journal rows after a position, in order, with their bodies."""
        rows = []
        for got in await self.reader.all("journal_after", 0, after, limit):
            rows.append(await self.row_of(got))
        return rows

    async def rows_at(self, positions: Sequence[int]) -> list[journal.Row]:
        """The journal rows at these positions."""
        rows = []
        for at in range(0, len(positions), journal.ROWS_PER_STATEMENT):
            piece = list(positions[at : at + journal.ROWS_PER_STATEMENT])
            for got in await self.reader.select(
                f"SELECT * FROM journal WHERE seq IN ({transaction.placeholders(piece)})", piece
            ):
                rows.append(await self.row_of(got))
        return rows

    async def row_of(self, got: dict[str, Any]) -> journal.Row:
        """A journal row from its columns; a large body is read from its file."""
        row = journal.Row(
            got["kind"], got["source"], got["body"], actor=got["actor"], meta=got["meta"], depth=got["depth"], cause=got["cause"],
            ordinal=got["ordinal"], body_hash=got["body_hash"], raw_hash=got["raw_hash"],
        )  # fmt: skip
        row.seq, row.at_us = got["seq"], got["at_us"]
        if row.body is None and row.body_hash:
            row.body = await self.blob(row.body_hash)
        return row

    async def blob(self, name: str) -> bytes | None:
        """Content by its hash; None when it was trimmed or never was."""
        found = await self.reader.all("blob_find", name)
        if not found:
            return None
        try:
            return await asyncio.to_thread(self.blobs.read, name, found[0]["data"])
        except FileNotFoundError:
            return None

    async def close(self) -> None:
        """Commit what is queued and close everything."""
        await self.reader.close()
        await asyncio.to_thread(self.writer.close)


def _begin(opened: sqlite3.Connection, now_us: int) -> tuple[str, int]:
    """(uid, epoch) of the data directory, the epoch counted up for this owner."""
    opened.execute("BEGIN IMMEDIATE")
    row = opened.execute("SELECT uid, epoch FROM instance").fetchone()
    uid, epoch = (row[0], row[1] + 1) if row else (uuid.uuid4().hex, 1)
    opened.execute(
        "INSERT INTO instance (one, uid, epoch, created_us, pid, started_us) VALUES (1, ?, ?, ?, ?, ?)"
        " ON CONFLICT (one) DO UPDATE SET epoch = excluded.epoch, pid = excluded.pid, started_us = excluded.started_us",
        (uid, epoch, now_us, os.getpid(), now_us),
    )
    opened.execute("COMMIT")
    return uid, epoch


def decided_before(data_dir: pathlib.Path) -> bool:
    """Whether a daemon ever decided here (making keys before the first start is no such thing)."""
    if not (data_dir / DATABASE).exists():
        return False
    opened = connection.open_reader(data_dir / DATABASE)
    try:
        return bool(opened.execute("SELECT EXISTS (SELECT 1 FROM revision)").fetchone()[0])
    except sqlite3.OperationalError:
        return False
    finally:
        opened.close()
