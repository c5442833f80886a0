"""Whether an opened database is one of ours and whole, as far as a start can see cheaply. Caller: `Store.open`.

What is found here stops the start: going on would write new records on damaged ones. All of the audit is `healer audit verify`'s.
"""

from __future__ import annotations

import contextlib
import pathlib
import shlex
import sqlite3
from collections.abc import Iterator
from typing import Final

from healer import errors
from healer.audit import tree

HEADER_BYTES: Final = 100
"""Of what is shorter SQLite makes a new database (sqlite.org, file format, 1.3)."""
OBJECTS: Final = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"


class Damaged(errors.StartError):
    """the store {path} is damaged: {reason}"""

    code = "store-damaged"


class DatabaseMissing(errors.StartError):
    """{path} is not there, empty or no database, but {folder} shows that a daemon decided here: runs, locks and audit would be forgotten"""

    code = "database-missing"


def refuse_lost(path: pathlib.Path, folder: pathlib.Path) -> None:
    """Raise `DatabaseMissing` where the database has gone and what it led to (`folder`) has not."""
    try:
        there = path.stat().st_size >= HEADER_BYTES
    except FileNotFoundError:
        there = False
    if not there and folder.is_dir() and any(folder.iterdir()):
        raise DatabaseMissing(
            f"put it back from a copy; to begin anew, move {path.parent} away", path=path, folder=folder
        )


def refuse_damaged(opened: sqlite3.Connection, fresh: sqlite3.Connection, path: pathlib.Path) -> None:
    """Raise `Damaged` with all that is wrong. `fresh`: a new database of the same schema."""
    try:
        found = list(_altered(opened, fresh)) or list(_incomplete(opened))
    except sqlite3.Error as error:
        found = [str(error)]
    if found:
        raise damaged(path, "; ".join(found[:5]))


def damaged(path: pathlib.Path, reason: str) -> Damaged:
    """The error with its next step."""
    verify = f"healer audit verify --db {shlex.quote(str(path))}"
    try_ = f"{verify} says more; put a copy back, or move {path.parent} away to begin anew without its audit"
    return Damaged(try_, path=path, reason=reason)


def _altered(opened: sqlite3.Connection, fresh: sqlite3.Connection) -> Iterator[str]:
    there = {(kind, name): sql for kind, name, sql in opened.execute(OBJECTS)}
    for kind, name, sql in fresh.execute(OBJECTS):
        if (kind, name) not in there:
            yield f"the {kind} {name} is missing"
        elif there[(kind, name)] != sql:
            yield f"the {kind} {name} is not as the schema makes it"


def _incomplete(opened: sqlite3.Connection) -> Iterator[str]:
    with contextlib.closing(opened.execute("SELECT size, root, chain, frontier FROM audit_head")) as cursor:
        head = cursor.fetchone()
    if opened.execute("SELECT count(*) FROM position").fetchone()[0] == 0:
        yield "it has no position"
    if head is None or not isinstance(head[0], int) or not all(isinstance(value, bytes) for value in head[1:]):
        yield "its audit has no head"
        return
    size, root, chain, packed = head
    try:
        if tree.Frontier.from_bytes(size, packed).root() != root:
            yield "the right edge of the audit's tree does not give its root"
    except ValueError as error:
        yield str(error)
    last = opened.execute("SELECT seq, chain FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
    if (last or (-1, tree.CHAIN_START)) != (size - 1, chain):
        yield f"its audit ends elsewhere than its head says, which has {size} records"
    if size and opened.execute("SELECT count(*) FROM instance").fetchone()[0] == 0:
        yield "it does not say whose it is"
