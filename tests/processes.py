"""What tests ask of the processes of this machine. Each can end between two looks, also one of another test: it has nothing then."""

import pathlib
import signal
from typing import Final

PF_EXITING: Final = 0x4
SIGKILL: Final = 1 << signal.SIGKILL - 1


def pids() -> list[int]:
    """All that there are."""
    return [int(path.name) for path in pathlib.Path("/proc").glob("[0-9]*")]


def read(pid: int, name: str) -> bytes:
    """What a file of /proc/PID says; nothing where the process is gone or another user's."""
    try:
        return pathlib.Path("/proc", str(pid), name).read_bytes()
    except OSError:
        return b""


def runs(pid: int) -> bool:
    """Whether it is there and not at its end: neither to be waited for, nor killed already, nor on its way out (proc(5))."""
    fields = read(pid, "stat").rpartition(b")")[2].split()
    if not fields or fields[0] in (b"Z", b"X") or int(fields[6]) & PF_EXITING:
        return False
    pending = [line.split() for line in read(pid, "status").splitlines() if line.startswith((b"SigPnd", b"ShdPnd"))]
    return bool(pending) and not any(int(mask, 16) & SIGKILL for _, mask in pending)


def children(pid: int) -> list[int]:
    """Those that it started and has not waited for."""
    return [int(child) for child in read(pid, f"task/{pid}/children").split()]


def with_words(words: bytes) -> list[int]:
    """Those that have this in their command line."""
    return [pid for pid in pids() if words in read(pid, "cmdline")]
