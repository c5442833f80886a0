"""The job folder as the daemon sees it: made, started, followed, asked after a crash.

A folder serves one attempt, once. The controllers that run something on this machine call this; the other side is
`shim`. Everything is read from files, so a daemon that comes later knows as much as the one that started the child.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import pathlib
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from healer.child import shim, starting

OUTPUT_BYTES: Final = 1 << 20
KILL_AFTER_S: Final = 10.0
CANCEL_LIMIT_S: Final = 15.0
"""How much longer than TERM's grace the end of a cancelled job is waited for."""

_PIECE_BYTES: Final = 1 << 16
_PAUSE_MIN_S: Final = 0.005
_PAUSE_MAX_S: Final = 0.1
_CODE_LOOKS: Final = 200  # so often, `_PAUSE_MIN_S` apart, the exit code of a shim that is gone is asked for

Stream = Literal["stdout", "stderr"]
Output = Callable[[Stream, bytes], None]


class FolderUsed(Exception):
    """the folder has already served an attempt"""


class Lost(Exception):
    """the shim has ended and left no status: how the child ended cannot be known"""


class NeverStarted(Exception):
    """the child was not started and never will be"""


class NoRoom(NeverStarted):
    """the child was not started for want of space on the disk; another attempt may be"""


@dataclasses.dataclass(frozen=True, slots=True)
class Spec:
    """What the shim is to run. `env` is complete: nothing is inherited. `remove` names files with secrets.

    `tied`: it ends with the daemon. `limits`: by the name after `RLIMIT_`. `account`: numbers of another user, its group and further
    groups, which a daemon of root can become; `script` then: the last argument is a file that this user may not be able to reach.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    timeout_s: float
    stdin: bytes = b""
    kill_after_s: float = KILL_AFTER_S
    output_max_bytes: int = OUTPUT_BYTES
    umask: int = 0o077
    remove: Sequence[str] = ()
    tied: bool = False
    limits: Mapping[str, int] = dataclasses.field(default_factory=dict)
    account: Sequence[int] = ()
    script: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Status:
    """How the child ended. Times are seconds since 1970; `error` says why it could not be started or ended."""

    exit_code: int | None
    signal: int | None
    timed_out: bool
    cancelled: bool
    truncated: bool
    started_at: float
    ended_at: float
    error: str

    @property
    def seconds(self) -> float:
        """How long it took by the wall clock, never negative."""
        return max(0.0, self.ended_at - self.started_at)


@dataclasses.dataclass(frozen=True, slots=True)
class Claim:
    """Who claimed the folder: a shim, or a recovery that wanted it never to start (`pid` 0)."""

    pid: int
    started: int
    boot_id: str

    @property
    def tombstone(self) -> bool:
        """Whether it was claimed so that nothing starts."""
        return self.pid == 0

    def alive(self) -> bool:
        """Whether that very shim still runs."""
        try:
            found = shim.Process(self.pid)
        except OSError:
            return False
        return found.started == self.started and found.state not in "ZX" and self.boot_id == shim.boot_id()


# --- making and starting ----------------------------------------------------------------------------------------------


def make(folder: pathlib.Path) -> None:
    """Make the folder (0700) for one attempt. Raises `FolderUsed` where one has been made or ruled out there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    try:
        os.close(os.open(folder / "made", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise FolderUsed(str(folder)) from None
    if (folder / "started").exists():
        raise FolderUsed(str(folder))
    _sync(folder.parent)


def write(folder: pathlib.Path, spec: Spec) -> None:
    """Put the job into its folder, readable by this user alone."""
    for text in (*spec.argv, *spec.env, *spec.env.values(), spec.cwd):
        if "\0" in text:
            raise ValueError("an argument or a variable has a NUL")
    if spec.stdin:
        write_private(folder / "stdin", spec.stdin)
    job = {**dataclasses.asdict(spec), "argv": list(spec.argv), "env": dict(spec.env), "remove": list(spec.remove)}
    del job["stdin"]
    write_private(folder / "job.json", json.dumps(job).encode())


def write_private(path: pathlib.Path, content: bytes) -> None:
    """Write a new file that only this user can read. Raises FileExistsError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _sync(folder: pathlib.Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- asking -----------------------------------------------------------------------------------------------------------


def read_status(folder: pathlib.Path) -> Status | None:
    """How it ended, or None where there is no (sound) status."""
    read = _read_object(folder / "status")
    try:
        return Status(**read) if read is not None else None
    except TypeError:
        return None


def read_claim(folder: pathlib.Path) -> Claim | None:
    """Who claimed the folder, or None where nobody has."""
    read = _read_object(folder / "started")
    if read is None:
        return None
    if read.get("tombstone"):
        return Claim(0, 0, "")
    try:
        return Claim(int(read["pid"]), int(read["started"]), str(read["boot_id"]))
    except (KeyError, TypeError, ValueError):
        return Claim(-1, 0, "")


def _read_object(path: pathlib.Path) -> dict[str, Any] | None:
    try:
        read = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def look(folder: pathlib.Path) -> Status | Literal["running", "absent", "unknown"]:
    """What became of the attempt: its status, or that it runs, or that it never started, or that it cannot be said.

    Where nobody has claimed the folder, this claims it: a shim that comes later ends without an effect, so `absent` is
    certain from then on.
    """
    while True:
        if status := read_status(folder):
            return status
        claim = read_claim(folder)
        if claim is None:
            if not place_tombstone(folder):
                continue
            return "absent"
        if claim.tombstone:
            return "absent"
        if claim.alive():
            return "running"
        return read_status(folder) or "unknown"


def place_tombstone(folder: pathlib.Path) -> bool:
    """Claim the folder so that nothing starts in it any more; False if somebody was first. On disk when it returns."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = folder / f"started.tombstone.{os.getpid()}"
    try:
        with temporary.open("wb") as file:
            file.write(b'{"tombstone": true}')
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, folder / "started")
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    _sync(folder)
    _sync(folder.parent)
    return True


def pids_with(name: str, value: str) -> list[int]:
    """The processes of this user whose environment has `name=value`: what a lost shim may have left behind."""
    wanted = f"{name}={value}".encode()
    found = []
    for process in shim.processes():
        with contextlib.suppress(OSError):
            if wanted in pathlib.Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0"):
                found.append(process.pid)
    return found


def left(folder: pathlib.Path, name: str, value: str) -> list[int]:
    """The processes with `name=value` that a shim which is gone left in its session: a service that the child started is in its own."""
    claim = read_claim(folder)
    if claim is None or claim.pid <= 0:
        return []
    session = {one.pid for one in shim.processes() if one.session == claim.pid != one.pid}
    return [pid for pid in pids_with(name, value) if pid in session]


def cancel(folder: pathlib.Path) -> None:
    """Ask for the end: TERM, and KILL after the grace. The signal alone does, where a full disk takes no file."""
    with contextlib.suppress(OSError):
        (folder / "cancel").touch(mode=0o600)
    claim = read_claim(folder)
    if claim and claim.pid > 0 and claim.alive():
        with contextlib.suppress(OSError):
            os.kill(claim.pid, signal.SIGTERM)


def scrub(folder: pathlib.Path, names: Sequence[str] = ()) -> None:
    """Remove what holds secrets; the shim does so itself unless it was killed or never came.

    May be called again whenever it was cut off. What cannot be written without its secrets (the disk is full, the job was
    written in part) is removed, which needs no space. Raises OSError where not even that can be done.
    """
    job_file, scrubbed = folder / "job.json", folder / "job.json.scrubbed"
    for name in ("stdin", "job.json.tmp", scrubbed.name, *names):
        (folder / name).unlink(missing_ok=True)
    job = _read_object(job_file)
    if job is None or isinstance(job.get("env"), list):
        return  # there is none, or it is done
    try:
        for name in job["remove"]:
            with contextlib.suppress(OSError):
                (folder / name).unlink()
        write_private(scrubbed, json.dumps({**job, "env": sorted(job["env"])}).encode())
        scrubbed.replace(job_file)
    except (OSError, KeyError, TypeError, ValueError):
        scrubbed.unlink(missing_ok=True)
        job_file.unlink(missing_ok=True)


# --- following --------------------------------------------------------------------------------------------------------


class _Tail:
    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.at = 0

    def pieces(self) -> Iterator[bytes]:
        with contextlib.suppress(FileNotFoundError), self.path.open("rb", buffering=0) as file:
            file.seek(self.at)
            while piece := file.read(_PIECE_BYTES):
                self.at += len(piece)
                yield piece


class Follower:
    """Hands on the output of one job and waits for its end. `process` is given where this daemon started the shim."""

    def __init__(self, folder: pathlib.Path, output: Output, process: starting.Started | None = None) -> None:
        self.folder = folder
        self.output = output
        self.process = process
        self.tails: dict[Stream, _Tail] = {"stdout": _Tail(folder / "stdout"), "stderr": _Tail(folder / "stderr")}

    async def wait(self) -> Status:
        """Until the end. Raises `Lost`, or `NeverStarted` where the shim came too late or could not start."""
        with _exit_of(self.process.pid if self.process else self._pid()) as gone:
            pause_s = _PAUSE_MIN_S
            while True:
                alive = not gone.is_set() and self._alive()
                status = read_status(self.folder)  # before the output: what was written before the status is then there
                moved = await self._hand_on()
                if status:
                    return status
                if not alive:
                    raise Lost if self._was_started() else await self._never()
                pause_s = _PAUSE_MIN_S if moved else min(pause_s * 1.5, _PAUSE_MAX_S)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await gone.wait()

    async def stop(self, grace_s: float) -> Status | None:
        """Cancel the job and wait for its end, at most `grace_s` and `CANCEL_LIMIT_S` long."""
        cancel(self.folder)
        try:
            async with asyncio.timeout(grace_s + CANCEL_LIMIT_S):
                return await self.wait()
        except (TimeoutError, Lost, NeverStarted, OSError):
            return None

    def _pid(self) -> int:
        claim = read_claim(self.folder)
        return claim.pid if claim and claim.alive() else 0

    def _alive(self) -> bool:
        if self.process:
            return self.process.poll() is None
        claim = read_claim(self.folder)
        return claim is not None and claim.alive()

    def _was_started(self) -> bool:
        try:
            return look(self.folder) != "absent"
        except OSError:  # a tombstone needs space
            if not self.process or read_claim(self.folder) is not None:
                raise
            return False  # our shim has ended without a claim, and there is no other

    async def _never(self) -> NeverStarted:
        """Its exit code says why; that may come a moment after its end."""
        if self.process is None:
            return NeverStarted()
        for _ in range(_CODE_LOOKS):
            if self.process.poll() is not None:
                break
            await asyncio.sleep(_PAUSE_MIN_S)
        full = self.process.returncode == shim.EXIT_NO_ROOM
        return NoRoom("no room for its status on the disk") if full else NeverStarted()

    async def _hand_on(self) -> bool:
        moved = False
        for stream, tail in self.tails.items():
            for piece in tail.pieces():
                self.output(stream, piece)
                moved = True
                await asyncio.sleep(0)
        return moved


@contextlib.contextmanager
def _exit_of(pid: int) -> Iterator[asyncio.Event]:
    """An event that is set once the process has ended, if the kernel tells (else the pause between looks does)."""
    gone = asyncio.Event()
    try:
        descriptor = os.pidfd_open(pid) if pid > 0 else -1
    except OSError:
        descriptor = -1
    if descriptor < 0:
        yield gone
        return
    loop = asyncio.get_running_loop()

    def ended() -> None:
        loop.remove_reader(descriptor)
        gone.set()

    loop.add_reader(descriptor, ended)
    try:
        yield gone
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
