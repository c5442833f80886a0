"""Who is logged in: sessions in memory, each for a key, which stay as long as somebody uses them.

`entry` begins and ends them, `doors` finds the one of each request. Kept are the hash of the session's id and the hash of the key: what is
read here opens nothing. Whom a key acts as is looked up with each request, so that a key that is revoked ends its sessions at once. A
restart of the daemon ends all of them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Final

from healer import access
from healer.web import auth, minting

IDLE_US: Final = 3600 * 1_000_000
WHOLE_US: Final = 12 * 3600 * 1_000_000
SESSIONS_MAX: Final = 1_000
OF_KEY_MAX: Final = 20
NOTICES_MAX: Final = 50
ID_BYTES: Final = 32
ID_MAX: Final = 100


@dataclasses.dataclass(slots=True)
class Session:
    """`key`: the hash of the key; `token`: what each of its forms has to bring; `notices`: what the next page says once."""

    key: str
    token: str
    made_us: int
    seen_us: int
    notices: list[str] = dataclasses.field(default_factory=list)
    left_out: int = 0

    def tell(self, *texts: str) -> None:
        """The next page says so; of what is too much it says how much."""
        every = [*self.notices, *texts]
        self.notices = every[:NOTICES_MAX]
        self.left_out += len(every) - len(self.notices)

    def told(self) -> list[str]:
        """What is to be said, once."""
        found, more = self.notices, self.left_out
        self.notices, self.left_out = [], 0
        return [*found, f"And {more} more, which are not shown here."] if more else found


class Sessions:
    """All of them, by the hash of their ids; the one that was used last stands last. `clock`: microseconds that only grow."""

    def __init__(self, keys: auth.Keys, clock: Callable[[], int]) -> None:
        self._keys = keys
        self._clock = clock
        self._open: dict[str, Session] = {}
        self._secret = secrets.token_bytes(32)

    def __len__(self) -> int:
        return len(self._open)

    def begin(self, key: str) -> str:
        """A session for a key that is valid; its id, which only the cookie has."""
        now_us, hashed = self._clock(), minting.digest(key)
        self._sweep(now_us)
        own = [name for name, one in self._open.items() if one.key == hashed]
        for name in own[: max(0, len(own) + 1 - OF_KEY_MAX)]:
            del self._open[name]
        while len(self._open) >= SESSIONS_MAX:
            del self._open[next(iter(self._open))]
        made = secrets.token_urlsafe(ID_BYTES)
        self._open[_hash(made)] = Session(hashed, secrets.token_urlsafe(ID_BYTES), now_us, now_us)
        return made

    def find(self, given: str) -> tuple[Session, access.Principal] | None:
        """The session of an id and whom its key acts as now; None: there is none, or its time is over, or its key is none any more."""
        name = _hash(given) if 0 < len(given) <= ID_MAX else ""
        found = self._open.get(name)
        if found is None:
            return None
        now_us, caller = self._clock(), self._keys.of_digest(found.key)
        if caller is None or _is_over(found, now_us):
            del self._open[name]
            return None
        found.seen_us = now_us
        self._open[name] = self._open.pop(name)
        return found, caller

    def end(self, given: str) -> None:
        """It holds no longer."""
        self._open.pop(_hash(given), None)

    def token_for(self, what: str) -> str:
        """What a form has to bring where there is no session: bound to `what` only its reader has (a cookie, a ticket)."""
        return hmac.digest(self._secret, what.encode("utf-8", "surrogateescape"), "sha256").hex()

    def _sweep(self, now_us: int) -> None:
        over = [name for name, one in self._open.items() if _is_over(one, now_us)]
        for name in over:
            del self._open[name]


def _is_over(one: Session, now_us: int) -> bool:
    return now_us - one.seen_us >= IDLE_US or now_us - one.made_us >= WHOLE_US


def _hash(given: str) -> str:
    return hashlib.sha256(given.encode("utf-8", "surrogateescape")).hexdigest()
