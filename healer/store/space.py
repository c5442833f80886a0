"""Whether the disk of the store has room. Callers: `Store`, `connection`, `writer`, when something has failed there.

Why by trying, beside counting free bytes: a quota or the inodes run out where there are bytes enough, and not all are for us.
"""

from __future__ import annotations

import os
import pathlib
import sqlite3
import tempfile
from collections.abc import Callable
from typing import Final

from healer import errors

TRIED_BYTES: Final = 64 << 10
"""What has to be there for SQLite to open a database: 32 KiB for the index of its log, and a page of each file."""
WANTED_BYTES: Final = 4 << 20
"""Free space from which on a disk that was full is tried again, and the daemon says that it is ready."""
UNSAID: Final = (
    sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMSIZE,
)  # fmt: skip
"""How SQLite fails on a full disk without saying so: a file cannot be made, the index of the log not grow, a quota is used up. That a
flush failed is not among them: after it nobody knows what is on disk."""


def lacking(folder: pathlib.Path, size: int = TRIED_BYTES) -> bool:
    """Whether a file of that size cannot be made there."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=".room-", dir=folder)
    except OSError as error:
        return error.errno in errors.NO_SPACE
    try:
        pathlib.Path(name).unlink()
        os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        return error.errno in errors.NO_SPACE
    finally:
        os.close(descriptor)
    return False


def back(folder: pathlib.Path) -> bool:
    """Whether a disk that was full has room enough again."""
    return free_bytes(folder) >= WANTED_BYTES and not lacking(folder, WANTED_BYTES)


def free_bytes(folder: pathlib.Path) -> int:
    """What we may fill at most: root also what is kept back for it, and some of it nobody may (ext4 keeps up to 16 MiB)."""
    found = os.statvfs(folder)
    return (found.f_bavail if os.geteuid() else found.f_bfree) * found.f_frsize


def was_missing(error: Exception, none_left: Callable[[], bool]) -> bool:
    """Whether this is how SQLite fails on a full disk. `none_left` is asked only where it does not say so itself."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_FULL or (code in UNSAID and none_left())
