"""What the store has come to, written beside it: so that a store that is older than what was done with it does not pass for the newest.

A copy of another day that was put back, and a database whose log (`-wal`) was removed, are whole in themselves: nothing in them says
what is missing, and what has taken effect meanwhile would take effect again. Callers: `Store.open`, `writer`. Why numbers in memory that
the kernel writes out: this comes behind each commit, and a system call there lets the GIL go. It is never synced; after a power cut it
may say less than the store, and never more.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import pathlib
import shlex
import sqlite3
import stat
from typing import Final

from healer import errors

FILE: Final = "witness"
MARK: Final = int.from_bytes(b"healer-w", "little")
BYTES: Final = 32
"""The mark and three numbers, each of 8 bytes: so each is written at once, and a kill leaves the old one or the new one."""
HAS: Final = """
SELECT coalesce((SELECT epoch FROM instance), 0), (SELECT size FROM audit_head), (SELECT coalesce(max(seq), 0) FROM journal)
"""
Said = tuple[int, int, int]
"""(epoch, audit records, position in the journal)"""


class Older(errors.StartError):
    """the store {path} is older than what was done with it: it has {has}, and {witness} says that it had {said}"""

    code = "store-older"


class Witness:
    """The file beside one database. Where it cannot be written there is none: it helps, and nothing depends on it."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path.parent / FILE
        self._database = path
        self._map: mmap.mmap | None = None
        self._numbers = memoryview(bytearray(BYTES)).cast("Q")
        with contextlib.suppress(OSError):
            descriptor = os.open(
                self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600
            )
            try:
                self._take(descriptor)
            finally:
                os.close(descriptor)

    def _take(self, descriptor: int) -> None:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.posix_fallocate(descriptor, 0, BYTES)  # a full disk has room for it later
            self._map = mmap.mmap(descriptor, BYTES)
            self._numbers = memoryview(self._map).cast("Q")

    def said(self) -> Said | None:
        """What was written last; None where nothing was."""
        mark, epoch, records, seq = self._numbers
        return (epoch, records, seq) if mark == MARK else None

    def refuse_older(self, opened: sqlite3.Connection) -> None:
        """Raise `Older` where the store had more before."""
        said, has = self.said(), opened.execute(HAS).fetchone()
        if said is not None and any(now < before for now, before in zip(has, said, strict=True)):
            raise Older(
                "put the newest copy back, with its -wal; to go on without what is missing, whose effects may then happen again: "
                f"rm {shlex.quote(str(self.path))}",
                path=self._database, has=_words(has), said=_words(said), witness=self.path,
            )  # fmt: skip

    def note(self, epoch: int, records: int, seq: int) -> None:
        """After a commit."""
        numbers = self._numbers
        numbers[1], numbers[2], numbers[3] = epoch, records, seq
        numbers[0] = MARK

    def close(self) -> None:
        """Let go of the file."""
        self._numbers.release()
        if self._map is not None:
            self._map.close()


def _words(said: Said) -> str:
    return f"{said[0]} starts, {said[1]} audit records and {said[2]} journal rows"
