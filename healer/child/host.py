"""The process that runs one source of event-driven Ansible (`async def main(queue, args)`) with its filters.

`supervise.eda` starts it as `python -I -u host.py FD`, one process a source: a plugin is a stranger's code, may block
its loop, and may want an environment of its own. Standard library only; imports nothing of healer.

Over the socket FD go JSON lines. To us: `{"start": {source, filters, args, sys_path}}` once, then `{"ack": n}` and
`{"stop": true}`. From us: `{"running": true}` once the source and its filters are loaded, `{"n": n, "events": […]}`,
`{"log": {level, message}}`, at last `{"end": true}` or `{"error": text}`. The queue's `put` returns when its event is
acknowledged, that is: on disk.
"""

from __future__ import annotations

import asyncio
import datetime
import decimal
import inspect
import json
import logging
import os
import pathlib
import resource
import runpy
import select
import signal
import socket
import sys
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any

LINE_MAX = 16 << 20
EVENT_MAX = 4 << 20
DEPTH_MAX = 64
HELD_EVENTS_MAX = 1000
HELD_BYTES_MAX = 8 << 20
BATCH_EVENTS_MAX = 500
BATCH_BYTES_MAX = 1 << 20
LOG_MAX = 8 << 10
LOG_BACKLOG_MAX = 1 << 20

Filters = list[tuple[str, Callable[..., Any], dict[str, Any]]]
"""Of each its place and file for people, its `main`, its arguments."""


class NoEvent(ValueError):
    """What the source put is no event: it cannot be JSON, or is too large."""


# --- events as JSON ---------------------------------------------------------------------------------------------------


