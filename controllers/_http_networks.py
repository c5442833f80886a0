"""Which addresses a name may turn out to mean, for `http`: nothing of this machine, of a private network or of a cloud unless it is said.

A name is the operator's, what it resolves to is not. Pure. Caller: `_http_door`.
"""

from __future__ import annotations

import ipaddress
from typing import Final

from healer import urls

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

PRIVATE: Final = tuple(
    ipaddress.ip_network(one)
    for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15", "fc00::/7")
)
_METADATA: Final = frozenset(
    ipaddress.ip_address(one)
    for one in (
        "169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254",
        "fd00:ec2::23", "fd20:ce::254",
    )
)  # fmt: skip
"""Where clouds tell a machine its secrets: AWS, ECS, Alibaba, Oracle, Azure, Google."""
_EMBEDS: Final = tuple(ipaddress.IPv6Network(one) for one in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96"))
"""Networks whose last 32 bits are an address of IPv4 (RFC 6052, RFC 8215, RFC 4291)."""
_LOCALHOST: Final = "localhost"


def refusal(address: str, entry: urls.Allowed) -> str:
    """Why nothing is sent to an address that the name of an entry means; '' where it may be."""
    found = ipaddress.ip_address(address.partition("%")[0])
    kind = _kind(found)
    named = urls.address_of(entry.url.host) == found and kind != _NOBODY
    at_home = kind == _LOOPBACK and (entry.url.host == _LOCALHOST or entry.url.host.endswith(f".{_LOCALHOST}"))
    if not kind or named or at_home or (entry.private and kind in (_OF_NETWORK, _LOOPBACK)):
        return ""
    return f"{entry.url.host} means {address}, {kind}"


def mend(address: str, entry: urls.Allowed) -> str:
    """What to do where an address is refused, and is the one that is meant."""
    if _kind(ipaddress.ip_address(address.partition("%")[0])) in (_OF_NETWORK, _LOOPBACK):
        return f"if it is meant: {{url: {entry.url}, private: true}} in `allow`"
    return "if it is meant: name the address itself in `allow`"


_OF_NETWORK: Final = "an address of a private network"
_LOOPBACK: Final = "an address of this machine"
_LINK: Final = "a link-local address"
_SECRETS: Final = "where a cloud keeps the secrets of its machines"
_NOBODY: Final = "an address that no single machine has"
_RESERVED: Final = "an address that is set aside"


def _kind(address: Address) -> str:
    """What an address is, where it is not one of the internet; '' where it is."""
    if address in _METADATA:
        return _SECRETS
    if isinstance(address, ipaddress.IPv6Address) and not (address.is_loopback or address.is_unspecified):
        inner = _inner(address)
        if inner is not None:
            return _kind(inner)
    if address.is_unspecified or address.is_multicast or address in _THIS_NETWORK or address == _BROADCAST:
        return _NOBODY
    if address.is_loopback:
        return _LOOPBACK
    if address.is_link_local:
        return _LINK
    if any(address in network for network in PRIVATE if network.version == address.version):
        return _OF_NETWORK
    reserved = any(address in network for network in _MORE if network.version == address.version)
    return "" if address.is_global and not reserved else _RESERVED


_THIS_NETWORK: Final = ipaddress.IPv4Network("0.0.0.0/8")
_MORE: Final = tuple(
    ipaddress.ip_network(one)
    for one in ("fec0::/10", "3fff::/20", "5f00::/16", "192.88.99.0/24", "192.0.0.0/24", "2001:db8::/32")
)
"""Reserved since, or in the eyes of some Pythons global (RFC 3879, RFC 9637, RFC 9602, RFC 7526, RFC 6890)."""
_BROADCAST: Final = ipaddress.IPv4Address("255.255.255.255")


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The address of IPv4 that is in one of IPv6, and that it is sent on to."""
    found = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    if found is None and any(address in network for network in _EMBEDS):
        found = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return found
