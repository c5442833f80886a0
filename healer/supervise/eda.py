"""A source of event-driven Ansible as one of ours: a child process (`child/host.py`) runs it, this relays its events.

What the child puts is acknowledged once the journal has it. A refused event is logged and acknowledged: one bad event
loses no other. When the journal is full the child's `put` waits, which is the sender's brake.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import os
import pathlib
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import orjson

from healer import errors, plugins, quoting
from healer.project import listeners, locating

HOST: Final = pathlib.Path(__file__).resolve().parent.parent / "child" / "host.py"
ENVIRONMENT_KEPT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
LINE_MAX: Final = 16 << 20
LAST_LINES: Final = 20
OUTPUT_LINE_MAX: Final = 2000
STOP_GRACE_S: Final = 2.0
FULL_PAUSE_S: Final = 1.0
LISTENING_MAX_S: Final = 30.0
"""How long a source that listens may take until somebody is answered at its port."""
TRY_S: Final = 0.05


class SourceDied(errors.HealerError):
    """the source {name} ended: {reason}"""

    code = "source-died"


class EdaSource:
    """Runs one source. `args` is what the rulebook gives it; `filters` are files with their arguments, in order.

    `environ` is the daemon's own environment, of which only a list of names is handed on, and `env` what is added. `on_running` is called
    once its child runs it and, where it listens (`listens`), answers at its port.
    """

    def __init__(
        self,
        located: locating.Located,
        args: Mapping[str, Any] | None,
        filters: Sequence[tuple[pathlib.Path, Mapping[str, Any] | None]],
        project_dir: pathlib.Path,
        log: Callable[[str, str], None],
        environ: Mapping[str, str],
        env: Mapping[str, str] | None = None,
        listens: listeners.Address = listeners.NOWHERE,
    ) -> None:
        self.name = located.name
        self.on_running: Callable[[], None] = lambda: None
        self._listens = listens
        self._answering: asyncio.Task[None] | None = None
        self._start = {
            "source": str(located.path),
            "args": dict(args or {}),
            "filters": [[str(path), dict(options or {})] for path, options in filters],
            "sys_path": list(located.sys_path),
        }
        self._project_dir = project_dir
        self._log = log
        self._env = {**{name: environ[name] for name in ENVIRONMENT_KEPT if name in environ}, **(env or {})}
        self._last_lines: collections.deque[str] = collections.deque(maxlen=LAST_LINES)

    async def run(self, emit: plugins.Emit) -> None:
        """Relay until the source ends. Raises `SourceDied` with the last lines that it printed."""
        self._last_lines.clear()
        self._answering = None
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                process = await self._spawn(theirs)
            output = asyncio.create_task(self._follow(process.stdout))
            reader, writer = await asyncio.open_connection(sock=ours, limit=LINE_MAX)
            try:
                writer.write(_line({"start": self._start}))
                reason = await self._relay(reader, writer, emit)
                if reason:
                    await self._last_words(process, output)
                    raise SourceDied(name=self.name, reason=self._reason(reason, process.returncode))
            finally:
                await _stop(process, writer)
                await _ended(*filter(None, (output, self._answering)))

    async def _spawn(self, theirs: socket.socket) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-u", "-X", "utf8", str(HOST), str(theirs.fileno()),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            pass_fds=(theirs.fileno(),), start_new_session=True, cwd=self._project_dir, env=self._env,
        )  # fmt: skip

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, emit: plugins.Emit) -> str:
        """Why the source ended, '' for: because it had no more to say."""
        while True:
            try:
                line = await reader.readline()
                message = orjson.loads(line) if line else {"error": ""}
            except (OSError, ValueError) as error:  # the line is too long, or is no JSON
                return f"it speaks no protocol of ours: {error}"
            match message:
                case {"running": True}:
                    self._runs()
                case {"n": int(number), "events": list(events)}:
                    await self._deliver(events, emit)
                    with contextlib.suppress(OSError):  # it died meanwhile: the next read says so
                        writer.write(_line({"ack": number}))
                        await writer.drain()
                case {"log": {"level": str(level), "message": str(text)}}:
                    self._log(level, f"{self.name}: {quoting.printed(text)}")
                case {"end": True}:
                    return ""
                case {"error": str(text)}:
                    return text or "its process died"
                case _:
                    return "it speaks no protocol of ours"

    def _runs(self) -> None:
        if not self._listens.port:
            self.on_running()
        elif self._answering is None:
            self._answering = asyncio.create_task(self._answers(*listeners.reached(self._listens)))

    async def _answers(self, host: str, port: int) -> None:
        try:
            async with asyncio.timeout(LISTENING_MAX_S):
                await _connected(host, port)
            self._log("INFO", f"{self.name}: listens on {host}, port {port}")
        except TimeoutError:
            self._log("WARNING", f"{self.name}: nobody answers on {host}, port {port}, yet")
        self.on_running()

    async def _deliver(self, events: Sequence[Mapping[str, Any]], emit: plugins.Emit) -> None:
        try:
            await self._patiently(events, emit)
        except errors.RequestError as error:
            if len(events) == 1:
                self._log("ERROR", f"{self.name}: an event is refused: {error.message}")
                return
            for event in events:
                await self._deliver([event], emit)

    async def _patiently(self, events: Sequence[Mapping[str, Any]], emit: plugins.Emit) -> None:
        while True:
            try:
                await emit(events)
                return
            except (errors.Unavailable, errors.StoreFull) as error:
                self._log("WARNING", f"{self.name}: waits: {error.message}")
                await asyncio.sleep(FULL_PAUSE_S)

    async def _follow(self, stream: asyncio.StreamReader | None) -> None:
        """What the plugin prints: each line to the log, the last ones kept."""
        rest = b""
        while stream and (piece := await stream.read(1 << 16)):
            *lines, rest = (rest + piece).split(b"\n")
            rest = rest[-OUTPUT_LINE_MAX:]
            for line in lines:
                text = quoting.printed(line[:OUTPUT_LINE_MAX].decode(errors="replace").rstrip())
                if text:
                    self._last_lines.append(text)
                    self._log("INFO", f"{self.name}: {text}")

    async def _last_words(self, process: asyncio.subprocess.Process, output: asyncio.Task[None]) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_GRACE_S):
                await process.wait()
                await asyncio.shield(output)

    def _reason(self, reason: str, status: int | None) -> str:
        told = f" (signal {-status})" if status is not None and status < 0 else ""
        lines = "".join(f"\n    {line}" for line in self._last_lines)
        return f"{reason}{told}{lines}"


async def _connected(host: str, port: int) -> None:
    """Return once a connection is accepted."""
    while True:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            return
        await asyncio.sleep(TRY_S)


async def _stop(process: asyncio.subprocess.Process, writer: asyncio.StreamWriter) -> None:
    """Ask the child to stop, then kill its group; returns when it is gone."""
    try:
        with contextlib.suppress(OSError):
            writer.write(_line({"stop": True}))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_GRACE_S):
                await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        await process.wait()


def _line(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message, default=str).encode() + b"\n"


async def _ended(*tasks: asyncio.Task[None]) -> None:
    """Cancel tasks and wait for their ends; our own cancelling is not taken for theirs. Raises what one of them raised."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()
