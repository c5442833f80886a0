"""What a sender means by a name: the hosts of an inventory, and the index that tells which one a text stands for."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import string
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from healer import config, errors, model, quoting

TEXT_MAX: Final = 512
NEAREST_OF_MAX: Final = 2_000
CANDIDATES_MAX: Final = 10
OPAQUE_KINDS: Final = ("k8s", "aap", "url")

THIS_MACHINE: Final = ("localhost", "127.0.0.1", "::1")
"""What Ansible takes for this machine without an inventory."""
MEND: Final = "mend the alert's target"
UNKNOWN: Final = "unknown"
"""The connection of a host of which it cannot be read."""

_PORT: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\s]+)):(\d{1,5})")
_ALONE: Final = re.compile(r"(?![-@!&~])[^\s,:*?\[\]{}\"'\\\x00-\x1f\x7f]{1,255}")
"""What `--limit` takes for the name of one host alone, beside addresses."""
_LOWER: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


@dataclasses.dataclass(frozen=True, slots=True)
class Host:
    """A host as Ansible sees it. `address` is ansible_host, else the name; `groups` lack `all` and `ungrouped`.

    `port`: ansible_port, 0 where it is given and not known here (a template, encrypted). `user`: ansible_user, as it is written.
    `connection` is one that leads elsewhere if a module, or a playbook of any folder, has such a one.
    """

    name: str
    address: str
    port: int | None = None
    groups: tuple[str, ...] = ()
    connection: str = ""
    aliases: tuple[str, ...] = ()
    user: str = ""

    @property
    def here(self) -> bool:
        """Whether it is this machine for certain."""
        if self.connection:
            return self.connection == "local"
        return self.name == "localhost" and self.address in THIS_MACHINE and self.port in (None, 22)


@dataclasses.dataclass(frozen=True, slots=True)
class LeftOut:
    """A host that Ansible lists and that cannot be a target. `address`: another name of it, '' where it has none."""

    why: str
    address: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """Why a text is no target; `nearest` is a hint for people, `candidates` what it could mean if that is several.

    `step`: what to do about it; '' where nothing in the inventory has the name, and only then.
    """

    reason: str
    nearest: str = ""
    candidates: tuple[str, ...] = ()
    step: str = MEND


class Inventory:
    """Hosts by name, groups (with all that lie below them) by name, and the index that `resolve` looks in.

    `partial`: Ansible may find hosts that are not in here, or something else in the place of this machine.
    `dynamic`: a part of it is a program's or a plugin's, or encrypted, so that Ansible alone can list its hosts. `left_out`: of those the
    ones that cannot be a target; what they are called still counts for what a text may mean, so that a mistake in one makes no other of it.
    """

    def __init__(
        self, hosts: Mapping[str, Host], groups: Mapping[str, tuple[str, ...]], *, partial: bool = False, dynamic: bool = False,
        left_out: Mapping[str, LeftOut] = types.MappingProxyType({}),
    ) -> None:  # fmt: skip
        self.hosts = hosts
        self.groups = groups
        self.partial = partial
        self.dynamic = dynamic
        self.left_out = dict(left_out)
        all_hosts = [*hosts.values(), *(Host(name, one.address or name) for name, one in left_out.items())]
        self._names = _index((_fold(host.name), host.name) for host in all_hosts)
        self._others = _index((key, host.name) for host in all_hosts for key in _other_names(host))
        self._short = _index(
            (_fold(host.name.partition(".")[0]), host.name)
            for host in all_hosts
            if "." in host.name and not address_of(host.name)
        )

    def resolve(self, text: str) -> model.Target | Refusal:
        """The one target that an event's `text` means: by name, alias, address or short name, case of ASCII aside.

        A port is dropped. Groups, patterns and what is ambiguous are refused: an event names one thing or none.
        """
        if not text or len(text) > TEXT_MAX or not text.isprintable() or " " in text:
            got = f"{quoting.without_secrets(text)[:100]!r}{' and more' if text[100:] else ''}"
            return Refusal(
                f"a target is a name without spaces and control characters, at most {TEXT_MAX} long, got {got}"
            )
        kind, colon, rest = text.partition(":")
        if colon and kind in OPAQUE_KINDS:
            sound = rest.startswith(("http://", "https://")) if kind == "url" else "/" in rest.strip("/")
            return model.Target(kind, rest) if sound else Refusal(f"{text!r} is no {kind} target")
        if kind == "group" and colon:
            return Refusal(f"{text!r} is a group; an event may not name a group")
        return self._host(rest if kind == "host" and colon and not rest.isdigit() else text)

    def _host(self, text: str) -> model.Target | Refusal:
        name = _without_port(text)
        if found := meaning_more(name):
            return Refusal(f"{text!r} {found}; an event names one host")
        meant = {one for one in self._names.get(_fold(text), ()) if one in self.left_out} if name != text else set()
        meant = meant or self._meant(name)
        if not meant and name in self.groups:
            return Refusal(f"{text!r} is a group; an event names one host")
        if not meant:
            known = list(self.hosts) if len(self.hosts) <= NEAREST_OF_MAX and len(name) <= 100 else []
            return Refusal(f"{text!r} is no host of the inventory", errors.nearest(name, known), step="")
        if len(meant) > 1:
            shown = tuple(one if one.isprintable() else config.shown(one) for one in sorted(meant)[:CANDIDATES_MAX])
            more = ", …" if len(meant) > len(shown) else ""
            step = "let the alert name its host in full, or mend names and healer_aliases of the inventory"
            return Refusal(f"{text!r} may mean {len(meant)} hosts: {', '.join(shown)}{more}", "", shown, step)
        (one,) = meant
        if out := self.left_out.get(one):
            return Refusal(f"{text!r} is left out: {out.why}", "", (one,), "mend what the inventory lists of it")
        host = self.hosts[one]
        if not alone(host.name):
            return Refusal(f"{host.name!r}: {NOT_ALONE}", "", (one,), "give it another name in the inventory")
        if host.name in self.groups:
            reason = f"{host.name!r} is the name of a host and of a group; Ansible would take both"
            return Refusal(reason, step="rename the one or the other")
        local = host.connection == "local"
        return model.Target("host", host.name, host.name, host.address, host.groups, local, host.port, host.user)

    def _meant(self, name: str) -> set[str]:
        plain = _fold(name.removesuffix("."))
        named = self._names.get(plain, {})
        strong = {*([name] if name in named else named), *self._others.get(address_of(name) or plain, {})}
        return strong or set(self._short.get(plain, {}))


def _index(pairs: Iterable[tuple[str, str]]) -> dict[str, dict[str, None]]:
    made: dict[str, dict[str, None]] = {}
    for key, name in pairs:
        made.setdefault(key, {})[name] = None
    return made


def _fold(text: str) -> str:
    """Lower case of ASCII letters alone (RFC 4343): a Kelvin sign is no K."""
    return text.translate(_LOWER)


def address_of(text: str) -> str:
    """An IP address in its one spelling, or nothing."""
    if ":" not in text and not text[:1].isdigit():
        return ""
    try:
        return "" if "%" in text else str(ipaddress.ip_address(text))
    except ValueError:
        return ""


def _other_names(host: Host) -> Iterator[str]:
    for name in (*host.aliases, host.address, host.name):
        if address := address_of(name):
            yield address
        elif name != host.name and "{{" not in name:
            yield _fold(name)


def _without_port(text: str) -> str:
    found = _PORT.fullmatch(text)
    if found:
        return found[1] or found[2]
    return text[1:-1] if text.startswith("[") and address_of(text.strip("[]")) else text


def with_port(name: str) -> bool:
    """Whether a name ends in what Ansible takes for a port."""
    return _PORT.fullmatch(name) is not None


NOT_ALONE: Final = "--limit takes its name for more, or for less, than one host"


def alone(name: str) -> bool:
    """Whether Ansible can be given a host by its name, and means that one alone."""
    return _ALONE.fullmatch(name) is not None or bool(address_of(name))


def unfit(name: str) -> str:
    """Why a name can be none of a host or group that Ansible is given by it; '' where it can."""
    if not name or len(name) > TEXT_MAX or not name.isprintable() or any(c.isspace() for c in name):
        return f"a name has no spaces or control characters, and 1 to {TEXT_MAX} characters"
    if why := meaning_more(name):
        return f"it {why}"
    if with_port(name):
        return "its name ends like a port, which Ansible would take for one"
    return ""


def unfit_host(name: str) -> str:
    """Why a name can be none of a host that is a target; '' where it can."""
    return unfit(name) or ("" if alone(name) else NOT_ALONE)


def meaning_more(name: str) -> str:
    """What a name is that Ansible would take for more than one host; '' for one that is a name alone."""
    if name.startswith(("-", "@", "!", "&", "~")) or any(c in name for c in "*?,[]{}"):
        return "is a pattern or an option"
    return "stands for every host" if _fold(name) in ("all", "ungrouped") else ""
