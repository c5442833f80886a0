"""Listening: the app on a TCP port and on the control socket, with a limit on everything a connection can hold.

The daemon uses it as its last step of starting and its first of stopping. aiohttp has no limit on connections and none on how
long one may take to send its first header, so both are kept here, around its protocol.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import http
import logging
import pathlib
import re
import resource
import socket
import typing
from collections.abc import Callable
from typing import Any, Final

from aiohttp import http_exceptions, web
from loguru import logger

from healer import errors, telemetry
from healer.web import answers, auth, problems

CONNECTIONS_MAX: Final = 2048
ROOM_MIN: Final = 64
CONTROL_CONNECTIONS_MAX: Final = 128
BACKLOG: Final = 1024
LINE_MAX: Final = 8190
HEADERS_MAX: Final = 100
KEEPALIVE_S: Final = 75.0
HEADERS_S: Final = 10.0
LINGER_S: Final = 1.0
FULL_TOLD_S: Final = 60.0
PARKED_S: Final = 1.0
PARKED_MAX: Final = 1024
_TWICE: Final = re.compile(r"Duplicate '([A-Za-z-]{1,40})' header")
"""How aiohttp names a header that may stand once."""
_MANY: Final = "Too many headers received"
"""How it says that there are more than `HEADERS_MAX`."""
_FULL: Final = b"HTTP/1.1 503 Service Unavailable\r\nServer: healer\r\nRetry-After: 2\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class _Refused(asyncio.Protocol):
    """A connection too many: told so and closed."""

    def __init__(self, door: _Door) -> None:
        self._door = door

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._door.refuse(transport)


class _Door:
    """Whom a connection is let in from. `is_full`: whether all are taken; `gate` knows of which address too many wait already; `most`:
    connections of one address."""

    def __init__(
        self, is_full: Callable[[], bool], fresh: dict[object, asyncio.TimerHandle], gate: auth.Gate, *,
        most: int, headers_s: float, park_s: float = PARKED_S,
    ) -> None:  # fmt: skip
        self.is_full = is_full
        self._fresh = fresh
        self._gate = gate
        self._most = most
        self._headers_s = headers_s
        self._park_s = park_s
        self._parked = 0
        self._of_machine: dict[str, int] = {}
        self._told: list[float] = []
        self._full_told: list[float] = []

    def enter(self, connection: web.RequestHandler, transport: asyncio.BaseTransport) -> Callable[[], None] | None:
        """What has to be done once it is gone; None: it is not let in, and ends by itself."""
        if self.is_full():  # those of one turn of the loop are all made before the first of them is here
            self.refuse(transport)
            return None
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            open_ = typing.cast("asyncio.Transport", transport)  # uvloop's is none by its class
            if self._gate.throttle.full(peer[0]):
                self._park(open_)
                return None
            name = auth.machine(peer[0])
            if self._of_machine.get(name, 0) >= self._most:
                self._refuse_more(open_, peer[0])
                return None
            self._of_machine[name] = self._of_machine.get(name, 0) + 1
        else:
            name = ""  # the control socket
        loop = asyncio.get_running_loop()
        self._fresh[connection] = loop.call_later(self._headers_s, _end_if_fresh, self._fresh, connection)
        return functools.partial(self._leave, connection, name)

    def refuse(self, transport: asyncio.BaseTransport) -> None:
        """Tell a connection that all are taken, and close it."""
        telemetry.count("connections_refused")
        if _is_due(self._full_told):
            logger.warning("all connections are taken: new ones are answered 503 (connections_refused counts them)")
        typing.cast("asyncio.Transport", transport).write(_FULL)  # uvloop's is none by its class
        transport.close()

    def _leave(self, connection: web.RequestHandler, name: str) -> None:
        if (timer := self._fresh.pop(connection, None)) is not None:
            timer.cancel()
        if name:
            self._of_machine[name] -= 1
            if not self._of_machine[name]:
                del self._of_machine[name]

    def _park(self, open_: asyncio.Transport) -> None:
        """Where there is no room for one more, it ends at once."""
        telemetry.count("connections_parked")
        if self._parked >= PARKED_MAX:
            open_.abort()
            return
        self._parked += 1
        open_.pause_reading()
        asyncio.get_running_loop().call_later(self._park_s, self._end_parked, open_)

    def _end_parked(self, open_: asyncio.Transport) -> None:
        self._parked -= 1
        open_.abort()

    def _refuse_more(self, open_: asyncio.Transport, address: str) -> None:
        telemetry.count("connections_of_address_refused")
        if _is_due(self._told):
            logger.warning(
                "{} has {} connections, as many as one address may have (server.connections_per_address): more are answered 503"
                " (connections_of_address_refused counts them)", address, self._most,
            )  # fmt: skip
        open_.write(_FULL)
        open_.close()


def _is_due(told: list[float]) -> bool:
    """Whether something is told once more: not more often than once a minute. `told`: when it was last, in the loop's time."""
    now = asyncio.get_running_loop().time()
    if told and now - told[0] <= FULL_TOLD_S:
        return False
    told[:] = [now]
    return True


