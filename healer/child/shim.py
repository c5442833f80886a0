"""The shim: runs one child in a session of its own, so that the daemon's death does not touch it.

Forked by the `launcher`; it and the daemon talk through files in FOLDER alone, never through a pipe or a terminal.
What is `tied` to the daemon (a plan, which is of no use without it) ends with the launcher, whose child the shim is.
Once the child runs, nothing that befalls the shim's own files (a full disk above all) ends it: see `Shim.follow`, `quietly`.

FOLDER/job.json   what to run (`jobs.Spec`); once it is read, secrets are taken out of it and FOLDER/stdin is removed
FOLDER/started    the claim: who links it first decides; the loser exits with 75 and has done nothing
FOLDER/stdout     and FOLDER/stderr: the child's output, up to a cap each
FOLDER/cancel     asks for the end, as SIGTERM does
FOLDER/status     how it ended; written whole or not at all, in space that is taken before the claim
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import select
import signal
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from healer.child import bounds, folder

PR_SET_CHILD_SUBREAPER = 36
EXIT_CLAIMED = 75
EXIT_UNPREPARED = 73  # the status or the claim could not be written: nothing was started
EXIT_NO_ROOM = 74  # the same, as there was no room on the disk: it may be tried again
STATUS_WAIT_S = 60.0  # how long writing the status is tried; a disk may have room again
LOOK_S = 0.25  # how often FOLDER/cancel is looked for
SCAN_S = 0.02  # how often the processes are looked at while they are being ended
LEFTOVERS_S = 2.0  # between TERM and KILL for what a child that ended by itself left in its group
KILLED_S = 5.0  # how long a killed process may take to go (one that hangs in the kernel never does)
DRAIN_S = 1.0  # how long output is read on when only a stranger to the group still holds the pipe


class Process:
    """One line of /proc/PID/stat."""

    __slots__ = ("group", "parent", "pid", "session", "started", "state")

    def __init__(self, pid: int) -> None:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - read for each process, twenty times a second
            fields = file.read().rpartition(b")")[2].split()
        self.pid = pid
        self.state = fields[0].decode()
        self.parent, self.group, self.session = int(fields[1]), int(fields[2]), int(fields[3])
        self.started = int(fields[19])


def processes() -> Iterator[Process]:
    """Every process that is no zombie."""
    for name in os.listdir("/proc"):  # noqa: PTH208 - as above
        if name.isdigit():
            try:
                found = Process(int(name))
            except OSError:
                continue  # gone meanwhile
            if found.state not in "ZX":
                yield found


def boot_id() -> str:
    """What tells this boot from the one before; pids and start times mean nothing beyond it."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:  # noqa: PTH123
        return file.read().strip()


class Pipe:
    """One output stream of the child: copied into its file up to the cap, then read and dropped."""

    def __init__(self, name: str, bytes_max: int) -> None:
        self.read_end, self.write_end = os.pipe2(os.O_CLOEXEC)
        self.file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.left = bytes_max
        self.truncated = False
        self.open = True

    def pump(self) -> None:
        """Copy what is there."""
        piece = os.read(self.read_end, 1 << 16)
        if not piece:
            self.open = False
            return
        kept = piece[: self.left]
        self.truncated = self.truncated or len(kept) < len(piece)
        try:
            while kept:
                written = os.write(self.file, kept)
                self.left -= written
                kept = kept[written:]
        except OSError:  # the disk is full: the child goes on, its output does not
            self.left = 0
            self.truncated = True


