"""Groups and hosts while the files are read, and what Ansible makes of them: who lies where, whose variable counts.

The rules are those of ansible-core: a deeper group wins over one above it, a host's own variable over all.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from healer import errors
from healer.inventory import names

HOSTS_MAX: Final = 200_000
LOOKED_AT: Final = ("ansible_host", "ansible_port", "ansible_connection", "healer_aliases")
_RANGE: Final = re.compile(r"\[([^:\[\]]*):([^:\[\]]+)(?::(\d+))?\]")
_PORT: Final = re.compile(r"((?:[^:\s\[\]]|\[[^\]\s]*\])+):(\d{1,5})")


class Group:
    """Hosts and groups that lie in a group directly, and the variables of it that are looked at."""

    __slots__ = ("children", "hosts", "variables")

    def __init__(self) -> None:
        self.hosts: dict[str, None] = {}
        self.children: dict[str, None] = {}
        self.variables: dict[str, Any] = {}


class Reading:
    """All that was read so far, of all files."""

    def __init__(self) -> None:
        self.groups: dict[str, Group] = {"all": Group(), "ungrouped": Group()}
        self.hosts: dict[str, dict[str, Any]] = {}
        self.diagnostics: list[errors.Diagnostic] = []

    def add_hosts(self, group: str, pattern: str, variables: Mapping[str, Any]) -> None:
        """Raises ValueError for a range that is none, or too many hosts."""
        found = _PORT.fullmatch(pattern)
        name, port = (found[1], int(found[2])) if found else (pattern, None)
        for host in expand(_bare(name)):
            if len(self.hosts) >= HOSTS_MAX:
                raise ValueError(f"more than {HOSTS_MAX} hosts")
            known = self.hosts.setdefault(host, {})
            known |= {"ansible_port": port} if port is not None else {}
            known |= looked_at(variables)
            self.groups[group].hosts[host] = None

    def add_child(self, group: str, child: str) -> None:
        """Raises ValueError for a group that would lie in itself."""
        if child in ("all", group) or group in self.below(child):
            raise ValueError(f"the group {child!r} cannot lie in {group!r}: it would lie in itself")
        self.groups[group].children[child] = None

    def below(self, group: str) -> list[str]:
        """The groups in a group, at any depth, itself first."""
        found: dict[str, None] = {}
        waiting = [group]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found[name] = None
                waiting.extend(self.groups[name].children)
        return list(found)

    def inventory(self) -> names.Inventory:
        """What all of it comes to."""
        depths = self._depths()
        groups: dict[str, tuple[str, ...]] = {}
        of_host: dict[str, list[str]] = {host: [] for host in self.hosts}
        for name in sorted(self.groups, key=lambda name: (depths[name], name)):
            inside = {host: None for group in self.below(name) for host in self.groups[group].hosts}
            groups[name] = tuple(inside)
            for host in inside if name not in ("all", "ungrouped") else ():
                of_host[host].append(name)
        groups["all"] = tuple(self.hosts)
        groups["ungrouped"] = tuple(host for host, own in of_host.items() if not own)
        return names.Inventory({host: self._host(host, own) for host, own in of_host.items()}, groups)

    def _host(self, name: str, groups: Sequence[str]) -> names.Host:
        variables: dict[str, Any] = dict(self.groups["all"].variables)
        for group in groups or ["ungrouped"]:  # the deeper wins, then the later in the alphabet
            variables |= self.groups[group].variables
        variables |= self.hosts[name]
        aliases = variables.get("healer_aliases") or ()
        listed = (
            aliases.split(",") if isinstance(aliases, str) else aliases if isinstance(aliases, list | tuple) else ()
        )
        port = variables.get("ansible_port")
        return names.Host(
            name, str(variables.get("ansible_host") or name), _port(port),
            tuple(sorted(groups)), str(variables.get("ansible_connection") or ""),
            tuple(word.strip() for word in map(str, listed) if word.strip()),
        )  # fmt: skip

    def _depths(self) -> dict[str, int]:
        depths = dict.fromkeys(self.groups, 1)
        for _ in self.groups:
            changed = False
            for name, group in self.groups.items():
                for child in group.children:
                    if depths[child] <= depths[name]:
                        depths[child], changed = depths[name] + 1, True
            if not changed:
                break
        return depths | {"all": 0}


def _port(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 5 else None


def _bare(pattern: str) -> str:
    return pattern[1:-1] if pattern.startswith("[") and names.address_of(pattern[1:-1]) else pattern


def expand(pattern: str) -> Iterator[str]:
    """`web[01:10]` and `db-[a:f:2]` as Ansible expands them, several ranges too. Raises ValueError."""
    found = _RANGE.search(pattern)
    if not found:
        if not pattern or any(c in pattern for c in "[]"):
            raise ValueError(f"{pattern!r} is no name of hosts; a range is written [01:10] or [a:f]")
        yield pattern
        return
    for middle in _range(found[1] or "0", found[2], int(found[3] or 1), pattern):
        for rest in expand(pattern[found.end() :]) if found.end() < len(pattern) else ("",):
            yield pattern[: found.start()] + middle + rest


def _range(first: str, last: str, step: int, pattern: str) -> list[str]:
    letters = string.ascii_letters
    width = len(first) if len(first) > 1 and first.startswith("0") else 0
    if step < 1 or (width and len(last) != width):
        raise ValueError(f"{pattern!r}: the range needs a step of 1 or more and ends of equal width")
    if first.isdecimal() and last.isdecimal() and first.isascii() and last.isascii():
        if int(last) - int(first) > HOSTS_MAX:
            raise ValueError(f"{pattern!r}: more than {HOSTS_MAX} hosts")
        made = [str(number).zfill(width) for number in range(int(first), int(last) + 1, step)]
    elif len(first) == len(last) == 1 and first in letters and last in letters:
        made = list(letters[letters.index(first) : letters.index(last) + 1 : step])
    else:
        raise ValueError(f"{pattern!r}: a range is of numbers or of single letters")
    if not made:
        raise ValueError(f"{pattern!r}: the range ends before it begins")
    return made


def looked_at(variables: Mapping[str, Any]) -> dict[str, Any]:
    """The variables that matter here."""
    return {key: value for key, value in variables.items() if key in LOOKED_AT}
