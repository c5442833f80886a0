"""What stays on the far side of an `ssh` connection where there is Python: it runs jobs one after another without a session for each.

Sent there over standard input by `_ssh_worker`, one text with `around`; it imports no more than it must, and Python may be 3.8. It does
what the shell text `_ssh_far.RUN` does, with the same files, marks and ends, so that `_ssh_ask.ASK` says what became of a job whichever
way it was begun. A job goes on when the connection breaks, and is supervised to its end; then nothing of this remains. `Guard` is a
child of it that holds the deadline where it is killed or stopped.

An order is a line `NAME NONCE LIMIT BINARY ENVIRONMENT ID LENGTH…`, then as many bytes as the lengths say: folder, standard input, script,
variables, arguments. After its end `NONCE` and a newline let it remove what is left of the job and be free for the next one.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

from healer.controllers._away.around import (
    KILL_AFTER_S,
    PIECE,
    Guard,
    Lost,
    Order,
    Said,
    can_spawn,
    clear_away,
    go_home,
    grouped,
    more,
    next_order,
    read,
    spawn,
    sweep,
    uptime,
    with_all,
)

OUTPUT_BYTES = 1 << 20
GROUP_S = 2.0
LOOK_S = 0.1
ASKED_S = 1.0
NAME_SHOWN = 200
WAITING_BYTES = 128 << 10
EXIT_LOST = 64
ENDED_BY = (124, 137, 143)


class Refused(Exception):
    """why nothing was begun, in a word"""


# --- one job ------------------------------------------------------------------------------------------------------------


class Job:
    """One under its name: `begin`, then `follow` it to the end of all that it wrote. `login`: the environment of a login;
    `wakes`: a pipe that SIGCHLD writes to; `guard` is told how long it may be at work."""

    def __init__(
        self, order: Order, said: Said, login: dict[bytes, bytes], boot: bytes, wakes: int, guard: Guard
    ) -> None:
        self.order, self.said, self.login, self.boot, self.wakes, self.guard = order, said, login, boot, wakes, guard
        self.folder = -1
        self.began = ""
        self.script = b""
        self.child = 0
        self.code = 0
        self.given = order.stdin
        self.to_child = -1
        self.pipes: dict[int, int] = {}
        self.files: dict[int, int] = {}
        self.sizes = {1: 0, 2: 0}

    def begin(self) -> None:
        """Claim the name, at most once, and start the child. Raises `Refused`."""
        order = self.order
        try:
            self.folder = os.open(order.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            known = read(b"id", self.folder).strip()
            if os.fstat(self.folder).st_uid != os.geteuid() or known != order.id:
                raise Refused("folder")
        except OSError:
            raise Refused("folder") from None
        pid = str(os.getpid()).encode()
        claimed = False
        try:
            own = read(b"/proc/self/stat").strip()
            pipes = [os.pipe() for _ in range(3)]
            if order.script:
                self.script = self.name(b"." + pid + b".script")
                self.write(self.script, order.script, os.O_EXCL, 0o700 if order.binary else 0o600)
            claim = os.open(self.name(b".claim"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=self.folder)
            claimed = True
            self.began = uptime()
            with_all(claim, b" ".join([pid, self.boot, own, b"at" + self.began.encode()]) + b"\n")
        except OSError as error:
            self.remove(self.script, self.name(b".claim") if claimed else b"")
            raise Refused("used" if isinstance(error, FileExistsError) else "room") from None
        self.guard.tell(order.name, time.monotonic() + order.limit_s)
        self.start(*pipes)

    def start(self, given: tuple[int, int], out: tuple[int, int], err: tuple[int, int]) -> None:
        """The child, in a session of its own, with its pipes and files."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        environment = {**self.login}
        for one in self.order.environment:
            key, _, value = one.partition(b"=")
            environment[key] = value
        environment[b"HEALER_MARK"] = self.order.name + b"."
        argv = self.order.argv + ([os.path.join(self.order.folder, self.script)] if self.script else [])
        try:
            go_home(self.login)
            self.child = spawn(argv, environment, (given[0], out[1], err[1]))
            self.guard.add(self.child)
        except OSError as error:
            name = argv[0][:NAME_SHOWN].decode("utf-8", "replace")
            os.write(err[1], f"healer: {name} cannot be run: {error.strerror}\n".encode("utf-8", "replace"))
            self.code = 127 if isinstance(error, FileNotFoundError) else 126
        for theirs, ours in (given, out[::-1], err[::-1]):
            os.close(theirs)
            os.set_blocking(ours, False)
        self.to_child = given[1]
        self.pipes = {out[0]: 1, err[0]: 2}
        for descriptor, suffix in ((1, b".out"), (2, b".err")):
            try:
                self.files[descriptor] = self.made(suffix)
            except OSError:
                continue  # no room: it is said, and not kept
        if self.child:
            self.note(b".child", b"%d\n" % self.child)
        if self.child and self.cancelled():
            self.signal(signal.SIGTERM)

    def follow(self) -> bool:
        """Say how it ended and then that all was said. Whether its end is on this machine's disk."""
        over = self.supervise()
        ended, asked, code = uptime(), self.cancelled(), over or self.code
        self.clear(marked=asked or code in ENDED_BY)
        status = f"{code} {self.began} {ended} {int(asked)} end"
        self.remove(self.script)  # its room is for the word of the end, where the disk is full
        noted = self.note(b".status", status.encode() + b"\n")
        self.guard.forget()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a `drop` ends what only waits for somebody to close the pipes
        self.said.tell(1, "ended " + status)
        while self.pipes:
            self.turn(None)
        self.note(b".drained", b"")
        both = self.sizes[2] > 0
        for descriptor in (2, 1) if both else (1,):
            self.said.tell(descriptor, "drained both" if both else "drained alone")
        self.said.flush()
        return noted

    def supervise(self) -> int:
        """To the end of the child; the code that a deadline has, 0 where there was none."""
        over, asked, until = 0, False, time.monotonic() + self.order.limit_s
        while not self.reaped():
            now = time.monotonic()
            if (
                not (over or asked) and self.cancelled()
            ):  # whoever asked has sent TERM, and may not be there for the rest
                asked, until = True, now + KILL_AFTER_S
            if now < until:
                self.turn(min(until - now, ASKED_S))
                continue
            until = now + KILL_AFTER_S
            if over or asked:
                over = over and 137
                self.signal(signal.SIGKILL)
            else:
                over = 124
                self.signal(signal.SIGTERM)
                self.signal(signal.SIGCONT)
        return over

    def reaped(self) -> bool:
        """Whether the child has ended."""
        if not self.child:
            return True
        pid, status = os.waitpid(self.child, os.WNOHANG)
        if pid:
            self.code = 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        return bool(pid)

    def signal(self, number: int) -> bool:
        """To its group; whether anybody is there."""
        try:
            os.kill(-self.child, number)
        except OSError:
            return False
        return True

    def clear(self, *, marked: bool) -> None:
        """End what it left: its group always, whatever bears its mark where it did not end by itself."""
        if marked:
            sweep(self.order.name, signal.SIGTERM)
        if self.child and self.signal(signal.SIGTERM):
            until = time.monotonic() + GROUP_S
            while time.monotonic() < until and grouped(self.child):
                self.turn(LOOK_S)
            self.signal(signal.SIGKILL)
        if marked:
            sweep(self.order.name, signal.SIGKILL)

    # --- its output -----------------------------------------------------------------------------------------------------

    def turn(self, limit_s: float | None) -> None:
        """Hand on what there is, once."""
        poll = select.poll()
        poll.register(self.wakes, select.POLLIN)
        if self.to_child >= 0:
            poll.register(self.to_child, select.POLLOUT)
        for descriptor in (1, 2):
            if self.said.waiting[descriptor]:
                poll.register(descriptor, select.POLLOUT)
        for pipe, descriptor in self.pipes.items():
            if len(self.said.waiting[descriptor]) <= WAITING_BYTES:
                poll.register(pipe, select.POLLIN)
        for descriptor, _ in poll.poll(None if limit_s is None else limit_s * 1000 + 1):
            if descriptor == self.wakes:
                os.read(descriptor, PIECE)
            elif descriptor == self.to_child:
                self.give()
            elif descriptor in self.pipes:
                self.take(descriptor)
            else:
                self.said.send(descriptor)

    def give(self) -> None:
        """Its standard input; one that does not want it is not pressed."""
        try:
            while self.given:
                self.given = self.given[os.write(self.to_child, self.given[:PIECE]) :]
        except BlockingIOError:
            return
        except OSError:
            self.given = b""
        os.close(self.to_child)
        self.to_child = -1

    def take(self, pipe: int) -> None:
        """A piece of its output, into the file up to the cap, and to whoever asked."""
        descriptor = self.pipes[pipe]
        piece = os.read(pipe, PIECE)
        if not piece:
            os.close(pipe)
            del self.pipes[pipe]
            return
        part = piece[: max(0, OUTPUT_BYTES + 1 - self.sizes[descriptor])]
        self.sizes[descriptor] += len(piece)
        try:
            while part and descriptor in self.files:
                part = part[os.write(self.files[descriptor], part) :]
        except OSError:
            os.close(self.files.pop(descriptor))
        self.said.add(descriptor, piece)
        self.said.send(descriptor)

    # --- its files ------------------------------------------------------------------------------------------------------

    def name(self, suffix: bytes) -> bytes:
        """A file of it."""
        name: bytes = self.order.name
        return name + suffix

    def made(self, suffix: bytes) -> int:
        """A file of it, open and empty."""
        return os.open(self.name(suffix), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600, dir_fd=self.folder)

    def write(self, name: bytes, data: bytes, flags: int, mode: int) -> None:
        """A file with all of it."""
        with_all(os.open(name, os.O_WRONLY | os.O_CREAT | flags, mode, dir_fd=self.folder), data)

    def note(self, suffix: bytes, data: bytes) -> bool:
        """A file that says something, where there is room for it: a disk that is full must not end the supervision."""
        try:
            self.write(self.name(suffix), data, os.O_TRUNC, 0o600)
        except OSError:
            return False
        return True

    def cancelled(self) -> bool:
        """Whether its end was asked for."""
        return os.access(self.name(b".cancel"), os.F_OK, dir_fd=self.folder)

    def remove(self, *names: bytes) -> None:
        """Those that are there."""
        for name in names:
            try:
                if name:
                    os.unlink(name, dir_fd=self.folder)
            except OSError:
                continue

    def forgotten(self) -> bool:
        """Wait for the word that its end is kept elsewhere, and remove what is left; without it only the script goes."""
        word = b""
        try:
            while not word.endswith(b"\n"):
                word += more()
        except Lost:
            word = b""
        if word.strip() != self.order.nonce:
            self.remove(self.script)
            return False
        prefix = self.name(b".").decode()
        for left in os.listdir(self.folder):
            if left.startswith(prefix):
                clear_away(os.path.join(self.order.folder, left.encode()))
        return True

    def close(self) -> None:
        """Let go what it had open."""
        for descriptor in (self.to_child, self.folder, *self.files.values(), *self.pipes):
            if descriptor >= 0:
                os.close(descriptor)


