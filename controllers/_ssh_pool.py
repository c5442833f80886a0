"""The connections of `ssh`: one a host, port and user, shared by all jobs, closed when nothing has used them for a while.

A connection carries many sessions at once; OpenSSH allows ten (`MaxSessions`), of which some are left for questions and for
ends that are asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, NamedTuple

from healer.controllers import _ssh_ask, _ssh_far, _ssh_talk, _ssh_worker

JOBS_AT_ONCE: Final = 7
QUESTIONS_AT_ONCE: Final = 2
QUESTION_S: Final = 20.0
SHELLS_FIRST: Final = 1
"""So many jobs of a connection are begun by a shell: a worker takes longer to start, and one job may be all there is."""


class Address(NamedTuple):
    """Where to. `port` 0 and `user` '': as the configuration file says, else 22 and the daemon's user."""

    host: str
    port: int = 0
    user: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.user}{'@' if self.user else ''}{host}{f':{self.port}' if self.port else ''}"


class Unreachable(Exception):
    """why a host cannot be used, in words for people. `passing`: the network may be to blame, so that it may be tried again. `another_key`:
    its key is not the one that is known"""

    def __init__(self, words: str, *, passing: bool = False, another_key: bool = False) -> None:
        super().__init__(words)
        self.passing = passing
        self.another_key = another_key


class Connection:
    """One that is open. `place`: what its far side has; None for a host that is only passed through. `without`: hosts whose Python does
    not do."""

    def __init__(self, address: Address, raw: Any, through: Connection | None, without: set[Address]) -> None:
        self.address = address
        self._without = without
        self.raw = raw
        self.through = through
        self.place: _ssh_far.Place | None = None
        self.users = 0
        self.closing: asyncio.TimerHandle | None = None
        self.jobs = asyncio.Semaphore(JOBS_AT_ONCE)
        self.questions = asyncio.Semaphore(QUESTIONS_AT_ONCE)
        self.working = 0
        self._begun = 0
        self._freed = asyncio.Event()
        self._workers: list[_ssh_talk.Talk] = []
        self._starting = asyncio.Lock()

    @property
    def alive(self) -> bool:
        """Whether it can be used as far as is known; keepalives find one that died in silence."""
        return not self.raw.is_closed()

    @property
    def known(self) -> _ssh_far.Place:
        """What its far side has; asked of those alone that are leased."""
        if self.place is None:
            raise ConnectionResetError("the far side has said nothing of itself")
        return self.place

    async def probe(self) -> None:
        """Find out what the far side has, and make its folder. Raises `Unreachable` where it does not do."""
        status, told, _ = await self._ask(_ssh_far.command(_ssh_far.PROBE), b"")
        if status is None and not told:
            raise ConnectionResetError("the connection was closed")
        try:
            self.place = _ssh_far.place_of(told)
        except _ssh_far.Unfit as error:
            raise Unreachable(f"{self.address} cannot be used: {error}") from error
        if self.address in self._without:
            self.place = dataclasses.replace(self.place, python=False)

    async def worker(self, pauses_s: Sequence[float] = _ssh_talk.PLACE_S) -> _ssh_talk.Talk | None:
        """A session that takes an order at once, to be given back with `keep`; None where a job needs one of its own."""
        self._begun += 1
        if (talk := self._waiting()) or not self.known.python or self._begun <= SHELLS_FIRST:
            return talk
        async with self._starting:  # whether the Python there does is found out once
            if (talk := self._waiting()) or not self.known.python:
                return talk
            started: _ssh_talk.Talk | None = await _ssh_worker.start(self.raw, self.spare, pauses_s)
            if started is None:
                self._without.add(self.address)
                self.place = dataclasses.replace(self.known, python=False)
        return started

    def _waiting(self) -> _ssh_talk.Talk | None:
        while self._workers:
            talk = self._workers.pop()
            if not talk.closed.done():
                return talk
        return None

    def freed(self) -> asyncio.Event:
        """Set once a job that is at work now has ended."""
        if self._freed.is_set():
            self._freed = asyncio.Event()
        return self._freed

    def free(self) -> None:
        """A job has ended."""
        self.working -= 1
        self._freed.set()

    def keep(self, worker: _ssh_talk.Talk) -> None:
        """It is free for the next job."""
        worker.hear = _nobody
        self._workers.append(worker)

    def spare(self) -> bool:
        """Give up a session that only waits for a job; whether there was one."""
        if self._workers:
            self._workers.pop().finish()
            return True
        return False

    async def look(
        self, name: str, what: Any, out: int = 0, err: int = 0, limit_s: float = 0
    ) -> tuple[_ssh_ask.Seen, bytes, bytes]:
        """What became of a job, with its output from offsets on. Raises OSError where no answer comes."""
        for last in (False, True):
            command = _ssh_far.command(_ssh_ask.ASK, name, self.known.shell)
            status, told, errors = await self._ask(command, _ssh_ask.question(self.known, what, out, err, limit_s))
            answer = _ssh_ask.seen(told)
            if answer is None or status is None:
                raise ConnectionResetError("the connection was closed before it answered")
            if answer[0].state != "gone" or last:
                break
            await self.probe()
        return answer[0], answer[1], errors

    async def _ask(self, command: str, data: bytes) -> tuple[int | None, bytes, bytes]:
        async with self.questions, asyncio.timeout(QUESTION_S):
            answer: tuple[int | None, bytes, bytes] = await _ssh_talk.ask(
                self.raw, command, data, spare=self.spare, pauses_s=_ssh_talk.SOON_S
            )
            return answer


