"""Who sends a request: API keys, the peers of the control socket, and the brake on guessing.

`routes` asks the `Gate` once a request. A key is looked up by its SHA-256, so nothing secret is compared byte by byte, and the table
in memory holds hashes only. A wrong key is answered late: at full speed, refusing takes the loop from those who have one.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import hashlib
import hmac
import os
import pwd
import re
import secrets
import socket
import struct
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import aiohttp.web

from healer import access, errors, telemetry
from healer.store import keys as stored
from healer.store import reader

DELAY_S: Final = 1.0
WAITING_MAX: Final = 512
AT_ONCE_MAX: Final = 10
TOKEN_MAX: Final = 512
_TOKEN: Final = re.compile(rf"[!-~]{{1,{TOKEN_MAX}}}")
_KEY: Final = re.compile(r"hlr_([a-z2-7]{6,10})_([a-z2-7]{32,128})")
_PEER: Final = struct.Struct("3i")


class TooManyFailures(errors.RequestError):
    """too many requests without a valid key wait for their answer"""

    code = "too-many-failures"
    status = 429


def make_key() -> tuple[str, str]:
    """(id, key): `hlr_<id>_<secret>`, 50 bits of id and 256 of secret from the operating system."""
    key_id = _base32(secrets.token_bytes(5))
    return key_id, f"hlr_{key_id}_{_base32(secrets.token_bytes(32))}"


def key_id_of(key: str) -> str:
    """The part of a key that may be shown, or an empty string where it is none of ours."""
    match = _KEY.fullmatch(key)
    return match[1] if match else ""


def digest(key: str) -> str:
    """What is kept of a key: its SHA-256, hex."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def same(given: str, wanted: str) -> bool:
    """Whether two secrets are equal, in a time that says nothing of where or how much they differ."""
    return hmac.compare_digest(digest(given), digest(wanted))


def bearer(request: aiohttp.web.BaseRequest) -> str | None:
    """The token of `Authorization: Bearer`, None without that header. Raises `errors.Unauthorized` for any other form of it."""
    values = request.headers.getall("Authorization", ())
    if not values:
        return None
    scheme, _, token = values[0].partition(" ")
    if len(values) != 1 or scheme.lower() != "bearer" or not _TOKEN.fullmatch(token):
        raise errors.Unauthorized("send one header Authorization: Bearer hlr_…")
    return token


class Keys:
    """The keys that are valid now: those of the store and those of files (`extra`: digest → principal)."""

    def __init__(self, read: reader.Reader) -> None:
        self._read = read
        self._extra: dict[str, access.Principal] = {}
        self._known: dict[str, access.Principal] = {}

    async def load(self, extra: dict[str, access.Principal] | None = None) -> None:
        """Read the store again; `extra`, where given, takes the place of the keys of files."""
        rows = await stored.list_keys(self._read)
        if extra is not None:
            self._extra = extra
        made = dict(self._extra)
        for row in rows:
            if row["revoked_us"] is None:
                made[row["hash"]] = access.Principal.of(f"key:{row['name']}", row["role"])
        self._known = made

    def find(self, key: str) -> access.Principal | None:
        """Whose key it is."""
        return self._known.get(digest(key))

    def file_keys(self) -> Sequence[access.Principal]:
        """The principals whose keys stand in files, which only their files can revoke."""
        return list(self._extra.values())


class Throttle:
    """The brake: a few wrong keys are answered at once, then each waits; where too many wait, the rest hears 429.

    `sleep` is a place for virtual time.
    """

    def __init__(
        self,
        delay_s: float = DELAY_S,
        waiting_max: int = WAITING_MAX,
        at_once_max: int = AT_ONCE_MAX,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._delay_s = delay_s
        self._waiting_max = waiting_max
        self._at_once_max = at_once_max
        self._sleep = sleep
        self._recent = 0.0
        self._recent_at = 0.0
        self.waiting = 0

    async def wait(self) -> None:
        """Before a 401. Raises `TooManyFailures`."""
        telemetry.count("authentications_failed")
        now = asyncio.get_running_loop().time()
        self._recent = max(0.0, self._recent - (now - self._recent_at)) + 1
        self._recent_at = now
        if self._recent <= self._at_once_max:
            return
        self._recent = min(self._recent, 2.0 * self._at_once_max)  # calm a while after a flood, however large it was
        if self.waiting >= self._waiting_max:
            raise TooManyFailures
        self.waiting += 1
        try:
            await self._sleep(self._delay_s)
        finally:
            self.waiting -= 1


class Gate:
    """Authentication as a whole. `local_uids`: who may use the control socket without a key (root and the daemon's own)."""

    def __init__(
        self, keys: Keys, throttle: Throttle | None = None, local_uids: frozenset[int] = frozenset({0, os.getuid()})
    ) -> None:
        self.keys = keys
        self.throttle = throttle or Throttle()
        self._local_uids = local_uids

    def caller(self, request: aiohttp.web.BaseRequest) -> access.Principal:
        """Who asks. Raises `errors.Unauthorized`; on the control socket `errors.Forbidden` for a user who may not use it."""
        values = request.headers.getall("Authorization", ())
        if len(values) == 1 and values[0][:7] == "Bearer " and (known := self.keys.find(values[0][7:])) is not None:
            return known
        token = bearer(request)
        if token is not None:
            found = self.keys.find(token)
            if found is None:
                raise errors.Unauthorized("healer keys list")
            return found
        uid = peer_uid(request)
        if uid is None:
            raise errors.Unauthorized("healer keys create NAME --role ROLE")
        actor = f"os:{_user(uid)}"
        if uid not in self._local_uids:
            raise errors.Forbidden("use a key", actor=actor, permission="to use the control socket")
        return access.Principal.of(actor, "admin")


def peer_uid(request: aiohttp.web.BaseRequest) -> int | None:
    """The user at the other end of the control socket (SO_PEERCRED, unix(7)); None for other connections."""
    transport = request.transport
    found = transport.get_extra_info("socket") if transport is not None else None
    if found is None or found.family != socket.AF_UNIX:
        return None
    # A copy, since the socket that a loop shows may not have all methods of one.
    with socket.socket(fileno=os.dup(found.fileno())) as copy:
        _, uid, _ = _PEER.unpack(copy.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return int(uid)


@functools.lru_cache(maxsize=256)
def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _base32(data: bytes) -> str:
    return base64.b32encode(data).decode("ascii").rstrip("=").lower()