class _Connection(web.RequestHandler):
    """aiohttp's, but what cannot be parsed is answered in our form, and without the bytes that were sent: a credential may be there.

    One from an address of which too many wait for a refusal already is parked: nothing of it is read, and it ends when a refusal would have
    come. To answer a flood of guesses, or to close what begins anew at once, would take the loop from those who have a key. One too many
    of an address is told so and closed.
    """

    __slots__ = ("_door", "_gone")

    def __init__(self, manager: Any, door: _Door, **options: Any) -> None:
        super().__init__(manager, **options)
        self._door = door
        self._gone: Callable[[], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._gone = self._door.enter(self, transport)
        if self._gone is not None:
            super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._gone is not None:
            self._gone()
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._gone is not None:
            super().data_received(data)

    def eof_received(self) -> None:
        if self._gone is not None:
            super().eof_received()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what is no HTTP, or broke off inside aiohttp; it ends the connection."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        if isinstance(
            exc, ConnectionError
        ):  # the sender went away in the midst of a body: nobody's mistake, and nobody hears the answer
            telemetry.count("requests_broken_off")
            answer = answers.problem(
                "broken-off", http.HTTPStatus.BAD_REQUEST, "the connection ended before the body did"
            )
        elif status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            logger.opt(exception=exc).error("a request failed inside of the HTTP library")
            answer = answers.problem("internal", status, "something went wrong here, not in the request")
        else:
            telemetry.count("requests_malformed")
            logger.debug("http: {} from {}", type(exc).__name__, request.remote)
            detail = "the request is no HTTP/1.1"
            if isinstance(exc, http_exceptions.LineTooLong):
                detail = f"a line of the request is longer than {LINE_MAX} bytes"
            elif twice := _TWICE.search(str(exc)):
                detail = f"the header {twice[1]} is there twice"
            elif str(exc).endswith(_MANY):
                detail = f"the request has more than {HEADERS_MAX} headers"
            answer = answers.problem("malformed-request", status, detail)
        answer.force_close()
        return answer


class _Quiet(logging.Handler):
    """What aiohttp says of requests that are no HTTP: counted, and seen at DEBUG; anybody can make as many as they like."""

    def emit(self, record: logging.LogRecord) -> None:
        telemetry.count("requests_malformed")
        logger.debug("http: {} {}", record.getMessage()[:300], record.exc_info[1] if record.exc_info else "")


def _quiet() -> logging.Logger:
    made = logging.Logger("healer.http")
    made.addHandler(_Quiet())
    return made


