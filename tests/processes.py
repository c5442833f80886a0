"""What tests ask of the processes of this machine. Each can end between two looks, also one of another test: it has nothing then."""

import pathlib


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
    """Whether it is there and has not ended; one that has ended may not have been waited for yet."""
    state = read(pid, "stat").rpartition(b")")[2].split()[:1]
    return bool(state) and state[0] not in (b"Z", b"X")


def children(pid: int) -> list[int]:
    """Those that it started and has not waited for."""
    return [int(child) for child in read(pid, f"task/{pid}/children").split()]


def with_words(words: bytes) -> list[int]:
    """Those that have this in their command line."""
    return [pid for pid in pids() if words in read(pid, "cmdline")]