class Shim:
    """Runs the job of the current folder and says how it ended."""

    def __init__(self) -> None:
        self.status: dict[str, Any] = {
            "exit_code": None, "signal": None, "timed_out": False, "cancelled": False, "truncated": False,
            "started_at": time.time(), "ended_at": 0.0, "error": "",
        }  # fmt: skip
        self.asked_to_end = False
        self.tied_to = 0
        self.pipes: list[Pipe] = []
        self.child = 0
        self.stopping_since: float | None = None
        self.scrubbed = False
        self.known: dict[int, int] = {}
        self.wake_read, self.wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def listen(self) -> None:
        """Wake up for the end of the child, and take SIGTERM as the wish to end it."""
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._on_term)
        for ignored in (signal.SIGINT, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])

    def _on_term(self, _number: int, _frame: FrameType | None) -> None:
        self.asked_to_end = True

    def run(self, job: dict[str, Any]) -> None:
        """From the start of the child to the end of all that it left. Raises only where nothing was started."""
        timeout_s, kill_after_s = float(job["timeout_s"]), float(job["kill_after_s"])
        if job.get("tied"):
            self.tied_to = os.getppid()
        self.pipes = [Pipe(name, int(job["output_max_bytes"])) for name in ("stdout", "stderr")]
        began = time.monotonic()
        self.start(job)
        self.scrubbed = quietly(folder.scrub, job)
        stopped = self.follow(began + timeout_s, kill_after_s)
        if not quietly(self.clear, stopped, min(kill_after_s, LEFTOVERS_S)):
            self.status["error"] = "what it left could not be looked at"
        quietly(self.drain)
        self.status["truncated"] = any(pipe.truncated for pipe in self.pipes)
        _, code = os.waitpid(self.child, 0)
        code = os.waitstatus_to_exitcode(code)
        self.status["signal" if code < 0 else "exit_code"] = abs(code)

    def start(self, job: dict[str, Any]) -> None:
        """Start the child. Raises OSError with what hinders it."""
        errors_read, errors_write = os.pipe2(os.O_CLOEXEC)
        self.child = os.fork()
        if not self.child:
            self._become(job, errors_write)
        with contextlib.suppress(OSError):  # the child was quicker, and has done it itself
            os.setpgid(self.child, self.child)
        os.close(errors_write)
        for pipe in self.pipes:
            os.close(pipe.write_end)
        number, _, name = os.read(errors_read, 4096).partition(b" ")
        os.close(errors_read)
        if number:
            os.waitpid(self.child, 0)
            self.child = 0
            told = os.fsdecode(name)
            raise (
                OSError(int(number), os.strerror(int(number)), told or job["argv"][0]) if int(number) else OSError(told)
            )

    def _become(self, job: dict[str, Any], errors_write: int) -> None:
        """In the child: become the program. Never returns."""
        try:
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            # Also those that the daemon was started to ignore, as a shell's background job.
            for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                signal.signal(number, signal.SIG_DFL)
            try:
                given = os.open("stdin", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                os.unlink("stdin")  # noqa: PTH108
            except FileNotFoundError:
                given = os.open("/dev/null", os.O_RDONLY)
            os.dup2(given, 0)
            os.dup2(self.pipes[0].write_end, 1)
            os.dup2(self.pipes[1].write_end, 2)
            argv = bounds.program(job)
            bounds.bind(job)
            os.chdir(job["cwd"])
            os.umask(int(job["umask"]))
            os.execvpe(argv[0], argv, job["env"])  # noqa: S606 - no shell is the point
        except OSError as error:
            about = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
            os.write(errors_write, f"{error.errno or 0} {about}".encode(errors="surrogateescape")[:4096])
        except Exception as error:  # noqa: BLE001 - a job that is none: nothing was started, and that has to be told
            os.write(errors_write, f"0 {type(error).__name__}: {error}".encode(errors="replace")[:4096])
        finally:
            os._exit(127)

    def follow(self, deadline: float, kill_after_s: float) -> bool:
        """Copy output until the child has ended; end it when its time is up or somebody asks. True if it was ended."""
        while not self.ended():
            if not quietly(self.step, deadline, kill_after_s):
                time.sleep(SCAN_S)  # no descriptor, no memory: the child goes on, and is looked at again
        return self.stopping_since is not None

    def is_asked_to_end(self) -> bool:
        """By a signal, by a file, or by the end of what it is tied to."""
        alone = self.tied_to and os.getppid() != self.tied_to  # the launcher ends with the daemon
        return bool(self.asked_to_end or alone or os.path.exists("cancel"))  # noqa: PTH110

    def step(self, deadline: float, kill_after_s: float) -> None:
        """One look at the clock, the wishes and the output."""
        now = time.monotonic()
        if self.stopping_since is None:
            self.status["cancelled"] = self.is_asked_to_end()
            self.status["timed_out"] = not self.status["cancelled"] and now >= deadline
            if self.status["cancelled"] or self.status["timed_out"]:
                self.kill(signal.SIGTERM, whole_tree=True)
                self.stopping_since = now
            else:
                self.pump(min(LOOK_S, deadline - now))
        elif now < self.stopping_since + kill_after_s:
            self.pump(min(SCAN_S * 5, self.stopping_since + kill_after_s - now))
        else:
            self.kill(signal.SIGKILL, whole_tree=True)
            self.pump(SCAN_S)

    def clear(self, stopped: bool, kill_after_s: float) -> None:
        """End what the child left: its group, and all that came of it if it was ended by us."""
        began = time.monotonic()
        number: int = signal.SIGTERM
        while self.kill(number, whole_tree=stopped):
            now = time.monotonic()
            if now > began + kill_after_s + KILLED_S:
                self.status["error"] = "processes are left that do not end"
                return
            number = signal.SIGKILL if now > began + kill_after_s else 0
            self.pump(SCAN_S)

    def drain(self) -> None:
        """Take what output is left; a daemon that the child started and that holds the pipe is not waited for."""
        end = time.monotonic() + DRAIN_S
        while any(pipe.open for pipe in self.pipes) and (left := end - time.monotonic()) > 0:
            self.pump(left)

    def kill(self, number: int, *, whole_tree: bool) -> int:
        """Signal the child's group (or the whole tree below it, whatever sessions it made); how many there are."""
        count = 0
        for process in self.members(whole_tree=whole_tree):
            try:
                os.kill(process.pid, number)
                count += 1
            except ProcessLookupError:
                continue
            except PermissionError:
                continue  # it has become somebody else's (setuid): not ours to end
        return count

    def members(self, *, whole_tree: bool) -> list[Process]:
        """The processes that belong to the child. Those seen once are known later, when their parent is gone."""
        everything = list(processes())
        found = {p.pid: p for p in everything if p.group == self.child}
        if not whole_tree:
            return list(found.values())
        own = os.getpid()
        found |= {p.pid: p for p in everything if own in (p.session, p.parent) or self.known.get(p.pid) == p.started}
        grew = True
        while grew:
            more = {p.pid: p for p in everything if (p.parent in found or p.session in found) and p.pid not in found}
            found |= more
            grew = bool(more)
        found.pop(own, None)
        self.known |= {p.pid: p.started for p in found.values()}
        return list(found.values())

    def ended(self) -> bool:
        """Whether the child has ended. It stays a zombie, so that its group's number is not given to another; adopted ones do not."""
        while (found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | os.WNOHANG)) is not None:
            if found.si_pid == self.child:
                return True
            os.waitpid(found.si_pid, 0)
        return False

    def pump(self, timeout_s: float) -> None:
        """Wait at most so long for output or a signal, and copy output."""
        poll = select.poll()
        by_number = {pipe.read_end: pipe for pipe in self.pipes if pipe.open}
        for number in (*by_number, self.wake_read):
            poll.register(number, select.POLLIN)
        for number, _event in poll.poll(max(0, int(timeout_s * 1000) + 1)):
            if number == self.wake_read:
                os.read(number, 4096)
            else:
                by_number[number].pump()