class Listening:
    """The app, served. `connections_max`: all of the port (None: as many as the files that may be open let), `per_address`: those of one
    address (None: half of all, so that nobody has them all); `headers_s`: how long a new one may take until its first request is there."""

    def __init__(
        self, app: web.Application, *, connections_max: int | None = None, per_address: int | None = None, headers_s: float = HEADERS_S
    ) -> None:  # fmt: skip
        self._app = app
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.connections_max = room_for(files) if connections_max is None else connections_max
        self.per_address = max(ROOM_MIN, self.connections_max // 2) if per_address is None else per_address
        self._headers_s = headers_s
        self._servers: list[asyncio.AbstractServer] = []
        self._runner = web.AppRunner(app, shutdown_timeout=5.0)
        self._options: dict[str, Any] = {
            "access_log": None, "logger": _quiet(), "keepalive_timeout": KEEPALIVE_S, "max_line_size": LINE_MAX,
            "max_field_size": LINE_MAX, "max_headers": HEADERS_MAX, "lingering_time": LINGER_S, "auto_decompress": False,
        }  # fmt: skip

    async def start(self) -> None:
        """Make the app ready; nothing listens yet."""
        await self._runner.setup()

    async def tcp(self, host: str, port: int) -> int:
        """Listen on a port (0: any); the port. Raises `errors.PortInUse`, `errors.StartError`."""
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(self._factory(self.connections_max), host, port, backlog=BACKLOG)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                free = _next(port)
                try_ = f"another port: server: {{port: {free}}} in healer.yaml"
                raise errors.PortInUse(try_, host=host, port=port, by=holder(port), free=free) from error
            raise errors.StartError(reason=f"{host}:{port}: {error.strerror or error}") from error
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def unix(self, bound: socket.socket) -> None:
        """Listen on the bound control socket."""
        # Places of its own beyond those of the port: a flood there must not lock out the local shell.
        make = self._factory(self.connections_max + CONTROL_CONNECTIONS_MAX)
        server = await asyncio.get_running_loop().create_unix_server(make, sock=bound, backlog=CONTROL_CONNECTIONS_MAX)
        self._servers.append(server)

    async def stop_accepting(self) -> None:
        """Take no new connections; what runs goes on."""
        for server in self._servers:
            server.close()
        self._servers.clear()

    async def stop(self) -> None:
        """End it all: no new connections, a short while for answers that are under way."""
        await self.stop_accepting()
        for timer in self._app[problems.FRESH].values():
            timer.cancel()
        self._app[problems.FRESH].clear()
        await self._runner.cleanup()

    def _factory(self, connections_max: int) -> Any:
        """Makes the protocol of a new connection: aiohttp's, or the one that refuses."""
        served = self._runner.server
        assert served is not None  # noqa: S101 - start() comes first
        loop = asyncio.get_running_loop()
        door = _Door(
            lambda: len(served.connections) >= connections_max, self._app[problems.FRESH], self._app[auth.GATE],
            most=self.per_address, headers_s=self._headers_s,
        )  # fmt: skip

        def make() -> asyncio.BaseProtocol:
            if door.is_full():
                return _Refused(door)
            return _Connection(served, door, loop=loop, **self._options)

        return make


def room_for(files: int) -> int:
    """How many connections there may be where so many files may be open (RLIMIT_NOFILE); half of them are for children, store, blobs."""
    if files == resource.RLIM_INFINITY:
        return CONNECTIONS_MAX
    return max(ROOM_MIN, min(CONNECTIONS_MAX, files // 2))


def _end_if_fresh(fresh: dict[object, asyncio.TimerHandle], protocol: web.RequestHandler) -> None:
    """The time is over and no request came."""
    if fresh.pop(protocol, None) is not None and protocol.transport is not None:
        telemetry.count("connections_silent")
        protocol.transport.abort()


def _next(port: int) -> int:
    return port + 1 if port < 0xFFFF else port - 1


def holder(port: int, proc: pathlib.Path = pathlib.Path("/proc")) -> str:
    """Who listens on a port, as it stands in a message: ` by java (pid 812)`; '' where /proc does not say.

    Of another user's process only the user can be known, unless this is root.
    """
    found = _listening(port, proc)
    for folder in proc.glob("[0-9]*") if found else ():
        try:
            if any(_leads_to(link) in found for link in (folder / "fd").iterdir()):
                return f" by {(folder / 'comm').read_text(errors='replace').strip()} (pid {folder.name})"
        except OSError:
            continue  # it has ended meanwhile, or is not ours to look at
    return next((f" by a process of the user with id {uid}" for uid in found.values()), "")


def _leads_to(descriptor: pathlib.Path) -> str:
    """Where a descriptor of a process leads; nowhere once it is closed, as the one is by which they were listed."""
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:
        return ""


def _listening(port: int, proc: pathlib.Path) -> dict[str, str]:
    """The sockets that listen on a port (proc(5), net/tcp): `socket:[inode]` → uid."""
    found: dict[str, str] = {}
    for table in ("net/tcp", "net/tcp6"):
        try:
            lines = (proc / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if len(fields) > 9 and fields[3] == "0A" and fields[1].endswith(f":{port:04X}"):
                found[f"socket:[{fields[9]}]"] = fields[7]
    return found
