"""One exec on a connection of `ssh`: what is sent, what comes back, and the marks in it that no script can forge.

asyncssh calls a `Talk` as its session. Nothing is kept beyond its bounds: a far side that floods is read on, so that it never
stands still, and the rest is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

MARK_BYTES_MAX: Final = 300
PLACE_S: Final = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
SOON_S: Final = PLACE_S[:4]
_NO_PLACE: Final = (1, 2, 4)  # RFC 4254 5.1: prohibited, failed, resource shortage
ANSWER_BYTES_MAX: Final = (1 << 20) + (1 << 12)

Hear = Callable[[bool, bytes], None]
"""`hear(of_stderr, bytes)`"""


class Sieve:
    """Takes the marks (NUL, a nonce that only the wrapper knows, words, newline) out of a stream."""

    def __init__(self, nonce: str) -> None:
        self.mark = b"\0" + nonce.encode() + b" "
        self.rest = b""

    def feed(self, data: bytes) -> tuple[bytes, list[str]]:
        """What is output of it, and the words of its marks. What may be the beginning of a mark waits for the next piece."""
        data = self.rest + data
        output: list[bytes] = []
        marks: list[str] = []
        self.rest = b""
        while (at := data.find(self.mark)) >= 0:
            end = data.find(b"\n", at, at + MARK_BYTES_MAX)
            output.append(data[:at])
            if end < 0:
                self.rest = data[at:]
                return b"".join(output), marks
            marks.append(data[at + len(self.mark) : end].decode("ascii", "replace"))
            data = data[end + 1 :]
        at = data.rfind(b"\0", max(0, len(data) - len(self.mark)))
        if at >= 0 and self.mark.startswith(data[at:]):
            data, self.rest = data[:at], data[at:]
        output.append(data)
        return b"".join(output), marks


class Talk:
    """A session. `closed` is done when the channel is: with the exit status, None where none came."""

    def __init__(self, hear: Hear) -> None:
        self.hear = hear
        self.channel: Any = None
        self.status: int | None = None
        self.closed: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    def send(self, data: bytes) -> None:
        """Write to its standard input. What the far side does not take is lost with the channel."""
        if self.channel is not None and not self.closed.done():
            try:
                self.channel.write(data)
            except (OSError, BrokenPipeError):
                return

    def finish(self) -> None:
        """No more input."""
        if self.channel is not None and not self.closed.done() and self.channel.can_write_eof():
            try:
                self.channel.write_eof()
            except (OSError, BrokenPipeError):
                return

    # --- called by asyncssh -------------------------------------------------------------------------------------------

    def connection_made(self, channel: Any) -> None:
        """The channel is open."""
        self.channel = channel

    def session_started(self) -> None:
        """The command has been taken."""

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Output."""
        self.hear(datatype is not None, data)

    def eof_received(self) -> bool:
        """No more output; what is left to be sent may still be."""
        return True

    def exit_status_received(self, status: int) -> None:
        """How it exited."""
        self.status = status

    def exit_signal_received(self, signal: str, core_dumped: bool, message: str, language: str) -> None:
        """A signal ended it: as good as no status."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel is closed, or the connection lost."""
        if not self.closed.done():
            self.closed.set_result(None if exc else self.status)

    def pause_writing(self) -> None:
        """What is sent is bounded by the job."""

    def resume_writing(self) -> None:
        """As above."""

    def xon_xoff_requested(self, client_can_do: bool) -> None:
        """There is no terminal."""


def no_place(error: BaseException) -> bool:
    """Whether the server has no place for another session."""
    return getattr(error, "code", None) in _NO_PLACE


async def open_talk(
    connection: Any, command: str, hear: Hear, spare: Callable[[], bool] = bool, pauses_s: Sequence[float] = PLACE_S
) -> Talk:
    """Start a command. Raises what asyncssh raises where the far side does not take it.

    A session that the server has no place for is asked for again: an ended one counts there until its process is reaped, and
    some servers allow fewer than OpenSSH does. `spare` gives one up that nobody needs, where there is one.
    """
    pauses = iter(pauses_s)
    while True:
        opening = asyncio.ensure_future(
            connection.create_session(
                lambda: Talk(hear), command, encoding=None, request_pty=False, env={}, send_env=[], x11_forwarding=False
            )
        )
        try:
            _, talk = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_abandon)  # else a shell would wait there for what nobody sends
            raise
        except Exception as error:
            pause_s = next(pauses, None)
            if pause_s is None or connection.is_closed() or not no_place(error):
                raise
            spare()
            await asyncio.sleep(pause_s)
        else:
            opened: Talk = talk
            return opened


def _abandon(opening: asyncio.Future[Any]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result()[0].abort()


async def ask(
    connection: Any,
    command: str,
    data: bytes,
    most: int = ANSWER_BYTES_MAX,
    *,
    held: bool = False,
    spare: Callable[[], bool] = bool,
    pauses_s: Sequence[float] = PLACE_S,
) -> tuple[int | None, bytes, bytes]:
    """The exit status of a command (None: the connection broke) and its output, each stream up to its bound.

    `held`: its input stays open until it has ended, so that it learns of it when nobody listens any more.
    """
    heard = (bytearray(), bytearray())

    def hear(of_stderr: bool, piece: bytes) -> None:
        part = heard[of_stderr]
        part += piece[: most - len(part)]

    talk = await open_talk(connection, command, hear, spare, pauses_s)
    try:
        talk.send(data)
        if not held:
            talk.finish()
        status = await asyncio.shield(talk.closed)
    except asyncio.CancelledError:
        talk.channel.abort()
        raise
    return status, bytes(heard[0]), bytes(heard[1])
