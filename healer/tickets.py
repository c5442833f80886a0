"""Links by which one person decides one request: what they say, and how that is proved. Pure.

A notifier signs a ticket for each person that it asks and sends them `PATH` and the ticket; `web` reads it when somebody follows the
link. A ticket is a list as canonical JSON with its HMAC-SHA256 (RFC 2104) behind it, all in base64url without padding (RFC 4648,
section 5): nothing of it is secret but that nobody else can make one. It has exactly one spelling.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import hmac
from typing import Final

import orjson

from healer import errors, model

PATH: Final = "/ui/decide/"
"""What stands before a ticket in a link, behind `server.public_url`."""
KEY_BYTES: Final = 32
TEXT_MAX: Final = 512
LIFE_US: Final = 7 * 24 * 3600 * 1_000_000
"""How long a ticket is good at most; a request may wait for longer, or for ever."""
_DOMAIN: Final = b"healer ticket 1\0"
"""What else may be signed with the key one day is no ticket."""
_MAC_BYTES: Final = 32


class NoTicket(errors.RequestError):
    """this link is none of ours, or not all of it has come through"""

    code = "no-ticket"
    status = 404


class TicketOver(errors.RequestError):
    """this link was good until {until}"""

    code = "ticket-over"
    status = 410


@dataclasses.dataclass(frozen=True, slots=True)
class Ticket:
    """`approval`: the id of the request; `person`: a principal of `healer.yaml`; `expires_us`: of the journal's time; `to`: the `address`
    of theirs that the link was sent to, '' where that is nobody's but the channel's."""

    approval: str
    person: str
    expires_us: int
    to: str = ""


def address(kind: str, identity: str) -> str:
    """What a ticket says of an identity (`slack`, `email`) of its person; '' for none."""
    return hashlib.sha256(f"{kind}:{identity}".encode()).hexdigest()[:16] if identity else ""


def ends(expires_us: int | None, now_us: int) -> int:
    """When a ticket that is made now is over: with its request, which may have no end of its own (None)."""
    longest = now_us + LIFE_US
    return longest if expires_us is None else min(expires_us, longest)


def sign(key: bytes, ticket: Ticket) -> str:
    """The ticket as it stands in a link. The same ticket gives the same text. Raises ValueError for a key that is none."""
    said = orjson.dumps([ticket.approval, ticket.person, ticket.expires_us, *([ticket.to] if ticket.to else [])])
    return base64.urlsafe_b64encode(said + _mac(key, said)).decode("ascii").rstrip("=")


def read(key: bytes, text: str, now_us: int) -> Ticket:
    """The ticket of a link. Raises `NoTicket` for what was not signed with the key, `TicketOver` for one whose time is over."""
    if not text.isascii() or len(text) > TEXT_MAX:
        raise NoTicket
    try:
        whole = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise NoTicket from None
    said, mac = whole[:-_MAC_BYTES], whole[-_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(key, said)):
        raise NoTicket
    found = Ticket(*orjson.loads(said))
    if not hmac.compare_digest(sign(key, found), text):  # the last character has bits that no byte is made of
        raise NoTicket
    if now_us >= found.expires_us:
        raise TicketOver("ask for a new one, or decide it by: healer approvals", until=model.iso(found.expires_us))
    return found


def digest(text: str) -> str:
    """What is kept of a ticket that was used: its SHA-256, hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def actor(text: str) -> str:
    """How journal and audit name who comes by it, without the person: `link:` and the beginning of its digest."""
    return f"link:{digest(text)[:10]}"


def _mac(key: bytes, said: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key of {KEY_BYTES} bytes is wanted, got {len(key)}")
    return hmac.digest(key, _DOMAIN + said, "sha256")
