"""Who sends a request: API keys, the peers of the control socket, and the brake on guessing.

`routes` asks the `Gate` once a request. A key is looked up by its SHA-256, so nothing secret is compared byte by byte, and the table
in memory holds hashes only. Whom each key and user acts as is made when keys or the project are read, not when somebody asks. A wrong
key is answered late: at full speed, refusing takes the loop from those who have one.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import os
import pwd
import re
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final

import aiohttp.web

from healer import access, errors, telemetry
from healer.store import keys as stored
from healer.store import reader
from healer.web import minting

DELAY_S: Final = 1.0
WAITING_MAX: Final = 256
OF_ADDRESS_MAX: Final = 32
KNOWN_S: Final = 600.0
KNOWN_MAX: Final = 10_000
NOTED_AGAIN_S: Final = 30.0
TOKEN_MAX: Final = 512
_TOKEN: Final = re.compile(rf"[!-~]{{1,{TOKEN_MAX}}}")
_PEER: Final = struct.Struct("3i")
_MAPPED: Final = bytes(10) + b"\xff\xff"
"""Before an address of IPv4 that is written as one of IPv6 (RFC 4291, 2.5.5.2)."""
_USER: Final = re.compile(r"[A-Za-z0-9_.@\\-]*[A-Za-z_][A-Za-z0-9_.@\\-]*\$?")
"""A name of a user that can be no number and no other actor."""


class TooManyFailures(errors.RequestError):
    """too many requests without a valid key wait for their answer"""

    code = "too-many-failures"
    status = 429


def bearer(request: aiohttp.web.BaseRequest) -> str | None:
    """The token of `Authorization: Bearer`, None without that header. Raises `errors.Unauthorized` for any other form of it."""
    values = request.headers.getall("Authorization", ())
    if not values:
        return None
    scheme, _, token = values[0].partition(" ")
    if len(values) != 1 or scheme.lower() != "bearer" or not _TOKEN.fullmatch(token):
        raise errors.Unauthorized("send one header Authorization: Bearer hlr_…")
    return token


@dataclasses.dataclass(frozen=True, slots=True)
class FileKey:
    """A key whose hash stands in a file, at a place."""

    digest: str
    name: str
    role: str
    principal: str
    place: errors.Place

    def as_json(self) -> dict[str, Any]:
        """As `access.difference` compares it."""
        return {"roles": [self.role] if self.role else [], **({"principal": self.principal} if self.principal else {})}


class Keys:
    """The keys that are valid now, those of the store and those of files, and whom they and the users of this host act as."""

    def __init__(self, read: reader.Reader, directory: access.Directory | None = None) -> None:
        self._read = read
        self.directory = directory or access.Directory()
        self.files: Sequence[FileKey] = ()
        self._rows: Sequence[dict[str, Any]] = ()
        self._known: dict[str, access.Principal] = {}
        self._users: dict[tuple[str, bool], access.Principal | None] = {}

    async def load(self) -> None:
        """Read the store again."""
        rows = await stored.list_keys(self._read)
        self._rows = [row for row in rows if row["revoked_us"] is None]
        self._make()

    def use(self, directory: access.Directory, files: Sequence[FileKey]) -> None:
        """From now on these roles and people hold, and these keys of files."""
        self.directory, self.files = directory, files
        self._make()

    def _make(self) -> None:
        of_key = self.directory.of_key
        made = {one.digest: of_key(one.name, one.role, one.principal) for one in self.files}
        self._known = made | {row["hash"]: of_key(row["name"], row["role"], row["principal"]) for row in self._rows}
        self._users = {}

    def find(self, key: str) -> access.Principal | None:
        """Whose key it is."""
        return self.of_digest(minting.digest(key))

    def of_digest(self, hashed: str) -> access.Principal | None:
        """Whose key it is of which this is the hash: for who remembers no more than that."""
        return self._known.get(hashed)

    def user(self, name: str, *, local: bool) -> access.Principal | None:
        """Whom a user of this host acts as; None: as nobody."""
        if (name, local) not in self._users:
            self._users[name, local] = self.directory.of_user(name, local=local)
        return self._users[name, local]

    def idle(self) -> Iterator[errors.Diagnostic]:
        """What there is to tell: keys whose role or person is not there, or not any more. They grant nothing."""
        for one in self.files:
            yield from self._idle(
                one.role, one.principal, f"the key of {one.name}", one.place, "another word in its line"
            )
        for row in self._rows:
            what, step = f"the key {row['id']} ({row['name']})", f"healer keys revoke {row['id']}"
            yield from self._idle(row["role"], row["principal"], what, errors.Place("healer.yaml"), step)

    def _idle(self, role: str, person: str, what: str, place: errors.Place, step: str) -> Iterator[errors.Diagnostic]:
        for kind, word, known in (("role", role, self.directory.roles), ("principal", person, self.directory.people)):
            if word and word not in known:
                message = f"{what} has the {kind} {word[:80]!r}, which is not there: it grants nothing"
                yield errors.Diagnostic("idle-key", message, place, "warning", try_=errors.nearest(word, known) or step)


def machine(address: str) -> str:
    """What counts as one: an address; of IPv6 its net of 64 bits, which a machine has to itself."""
    if ":" not in address:
        return address
    try:
        raw = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    except OSError:
        return address
    return raw.hex() if raw.startswith(_MAPPED) else raw[:8].hex()


class Throttle:
    """The brake on guessing: who was wrong is answered late, and where too many wait, the connection ends at once.

    An address that was right a short while ago does not wait: there a good sender lives, maybe beside a bad one. `sleep` is a place for
    virtual time.
    """

    def __init__(
        self,
        delay_s: float = DELAY_S,
        waiting_max: int = WAITING_MAX,
        of_address_max: int = OF_ADDRESS_MAX,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._delay_s = delay_s
        self._waiting_max = waiting_max
        self._of_address_max = of_address_max
        self._sleep = sleep
        self._right: dict[str, float] = {}
        self._of_address: dict[str, int] = {}
        self.waiting = 0

    def right(self, address: str | None) -> None:
        """Somebody at this address has proved who they are."""
        if address is None:
            return
        now = asyncio.get_running_loop().time()
        if now - self._right.get(address, -KNOWN_S) < NOTED_AGAIN_S:
            return
        self._right.pop(address, None)  # the one that was right last stands last
        self._right[address] = now
        if len(self._right) > KNOWN_MAX:
            del self._right[next(iter(self._right))]

    def full(self, address: str | None) -> bool:
        """Whether nobody more of an address can wait; never of one that was right a short while ago."""
        here = self._of_address.get(machine(address or ""), 0)
        return (
            here > 0 and (here >= self._of_address_max or self.waiting >= self._waiting_max) and not self.knows(address)
        )

    def knows(self, address: str | None) -> bool:
        """Whether somebody at this address proved who they are within ten minutes."""
        return asyncio.get_running_loop().time() - self._right.get(address or "", -KNOWN_S) < KNOWN_S

    async def wait(self, address: str | None) -> None:
        """Before a 401. Raises `TooManyFailures`."""
        telemetry.count("authentications_failed")
        if self.knows(address):
            return
        known = machine(address or "")
        here = self._of_address.get(known, 0)
        if self.waiting >= self._waiting_max or here >= self._of_address_max:
            raise TooManyFailures
        self.waiting += 1
        self._of_address[known] = here + 1
        try:
            await self._sleep(self._delay_s)
        finally:
            self.waiting -= 1
            self._of_address[known] -= 1
            if not self._of_address[known]:
                del self._of_address[known]


class Gate:
    """Authentication as a whole. `local_uids`: who may all on the control socket without a key (root and the daemon's own)."""

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
        user = _user(uid)
        known = self.keys.user(user, local=uid in self._local_uids)
        if known is None:
            step = f"principals: {{NAME: {{os: {user}, roles: [operator]}}}} in healer.yaml, or a key"
            raise errors.Forbidden(step, actor=f"os:{user}", permission="to use the control socket")
        return known


GATE: Final = aiohttp.web.AppKey("gate", Gate)
"""The gate of an app; `serving` asks it of each new connection."""


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
    """The name of a user; the number where there is none, or one that could be taken for something else."""
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
    return name if _USER.fullmatch(name) else str(uid)
