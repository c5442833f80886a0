"""A job on one host: begun once, followed however often the connection breaks, ended when somebody asks, forgotten there once its
end is on our disk. Caller: the controller, one `Attempt` a host.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from healer import model
from healer.controllers import _shimmed, _ssh_ask, _ssh_course, _ssh_end, _ssh_job, _ssh_pool

LOOKS_S: Final = (0.05, 2.0)
AGAIN_S: Final = (0.2, 10.0)
PATIENCE_S: Final = 60.0
"""So long beyond the deadline a host that cannot be reached is tried."""
END_S: Final = 25.0

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
        self._course: _ssh_course.Course | None = None
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
                course = _ssh_course.Course(connection, self)
                stack.callback(course.close)
                await course.open(order)
                if not may_begin():
                    return _not_begun("it was withheld")
                course.send()
                end = await course.follow()
                self._course, self._held = course, stack.pop_all()
                return end
        except _ssh_pool.Unreachable as error:
            return _not_begun(str(error), passing=error.passing)
        except _ssh_course.Again:
            return None
        except _ssh_course.NeverSent as error:
            return _not_begun(f"{self.where}: {error}")
        except _ssh_course.Broken:
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
        except (_ssh_pool.Unreachable, *_ssh_course.network()) as error:
            return _ssh_end.End("unknown", _shimmed.one_line(f"nobody can say: {error or type(error).__name__}"))
        return await self._judged(seen, last=True)

    async def follow(self) -> _ssh_end.End:
        """To its end, however it was begun; cancelling ends it there."""
        try:
            return await self.poll(claim=True)
        except asyncio.CancelledError:
            await self._stop()
            raise

    async def _looked(self, what: Any) -> _ssh_ask.Seen | None:
        """What the host says, with its output handed on; None where it is silent until the patience is over."""
        pause_s = AGAIN_S[0]
        while True:
            try:
                return await self.look(what)
            except (_ssh_pool.Unreachable, *_ssh_course.network()) as error:
                if time.monotonic() > self._until or (isinstance(error, _ssh_pool.Unreachable) and not error.passing):
                    return None
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, AGAIN_S[1])

    async def look(self, what: Any) -> _ssh_ask.Seen:
        """One look. Raises `Unreachable`, or what the network brings."""
        seen, out, err = await self.pool.look(self.where, self.name, what, *self.heard.count, self.job.deadline_s)
        self.hear(False, out)
        self.hear(True, err)
        return seen

    async def _judged(self, seen: _ssh_ask.Seen, *, last: bool) -> _ssh_end.End | None:
        """The end, where it has one; what is left of it there is removed."""
        if seen.state == "absent":
            known = self.record.read()
            if known.never(self.name, seen.boot):
                return _not_begun("it was never begun there")
            return _ssh_end.End(
                "unknown", f"{self.where} was restarted, or its temporary files were removed, since it was sent there"
            )
        if seen.state == "lost":
            return _ssh_end.End("unknown", f"its files on {self.where} were removed while it was at work there")
        if seen.state == "gone":
            return _ssh_end.End(
                "unknown", f"its files on {self.where} are gone, and with them the word of how it ended"
            )
        if seen.state == "unknown":
            return _ssh_end.End("unknown", f"its supervisor on {self.where} is gone and left no word of how it ended")
        status = _ssh_end.status_of(seen.status, self.job.deadline_s)
        if seen.state == "running" or (seen.state == "ended" and not last):
            return None
        if status is None:
            return _ssh_end.End("unknown", f"{self.where} tells an end that cannot be read")
        return self.ends(status)

    def ends(self, status: _ssh_end.Status) -> _ssh_end.End:
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
        with contextlib.suppress(_ssh_pool.Unreachable, *_ssh_course.network()):
            await self.pool.look(self.where, self.name, "drop", 1 << 40, 1 << 40)

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
            except (_ssh_pool.Unreachable, *_ssh_course.network()):
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, AGAIN_S[1])


def _not_begun(words: str, *, passing: bool = True) -> _ssh_end.End:
    return _ssh_end.End("failed", _shimmed.one_line(words), begun=False, passing=passing)
