"""How `http` reaches an address: it resolves a name itself, looks at what it means, and connects to that and nothing else.

So nobody can give one address to be looked at and another to be connected to. Each request has a connection of its own: one that is sent
on a connection which the far side has just closed could not be told from one that took place. Redirects, proxies of the environment and
cookies are not followed, used or kept; what comes back is bounded. A secret is in memory for one request.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import math
import os
import pathlib
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import aiohttp
import aiohttp.abc
import yarl

from healer import errors, plugins, urls
from healer.controllers import _http_networks, _http_request, _shimmed

BODY_BYTES_MAX: Final = 1 << 20
CONNECT_S: Final = 10.0
PAUSE_MIN_S: Final = 1.0
PAUSE_MAX_S: Final = 30.0

_PIECE_BYTES: Final = 1 << 16
_REFUSES_US: Final = re.compile(r"ALERT_(\w*CERTIFICATE\w*|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE)")
"""TLS 1.3 tells a client after its own part of the handshake that its certificate will not do (RFC 8446, 6.2)."""

pause = asyncio.sleep
"""How time is waited out between two requests."""

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""The addresses that a name means, `resolve(host, port)`. Raises OSError."""


class HttpError(errors.HealerError):
    """the request cannot be made: {reason}"""

    code = "http"
    passing: bool = False
    """Whether it may be well again a little later."""
    sent: bool = False
    """Whether the request may have arrived."""


class Forbidden(HttpError):
    """nothing is sent there: {reason}"""


class NotReached(HttpError):
    """{where} cannot be reached: {reason}"""

    passing = True


class Untrusted(HttpError):
    """there is no trust between {where} and here: {reason}"""


class NoAnswer(HttpError):
    """no whole answer came: {reason}"""

    passing = True
    sent = True


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `headers` by their names in lower case; `body` its first MiB."""

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes
    truncated: bool


async def resolve(host: str, port: int) -> list[str]:
    """What the machine's own resolver says."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


class Door:
    """The ways out of one controller. `resolve` may be another one's in tests."""

    def __init__(self, options: Any, context: plugins.ControllerContext) -> None:
        self._options = options
        self._context = context
        self.entries = urls.allowed(one.model_dump() for one in options.allow)
        self.resolve: Resolve = resolve

    async def send(
        self,
        request: _http_request.Request,
        limit_s: float,
        begins: Callable[[], None],
        opened: Callable[[], None],
    ) -> Answer:
        """The answer. `begins` is called before the connection is made and may raise, `opened` before anything is sent on it.

        Raises `HttpError`: its `sent` says whether the request may have arrived.
        """
        until = asyncio.get_running_loop().time() + limit_s
        addresses = await self.addresses(request.address, request.entry, limit_s)
        trust = await self.trust(request.address.scheme)
        limit = aiohttp.ClientTimeout(
            total=max(until - asyncio.get_running_loop().time(), 0.001), connect=CONNECT_S, ceil_threshold=math.inf
        )
        way = _Once(opened, resolver=_Looked(addresses), use_dns_cache=False, ssl=trust, force_close=True)
        begins()
        try:
            async with (
                _session(way, limit) as session,
                session.request(
                    request.method, yarl.URL(request.url, encoded=True), headers=request.headers, data=request.body,
                    allow_redirects=False,
                ) as answer,
            ):  # fmt: skip
                return await _read(answer)
        except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
            raise _told(error, request.address.origin, limit_s, sent=way.opened) from error

    async def addresses(self, url: urls.Url, entry: urls.Allowed, limit_s: float = CONNECT_S) -> list[str]:
        """The addresses that a host means, each looked at. Raises `NotReached`, `Forbidden`."""
        try:
            async with asyncio.timeout(min(limit_s, CONNECT_S)):
                literal = urls.address_of(url.host)
                found = [str(literal)] if literal else await self.resolve(url.host, url.port)
        except TimeoutError:
            raise NotReached(where=url.origin, reason="its name was not resolved in time") from None
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise NotReached(where=url.origin, reason=f"its name cannot be resolved ({reason})") from error
        if not found:
            raise NotReached(where=url.origin, reason="its name means no address")
        for one in found:
            if why := _http_networks.refusal(one, entry):
                raise Forbidden(_http_networks.mend(one, entry), reason=why)
        return found

    async def trust(self, scheme: str) -> ssl.SSLContext | bool:
        """What certificates are held against, with our own where there is one. Raises `HttpError`."""
        return await asyncio.to_thread(self._tls) if scheme == "https" else True

    async def reach(self, url: urls.Url, entry: urls.Allowed) -> str:
        """Connect and send nothing: the address that it means. Raises `HttpError`."""
        found = await self.addresses(url, entry)
        trust = await self.trust(url.scheme)
        tls = trust if isinstance(trust, ssl.SSLContext) else None
        try:
            async with asyncio.timeout(CONNECT_S):
                _, writer = await asyncio.open_connection(
                    found[0], url.port, ssl=tls, server_hostname=url.host if tls else None
                )
        except OSError as error:
            raise _told(error, url.origin, CONNECT_S, sent=False) from error
        writer.transport.abort()
        return found[0]

    def _tls(self) -> ssl.SSLContext:
        options = self._options
        try:
            made = ssl.create_default_context(cafile=str(self._file(options.ca)) if options.ca else None)
        except OSError as error:  # an SSLError is one
            reason = f"`ca` names {options.ca!r}: {error.strerror or error}"
            raise HttpError("a file of certificates in PEM is wanted", reason=reason) from error
        if options.certificate is not None:
            try:
                key = self._context.resolve(options.key).reveal()
            except errors.HealerError as error:
                raise HttpError(error.try_, reason=error.message) from error
            try:
                with _in_memory(key.encode()) as path:
                    made.load_cert_chain(str(self._file(options.certificate)), path, password=_no_password)
            except (OSError, ValueError) as error:
                reason = f"`certificate` {options.certificate!r} and `key`: {getattr(error, 'strerror', None) or error}"
                raise HttpError(
                    "a certificate and its key without a passphrase, in PEM, are wanted", reason=reason
                ) from error
        return made

    def _file(self, path: str) -> pathlib.Path:
        return pathlib.Path(self._context.project_dir) / path


