"""The daemon's side of the launcher: starts shims, and knows how they ended.

One launcher serves the process; it is started at the first need, and again where it is gone. A shim whose launcher is gone goes on; of it
is known only whether it still runs.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import socket
import subprocess
import sys
import threading
from typing import Final

from healer.child import launcher, shim

ANSWER_S: Final = 5.0
"""So long the launcher may take for a fork; one that takes longer is ended, and what it forked settles by the folder's claim."""

LAUNCHERS_MAX: Final = 5
"""So many launchers in a row that are gone before they heard of a folder; then its start fails."""
UNSEEN: Final = -1
"""The exit code of a shim that is gone and whose end nobody saw."""

_FILE: Final = str(pathlib.Path(launcher.__file__).resolve())


class _GoneError(Exception):
    """the launcher is gone, and had not heard of the folder"""


class Started:
    """One shim. `returncode`: None while it runs or its end is not known."""

    def __init__(self, pid: int, by: Launcher) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._by = by
        self._began = _began(pid)

    def poll(self) -> int | None:
        """Its exit code, None while it runs; `UNSEEN` where its launcher ended before it."""
        self._by.listen()
        if self.returncode is None and self._by.gone and (self._began is None or _began(self.pid) != self._began):
            self.returncode = UNSEEN
        return self.returncode


class Launcher:
    """A launcher that runs, with the shims of which it has not said yet that they ended."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", _FILE, str(theirs.fileno())], stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", env={}, start_new_session=True,
                    pass_fds=[theirs.fileno()],
                )  # fmt: skip
            except OSError:
                ours.close()
                raise
        self._socket = ours
        self._running: dict[int, Started] = {}
        self._lock = threading.Lock()
        self.gone = False

    def start(self, folder: pathlib.Path) -> Started:
        """Have a shim forked. Raises OSError where none is, or where that cannot be said."""
        with self._lock:
            if self.gone:  # while this call waited for the lock
                raise _GoneError
            return self._start(folder)

    def _start(self, folder: pathlib.Path) -> Started:
        try:
            self._socket.settimeout(ANSWER_S)
            self._socket.send(os.fsencode(folder))
        except ConnectionError:
            self._give_up()
            raise _GoneError from None
        except OSError:
            self._give_up()
            raise
        try:
            while (told := self._hear()) is not None and told[0] == b"ended":
                self._end(*told[1:])
        except OSError:
            self._give_up()
            raise
        if told is None:
            self._give_up()
            raise OSError(errno.ECHILD, "the launcher of shims has ended")
        if told[0] == b"failed":
            raise OSError(int(told[1]), os.strerror(int(told[1])))
        started = self._running[int(told[1])] = Started(int(told[1]), self)
        return started

    def listen(self) -> None:
        """Take note of those that have ended. Never waits: where one is being started, the next call does it."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            if not self.gone:
                self._listen()
        finally:
            self._lock.release()

    def _listen(self) -> None:
        self._socket.settimeout(0)
        try:
            while (told := self._hear()) is not None:
                self._end(*told[1:])
        except BlockingIOError:
            return
        except OSError:
            told = None
        self._give_up()

    def _hear(self) -> list[bytes] | None:
        """The next message; None where the launcher is gone."""
        return self._socket.recv(256).split() or None

    def _end(self, pid: bytes, code: bytes) -> None:
        if (started := self._running.pop(int(pid), None)) is not None:
            started.returncode = int(code)

    def _give_up(self) -> None:
        self.gone = True
        self._running.clear()
        self._socket.close()
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(ANSWER_S)


_launcher: Launcher | None = None
_making: Final = threading.Lock()


def start(folder: pathlib.Path) -> Started:
    """Start the shim of a folder, in a session of its own, with nothing of ours; from any thread, as it may take a while.

    Raises OSError where it cannot be said that one was started; whether one was, the folder's claim says (`jobs.place_tombstone`).
    """
    global _launcher  # noqa: PLW0603 - one a process, as its children are
    for _ in range(LAUNCHERS_MAX):
        with _making:
            if _launcher is not None:
                _launcher.listen()
            if _launcher is None or _launcher.gone:
                _launcher = Launcher()
            launcher_now = _launcher
        with contextlib.suppress(_GoneError):
            return launcher_now.start(folder)
    raise OSError(errno.ECHILD, "one launcher of shims after the other has ended")


def _began(pid: int) -> int | None:
    """When a process began, in the kernel's ticks since boot; None where there is none."""
    try:
        found = shim.Process(pid)
    except OSError:
        return None
    return None if found.state in "ZX" else found.started
