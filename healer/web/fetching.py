"""One GET of an address that a sender named and `sns` has looked at: what its host means is asked once, and that is connected to.

So nobody can give one address to be looked at and another to be connected to. Nothing is followed, no proxy and no cookie of the
environment is used, what comes back is bounded, and the far side has to have a certificate for its name. Caller: `sns`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import aiohttp
import aiohttp.abc
import yarl

from healer import errors

LIMIT_S: Final = 5.0
BYTES_MAX: Final = 16 << 10
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
"""Where the last 32 bits are an address of IPv4 (RFC 6052)."""

Resolve = Callable[[str], Awaitable[list[str]]]
"""The addresses that a name means. Raises OSError."""
Fetch = Callable[[str], Awaitable[bytes]]
"""The body of an address. Raises `NotFetched`."""


class NotFetched(errors.Unavailable):
    """not now: an address of the sender could not be asked

    `reason` is for those who run the daemon. `final`: the answer was no, and asking again will not change it.
    """

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__()
        self.reason = reason
        self.final = final


async def resolve(host: str) -> list[str]:
    """What the machine's own resolver says."""
    found = await asyncio.get_running_loop().getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def is_of_a_host(address: str) -> bool:
    """Whether an address may be one of a service: not this machine, its link (where clouds keep secrets), or nobody's.

    Private networks may: inside a VPC the name of SNS means an address of its endpoint there. The certificate says who it is.
    """
    found: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        found = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF) if found in _NAT64 else found.ipv4_mapped or found
    bad = found.is_loopback or found.is_link_local or found.is_multicast or found.is_unspecified or found.is_reserved
    return not bad


class Fetcher:
    """Fetches. What it knows of the network may be another's in tests: `names`, `port`, `may` (which addresses), `trust`."""

    def __init__(
        self, names: Resolve = resolve, port: int = 443, may: Callable[[str], bool] = is_of_a_host, trust: ssl.SSLContext | None = None
    ) -> None:  # fmt: skip
        self._names = names
        self._port = port
        self._may = may
        self._trust = trust

    async def __call__(self, url: str) -> bytes:
        """The body, of at most `BYTES_MAX`. Raises `NotFetched`."""
        try:
            async with asyncio.timeout(LIMIT_S):
                return await self._get(yarl.URL(url, encoded=True))
        except TimeoutError:
            raise NotFetched(f"no whole answer came within {LIMIT_S:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NotFetched(f"it cannot be reached ({type(error).__name__})") from error

    async def _get(self, url: yarl.URL) -> bytes:
        if self._trust is None:
            self._trust = await asyncio.to_thread(ssl.create_default_context)
        host = url.host or ""
        found = await self._names(host)
        if not found or not all(map(self._may, found)):
            raise NotFetched(f"{host} means {', '.join(found)[:200] or 'no address'}, which is not asked")
        limit = aiohttp.ClientTimeout(total=LIMIT_S, ceil_threshold=math.inf)
        way = aiohttp.TCPConnector(
            resolver=_Looked(found, self._port), use_dns_cache=False, ssl=self._trust, force_close=True
        )
        async with (
            aiohttp.ClientSession(
                connector=way, timeout=limit, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, trust_env=False
            ) as session,
            session.get(url, allow_redirects=False, headers={"Accept-Encoding": "identity"}) as answer,
        ):  # fmt: skip
            return await _body(answer)


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    if answer.status != 200:
        final = 300 <= answer.status < 500 and answer.status not in (408, 429)
        raise NotFetched(f"it answered {answer.status}", final=final)
    raw = bytearray()
    while len(raw) <= BYTES_MAX and (piece := await answer.content.read(BYTES_MAX)):
        raw += piece
    if len(raw) > BYTES_MAX:
        raise NotFetched(f"its answer has more than {BYTES_MAX >> 10} KiB", final=True)
    return bytes(raw)


class _Looked(aiohttp.abc.AbstractResolver):
    """Says what was looked at, whatever it is asked."""

    def __init__(self, addresses: Iterable[str], port: int) -> None:
        self._addresses = tuple(addresses)
        self._port = port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        """Each address."""
        return [
            {
                "hostname": host, "host": one, "port": self._port, "proto": 0, "flags": socket.AI_NUMERICHOST,
                "family": socket.AF_INET6 if ":" in one else socket.AF_INET,
            }
            for one in self._addresses
        ]  # fmt: skip

    async def close(self) -> None:
        """Nothing is open."""
