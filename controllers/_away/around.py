"""What is around a job of `worker`: who asks and listens, processes, files. The two become one text; Python may be 3.8."""

from __future__ import annotations

import errno
import mmap
import os
import select
import signal
import time

PIECE = 64 << 10
HEAD_BYTES_MAX = 1 << 20
KILL_AFTER_S = 10.0
TICK_S = 5.0
FILES_MAX = 256
RESTORED = (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGTERM, signal.SIGXFSZ)


class Lost(Exception):
    """nobody sends any more"""


# --- what is asked ------------------------------------------------------------------------------------------------------


class Order:
    """What to do. All of it is bytes, as it was sent."""

    def __init__(self, words: list[bytes], values: list[bytes]) -> None:
        self.name, self.nonce = words[0], words[1]
        self.limit_s, self.binary, count, self.id = int(words[2]), words[3] == b"1", int(words[4]), words[5]
        self.folder, self.stdin, self.script = values[:3]
        self.environment = values[3 : 3 + count]
        self.argv = values[3 + count :]


def next_order() -> Order:
    """The one on standard input, where nobody sends more than that before it has ended. Raises `Lost`."""
    data = b""
    while b"\n" not in data:
        if len(data) > HEAD_BYTES_MAX:
            raise Lost
        data += more()
    head, _, rest = data.partition(b"\n")
    words = head.split()
    lengths = [int(word) for word in words[6:]]
    parts, size, total = [rest], len(rest), sum(lengths)
    while size < total:
        parts.append(more())
        size += len(parts[-1])
    rest, values, at = b"".join(parts), [], 0
    for length in lengths:
        values.append(rest[at : at + length])
        at += length
    return Order(words, values)


def more() -> bytes:
    """What comes next on standard input. Raises `Lost`."""
    while True:
        try:
            piece = os.read(0, PIECE)
        except BlockingIOError:
            select.select([0], [], [])
            continue
        except OSError:
            raise Lost from None
        if not piece:
            raise Lost
        return piece


class Said:
    """What is on its way to whoever asked: `waiting` by descriptor, none of it once nobody listens there."""

    def __init__(self, nonce: bytes) -> None:
        self.nonce = nonce
        self.waiting = {1: bytearray(), 2: bytearray()}
        self.deaf: set[int] = set()

    def add(self, descriptor: int, data: bytes) -> None:
        """More for it."""
        if descriptor not in self.deaf:
            self.waiting[descriptor] += data

    def tell(self, descriptor: int, words: str) -> None:
        """A mark, which no job can forge as it does not know the nonce."""
        self.add(descriptor, b"\0" + self.nonce + b" " + words.encode() + b"\n")

    def send(self, descriptor: int) -> None:
        """As much as is taken now."""
        waiting = self.waiting[descriptor]
        try:
            while waiting:
                del waiting[: os.write(descriptor, waiting[:PIECE])]
        except BlockingIOError:
            return
        except OSError:
            self.deaf.add(descriptor)
            waiting.clear()

    def flush(self) -> None:
        """All of it, or nobody listens."""
        while True:
            for descriptor in (1, 2):
                self.send(descriptor)
            left = [one for one in (1, 2) if self.waiting[one]]
            if not left:
                return
            select.select([], left, [])


# --- the machine --------------------------------------------------------------------------------------------------------


def can_spawn() -> bool:
    """Whether this Python can start a session: not before 3.8, nor where it was built for an old C library."""
    try:
        os.posix_spawn(b"/nonexistent", [b"/nonexistent"], {}, setsid=True)
    except (AttributeError, NotImplementedError):
        return False
    except OSError:
        return True
    return True


def go_home(environment: dict[bytes, bytes]) -> None:
    """Where a login begins."""
    try:
        os.chdir(environment.get(b"HOME", b"/"))
    except OSError:
        os.chdir(b"/")