def _nobody(_of_stderr: bool, _data: bytes) -> None:
    """What is said between two jobs is of neither."""


Dial = Callable[[Address, "Connection | None"], Awaitable[Any]]
"""Open a connection to an address, through another one. Raises `Unreachable`."""

Way = Callable[[Address], "list[Address]"]
"""The hosts that lie between, the first one first."""


class Pool:
    """All of a controller. `most` bounds those to targets; those passed through are few."""

    def __init__(self, dial: Dial, way: Way, idle_s: float, most: int) -> None:
        self._dial = dial
        self._way = way
        self._idle_s = idle_s
        self._most = most
        self._open: dict[tuple[Address, ...], Connection] = {}
        self._targets: set[tuple[Address, ...]] = set()
        self._making = 0
        self._locks: weakref.WeakValueDictionary[tuple[Address, ...], asyncio.Lock] = weakref.WeakValueDictionary()
        self._freed = asyncio.Event()
        self._without: set[Address] = set()
        self._later: set[asyncio.Task[None]] = set()

    def later(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """What goes on though nobody waits for it; `close` does."""
        task = asyncio.ensure_future(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)
        return task

    @contextlib.asynccontextmanager
    async def lease(self, address: Address) -> AsyncIterator[Connection]:
        """A connection with a known far side, for as long as the block lasts. Raises `Unreachable`."""
        connection = await self._take((*self._way(address), address), target=True)
        try:
            yield connection
        finally:
            self._release(connection)

    async def look(
        self, address: Address, name: str, what: Any, out: int, err: int, limit_s: float = 0
    ) -> tuple[_ssh_ask.Seen, bytes, bytes]:
        """What became of a job. Over a connection of its own where the server has no place for a question beside the jobs: one that
        ends them must not wait for them. Raises `Unreachable`, or what the network brings."""
        async with self.lease(address) as connection:
            try:
                return await connection.look(name, what, out, err, limit_s)
            except Exception as error:
                if not _ssh_talk.no_place(error):
                    raise
        async with self._aside(address) as another:
            await another.probe()
            return await another.look(name, what, out, err, limit_s)

    @contextlib.asynccontextmanager
    async def _aside(self, address: Address) -> AsyncIterator[Connection]:
        way = self._way(address)
        async with contextlib.AsyncExitStack() as stack:
            through = await stack.enter_async_context(self.passage(way)) if way else None
            raw = await self._dial(address, through)
            stack.callback(raw.close)
            yield Connection(address, raw, through, self._without)

    @contextlib.asynccontextmanager
    async def passage(self, way: list[Address]) -> AsyncIterator[Connection]:
        """A connection to the last of hosts that are only passed through."""
        connection = await self._take(tuple(way), target=False)
        try:
            yield connection
        finally:
            self._release(connection)

    async def close(self) -> None:
        """Close all that are open."""
        for key in [*self._open]:
            self._close(key)
        while self._later:
            await asyncio.wait(self._later)

    async def _take(self, key: tuple[Address, ...], *, target: bool) -> Connection:
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        async with lock:
            found = self._open.get(key)
            if found is not None and not found.alive:
                self._close(key)
                found = None
            if found is None:
                found = await self._make(key, target=target)
            found.users += 1
            if found.closing is not None:
                found.closing.cancel()
                found.closing = None
            if target and found.place is None:
                await self._known(key, found)
            return found

    async def _make(self, key: tuple[Address, ...], *, target: bool) -> Connection:
        if target:
            await self._room()
            self._making += 1
        through: Connection | None = None
        try:
            if len(key) > 1:
                through = await self._take(key[:-1], target=False)
            raw = await self._dial(key[-1], through)
        except BaseException:
            if through is not None:
                self._release(through)
            raise
        finally:
            self._making -= target
            self._freed.set()
        made = self._open[key] = Connection(key[-1], raw, through, self._without)
        if target:
            self._targets.add(key)
        return made

    async def _known(self, key: tuple[Address, ...], connection: Connection) -> None:
        try:
            await connection.probe()
        except BaseException as error:
            self._release(connection)
            self._close(key)
            if isinstance(error, Exception) and not isinstance(error, Unreachable):
                words = f"{key[-1]} was reached, and said nothing of itself: {type(error).__name__} {error}"
                raise Unreachable(words.rstrip(), passing=True) from error
            raise

    async def _room(self) -> None:
        while len(self._targets) + self._making >= self._most:
            idle = next((key for key in self._targets if not self._open[key].users), None)
            if idle is not None:
                self._close(idle)
            else:
                self._freed.clear()
                await self._freed.wait()

    def _release(self, connection: Connection) -> None:
        connection.users -= 1
        self._freed.set()
        if connection.users == 0:
            loop = asyncio.get_running_loop()
            connection.closing = loop.call_later(self._idle_s, self._idle, connection)

    def _idle(self, connection: Connection) -> None:
        for key, one in [*self._open.items()]:
            if one is connection and not one.users:
                self._close(key)

    def _close(self, key: tuple[Address, ...]) -> None:
        connection = self._open.pop(key)
        self._targets.discard(key)
        if connection.closing is not None:
            connection.closing.cancel()
        connection.raw.close()
        if connection.through is not None:
            self._release(connection.through)
        self._freed.set()
