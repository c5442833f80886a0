"""Who owns a data directory: a lock file held with flock for the life of the process, and an epoch that only grows.

The lock keeps two daemons apart; the epoch, compared in every guarded transaction, catches one that lost it all the same.
"""

from __future__ import annotations

import fcntl
import os
import pathlib
import stat
import time
from typing import Final

from healer import errors

LOCK_FILE: Final = "lock"


class Ownership:
    """The lock on one data directory."""

    def __init__(self, data_dir: pathlib.Path) -> None:
        self.path = data_dir / LOCK_FILE
        self._fd = -1

    def take(self) -> None:
        """Take the lock. Raises `errors.AlreadyRunning` when another process holds it, `errors.StoreFull`, `errors.StartError`."""
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        except OSError as error:
            raise errors.StartError(reason=f"the lock {self.path}: {error.strerror}") from error
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise errors.StartError(f"remove {self.path}", reason=f"the lock {self.path} is no file")
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            pid, since = holder(self.path.parent)
            raise errors.AlreadyRunning(
                data_dir=self.path.parent, pid=pid or "?", since=since,
                try_="to look at it: healer status     to list runs: healer runs     to run an action: healer actions run NAME     "
                "to stand by for it: healer run --standby",
            ) from error  # fmt: skip
        try:
            _note(fd)
        except OSError as error:
            os.close(fd)
            if error.errno in errors.NO_SPACE:
                raise errors.StoreFull(f"free some space on the disk of {self.path.parent}") from error
            raise errors.StartError(reason=f"the lock {self.path}: {error.strerror}") from error
        self._fd = fd

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._fd >= 0

    def release(self) -> None:
        """Let go; the file stays (removing it would let two processes lock two files)."""
        if self._fd >= 0:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = -1


def _note(fd: int) -> None:
    """Who holds it. Written over what an earlier holder left, whose space it can have on a full disk."""
    line = f"{os.getpid()} {time.strftime('%Y-%m-%dT%H:%M:%S%z')}\n".encode()
    os.pwrite(fd, line, 0)
    os.ftruncate(fd, len(line))


def holder(data_dir: pathlib.Path) -> tuple[int, str]:
    """(pid, since) as the holder wrote them; (0, '?') where nobody did."""
    try:
        pid, since = (data_dir / LOCK_FILE).read_text(encoding="ascii").split()
        return int(pid), since
    except (OSError, ValueError):
        return 0, "?"