# --- jobs, one after another --------------------------------------------------------------------------------------------


def serve() -> None:
    """Until nobody sends any, or one is not told to its end: then whoever asked looks for it by a question. Raises `Lost`."""
    wakes, woken = os.pipe()
    for descriptor in (0, 1, 2, wakes, woken):
        os.set_blocking(descriptor, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken)
    boot = read(b"/proc/sys/kernel/random/boot_id").strip()
    words = (word.partition(b"=") for word in read(b"/proc/self/environ").split(b"\0"))
    login = {key: value for key, _, value in words if key}  # `os.environ` has a locale that Python adds
    guard = Guard()
    while True:
        select.select([0], [], [])
        guard.stand()  # before the order is read, so that nothing of it is in its memory
        order = next_order()
        said = Said(order.nonce)
        job = Job(order, said, login, boot, wakes, guard)
        try:
            job.begin()
        except Refused as error:
            said.tell(1, f"refused {error}")
            said.flush()
            return
        noted = job.follow()
        if not job.forgotten() or not noted:
            return
        said.tell(1, "free")
        said.flush()
        job.close()
        del order, said, job  # nothing of a job stays while the next is waited for


def main() -> None:
    """Say that it is there, then serve."""
    if not can_spawn():
        sys.exit(EXIT_LOST)
    os.umask(0o077)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.write(1, b"\0" + sys.argv[1].encode() + b" ready\n")
    try:
        serve()
    except Lost:
        sys.exit(EXIT_LOST)
