"""Large webhook bodies: parsed and read by their format in a child process, so that the daemon's loop is never held. Used by `hooks`.

The child hands back bytes that only have to be cut (`heavy_child`): nobody here makes objects of what was sent, events are read from
their JSON when their turn comes. A child that dies, or takes too much, is a delivery that is not taken now: its sender tries again.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, Final

import orjson
from loguru import logger

from healer import errors, plugins
from healer.web import heavy_child, ingest, tally

FROM_BYTES: Final = 256 << 10
"""Bodies that are larger are read here."""
WAITING_MAX: Final = 16
SLICE_S: Final = 0.002

_KEPT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV")
_CODE: Final = "import os; os.nice(10); from healer.web import heavy_child; heavy_child.main()"


class Refused(errors.RequestError):
    """{detail}

    What the child found wrong with a body: `code`, `status`, message, try and `problems` are those of the error there.
    """

    def __init__(self, told: Mapping[str, Any]) -> None:
        more = {"problems": told["problems"]} if told["problems"] else {}
        super().__init__(told["try"], detail=told["message"], **more)
        vars(self).update(code=told["code"], status=told["status"])


@dataclasses.dataclass(slots=True)
class Read:
    """What a body is, for `Intake.take`: of each event its JSON, and what is looked at of it (`{"alert": {"key": …}}`, or nothing); of a
    small body (`small`) the whole event, whose JSON is made when it is needed. `repeats` and `deliveries` belong to them in order.
    `unread`: values that cannot be read (those of more than 64 KiB of JSON as a text, how it begins) with the reason. A `greeting` has
    nothing beside it."""

    greeting: plugins.Greeting | None = None
    remark: str = ""
    events: list[tuple[Mapping[str, Any], bytes | None]] = dataclasses.field(default_factory=list)
    repeats: list[str] = dataclasses.field(default_factory=list)
    deliveries: list[str] = dataclasses.field(default_factory=list)
    unread: list[tuple[Any, str]] = dataclasses.field(default_factory=list)
    redacted: bool = False
    body: bytes = b""
    """Of a large one what may be kept, where that is not all of it."""


class Heavy:
    """Reads large bodies, `at_once` at a time; `WAITING_MAX` more wait in line. `timeout_s` is for each, and its processor time."""

    def __init__(self, at_once: int = 2, timeout_s: float = 30.0) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._waiting = 0
        self._timeout_s = timeout_s

    async def read(
        self,
        options_format: str,
        mapping: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        body: bytes,
        form: bool,
        redact: Sequence[str] = (),
    ) -> Read:
        """What a body is by the format of that name, or by a mapping (plain JSON). `form`: it is a form, not JSON. `redact`: paths
        whose values are not kept.

        Raises `Refused` for what the body deserves, `errors.Unavailable` for what it may not. Cancelling it ends the child.
        """
        line = heavy_child.line(options_format, mapping, headers, len(body), form, ingest.EVENTS_MAX, redact)
        if self._waiting >= WAITING_MAX:
            raise errors.Unavailable(reason="too many large bodies wait to be read")
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        asked = _Asked(line, body, self._timeout_s)
        running = asyncio.ensure_future(asyncio.to_thread(asked.run))
        # Who is cancelled gives its place back once its child is gone.
        running.add_done_callback(lambda _: self._slots.release())
        try:
            answer = await asyncio.shield(running)
        except asyncio.CancelledError:
            asked.end("nobody waits for it any more")
            raise
        if asked.reason:
            raise _died(asked.reason)
        return await _joined(answer)


class _Asked:
    """The child from the parent's side, for a thread: starting a process and waiting for it would hold the loop."""

    def __init__(self, line: bytes, body: bytes, timeout_s: float) -> None:
        self.reason = ""
        """Why there is no answer."""
        self._given = (line, body)
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> bytes:
        """The answer; nothing where there is a `reason`."""
        try:
            with _in_memory("answer") as answer, _in_memory("words") as words:
                return self._run(answer, words)
        except OSError as error:
            self._because(f"it cannot be started: {error}")
        return b""

    def end(self, reason: str) -> None:
        """Its time is over, or nobody waits for it any more. For any thread, also before it is started."""
        self._because(reason)
        if self._process is not None:
            self._process.kill()

    def _because(self, reason: str) -> None:
        """Of several reasons the first counts."""
        self.reason = self.reason or reason

    def _over(self) -> bool:
        return self.reason != ""

    def _run(self, answer: BinaryIO, words: BinaryIO) -> bytes:
        if self._over():
            return b""
        process = self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _CODE, str(answer.fileno()), str(max(1, math.ceil(self._timeout_s)))],
            pass_fds=(answer.fileno(),), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=words, start_new_session=True,
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
        )  # fmt: skip
        if self._over():  # it was ended while it was started: `end` may have seen no process yet
            process.kill()
        timer = threading.Timer(self._timeout_s, self.end, (f"it took longer than {self._timeout_s:g} s",))
        timer.start()
        try:
            with contextlib.suppress(BrokenPipeError):
                if process.stdin is not None:
                    with process.stdin:
                        for piece in self._given:
                            process.stdin.write(piece)
            code = process.wait()
        finally:
            timer.cancel()
            process.kill()
            process.wait()
        size = os.fstat(answer.fileno()).st_size
        if code or size > heavy_child.FILE_MAX:
            self._because(_last_words(code, words))
        return b"" if self._over() else os.pread(answer.fileno(), size, 0)


class _Pieces:
    """What a child answered, cut where it says."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._at = 0

    def cut(self) -> bytes:
        """The next piece. Raises `errors.Unavailable` where there is none."""
        start = self._at + heavy_child.HEADER.size
        if start <= len(self._answer):
            self._at = start + heavy_child.HEADER.unpack_from(self._answer, self._at)[0]
            if self._at <= len(self._answer):
                return self._answer[start : self._at]
        raise _died("its answer is not whole")


async def _joined(answer: bytes) -> Read:
    """What the answer says, in slices of the loop."""
    pieces = _Pieces(answer)
    head = json.loads(pieces.cut())
    if "error" in head:
        raise Refused(head["error"])
    if "greeting" in head:
        return Read(plugins.Greeting(*head["greeting"]))
    read = Read(remark=head["remark"], body=pieces.cut() if head["redacted"] else b"")
    started = time.monotonic()
    for number in range(head["events"] + head["unread"]):
        if number < head["events"]:
            key, repeat, delivery = orjson.loads(pieces.cut())
            read.events.append(({} if key is None else {"alert": {"key": key}}, pieces.cut()))
            read.repeats.append(repeat)
            read.deliveries.append(delivery)
        else:
            read.unread.append((orjson.loads(pieces.cut()), tally.one_line(pieces.cut().decode())))
        if time.monotonic() - started > SLICE_S:
            await asyncio.sleep(0)
            started = time.monotonic()
    return read


def _died(reason: str) -> errors.Unavailable:
    logger.warning("a large body could not be read: {}", tally.one_line(reason))
    return errors.Unavailable(reason="the process that reads large bodies ended before it was done")


def _last_words(code: int, words: BinaryIO) -> str:
    """Why a child is dead, by its exit status and the end of what it said."""
    if code == -signal.SIGXCPU:
        return "it took too much of the processor's time"
    size = os.fstat(words.fileno()).st_size
    said = (
        os.pread(words.fileno(), tally.DETAIL_MAX, max(0, size - tally.DETAIL_MAX)).decode("utf-8", "replace").strip()
    )
    return said or f"without a word, status {code}"


def _in_memory(name: str) -> BinaryIO:
    return os.fdopen(os.memfd_create(name), "w+b")
