"""Groups and hosts while the files are read, and what Ansible makes of them: who lies where, whose variable counts.

The rules are those of ansible-core: a deeper group wins over one above it, a host's own variable over all.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from healer import config, errors
from healer.inventory import names, variables

HOSTS_MAX: Final = 200_000
GROUPS_MAX: Final = 50_000
RANGES_MAX: Final = 8
"""Of one pattern. A name has a few; each could double what the others make."""
STEPS_MAX: Final = 10_000_000
"""Hosts named, groups passed on the way down, hosts in groups: all that a short file can make many of."""
PRIORITY: Final = "ansible_group_priority"
LOOKED_AT: Final = (*variables.LOOKED_AT, PRIORITY)
_STEPS_OF_ALIAS: Final = 10
_DIGITS_MAX: Final = 18
_PRIORITY: Final = re.compile(r"-?[0-9]{1,18}")
_RANGE: Final = re.compile(r"\[([^:\[\]]*):([^:\[\]]+)(?::(\d+))?\]")
_PORT: Final = re.compile(r"((?:[^:\s\[\]]|\[[^\]\s]*\])+):(\d{1,5})")


class TooMuch(ValueError):
    """Nothing more is read after it, of any file."""


class Group:
    """Hosts and groups that lie in a group directly, and the variables of it that are looked at."""

    __slots__ = ("children", "hosts", "variables")

    def __init__(self) -> None:
        self.hosts: dict[str, None] = {}
        self.children: dict[str, None] = {}
        self.variables: dict[str, Any] = {}


class Reading:
    """All that was read so far, of all files. `beside`: variables beside the inventory, `plays`: beside playbooks."""

    def __init__(self, beside: variables.Folder, plays: Sequence[variables.Folder]) -> None:
        ways = ((beside, *plays[:1]), (beside,), *((beside, one) for one in plays[1:]))
        self.ways = [*dict.fromkeys(tuple(one for one in way if one) for way in ways)]
        """What variables there are for a playbook of the first folder, for a module, for playbooks of the other folders."""
        self.groups: dict[str, Group] = {"all": Group(), "ungrouped": Group()}
        self.hosts: dict[str, dict[str, Any]] = {}
        self.diagnostics: list[errors.Diagnostic] = []
        self.over = False
        """Whether it became too much."""
        self.partial = False
        """Whether there are hosts that are not known here, or what Ansible makes of this machine is not."""
        self.veiled = False
        """Whether a host would be local if nothing were encrypted."""
        self.said = variables.Said()
        """The aliases that stand in the inventory itself."""
        self._folders = (beside, *plays)
        self._steps = 0

    def add_group(self, name: str) -> Group:
        """The group of this name, a new one where there is none. Raises TooMuch."""
        if name not in self.groups and len(self.groups) >= GROUPS_MAX:
            raise self._too_much(f"more than {GROUPS_MAX} groups")
        return self.groups.setdefault(name, Group())

    def add_hosts(self, group: str, pattern: str, given: Mapping[str, Any]) -> None:
        """Raises ValueError for a range that is none, too many hosts, or a variable that cannot be."""
        found = _PORT.fullmatch(pattern)
        name, port = (found[1], int(found[2])) if found else (pattern, None)
        own = {"ansible_port": port} if port is not None else {}
        own |= looked_at(given)
        variables.check(own)
        members = self.groups[group].hosts
        for host in expand(_bare(name)):
            self._step(1)
            if host not in self.hosts and len(self.hosts) >= HOSTS_MAX:
                raise self._too_much(f"more than {HOSTS_MAX} hosts")
            self.hosts.setdefault(host, {}).update(own)
            members[host] = None

    def add_variables(self, group: str, given: Mapping[str, Any]) -> None:
        """Raises ValueError for a variable that cannot be."""
        own = looked_at(given)
        variables.check(own)
        self.groups[group].variables |= own

    def add_child(self, group: str, child: str) -> None:
        """Raises ValueError for a group that would lie in itself."""
        if child in ("all", group) or group in self.below(child):
            message = f"the group {config.shown(child)} cannot lie in {config.shown(group)}: it would lie in itself"
            raise ValueError(message)
        self.groups[group].children[child] = None

    def below(self, group: str) -> dict[str, None]:
        """The groups in a group, at any depth, itself first."""
        found = {group: None}
        waiting = [group]
        while waiting:
            children = self.groups[waiting.pop()].children
            self._step(1 + len(children))
            for child in children:
                if child not in found:
                    found[child] = None
                    waiting.append(child)
        return found

    def _step(self, count: int) -> None:
        self._steps += count
        if self._steps > STEPS_MAX:
            raise self._too_much(f"more than {STEPS_MAX} hosts and groups, each counted wherever it lies")

    def _too_much(self, message: str) -> TooMuch:
        self.over = True
        return TooMuch(message)

    def inventory(self) -> names.Inventory:
        """What all of it comes to; of what is too much the names alone. Raises TooMuch once."""
        if self.over:
            hosts = {host: names.Host(host, host) for host in self.hosts}
            return names.Inventory(hosts, dict.fromkeys(self.groups, ()), partial=True)
        depths = self._depths()
        groups: dict[str, tuple[str, ...]] = {}
        of_host: dict[str, list[str]] = {host: [] for host in self.hosts}
        for name in sorted(self.groups, key=lambda name: (depths[name], _priority(self.groups[name]), name)):
            if name in ("all", "ungrouped"):
                continue
            inside: dict[str, None] = {}
            for group in self.below(name):
                self._step(len(self.groups[group].hosts))
                inside |= self.groups[group].hosts
            groups[name] = tuple(inside)
            for host in inside:
                of_host[host].append(name)
        groups["all"] = tuple(self.hosts)
        groups["ungrouped"] = tuple(host for host, own in of_host.items() if not own)
        made = {host: self._host(host, own) for host, own in of_host.items()}
        return names.Inventory(made, groups, partial=self.partial or not self._here(), dynamic=self.partial)

    def useless(self, made: names.Inventory) -> Iterator[errors.Diagnostic]:
        """Aliases that some host has and that lead no event to it."""
        used = {alias for host in made.hosts.values() for alias in host.aliases}
        for said in (self.said, *(one.said for one in self._folders)):
            for alias in used & said.at.keys():
                found = made.resolve(alias)
                if isinstance(found, names.Refusal):
                    document, mark = said.at[alias]
                    message = f"the alias {alias!r} is never a target: {found.reason}"
                    yield document.diagnostic(
                        "warning", "alias", message, mark, "an alias is a name that one host alone has"
                    )

    def _host(self, name: str, groups: Sequence[str]) -> names.Host:
        """As playbooks of the first folder see it; this machine only if it is that for all."""
        self._step((len(self.ways) - 1) * len(groups))
        first, *others = (self._as(name, groups, places) for places in self.ways)
        elsewhere = next((one.connection or names.UNKNOWN for one in others if not one.here), "")
        return dataclasses.replace(first, connection=elsewhere) if elsewhere and first.here else first

    def _as(self, name: str, groups: Sequence[str], places: Sequence[variables.Folder]) -> names.Host:
        entered = groups or ["ungrouped"]  # the deeper wins, then the later in the alphabet
        layers = (
            self.groups["all"].variables,
            *(self.groups[group].variables for group in entered),
            *(place.of("group_vars", "all") for place in places),
            *(place.of("group_vars", group) for place in places for group in entered),
            self.hosts[name],
            *(place.of("host_vars", name) for place in places),
        )
        found = {key: value for layer in layers for key, value in layer.items()}
        aliases = variables.aliases(found)
        self._step(_STEPS_OF_ALIAS * len(aliases))  # one of a group stands for each host of it
        address, port = found.get("ansible_host"), variables.port(found)
        connection = found.get("ansible_connection")
        unclear = address is config.SEALED or port == 0
        if connection is config.SEALED or (not connection and (unclear or any(old in found for old in variables.OLD))):
            connection = names.UNKNOWN
            self.veiled |= any(layer.get("ansible_connection") == "local" for layer in layers)
        return names.Host(
            name, name if address is config.SEALED else str(address or name), port,
            tuple(sorted(groups)), str(connection or ""), aliases, variables.user(found),
        )  # fmt: skip

    def _here(self) -> bool:
        """Whether the hosts that Ansible has of itself, unless the inventory has them, are this machine."""
        return all(
            place.of("host_vars", name).get("ansible_connection", "local") == "local"
            for place in itertools.chain(*self.ways)
            for name in names.THIS_MACHINE
            if name not in self.hosts
        )

    def _depths(self) -> dict[str, int]:
        """How far each lies below `all` at the most; whoever lies in no group lies in `all`."""
        depths = dict.fromkeys(self.groups, 1) | {"all": 0}
        above = dict.fromkeys(self.groups, 0)
        for group in self.groups.values():
            for child in group.children:
                above[child] += 1
        waiting = [name for name, count in above.items() if not count]
        while waiting:
            name = waiting.pop()
            for child in self.groups[name].children:
                depths[child] = max(depths[child], depths[name] + 1)
                above[child] -= 1
                if not above[child]:
                    waiting.append(child)
        return depths


def _priority(group: Group) -> int:
    found = _PRIORITY.fullmatch(str(group.variables.get(PRIORITY, 1)))
    return int(found[0]) if found else 1


def _bare(pattern: str) -> str:
    return pattern[1:-1] if pattern.startswith("[") and names.address_of(pattern[1:-1]) else pattern


def expand(pattern: str) -> Iterable[str]:
    """`web[01:10]` and `db-[a:f:2]` as Ansible expands them, several ranges too. Raises ValueError."""
    if "[" not in pattern and 0 < len(pattern) <= names.TEXT_MAX and "]" not in pattern:
        return (pattern,)
    between: list[str] = []
    ranges: list[Sequence[str]] = []
    at = 0
    for found in _RANGE.finditer(pattern):
        if len(ranges) == RANGES_MAX:
            raise ValueError(f"{config.shown(pattern)}: more than {RANGES_MAX} ranges")
        between.append(pattern[at : found.start()])
        ranges.append(_range(found[1] or "0", found[2], found[3] or "1", pattern))
        if math.prod(map(len, ranges)) > HOSTS_MAX:
            raise ValueError(f"{config.shown(pattern)}: more than {HOSTS_MAX} hosts")
        at = found.end()
    between.append(pattern[at:])
    if not pattern or any(c in part for part in between for c in "[]"):
        raise ValueError(f"{config.shown(pattern)} is no name of hosts; a range is written [01:10] or [a:f]")
    if sum(map(len, between)) + sum(len(one[-1]) for one in ranges) > names.TEXT_MAX:
        raise _too_long(pattern)
    return _joined(between, ranges)


def first(pattern: str) -> str:
    """The first name that a pattern of hosts, with its port, stands for. Raises ValueError."""
    found = _PORT.fullmatch(pattern)
    return next(iter(expand(_bare(found[1] if found else pattern))))


def _joined(between: Sequence[str], ranges: Sequence[Sequence[str]]) -> Iterator[str]:
    for middles in itertools.product(*ranges):
        yield "".join(part + middle for part, middle in zip(between, (*middles, ""), strict=True))


def _range(first: str, last: str, step: str, pattern: str) -> Sequence[str]:
    letters = string.ascii_letters
    width = len(first) if len(first) > 1 and first.startswith("0") else 0
    by = int(step.lstrip("0")[:_DIGITS_MAX] or "0")
    if width > names.TEXT_MAX:
        raise _too_long(pattern)
    if by < 1 or (width and len(last) != width):
        raise ValueError(f"{config.shown(pattern)}: the range needs a step of 1 or more and ends of equal width")
    if first.isdecimal() and last.isdecimal() and first.isascii() and last.isascii():
        numbers = _numbers(first, last, by, pattern)
        made = [str(number).zfill(width) for number in numbers]
    elif len(first) == len(last) == 1 and first in letters and last in letters:
        made = list(letters[letters.index(first) : letters.index(last) + 1 : by])
    else:
        raise ValueError(f"{config.shown(pattern)}: a range is of numbers or of single letters")
    if not made:
        raise ValueError(f"{config.shown(pattern)}: the range ends before it begins")
    return made


def _numbers(first: str, last: str, step: int, pattern: str) -> range:
    if max(len(first.lstrip("0")), len(last.lstrip("0"))) <= _DIGITS_MAX:
        found = range(int(first), int(last) + 1, step)
        if int(last) - int(first) <= HOSTS_MAX:
            return found
    raise ValueError(f"{config.shown(pattern)}: more than {HOSTS_MAX} hosts")


def _too_long(pattern: str) -> ValueError:
    return ValueError(f"{config.shown(pattern)}: a name of a host has at most {names.TEXT_MAX} characters")


def looked_at(given: Mapping[str, Any]) -> dict[str, Any]:
    """The variables that matter here."""
    return {key: value for key, value in given.items() if key in LOOKED_AT}
