"""A job on one host: begun once, followed however often the connection breaks, ended when somebody asks, forgotten there once its
end is on our disk. Caller: the controller, one `Attempt` a host.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from healer import model
from healer.controllers import _shimmed, _ssh_door, _ssh_end, _ssh_far, _ssh_job, _ssh_pool, _ssh_talk, _ssh_worker

DRAIN_S: Final = 2.0
"""So long after the end more output is waited for; a service that the job started may hold the pipe for ever."""
DRAIN_MAX_S: Final = 30.0
"""The same where output goes on and on."""
LOOKS_S: Final = (0.05, 2.0)
AGAIN_S: Final = (0.2, 10.0)
PATIENCE_S: Final = 60.0
"""So long beyond the deadline a host that cannot be reached is tried."""
END_S: Final = 25.0
CLOSED_S: Final = 30.0

Say = Callable[[bool, bytes], None]


class Attempt:
    """`say` gets the host's output, from the beginning and within the cap. `keep_more`: what has to be fetched there before it forgets one
    whose end was asked for."""

    def __init__(
        self,
        pool: _ssh_pool.Pool,
        record: _ssh_end.Record,
        job: model.Job,
        target: model.Target,
        where: _ssh_pool.Address,
        say: Say,
        keep_more: Callable[[Attempt], Awaitable[None]] | None = None,
    ) -> None:
        self.pool = pool
        self.record = record
        self.job = job
        self.target = target
        self.where = where
        self.name = _ssh_job.name_of(job, target)
        self.heard = _ssh_end.Heard(len(job.targets))
        self.sent = False
        self.ended = False
        self._say = say
        self._keep_more = keep_more
        self._course: Course | None = None
        self._held: contextlib.AsyncExitStack | None = None
        self._until = time.monotonic() + job.deadline_s + PATIENCE_S

    # --- beginning ----------------------------------------------------------------------------------------------------

    async def run(self, order: _ssh_job.Order, may_begin: Callable[[], bool]) -> _ssh_end.End:
        """Begin it and follow it to its end; cancelling ends it there."""
        try:
            for last in (False, True):
                end = await self._run(order, may_begin)
                if end is not None:
                    return end
                if last:
                    break
            return _not_begun(
                f"{self.where} was connected to twice, and no session could be held; is somebody emptying its folder?"
            )
        except asyncio.CancelledError:
            if self.sent:
                await self._stop()
            raise

    async def _run(self, order: _ssh_job.Order, may_begin: Callable[[], bool]) -> _ssh_end.End | None:
        """None: nothing was begun, as its connection was dead or its folder gone; the next one finds another."""
        try:
            async with contextlib.AsyncExitStack() as stack:
                connection = await stack.enter_async_context(self.pool.lease(self.where))
                await stack.enter_async_context(connection.jobs)
                if not may_begin():
                    return _not_begun("it was withheld")
                course = Course(connection, self)
                stack.callback(course.close)
                await course.begin(order)
                end = await course.follow()
                self._course, self._held = course, stack.pop_all()
                return end
        except _ssh_pool.Unreachable as error:
            return _not_begun(str(error), passing=error.passing)
        except Again:
            return None
        except NeverSent as error:
            return _not_begun(f"{self.where}: {error}")
        except Broken:
            return await self.poll(claim=True)

    # --- following ----------------------------------------------------------------------------------------------------

    async def poll(self, *, claim: bool) -> _ssh_end.End:
        """Look until it has ended. `claim`: nobody else begins it any more, so that having no trace of it is an answer."""
        pause_s, drains = LOOKS_S[0], 0
        while True:
            look = await self._looked("find" if claim else "peek")
            if look is None:
                return _ssh_end.End(
                    "unknown", _shimmed.one_line(f"{self.where} cannot be reached any more; it may go on there")
                )
            end = await self._judged(look, last=drains > 10)
            if end is not None:
                return end
            drains += look.state == "ended"
            pause_s = LOOKS_S[0] if look.state == "ended" else min(pause_s * 1.5, LOOKS_S[1])
            await asyncio.sleep(pause_s * (1 + 3 * (look.state == "ended")))

    async def found(self) -> _ssh_end.End | None:
        """What is known of it now; None: it runs. Where nobody has begun it, nobody will."""
        try:
            seen = await self.look("find")
            for _ in range(10):
                if seen.state != "ended":
                    break
                await asyncio.sleep(LOOKS_S[0] * 2)
                seen = await self.look("peek")
        except (_ssh_pool.Unreachable, *network()) as error:
            return _ssh_end.End("unknown", _shimmed.one_line(f"nobody can say: {error or type(error).__name__}"))
        return await self._judged(seen, last=True)

    async def follow(self) -> _ssh_end.End:
        """To its end, however it was begun; cancelling ends it there."""
        try:
            return await self.poll(claim=True)
        except asyncio.CancelledError:
            await self._stop()
            raise

    async def _looked(self, what: Any) -> _ssh_far.Seen | None:
        """What the host says, with its output handed on; None where it is silent until the patience is over."""
        pause_s = AGAIN_S[0]
        while True:
            try:
                return await self.look(what)
            except (_ssh_pool.Unreachable, *network()) as error:
                if time.monotonic() > self._until or (isinstance(error, _ssh_pool.Unreachable) and not error.passing):
                    return None
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, AGAIN_S[1])

    async def look(self, what: Any) -> _ssh_far.Seen:
        """One look. Raises `Unreachable`, or what the network brings."""
        async with self.pool.lease(self.where) as connection:
            seen, out, err = await connection.look(self.name, what, *self.heard.count)
        self.hear(False, out)
        self.hear(True, err)
        return seen

    async def _judged(self, seen: _ssh_far.Seen, *, last: bool) -> _ssh_end.End | None:
        """The end, where it has one; what is left of it there is removed."""
        if seen.state == "absent":
            known = self.record.read()
            if known.never(self.name, seen.boot):
                return _not_begun("it was never begun there")
            return _ssh_end.End(
                "unknown", f"{self.where} was restarted, or its temporary files were removed, since it was sent there"
            )
        if seen.state in ("unknown", "gone"):
            return _ssh_end.End("unknown", f"its supervisor on {self.where} is gone and left no word of how it ended")
        status = _ssh_far.status_of(seen.status, self.job.deadline_s)
        if seen.state == "running" or (seen.state == "ended" and not last):
            return None
        if status is None:
            return _ssh_end.End("unknown", f"{self.where} tells an end that cannot be read")
        return self.ends(status)

    def ends(self, status: _ssh_far.Status) -> _ssh_end.End:
        """It has ended; this is to be kept here before the host may forget it."""
        end = _ssh_end.end_of(status, self.heard)
        self.record.add(self.name, end, self.heard)
        self.ended = True
        return end

    async def forget(self) -> None:
        """The host may remove what is left there, now that the end is kept here. Where it cannot be told, it sweeps it one day."""
        ended, self.ended = self.ended, False
        course, held = self._course, self._held
        if ended and course is not None and held is not None and course.forget():
            self._held = self._course = None
            self.pool.later(course.closed(held))  # its session counts until the far side has cleared up
            return
        await self.release()
        if not ended:
            return
        with contextlib.suppress(_ssh_pool.Unreachable, *network()):
            async with self.pool.lease(self.where) as connection:
                await connection.look(self.name, "drop", 1 << 40, 1 << 40)

    async def release(self) -> None:
        """Give its place on the connection to others."""
        held, self._held, self._course = self._held, None, None
        if held is not None:
            await held.aclose()

    def hear(self, of_stderr: bool, piece: bytes) -> None:
        """More output."""
        if within := self.heard.add(of_stderr, piece):
            self._say(of_stderr, within)

    # --- ending -------------------------------------------------------------------------------------------------------

    async def _stop(self) -> None:
        """End it there, over a new connection if need be. What comes of it `find` says."""
        await asyncio.wait([self.pool.later(self._ended())])

    async def _ended(self) -> None:
        with contextlib.suppress(TimeoutError, OSError):  # a full disk here: the far side keeps it
            async with asyncio.timeout(END_S):
                await self._end()

    async def _end(self) -> None:
        pause_s = AGAIN_S[0]
        while True:
            try:
                seen = await self.look("end")
                for _ in range(10):
                    if seen.state != "ended":
                        break
                    await asyncio.sleep(LOOKS_S[0] * 2)
                    seen = await self.look("peek")
                await self._judged(seen, last=True)
                if self.ended and self._keep_more is not None:
                    await self._keep_more(self)
                await self.record.keep()
                await self.forget()
                return
            except (_ssh_pool.Unreachable, *network()):
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, AGAIN_S[1])


class Broken(Exception):
    """the connection broke after the job was sent"""


class NeverSent(Exception):
    """why nothing was begun"""


class Again(Exception):
    """nothing was begun: the connection was dead, or the folder gone"""


class Course:
    """The session that begins a job, with what it tells."""

    def __init__(self, connection: _ssh_pool.Connection, attempt: Attempt) -> None:
        self.connection = connection
        self.attempt = attempt
        self.nonce = secrets.token_hex(16)
        self._sieves = (_ssh_talk.Sieve(self.nonce), _ssh_talk.Sieve(self.nonce))
        self._talk: _ssh_talk.Talk | None = None
        self._moved = asyncio.Event()
        self._refused = ""
        self._status: tuple[str, ...] = ()
        self._drained = 0
        self._free = False

    async def begin(self, order: _ssh_job.Order) -> None:
        """Send it whole. Raises `NeverSent`, `Again`."""
        attempt = self.attempt
        name, limit_s = attempt.name, attempt.job.deadline_s
        given = (order.argv, order.of(attempt.target), order.stdin, order.script)
        try:
            async with asyncio.timeout(_ssh_pool.QUESTION_S):
                self._talk = await self.connection.worker()
                place = self.connection.known
                if self._talk is not None:
                    data = _ssh_worker.order(place.folder, name, self.nonce, limit_s, *given, binary=order.binary)
                    self._talk.hear = self._hear
                else:
                    data = _ssh_far.order(place, self.nonce, limit_s, *given, binary=order.binary)
                    command = _ssh_far.command(_ssh_far.RUN, name, place.shell)
                    self._talk = await _ssh_talk.open_talk(self.connection.raw, command, self._hear)
        except TimeoutError:
            self.connection.raw.abort()  # one that died in silence
            raise Again from None
        except network() as error:
            if not self.connection.alive:
                raise Again from error
            raise NeverSent(f"no session can be opened: {getattr(error, 'reason', '') or error}") from error
        self._talk.closed.add_done_callback(self._wake)
        attempt.record.sent(attempt.name, place.boot)
        attempt.sent = True
        self._talk.send(data)

    async def follow(self) -> _ssh_end.End:
        """To its end. Raises `Broken`, `NeverSent`, `Again`."""
        if self._talk is None:
            raise NeverSent("it was not begun")
        ended_at = float("inf")
        while self._drained < 2 and not self._refused and not self._talk.closed.done():
            self._moved.clear()
            if self._status:
                ended_at = min(ended_at, time.monotonic())
                if time.monotonic() > ended_at + DRAIN_MAX_S:
                    break
            try:
                async with asyncio.timeout(DRAIN_S if self._status else None):
                    await self._moved.wait()
            except TimeoutError:
                break
        if self._refused:
            return await self._of_refusal()
        status = _ssh_far.status_of(self._status, self.attempt.job.deadline_s)
        if status is None:
            if self._talk.closed.done() and self._talk.closed.result() == 64:
                raise NeverSent("what was sent did not arrive whole")
            raise Broken
        return self.attempt.ends(status)

    async def _of_refusal(self) -> _ssh_end.End:
        if self._refused == "folder":
            await self.connection.probe()
            raise Again
        if self._refused == "used":
            return _ssh_end.End("failed", "an attempt with this token was made there before", used=True)
        if self._refused == "room":
            raise NeverSent("there is no room for its files there")
        raise NeverSent("the script did not arrive whole")

    def forget(self) -> bool:
        """Let the far side remove what is left of it; False where it does not listen any more."""
        if self._talk is None or self._talk.closed.done() or self._drained < 2:
            return False
        self._talk.send(f"{self.nonce}\n".encode())
        return True

    async def closed(self, held: contextlib.AsyncExitStack) -> None:
        """Wait until the far side has removed what was left, then give its place, and a session that stays, to others."""
        async with held:
            talk = self._talk
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSED_S):
                    while talk is not None and not self._free and not talk.closed.done():
                        self._moved.clear()
                        await self._moved.wait()
            if talk is not None and self._free and not talk.closed.done():
                talk.closed.remove_done_callback(self._wake)
                self._talk = None
                self.connection.keep(talk)

    def close(self) -> None:
        """No more is sent; without a word that it may forget, the far side keeps what it has."""
        if self._talk is not None:
            self._talk.finish()

    def _wake(self, _closed: object) -> None:
        self._moved.set()

    def _hear(self, of_stderr: bool, data: bytes) -> None:
        output, marks = self._sieves[of_stderr].feed(data)
        if output:
            self.attempt.hear(of_stderr, output)
            if self._status:
                self._moved.set()
        for mark in marks:
            word, _, rest = mark.partition(" ")
            if word == "refused":
                self._refused = rest
            elif word == "ended":
                self._status = tuple(rest.split())
            elif word == "drained":
                self._drained += 2 if rest == "alone" else 1
            elif word == "free":
                self._free = True
            self._moved.set()


def _not_begun(words: str, *, passing: bool = True) -> _ssh_end.End:
    return _ssh_end.End("failed", _shimmed.one_line(words), begun=False, passing=passing)


def network() -> tuple[type[Exception], ...]:
    """What asyncssh raises for a connection that does not do."""
    ssh: Any = _ssh_door.library()
    return (OSError, TimeoutError, ssh.Error)