def encode(event: Any) -> bytes:
    """An event as JSON. Dates, bytes, paths and the like become text; what has no JSON form raises `NoEvent`."""
    if not isinstance(event, dict):
        raise NoEvent(f"an event has to be a dict, got {type(event).__name__}")
    try:
        text = json.dumps(plain(event, 0), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        raise NoEvent("the event has text that is no Unicode (a lone surrogate)") from None
    except ValueError as error:
        raise NoEvent(str(error)) from None
    if len(text) > EVENT_MAX:
        raise NoEvent(f"the event has {len(text)} bytes, at most {EVENT_MAX} are taken")
    return text


def plain(value: Any, depth: int) -> Any:
    """The value with JSON's types alone; `depth` levels are around it. Raises `NoEvent`."""
    if isinstance(value, str):
        if "\0" in value:
            raise NoEvent("the event has text with a NUL")
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool) and not -(1 << 63) <= value < 1 << 64:
        raise NoEvent(f"the number {str(value)[:40]} does not fit 64 bits")
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping | list | tuple) and depth >= DEPTH_MAX:
        raise NoEvent(f"the event is nested deeper than {DEPTH_MAX} levels")
    if isinstance(value, Mapping):
        return {
            plain(key if isinstance(key, str) else _key(key), depth): plain(item, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [plain(item, depth + 1) for item in value]
    return _text(value)


def _key(key: Any) -> str:
    if key is None or isinstance(key, bool | int | float):
        return str(json.dumps(key))
    raise NoEvent(f"a key has to be text, got {type(key).__name__}")


def _text(value: Any) -> str:
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, uuid.UUID | decimal.Decimal | pathlib.PurePath):
        return str(value)
    if isinstance(value, bytes | bytearray):
        try:
            return plain(value.decode(), 0)  # type: ignore[no-any-return]
        except UnicodeDecodeError:
            raise NoEvent("the event has bytes that are no UTF-8 text") from None
    raise NoEvent(f"the event has a {type(value).__name__}, which JSON has no form for")


# --- the way out ------------------------------------------------------------------------------------------------------


class Outbox:
    """Events on their way: gathered into batches, held until acknowledged, bounded in number and bytes."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._sent: dict[int, list[tuple[bytes, asyncio.Future[None]]]] = {}
        self._number = 0
        self._bytes = 0
        self.events = 0
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._lost_logs = 0

    def has_room(self, size: int) -> bool:
        """Whether one more event may be held; a single one always may."""
        return not self.events or (self.events < HELD_EVENTS_MAX and self._bytes + size <= HELD_BYTES_MAX)

    async def add(self, event: bytes) -> asyncio.Future[None]:
        """Take an event once there is room; the future is done when it is acknowledged."""
        while not self.has_room(len(event)):
            self._room.clear()
            await self._room.wait()
        return self.add_now(event)

    def add_now(self, event: bytes) -> asyncio.Future[None]:
        """Take an event, room or not."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((event, done))
        self.events += 1
        self._bytes += len(event)
        self._wake.set()
        return done

    async def send(self) -> None:
        """Send batches, until cancelled."""
        while True:
            await self._wake.wait()
            batch = self._next_batch()
            if not batch:
                self._wake.clear()
                continue
            self._number += 1
            self._sent[self._number] = batch
            events = b",".join(event for event, _ in batch)
            self._writer.write(b'{"n":%d,"events":[%s]}\n' % (self._number, events))
            await self._writer.drain()

    def _next_batch(self) -> list[tuple[bytes, asyncio.Future[None]]]:
        count = size = 0
        while count < min(len(self._waiting), BATCH_EVENTS_MAX) and (not count or size < BATCH_BYTES_MAX):
            size += len(self._waiting[count][0])
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch

    def acknowledge(self, number: int) -> None:
        """The batch is on disk: whoever put its events may go on."""
        for event, done in self._sent.pop(number, []):
            self.events -= 1
            self._bytes -= len(event)
            if not done.done():
                done.set_result(None)
        self._room.set()

    async def emptied(self) -> None:
        """Wait until everything is acknowledged."""
        while self.events:
            self._room.clear()
            await self._room.wait()

    def say(self, level: str, message: str) -> None:
        """A log line. When the daemon does not keep up, lines are dropped and counted, never kept."""
        if self._writer.transport.get_write_buffer_size() > LOG_BACKLOG_MAX:
            self._lost_logs += 1
            return
        if self._lost_logs:
            message, self._lost_logs = f"{message} ({self._lost_logs} lines before this one were dropped)", 0
        self.note({"log": {"level": level, "message": message[:LOG_MAX]}})

    def note(self, message: dict[str, Any]) -> None:
        """Send one message."""
        self._writer.write(json.dumps(message).encode() + b"\n")


class Queue:
    """What the source is given as its queue: events go through the filters and out."""

    maxsize = HELD_EVENTS_MAX

    def __init__(self, outbox: Outbox, filters: Filters) -> None:
        self._outbox = outbox
        self._filters = filters

    async def put(self, data: Any) -> None:
        """Hand over an event (or a list of them); returns when all are on disk. Raises `NoEvent`."""
        waiting = [await self._outbox.add(event) for event in self._events(data)]
        for done in waiting:
            await done

    def put_nowait(self, data: Any) -> None:
        """Hand over without waiting. Raises `NoEvent`, and `asyncio.QueueFull` while too much is on its way."""
        events = self._events(data)
        if not self._outbox.has_room(sum(map(len, events))):
            raise asyncio.QueueFull
        for event in events:
            self._outbox.add_now(event)

    def qsize(self) -> int:
        """How many events are on their way."""
        return self._outbox.events

    def empty(self) -> bool:
        """Whether all is on disk."""
        return not self._outbox.events

    def full(self) -> bool:
        """Whether `put_nowait` would refuse."""
        return not self._outbox.has_room(1)

    def _events(self, data: Any) -> list[bytes]:
        events = data if isinstance(data, list) else [data]
        for name, change, options in self._filters:
            try:
                changed = [change(event, **options) for event in events]
            except BaseException as error:
                note(error, name)
                raise
            events = [event for one in changed for event in (one if isinstance(one, list) else [one])]
        try:
            return [encode(event) for event in events]
        except NoEvent as error:
            self._outbox.say("ERROR", f"an event is refused: {error}")
            raise


class Logs(logging.Handler):
    """Sends what the plugin logs, from whichever thread, to the daemon."""

    def __init__(self, outbox: Outbox) -> None:
        super().__init__(logging.INFO)
        self._outbox = outbox
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        """One line."""
        message = f"{record.name}: {record.getMessage()}"
        if record.exc_info and record.exc_info[1]:
            message += f": {words_of(record.exc_info[1])}"
        self._loop.call_soon_threadsafe(self._outbox.say, record.levelname, message)


# --- running ----------------------------------------------------------------------------------------------------------


def load(path: str, what: str) -> Callable[..., Any]:
    """The `main` of a plugin file. Raises TypeError without one."""
    main = runpy.run_path(path).get("main")
    if not callable(main):
        raise TypeError(f"{what} {path} has no function main")
    return main  # type: ignore[no-any-return]


def load_filters(listed: list[tuple[str, dict[str, Any] | None]]) -> Filters:
    """The filters of (file, arguments), in their order. An error of one names it and its place."""
    found: Filters = []
    for number, (path, options) in enumerate(listed, 1):
        name = f"the filter {number} of {len(listed)}, {path}"
        try:
            found.append((name, load(path, "the filter"), options or {}))
        except BaseException as error:
            note(error, name)
            raise
    return found


def note(error: BaseException, name: str) -> None:
    """Say in an error whose it is: the source that gets to see it has not made it. One that is raised again is noted once."""
    if f"in {name}" not in getattr(error, "__notes__", ()):
        error.add_note(f"in {name}")


def words_of(error: BaseException) -> str:
    """An error for people: its type, what it says, and whose it is."""
    notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    return f"{type(error).__name__}: {error}{notes}"


async def serve(connection: socket.socket) -> int:
    """Run what the first line says until it ends, fails or is stopped; gives the exit status."""
    reader, writer = await asyncio.open_connection(sock=connection, limit=LINE_MAX)
    start = json.loads(await reader.readline())["start"]
    outbox = Outbox(writer)
    logging.basicConfig(level=logging.INFO, handlers=[Logs(outbox)], force=True)
    sender = asyncio.create_task(outbox.send())
    source = asyncio.create_task(_run(start, outbox))
    listener = asyncio.create_task(_listen(reader, outbox, source))
    try:
        last: dict[str, Any] = {"end": True}
        await source
    except asyncio.CancelledError:
        last = {"error": "stopped"}
    except Exception as error:  # noqa: BLE001 - a stranger's code: whatever it raises, the daemon is told and decides
        last = {"error": words_of(error)[:LOG_MAX]}
    outbox.note(last)
    await writer.drain()
    sender.cancel()
    listener.cancel()
    return 0 if "end" in last else 1


async def _run(start: dict[str, Any], outbox: Outbox) -> None:
    try:
        await _run_plugin(start, outbox)
    except SystemExit as error:  # it would end the loop before the daemon is told
        raise RuntimeError(words_of(error)) from None


async def _run_plugin(start: dict[str, Any], outbox: Outbox) -> None:
    sys.path += start["sys_path"]
    main = load(start["source"], "the source")
    if not inspect.iscoroutinefunction(main):
        raise TypeError(f"main of the source {start['source']} is not async")
    queue = Queue(outbox, load_filters(start["filters"]))
    outbox.note({"running": True})
    await main(queue, start["args"])
    await outbox.emptied()


async def _listen(reader: asyncio.StreamReader, outbox: Outbox, source: asyncio.Task[None]) -> None:
    while line := await reader.readline():
        message = json.loads(line)
        if "ack" in message:
            outbox.acknowledge(message["ack"])
        elif message.get("stop"):
            source.cancel()
    source.cancel()


def die_with(connection: socket.socket) -> None:
    """End this process and its group as soon as the other side of the socket is gone, even if the loop is blocked."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLRDHUP)
    poll.poll()
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(70)


def main(argv: list[str]) -> int:
    """Take the socket's number from the command line, and serve."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection = socket.socket(fileno=int(argv[1]))
    os.set_inheritable(connection.fileno(), False)
    threading.Thread(target=die_with, args=(connection,), daemon=True).start()
    return asyncio.run(serve(connection))


if __name__ == "__main__":
    status = main(sys.argv)
    if os.getpgrp() == os.getpid():  # what the plugin started and left behind
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)
    sys.stdout.flush()
    os._exit(status)  # not through the interpreter's end: a thread of the plugin may never end
