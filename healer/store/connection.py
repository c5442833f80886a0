"""Opening SQLite the one way that is safe here, and bringing its schema up to date.

One SQLite library in the process. The writer's connection writes and checkpoints; every other one is opened read-only.
`wal_autocheckpoint = 0` since two connections that checkpoint at once can corrupt SQLite before 3.51.3. Why FULL: with group
commit NORMAL is hardly faster, and an answered event must survive a power cut.
"""

from __future__ import annotations

import contextlib
import functools
import pathlib
import shlex
import sqlite3
from collections.abc import Iterator
from typing import Final

from healer import errors
from healer.policy import states
from healer.store import names, space

PAGE_BYTES: Final = 8192
MEMORY: Final = ":memory:"
UNSAFE_FILESYSTEMS: Final = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse", "ceph", "glusterfs", "lustre", "afs")
STATEMENTS_CACHED: Final = 1200


def open_writer(path: str) -> sqlite3.Connection:
    """The one connection that writes. Creates and migrates. Raises `errors.StoreError` (`errors.StoreFull`), `errors.NewerSchema`."""
    if path != MEMORY:
        _refuse_no_file(pathlib.Path(path))
    where = shlex.quote(path)
    try_ = f"healer audit verify --db {where} says more; put a copy of the data directory back, or move it away to begin anew"
    with _told(pathlib.Path(path), try_):
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, cached_statements=STATEMENTS_CACHED, timeout=10
        )
        with _closed_on_failure(connection):
            if path != MEMORY:
                _prepare(connection)
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA cache_size = -16384")
            connection.execute("PRAGMA temp_store = MEMORY")
            _fill(connection)
    return connection


def blank() -> sqlite3.Connection:
    """A new database of the schema, in memory: a copy, as to make one takes ten times as long."""
    made = sqlite3.connect(MEMORY, isolation_level=None, check_same_thread=False, cached_statements=STATEMENTS_CACHED)
    made.deserialize(_image(tuple(names.schema())))
    return made


@functools.lru_cache(maxsize=4)
def _image(_schema: tuple[tuple[int, str], ...]) -> bytes:
    """The bytes of a new database. `_schema`: what it is made from, so that it is made anew for another."""
    with contextlib.closing(sqlite3.connect(MEMORY, isolation_level=None)) as made:
        _prepare(made)
        _migrate(made)
        return made.serialize()


def _prepare(connection: sqlite3.Connection) -> None:
    """What only a database without a table can be told."""
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")


def _fill(connection: sqlite3.Connection) -> None:
    """The schema: a new database has all of it at once, in one transaction."""
    if connection.execute("PRAGMA user_version").fetchone()[0] or _has_tables(connection):
        _migrate(connection)
        return
    with contextlib.closing(blank()) as made:
        made.backup(connection)


def _has_tables(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None


def open_reader(path: pathlib.Path) -> sqlite3.Connection:
    """A read-only connection, for offline reading. Raises `errors.StoreError`."""
    _refuse_no_file(path)
    with _told(path):
        connection = sqlite3.connect(
            reader_uri(path), uri=True, isolation_level=None, timeout=10, check_same_thread=False
        )
        with _closed_on_failure(connection):
            connection.execute("PRAGMA query_only = ON")
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1")
    return connection


@contextlib.contextmanager
def _told(path: pathlib.Path, try_: str = "") -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise failed(error, path, try_) from error


@contextlib.contextmanager
def _closed_on_failure(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


def failed(error: sqlite3.Error, path: pathlib.Path, try_: str = "") -> errors.StoreError:
    """What SQLite's error with the database at `path` is told as: a full disk is no damage."""
    if space.was_missing(error, lambda: space.lacking(path.parent)):
        return errors.StoreFull(f"free some space on the disk of {path.parent}")
    return errors.StoreError(try_, reason=f"{path}: {error}")


def _refuse_no_file(path: pathlib.Path) -> None:
    if path.exists() and not path.is_file():
        raise errors.StoreError("--data-dir DIR", reason=f"{path} is no file")


def reader_uri(path: pathlib.Path) -> str:
    """The URI of a read-only connection."""
    return f"{path.resolve().as_uri()}?mode=ro"


def _migrate(connection: sqlite3.Connection) -> None:
    """Apply the migrations that are missing, all in one transaction with the number of the last."""
    have = int(connection.execute("PRAGMA user_version").fetchone()[0])
    known = names.schema()
    if have < 1 and _has_tables(connection):
        raise sqlite3.DatabaseError(f"its schema has the number {have}, and it holds tables: not ours, or damaged")
    if have > known[-1][0]:
        raise errors.NewerSchema(got=have, wanted=known[-1][0])
    missing = [(number, script) for number, script in known if number > have]
    if not missing:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for _, script in missing:
            for statement in _statements(script):
                connection.execute(statement)
        _fill_transitions(connection)
        connection.execute(f"PRAGMA user_version = {known[-1][0]}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _statements(script: str) -> list[str]:
    """The statements of a script; triggers hold semicolons, so SQLite itself says where one ends."""
    found: list[str] = []
    text = ""
    for line in script.splitlines():
        text += line + "\n"
        if sqlite3.complete_statement(text):
            found.append(text)
            text = ""
    return found


def _fill_transitions(connection: sqlite3.Connection) -> None:
    for table, relation in (("run_transition", states.RUN), ("attempt_transition", states.ATTEMPT)):
        pairs = [(old, new) for old, news in relation.items() for new in news]
        connection.execute(f"DELETE FROM {table}")
        connection.executemany(f"INSERT INTO {table} (old, new) VALUES (?, ?)", pairs)


def refuse_unsafe_filesystem(folder: pathlib.Path) -> None:
    """Raise `errors.UnsafeFilesystem` for a network or user-space file system, on which locks and the log are not to be trusted."""
    kind = filesystem_of(folder, pathlib.Path("/proc/self/mounts"))
    if kind.split(".")[0] in UNSAFE_FILESYSTEMS:
        raise errors.UnsafeFilesystem(
            path=folder, kind=kind, try_="a local data_dir:, or --unsafe-fs if you know what you do"
        )


def filesystem_of(folder: pathlib.Path, mounts: pathlib.Path) -> str:
    """The type of the file system that holds `folder`, '' where it cannot be known."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    where = str(folder.resolve())
    best, kind = -1, ""
    for line in lines:
        fields = line.split(" ")
        point = fields[1].replace("\\040", " ") if len(fields) > 2 else ""
        inside = where == point or where.startswith(point.rstrip("/") + "/")
        if point and inside and len(point) >= best:
            best, kind = len(point), fields[2]
    return kind
