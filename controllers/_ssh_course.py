"""The session in which a job of `ssh` begins, one that stays or one of its own, and what it tells. Caller: `_ssh_host`."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

from healer.controllers import _ssh_door, _ssh_end, _ssh_far, _ssh_job, _ssh_pool, _ssh_talk, _ssh_worker

if TYPE_CHECKING:
    from healer.controllers import _ssh_host

DRAIN_S: Final = 2.0
"""So long after the end more output is waited for; a service that the job started may hold the pipe for ever."""
DRAIN_MAX_S: Final = 30.0
"""The same where output goes on and on."""
CLOSED_S: Final = 30.0


class Broken(Exception):
    """the connection broke after the job was sent"""


class NeverSent(Exception):
    """why nothing was begun"""


class Again(Exception):
    """nothing was begun: the connection was dead, or the folder gone"""


class Course:
    """The session that begins a job, with what it tells."""

    def __init__(self, connection: _ssh_pool.Connection, attempt: _ssh_host.Attempt) -> None:
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
        self._order = b""
        self._boot = ""

    async def open(self, order: _ssh_job.Order) -> None:
        """Have a session, where it is not sent yet. Raises `NeverSent`, `Again`."""
        while True:
            freed = self.connection.freed()
            try:
                async with asyncio.timeout(_ssh_pool.QUESTION_S):
                    await self._open(order)
            except TimeoutError:
                self.connection.raw.abort()  # one that died in silence
                raise Again from None
            except network() as error:
                if not self.connection.alive:
                    raise Again from error
                if not _ssh_talk.no_place(error) or not (self.connection.working or freed.is_set()):
                    raise NeverSent(f"no session can be opened: {getattr(error, 'reason', '') or error}") from error
                await freed.wait()  # the server allows fewer than we would ask for: it is another job's turn
            else:
                return

    async def _open(self, order: _ssh_job.Order) -> None:
        attempt = self.attempt
        name, limit_s = attempt.name, attempt.job.deadline_s
        given = (order.argv, order.of(attempt.target), order.stdin, order.script)
        pauses_s = _ssh_talk.SOON_S if self.connection.working else _ssh_talk.PLACE_S
        talk = await self.connection.worker(pauses_s)
        place = self.connection.known
        if talk is not None:
            talk.hear = self._hear
            self._order = _ssh_worker.order(place, name, self.nonce, limit_s, *given, binary=order.binary)
        else:
            self._order = _ssh_far.order(place, self.nonce, limit_s, *given, binary=order.binary)
            command = _ssh_far.command(_ssh_far.RUN, name, place.shell)
            talk = await _ssh_talk.open_talk(self.connection.raw, command, self._hear, pauses_s=pauses_s)
        self._talk, self._boot = talk, place.boot
        self.connection.working += 1
        talk.closed.add_done_callback(self._wake)

    def send(self) -> None:
        """Begin it."""
        if self._talk is not None:
            self.attempt.record.sent(self.attempt.name, self._boot)
            self.attempt.sent = True
            self._talk.send(self._order)
            self._order = b""

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
        status = _ssh_end.status_of(self._status, self.attempt.job.deadline_s)
        if status is None:
            if self._talk.closed.done() and self._talk.closed.result() == 64:
                raise NeverSent("what was sent did not arrive whole")
            raise Broken
        return self.attempt.ends(status)

    async def _of_refusal(self) -> _ssh_end.End:
        if self._refused == "folder":
            try:
                await self.connection.probe()
            except network() as error:
                raise Again from error
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
                self.connection.free()

    def close(self) -> None:
        """No more is sent; without a word that it may forget, the far side keeps what it has."""
        if self._talk is not None:
            self._talk.finish()
            self._talk = None
            self.connection.free()

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


def network() -> tuple[type[Exception], ...]:
    """What asyncssh raises for a connection that does not do."""
    ssh: Any = _ssh_door.library()
    return (OSError, TimeoutError, ssh.Error)