def spawn(argv: list[bytes], environment: dict[bytes, bytes], ends: tuple[int, int, int]) -> int:
    """Its process. A path is looked for as execvp(3) does, which gives a text without a first line to the shell. Raises OSError."""
    actions = [(os.POSIX_SPAWN_DUP2, end, descriptor) for descriptor, end in enumerate(ends)]
    path = argv[0]
    if b"/" not in path:
        places = (os.path.join(place, path) for place in environment.get(b"PATH", b"/usr/bin:/bin").split(b":"))
        path = next((one for one in places if os.access(one, os.X_OK) and not os.path.isdir(one)), path)
    if b"/" not in path:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    try:
        return os.posix_spawn(
            path, argv, environment, file_actions=actions, setsid=True, setsigmask=(), setsigdef=RESTORED
        )
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
    shell = b"/bin/sh"
    words = [shell, path, *argv[1:]]
    return os.posix_spawn(
        shell, words, environment, file_actions=actions, setsid=True, setsigmask=(), setsigdef=RESTORED
    )


def with_all(descriptor: int, data: bytes) -> None:
    """Write all of it, and close. Raises OSError."""
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    finally:
        os.close(descriptor)


def read(path: bytes, folder: int | None = None) -> bytes:
    """A small file, of /proc or of a folder. Raises OSError."""
    descriptor, parts = os.open(path, os.O_RDONLY, dir_fd=folder), [b""]
    try:
        while not parts[1:] or parts[-1]:
            parts.append(os.read(descriptor, PIECE))
    finally:
        os.close(descriptor)
    return b"".join(parts)


def uptime() -> str:
    """Seconds since the start of the machine."""
    return read(b"/proc/uptime").split()[0].decode()


def processes(file: bytes) -> list[tuple[int, bytes]]:
    """The number and such a file of each process that may be seen."""
    found = []
    for pid in os.listdir(b"/proc"):
        if pid.isdigit():
            try:
                found.append((int(pid), read(b"/proc/" + pid + b"/" + file)))
            except OSError:
                continue
    return found


def grouped(group: int) -> bool:
    """Whether somebody of a process group is alive."""
    words = [stat.rpartition(b")")[2].split() for _, stat in processes(b"stat")]
    return any(int(one[2]) == group and one[0] not in (b"Z", b"X") for one in words)


class Group:
    """A process group, as long as it is certainly the same: somebody of it who was there at a look is there at the next one, so that its
    number is nobody else's. Ended ones count for that as long as nobody has waited for them."""

    def __init__(self, leader: bytes, start: bytes) -> None:
        self.number = int(leader)
        self.known = {(self.number, start)}

    def alive(self) -> bool:
        """Whether it is the same, and somebody of it is alive."""
        there = {}
        for pid, stat in processes(b"stat"):
            words = stat.rpartition(b")")[2].split()
            if int(words[2]) == self.number:
                there[pid, words[19]] = words[0] not in (b"Z", b"X")
        self.known = {*there} if self.known & {*there} else set()
        return bool(self.known) and any(there.values())

    def signal(self, number: int) -> None:
        """To all of it."""
        if self.alive():
            try:
                os.kill(-self.number, number)
            except OSError:
                return


def stopped(pid: int) -> bool:
    """Whether a process was sent a SIGSTOP."""
    try:
        return read(b"/proc/%d/stat" % pid).rpartition(b")")[2].split()[0] in (b"T", b"t")
    except OSError:
        return False


def sweep(name: bytes, number: int) -> bool:
    """Signal whatever bears the mark of a job, whatever sessions it made; whether something does."""
    mark, found = b"HEALER_MARK=" + name + b".", False
    for pid, environment in processes(b"environ"):
        if mark in environment.split(b"\0"):
            try:
                os.kill(pid, number)
                found = True
            except OSError:
                continue
    return found


