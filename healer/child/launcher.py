"""The launcher: one process beside the daemon from which shims are forked, so that none has to load Python anew.

Started as `python -I -S launcher.py FD` by `starting`, with an empty environment, in a session of its own. Over FD (a socket that keeps
messages whole) come folders, one a message. To the daemon go `started PID`, `failed ERRNO` and, once a shim has ended, `ended PID CODE`.
It ends when the other side is gone; the shims do not, as each is in a session of its own.

Why: a Python that starts and imports takes 12 ms of a core; a fork of one that has takes 1.
"""

from __future__ import annotations

import contextlib
import ctypes  # noqa: F401 - for `shim.adopt`, once and not in each fork
import os
import pathlib
import select
import signal
import sys

if __name__ == "__main__":
    sys.path.append(__file__.rpartition("/healer/")[0])  # last: nothing there hides a module of Python
from healer.child import shim

FOLDER_BYTES_MAX = 1 << 16
NAME_BYTES_MAX = 15  # of a process, as the kernel keeps it


def serve(connection: int) -> None:
    """Fork a shim for each folder until the daemon is gone."""
    wake_read, wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    poll.register(wake_read, select.POLLIN)
    while True:
        for number, _ in poll.poll():
            if number == wake_read:
                os.read(wake_read, 4096)
                reap(connection)
            elif folder := os.read(connection, FOLDER_BYTES_MAX):
                os.write(connection, launch(os.fsdecode(folder)))
            else:
                return


def launch(folder: str) -> bytes:
    """Fork the shim of a folder; the answer to the daemon. Never returns in the shim."""
    try:
        pid = os.fork()
    except OSError as error:
        return b"failed %d" % (error.errno or 0)
    if pid:
        return b"started %d" % pid
    code = shim.EXIT_UNPREPARED
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        shim.quietly(name, folder)
        code = shim.main(folder)
    finally:
        os._exit(code)  # at once: what stands above it on the stack is the launcher's


def name(folder: str) -> None:
    """What `ps -o comm` shows: the end of the attempt's token says which it is."""
    pathlib.Path("/proc/self/comm").write_bytes(os.fsencode(folder)[-NAME_BYTES_MAX:])


def reap(connection: int) -> None:
    """Tell of each shim that has ended."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        os.write(connection, b"ended %d %d" % (pid, os.waitstatus_to_exitcode(status)))


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):  # the daemon is gone
        serve(int(sys.argv[1]))
    os._exit(0)
