"""Static inventories of Ansible (INI and YAML), read as Ansible reads them, and what a sender means by a name.

`project` hands the texts of the files to `parse`; `decide` and `intake` resolve what events call a target. Why our own
reading: every event asks, ansible-inventory takes half a second, and mistakes have to be shown where they stand. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from healer import errors
from healer.inventory import files, names
from healer.inventory.names import Host, Inventory, Refusal

__all__ = ["Host", "Inventory", "Refusal", "parse"]

HOSTS_MAX: Final = 200_000
TEXT_MAX: Final = 512
NEAREST_OF_MAX: Final = 2_000
CANDIDATES_MAX: Final = 10
LOOKED_AT: Final = ("ansible_host", "ansible_port", "ansible_connection", "healer_aliases")
OPAQUE_KINDS: Final = ("k8s", "aap", "url")

_IGNORED: Final = re.compile(
    r"^\.|^(host_vars|group_vars|vars_plugins)$|(\.(pyc|pyo|swp|bak|rpm|md|txt|rst|orig|cfg|retry)|~)$"
)
_SECTION: Final = re.compile(r"\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?")
_CHILD: Final = re.compile(r"([^:\]\s]+)\s*(?:#.*)?")
_RANGE: Final = re.compile(r"\[([^:\[\]]*):([^:\[\]]+)(?::(\d+))?\]")
_PORT: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\s]+)):(\d{1,5})")
_LOWER: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


@dataclasses.dataclass(frozen=True, slots=True)
class Host:
    """A host as Ansible sees it. `address` is ansible_host, else the name; `groups` lack `all` and `ungrouped`."""

    name: str
    address: str
    port: int | None = None
    groups: tuple[str, ...] = ()
    connection: str = ""
    aliases: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """Why a text is no target; `nearest` is a hint for people, `candidates` what it could mean if that is several."""

    reason: str
    nearest: str = ""
    candidates: tuple[str, ...] = ()


class Inventory:
    """Hosts by name, groups (with all that lie below them) by name, and the index that `resolve` looks in."""

    def __init__(self, hosts: Mapping[str, Host], groups: Mapping[str, tuple[str, ...]]) -> None:
        self.hosts = hosts
        self.groups = groups
        self._names = _index((_fold(host.name), host.name) for host in hosts.values())
        self._others = _index((key, host.name) for host in hosts.values() for key in _other_names(host))
        self._short = _index(
            (_fold(name.partition(".")[0]), name) for name in hosts if "." in name and not _address_of(name)
        )

    def resolve(self, text: str) -> model.Target | Refusal:
        """The one target that an event's `text` means: by name, alias, address or short name, case of ASCII aside.

        A port is dropped. Groups, patterns and what is ambiguous are refused: an event names one thing or none.
        """
        if not text or len(text) > TEXT_MAX or not text.isprintable() or " " in text:
            return Refusal("a target is a name without spaces and control characters, at most 512 long")
        kind, colon, rest = text.partition(":")
        if colon and kind in OPAQUE_KINDS:
            sound = rest.startswith(("http://", "https://")) if kind == "url" else "/" in rest.strip("/")
            return model.Target(kind, rest) if sound else Refusal(f"{text!r} is no {kind} target")
        if kind == "group" and colon:
            return Refusal("an event may not name a group")
        return self._host(rest if kind == "host" and colon and not rest.isdigit() else text)

    def _host(self, text: str) -> model.Target | Refusal:
        name = _without_port(text)
        if found := _pattern(name):
            return Refusal(f"{text!r} {found}; an event names one host")
        key = _address_of(name) or _fold(name.removesuffix("."))
        named = self._names.get(key, ())
        meant = {name} if name in named else {*named, *self._others.get(_address_of(name) or key, ())}
        meant = meant | set(self._others.get(key, ())) if named else meant
        meant = meant or set(self._short.get(key, ()))
        if not meant and name in self.groups:
            return Refusal(f"{text!r} is a group; an event names one host")
        if not meant:
            known = list(self.hosts) if len(self.hosts) <= NEAREST_OF_MAX and len(name) <= 100 else []
            return Refusal(f"{text!r} is no host of the inventory", errors.nearest(name, known))
        if len(meant) > 1:
            shown = tuple(sorted(meant)[:CANDIDATES_MAX])
            return Refusal(f"{text!r} may mean {len(meant)} hosts: {', '.join(shown)}", "", shown)
        host = self.hosts[meant.pop()]
        if host.name in self.groups:
            return Refusal(f"{host.name!r} is the name of a host and of a group; Ansible would take both")
        return model.Target("host", host.name, host.name, host.address, host.groups, host.connection == "local")


def _index(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    made: dict[str, tuple[str, ...]] = {}
    for key, name in pairs:
        if name not in made.get(key, ()):
            made[key] = (*made.get(key, ()), name)
    return made


def _fold(text: str) -> str:
    """Lower case of ASCII letters alone (RFC 4343): a Kelvin sign is no K."""
    return text.translate(_LOWER)


def _address_of(text: str) -> str:
    """An IP address in its one spelling, or nothing."""
    try:
        return "" if "%" in text else str(ipaddress.ip_address(text))
    except ValueError:
        return ""


def _other_names(host: Host) -> Iterator[str]:
    for name in (*host.aliases, *(() if "{{" in host.address else (host.address,))):
        yield _address_of(name) or _fold(name)
    if own := _address_of(host.name):
        yield own


def _without_port(text: str) -> str:
    found = _PORT.fullmatch(text)
    if found:
        return found[1] or found[2]
    return text[1:-1] if text.startswith("[") and _address_of(text.strip("[]")) else text


def _pattern(name: str) -> str:
    if name.startswith(("-", "@", "!", "&", "~")) or any(c in name for c in "*?,[]{}"):
        return "is a pattern or an option"
    return "stands for every host" if _fold(name) in ("all", "ungrouped") else ""


