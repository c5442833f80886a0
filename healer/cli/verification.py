"""Reads a database's audit and has it verified: offline, trusting neither a daemon nor the database's own rules.

Caller: `healer audit verify`. The head is read first; then every record before it in short reads, so that a daemon that
writes meanwhile is neither held up nor called a forger. The hashes are `healer.audit.verify`'s; here is what belongs to
the database: its integrity, and whether the triggers that forbid changes still stand as the schema has them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import sqlite3
from collections.abc import Iterator
from typing import Any, Final

from healer import errors
from healer.audit import verify
from healer.cli import progressing, terminal
from healer.store import connection, names

ROWS: Final = 5_000
GUARDED: Final = ("audit", "audit_head", "audit_no_update", "audit_no_delete")
SCHEMA: Final = "SELECT name, sql FROM sqlite_master WHERE name IN (?, ?, ?, ?)"


class Unreadable(errors.HealerError):
    """{path} cannot be verified: {reason}"""

    code = "unreadable"
    exit_code = errors.EXIT_USAGE


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What was found. `unanchored`: records that nothing outside this store vouches for."""

    report: verify.Report
    unanchored: int

    @property
    def ok(self) -> bool:
        """Nothing was tampered with, as far as can be seen."""
        return self.report.ok


def read(path: pathlib.Path, *, quiet: bool = True) -> Result:
    """Verify the audit of one database; unless it is to be `quiet`, a terminal is told how far that is.

    Raises `Unreadable` for what cannot be read to its end.
    """
    if not path.is_file():
        raise Unreadable("--data-dir DIR or --db FILE", path=terminal.clean(path), reason="there is no such file")
    try:
        with contextlib.closing(connection.open_reader(path)) as opened:
            opened.text_factory = _text
            return _verify(opened, path, quiet)
    except (sqlite3.Error, errors.StoreError) as error:
        reason = error.fields["reason"] if isinstance(error, errors.StoreError) else error
        raise Unreadable(
            "a copy of the data directory, taken with its -wal file", path=terminal.clean(path), reason=reason
        ) from error


def _text(raw: bytes) -> str:
    """Whatever stands in a text column: bytes that are no UTF-8 change the hash, and must not stop the reading."""
    return raw.decode("utf-8", "surrogateescape")


def _verify(opened: sqlite3.Connection, path: pathlib.Path, quiet: bool) -> Result:
    have, known = opened.execute("PRAGMA user_version").fetchone()[0], names.schema()[-1][0]
    if not 0 < have <= known:
        raise Unreadable(
            path=path, reason=f"its schema has the number {have}, this version of healer knows 1 to {known}"
        )
    verifier = verify.Verifier()
    size, root, chain, frontier, outside = _head(opened, path)
    after = 0
    with progressing.of(size, "records", as_json=quiet) as tell:
        while after < size and (rows := _rows(opened, after, size)):
            verifier.feed(_sound(rows, verifier.report))
            after = rows[-1][0] + 1
            tell(after)
    for count, where in outside:
        verifier.report.add(size, f"{count} records lie {where}")
    report = verifier.finish(size, root, chain, frontier)
    for sentence in _altered(opened, have):
        report.add(0, sentence)
    for sentence in _damaged(opened):
        report.add(0, sentence)
    return Result(report, size)


def _damaged(opened: sqlite3.Connection) -> Iterator[str]:
    """What SQLite itself says of the file. A record that is no JSON already stops it, since indexes are made of its fields."""
    try:
        lines = [line for (line,) in opened.execute("PRAGMA integrity_check(5)") if line != "ok"]
    except sqlite3.Error as error:
        lines = [str(error)]
    yield from (f"the database is damaged: {line}" for line in lines)


def _head(opened: sqlite3.Connection, path: pathlib.Path) -> tuple[int, bytes, bytes, bytes, list[tuple[int, str]]]:
    """(size, root, chain, frontier, how many records lie outside of it and where), all of one moment."""
    opened.execute("BEGIN")
    try:
        row = opened.execute(names.load()["audit_head"]).fetchone()
        if row is None or not isinstance(row[0], int) or not all(isinstance(hash_, bytes) for hash_ in row[1:]):
            raise Unreadable(path=path, reason="its audit has no head")
        counts = opened.execute(
            "SELECT count(*) FILTER (WHERE seq >= ?), count(*) FILTER (WHERE seq < 0) FROM audit WHERE seq >= ? OR seq < 0",
            (row[0], row[0]),
        ).fetchone()
    finally:
        opened.execute("ROLLBACK")
    outside = zip(counts, (f"beyond the head, which says {row[0]}", "before the first one"), strict=True)
    return row[0], row[1], row[2], row[3], [(count, where) for count, where in outside if count]


def _rows(opened: sqlite3.Connection, after: int, size: int) -> list[Any]:
    limit = min(ROWS, size - after)
    return [row for row in opened.execute(names.load()["audit_chunk"], (after, limit)).fetchall() if row[0] < size]


def _sound(rows: list[Any], report: verify.Report) -> Iterator[tuple[int, str, bytes]]:
    """The rows in the types that they were written in; one of another type is a finding of its own."""
    for seq, text, chain in rows:
        if not isinstance(text, str) or not text.startswith("{") or not isinstance(chain, bytes):
            report.add(seq, "it is no record: another type of value stands in its place")
            yield seq, "{}", b""
        else:
            yield seq, text, chain


def _altered(opened: sqlite3.Connection, have: int) -> Iterator[str]:
    """How the tables and triggers of the audit differ from those that this schema makes."""
    found = dict(opened.execute(SCHEMA, GUARDED).fetchall())
    with contextlib.closing(connection.open_writer(connection.MEMORY)) as fresh:
        if fresh.execute("PRAGMA user_version").fetchone()[0] != have:
            return  # an older schema is compared when it is migrated
        wanted = dict(fresh.execute(SCHEMA, GUARDED).fetchall())
    for name, sql in wanted.items():
        if name not in found:
            yield f"{name}, which guards the audit, was dropped"
        elif found[name] != sql:
            yield f"{name} is not as the schema makes it"