def clear_away(path: bytes) -> None:
    """A file, or a folder with all that is in it. What cannot be removed stays until it is swept."""
    try:
        if os.path.islink(path) or not os.path.isdir(path):
            os.unlink(path)
            return
        for inner in os.listdir(path):
            clear_away(os.path.join(path, inner))
        os.rmdir(path)
    except OSError:
        return


# --- where the worker is killed -----------------------------------------------------------------------------------------


class Guard:
    """A process beside the worker, which holds the deadline of a job whose worker was killed or stopped. What it has to know stands in
    memory that the two share, so that a job costs it nothing."""

    def __init__(self) -> None:
        self.board = mmap.mmap(-1, mmap.PAGESIZE)
        self.pid = 0
        self.alive = -1

    def stand(self) -> None:
        """Be there. Where no process can be made, the worker alone holds deadlines."""
        try:
            if self.pid and os.waitpid(self.pid, os.WNOHANG) == (0, 0):
                return
            if self.alive >= 0:
                os.close(self.alive)
            self.pid, self.alive = 0, -1
            gone, self.alive = os.pipe()
        except OSError:
            return
        try:
            self.pid = os.fork()
        except OSError:
            self.pid = -1
        if self.pid:
            self.pid = max(0, self.pid)
            os.close(gone)
            return
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
                signal.signal(number, signal.SIG_IGN)
            kept = os.dup(gone) if gone > 3 else gone
            nowhere = os.open("/dev/null", os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(nowhere, descriptor)
            os.dup2(kept, 3)
            os.closerange(4, FILES_MAX)
            self.watch(3)
        finally:
            os._exit(0)

    def tell(self, name: bytes, until: float) -> None:
        """What is at work, before it begins."""
        line = b"%b %.2f\n" % (name, until)
        self.board[1 : len(line)] = line[1:]
        self.board[:1] = line[:1]  # what is read half written is nothing

    def add(self, child: int) -> None:
        """Its process, once it has one: it bears no mark where it drops its environment."""
        try:
            start = read(b"/proc/%d/stat" % child).rpartition(b")")[2].split()[19]
        except (OSError, IndexError):
            return
        at, words = self.board.find(b"\n"), b"%d %b\n" % (child, start)
        self.board[at + 1 : at + 1 + len(words)] = words
        self.board[at : at + 1] = b" "

    def forget(self) -> None:
        """It has ended."""
        self.board[:1] = b"\n"

    def told(self) -> list[bytes]:
        """A name, a time, and its process with its start; or nothing."""
        return self.board[: mmap.PAGESIZE].partition(b"\n")[0].split()

    def watch(self, gone: int) -> None:
        """Until the worker is gone, and nothing is left of its job."""
        poll = select.poll()
        poll.register(gone, 0)
        before: list[bytes] = []
        group: Group | None = None
        worker = os.getppid()
        while True:
            over, job = bool(poll.poll(TICK_S * 1000)), self.told()
            late = time.monotonic() - float(job[1]) if job else 0.0
            if job != before:
                group = Group(*job[2:4]) if job[3:] else None
            if over and not (job and left(job[0], group)):
                return
            if job and late >= 0 and (over or (job == before and (late > KILL_AFTER_S + TICK_S or stopped(worker)))):
                self.end(job[0], group)
            elif over:
                time.sleep(min(TICK_S, max(0.01, -late)))
            before = job

    def end(self, name: bytes, group: Group | None) -> None:
        """TERM, and KILL after the grace."""
        until = time.monotonic() + KILL_AFTER_S
        for number in (signal.SIGTERM, signal.SIGCONT):
            if group is not None:
                group.signal(number)
            sweep(name, number)
        while time.monotonic() < until:
            if not left(name, group):
                return
            time.sleep(0.1)
        if group is not None:
            group.signal(signal.SIGKILL)
        sweep(name, signal.SIGKILL)


def left(name: bytes, group: Group | None) -> bool:
    """Whether something of a job is there: what bears its mark, or its process group."""
    alive = group is not None and group.alive()
    return sweep(name, 0) or alive