def detach() -> None:
    """A session of its own, nothing inherited, no core dumps (they would hold secrets)."""
    os.umask(0o077)
    with contextlib.suppress(PermissionError):  # already the leader of its own
        os.setsid()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    nothing = os.open("/dev/null", os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def adopt() -> None:
    """What a child makes and leaves becomes a child of this process, however often it forks, and is found when all has to end: prctl(2)."""
    import ctypes  # the launcher has it already

    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")


def quietly(act: Callable[..., object], *arguments: Any) -> bool:
    """Do it; False if it raised. For what may fail without the child, or the word of its end, paying for it."""
    try:
        act(*arguments)
    except Exception:  # noqa: BLE001 - as said above; its callers do it again or do without
        return False
    return True


def main(path: str) -> int:
    """Claim, run, tell. The exit code says only whether there is a status, and if not, why."""
    detach()
    quietly(adopt)
    os.chdir(path)
    own = Process(os.getpid())
    try:
        descriptor = folder.reserve_status()
    except OSError as error:
        return unprepared(error)
    # Who sees the claim may ask for the end: it is heard from listen() on.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        claimed = folder.claim(f'{{"pid": {own.pid}, "started": {own.started}, "boot_id": "{boot_id()}"}}')
    except OSError as error:
        folder.discard(folder.reserved())
        return unprepared(error)
    if not claimed:
        folder.discard(folder.reserved())
        return EXIT_CLAIMED
    return serve(descriptor)


def unprepared(error: OSError) -> int:
    """The exit code where nothing was started."""
    return EXIT_NO_ROOM if error.errno in folder.NO_SPACE else EXIT_UNPREPARED


def words(error: Exception, job: dict[str, Any]) -> str:
    """Why nothing was started, for people: of what the system refuses what it is about."""
    if not isinstance(error, OSError) or not error.strerror or not isinstance(error.filename, str):
        return f"{type(error).__name__}: {error}"
    argv, about = job.get("argv"), error.filename
    program = str(argv[0]) if isinstance(argv, list) and argv else "/"
    if error.filename == job.get("cwd"):
        about = f"the folder that it starts in, {error.filename}"
    elif error.errno == errno.ENOENT and "/" not in program:
        return f"{program} is not on the PATH"
    elif error.errno == errno.ENOENT and job.get("script"):
        return f"{about}: {error.strerror}, or that of its first line #!"
    return f"{about}: {error.strerror}"


def serve(descriptor: int) -> int:
    """Run the job of the folder that is ours, and write how it ended to the space that is kept for it."""
    shim = Shim()
    job: dict[str, Any] = {}
    try:
        shim.listen()
        folder.sync()
        job = folder.read_job()
        if shim.is_asked_to_end():
            shim.status["cancelled"] = True  # before anything was started
        else:
            shim.run(job)
    except Exception as error:  # noqa: BLE001 - whatever it is, without a status nobody would learn how it ended
        shim.status["error"] = words(error, job)
    if job and not shim.scrubbed:
        quietly(folder.scrub, job)
    quietly(folder.remove, job.get("remove", []))
    if shim.child and shim.status["exit_code"] is shim.status["signal"] is None:
        return 1  # it was started, and its end was not seen: nobody may read that as "could not be started"
    end = time.monotonic() + STATUS_WAIT_S
    while not quietly(folder.write_status, descriptor, shim.status):
        if time.monotonic() > end:
            return 1
        time.sleep(LOOK_S)
    return 0