@contextlib.contextmanager
def _in_memory(content: bytes) -> Any:
    """A path at which a secret can be read while this lasts, that is on no disk."""
    descriptor = os.memfd_create("key", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _no_password() -> str:
    raise ValueError("the key has a passphrase")


class _Looked(aiohttp.abc.AbstractResolver):
    """Says what was looked at, whatever it is asked."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._addresses = tuple(addresses)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        """Each address."""
        return [
            {
                "hostname": host, "host": one, "port": port, "proto": 0, "flags": socket.AI_NUMERICHOST,
                "family": socket.AF_INET6 if ":" in one else socket.AF_INET,
            }
            for one in self._addresses
        ]  # fmt: skip

    async def close(self) -> None:
        """Nothing is open."""


class _Once(aiohttp.TCPConnector):
    """One connection: aiohttp would send what it takes for idempotent again by itself, and nobody would know."""

    def __init__(self, tell: Callable[[], None], **given: Any) -> None:
        super().__init__(**given)
        self.opened = False
        self._tell = tell

    async def connect(self, *given: Any, **more: Any) -> Any:
        """The first time a connection, then none."""
        if self.opened:
            raise aiohttp.ServerDisconnectedError
        made = await super().connect(*given, **more)
        self.opened = True
        self._tell()
        return made


def _session(way: aiohttp.BaseConnector, limit: aiohttp.ClientTimeout) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=way, timeout=limit, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, trust_env=False,
        skip_auto_headers=("Content-Type",),
    )  # fmt: skip


async def _read(answer: aiohttp.ClientResponse) -> Answer:
    raw = bytearray()
    while len(raw) <= BODY_BYTES_MAX and (piece := await answer.content.read(_PIECE_BYTES)):
        raw += piece
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Answer(answer.status, answer.reason or "", headers, bytes(raw[:BODY_BYTES_MAX]), len(raw) > BODY_BYTES_MAX)


def _told(error: BaseException, where: str, limit_s: float, *, sent: bool) -> HttpError:
    """What went wrong, without the address in full: the texts of such errors name it."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLCertVerificationError):
        why = getattr(error, "certificate_error", error)
        return Untrusted("name the CA's file in `ca`", where=where, reason=_why(why))
    if not sent and isinstance(error, ssl.SSLError):
        return Untrusted("is it https there?", where=where, reason=_why(error))
    if isinstance(error, OSError) and _REFUSES_US.search(str(error)):
        return Untrusted("look at `certificate` and `key`", where=where, reason=_why(error))
    if isinstance(error, TimeoutError):
        reason = f"none within {limit_s:.3g} s" if sent else "no connection was made in time"
        return NoAnswer(reason=reason) if sent else NotReached(where=where, reason=reason)
    return NoAnswer(reason=_why(error)) if sent else NotReached(where=where, reason=_why(error))


def _why(error: Any) -> str:
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the connection was closed"
    if isinstance(error, ssl.SSLCertVerificationError):
        return str(error.verify_message or error)
    said: Any = getattr(error, "strerror", None) or getattr(getattr(error, "os_error", None), "strerror", None)
    if isinstance(error, aiohttp.ClientPayloadError):
        said = "it ended in its middle"
    if not said or "://" in str(said):
        said = f"the connection failed ({type(error).__name__})"
    line: str = _shimmed.one_line(str(said))
    return line
