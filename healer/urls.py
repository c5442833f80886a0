"""Addresses of HTTP as they are compared: one spelling for each, and which of them lie under one that is allowed. Pure.

Callers: `catalog` and `project` (what operators write, what events name), the controller `http` (what is sent). A text that two readers
could take for two addresses is refused: a user, a backslash, `..`, an address of this machine in another base. Query and fragment are no
part of what is compared. Form: RFC 3986, 6.2.2.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import string
import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Any, Final

TEXT_MAX: Final = 2048
PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}
CARRIED: Final = re.compile(
    r"host|content-length|transfer-encoding|connection|keep-alive|te|trailer|upgrade|expect|accept-encoding|proxy-.*"
)
"""Headers, in lower case, that say where a request goes and how it is carried: nobody sets them beside the address."""

_SPLIT: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)([?#].*)?")
_AUTHORITY: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_UNRESERVED: Final = frozenset(string.ascii_letters + string.digits + "-._~")
_IN_SEGMENT: Final = _UNRESERVED | set("!$&'()*+,;=:@")
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_DECODED_AGAIN: Final = 3
"""What stands before a server may decode a path too, and so may the program behind it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Url:
    """An address in its one spelling. `host` is in lower case, of IPv6 without brackets; `path` begins with a slash."""

    scheme: str
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        return self.origin + self.path

    @property
    def origin(self) -> str:
        """Without its path."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == PORTS[self.scheme] else f":{self.port}")

    def under(self, prefix: Url) -> bool:
        """Whether it is the other one or lies below it, whole segments of the path compared."""
        base = prefix.path.rstrip("/")
        same = (self.scheme, self.host, self.port) == (prefix.scheme, prefix.host, prefix.port)
        return same and (self.path == base or self.path.startswith(f"{base}/"))

    def below(self, path: str) -> Url:
        """The one with a path joined to its own. Raises ValueError for a path that could lead elsewhere."""
        return dataclasses.replace(self, path=_path(f"{self.path.rstrip('/')}/{path}"))


@dataclasses.dataclass(frozen=True, slots=True)
class Allowed:
    """An entry of an allow-list. `private`: its name may mean an address of a private network, or of this machine."""

    url: Url
    private: bool = False


def allowed(written: Iterable[Any]) -> tuple[Allowed, ...]:
    """The entries of a list as it is written: texts, or mappings with `url` and `private`. Raises ValueError."""
    return tuple(
        Allowed(parse(one["url"]), one.get("private") is True) if isinstance(one, Mapping) else Allowed(parse(one))
        for one in written
    )


def entry_for(url: Url, entries: Iterable[Allowed]) -> Allowed | None:
    """The entry that an address lies under; of several one that allows private addresses, else the first."""
    found = [one for one in entries if url.under(one.url)]
    return next((one for one in found if one.private), found[0] if found else None)


def parse(text: str) -> Url:
    """The address that a text means. Raises ValueError, which says why it is none that can be used."""
    if not text or len(text) > TEXT_MAX:
        raise ValueError(f"an address has 1 to {TEXT_MAX} characters, got {len(text)}")
    if not (text.isascii() and text.isprintable()) or set(text) & set(' "<>\\^`{|}'):
        raise ValueError("a character in it has no place in an address: percent-encode it, write a host as xn--…")
    found = _SPLIT.fullmatch(text)
    if found is None or found[1].lower() not in PORTS:
        raise ValueError("an address like https://host/path is wanted")
    scheme = found[1].lower()
    if "@" in found[2]:
        raise ValueError("a user and a password have no place in an address, got one with them")
    if found[4]:
        raise ValueError("an address is wanted without ? and #")
    authority = _AUTHORITY.fullmatch(found[2])
    if authority is None:
        raise ValueError("it names no host and port that could be used")
    port = int(authority[2]) if authority[2] else PORTS[scheme]
    if not 0 < port < 1 << 16:
        raise ValueError("a port is a number from 1 to 65535")
    return Url(scheme, _host(authority[1].lower()), port, _path(found[3] or "/"))


def settable(header: str) -> str:
    """A header that may be set beside an address. Raises ValueError for one that the connection has for itself."""
    if CARRIED.fullmatch(header.lower()):
        raise ValueError(f"the header {header!r} cannot be set: it belongs to the connection")
    return header


def own_header(auth: object) -> str:
    """The header that says who asks, of the `auth` of a controller as it is written; '' where there is none."""
    if not isinstance(auth, Mapping):
        return ""
    header = auth.get("header")
    if isinstance(header, Mapping):
        return header["name"] if isinstance(header.get("name"), str) else ""
    return "Authorization" if auth.get("bearer") is not None or auth.get("basic") is not None else ""


def segment(value: str) -> str:
    """A value as a part of a path: whatever it has, it stays one part. Raises ValueError for half of a surrogate pair."""
    return urllib.parse.quote(value, safe="")


def address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a host is; None where it is a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _host(text: str) -> str:
    if text.startswith("["):
        try:
            return ipaddress.IPv6Address(text[1:-1]).compressed
        except ValueError:
            raise ValueError("its host is no IPv6 address") from None
    labels = text.split(".")
    if _NUMBER.fullmatch(labels[-1]):  # what is read as an address by some, and as a name by none (WHATWG URL, 3.5)
        try:
            return str(ipaddress.IPv4Address(text))
        except ValueError:
            raise ValueError("its host is no IPv4 address as it is usually written (192.0.2.1)") from None
    if len(text) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("its host is no name of letters, digits, - and _ between dots")
    return text


def _path(text: str) -> str:
    first, *segments = text.split("/")
    if first or "" in segments[:-1]:
        raise ValueError("a part of its path is empty")
    return "/" + "/".join(_segment(one) for one in segments)


def _segment(text: str) -> str:
    if "%" in _ESCAPE.sub("", text) or not set(_ESCAPE.sub("", text)) <= _IN_SEGMENT:
        raise ValueError("a character in its path has to be percent-encoded, a % that means itself as %25")
    meant = text
    for _ in range(_DECODED_AGAIN):
        meant = urllib.parse.unquote(meant, errors="replace")
    if any(ord(one) < 0x20 or ord(one) == 0x7F for one in meant):
        raise ValueError("its path has a control character")
    if any(part.partition(";")[0] in (".", "..") for part in re.split(r"[/\\]", meant)):
        raise ValueError("a part of its path is . or .., which leads elsewhere")
    return _ESCAPE.sub(_normal, text)


def _normal(found: re.Match[str]) -> str:
    meant = chr(int(found[1], 16))
    return meant if meant in _UNRESERVED else found[0].upper()
