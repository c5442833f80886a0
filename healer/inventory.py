"""Static inventories of Ansible (INI and YAML), read as Ansible reads them, and what a sender means by a name.

`project` reads the files and hands their texts in; `decide` and `intake` resolve what events call a target. Why our own
reading: every event asks, ansible-inventory takes half a second, and mistakes have to be shown where they stand. Pure.
The rules are those of ansible-core's plugins `ini` and `yaml`; a test compares with `ansible-inventory --list`.
"""

from __future__ import annotations

import ast
import dataclasses
import ipaddress
import pathlib
import re
import shlex
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from healer import config, errors, model

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


# --- reading --------------------------------------------------------------------------------------------------------


class _Group:
    __slots__ = ("children", "hosts", "variables")

    def __init__(self) -> None:
        self.hosts: dict[str, None] = {}
        self.children: dict[str, None] = {}
        self.variables: dict[str, Any] = {}


class _Reading:
    def __init__(self) -> None:
        self.groups: dict[str, _Group] = {"all": _Group(), "ungrouped": _Group()}
        self.hosts: dict[str, dict[str, Any]] = {}
        self.diagnostics: list[errors.Diagnostic] = []

    def add_hosts(self, group: str, pattern: str, variables: Mapping[str, Any]) -> None:
        """Raises ValueError for a range that is none, or too many hosts."""
        found = _PORT.fullmatch(pattern) if not pattern.endswith("]") else None
        name, port = (found[1] or found[2], int(found[3])) if found else (_bare(pattern), None)
        for host in expand(name):
            known = self.hosts.setdefault(host, {})
            known |= {"ansible_port": port} if port is not None else {}
            known |= {key: value for key, value in variables.items() if key in LOOKED_AT}
            self.groups[group].hosts[host] = None
        if len(self.hosts) > HOSTS_MAX:
            raise ValueError(f"more than {HOSTS_MAX} hosts")

    def add_child(self, group: str, child: str) -> None:
        """Raises ValueError for a group that would lie in itself."""
        if child == "all" or group == child or group in self.below(child):
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

    def inventory(self) -> Inventory:
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
        return Inventory({host: self._host(host, own) for host, own in of_host.items()}, groups)

    def _host(self, name: str, groups: Sequence[str]) -> Host:
        variables: dict[str, Any] = dict(self.groups["all"].variables)
        for group in groups or ["ungrouped"]:  # the deeper wins, then the later in the alphabet
            variables |= self.groups[group].variables
        variables |= self.hosts[name]
        aliases = variables.get("healer_aliases") or ()
        listed = (
            aliases.split(",") if isinstance(aliases, str) else aliases if isinstance(aliases, list | tuple) else ()
        )
        port = variables.get("ansible_port")
        return Host(
            name, str(variables.get("ansible_host") or name), int(port) if str(port).isdecimal() else None,
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


def parse(files: Mapping[str, str]) -> tuple[Inventory, list[errors.Diagnostic]]:
    """Read the files (path as shown to people → text) as one inventory, in Ansible's order."""
    reading = _Reading()
    alone = len(files) == 1
    for file in sorted(files):
        parts = pathlib.PurePosixPath(file).parts
        if any(_IGNORED.search(part) for part in (parts[:-1] if alone else parts) if part != ".."):
            continue
        _read(reading, file, files[file])
    return reading.inventory(), reading.diagnostics


def _read(reading: _Reading, file: str, text: str) -> None:
    suffix = pathlib.PurePosixPath(file).suffix
    if text.startswith("#!"):
        _dynamic(reading, file, text, "a program")
        return
    if suffix in ("", ".yml", ".yaml", ".json"):
        document = config.read_text(text, file)
        if suffix or (document.ok and isinstance(document.value, config.Map)):
            if isinstance(document.value, config.Map) and "plugin" in document.value:
                _dynamic(reading, file, text, "a configuration of an inventory plugin")
                return
            _Yaml(reading, document).read()
            reading.diagnostics += document.diagnostics
            return
    _Ini(reading, config.Document(file, text)).read()


def _dynamic(reading: _Reading, file: str, text: str, what: str) -> None:
    message = f"{what} makes an inventory; it is not run, and its hosts are not known here"
    first = text.splitlines()[0] if text else ""
    try_ = "ansible-inventory --list --yaml --output FILE writes a static one"
    place = errors.Place(file, 1, 1)
    reading.diagnostics.append(errors.Diagnostic("dynamic-inventory", message, place, "hint", first, len(first), try_))


class _Ini:
    """ansible-core's `ini`: sections of hosts, variables or children."""

    def __init__(self, reading: _Reading, document: config.Document) -> None:
        self.reading = reading
        self.document = document
        self.group, self.kind = "ungrouped", "hosts"
        self.awaited: dict[str, tuple[config.Mark, str]] = {}

    def read(self) -> None:
        for number, raw in enumerate(self.document.lines, 1):
            line = raw.strip()
            if line and line[0] not in "#;":
                mark = (number, len(raw) - len(raw.lstrip()) + 1, len(line))
                try:
                    self.line(line, mark)
                except ValueError as error:
                    self.document.error("inventory", str(error), mark)
        for mark, message in self.awaited.values():
            self.document.error("inventory", message, mark)
        self.reading.diagnostics += self.document.diagnostics

    def line(self, line: str, mark: config.Mark) -> None:
        if line.startswith("[") and (found := _SECTION.fullmatch(line)):
            self.section(found[1], found[2] or "hosts", mark)
        elif line.startswith("[") and line.endswith("]") and ":" not in line:
            raise ValueError("a section is [group], [group:vars] or [group:children]")
        elif self.kind == "vars":
            name, equals, value = line.partition("=")
            if not equals:
                raise ValueError("a line of variables is name=value")
            self.reading.groups[self.group].variables |= _looked_at({name.strip(): _value(value.strip())})
        elif self.kind == "children":
            self.child(line, mark)
        else:
            self.hosts(line)

    def section(self, group: str, kind: str, mark: config.Mark) -> None:
        self.group, self.kind = group, kind
        if kind not in ("hosts", "vars", "children"):
            self.kind = "hosts"
            hint = errors.nearest(kind, ("hosts", "vars", "children"))
            self.document.error("inventory", f"[{group}:{kind}]: wanted is vars or children", mark, hint)
        if kind == "vars" and group not in self.reading.groups:
            self.awaited[group] = (mark, f"[{group}:vars] is for a group that is not defined")
        elif kind != "vars":
            self.awaited.pop(group, None)
        self.reading.groups.setdefault(group, _Group())

    def child(self, line: str, mark: config.Mark) -> None:
        found = _CHILD.fullmatch(line)
        if not found:
            raise ValueError("a line of children is the name of a group")
        if found[1] not in self.reading.groups:
            self.awaited[found[1]] = (mark, f"the group {found[1]!r} is not defined")
            self.reading.groups[found[1]] = _Group()
        self.reading.add_child(self.group, found[1])

    def hosts(self, line: str) -> None:
        words = shlex.split(line, comments=True)
        variables = {}
        for word in words[1:]:
            name, equals, value = word.partition("=")
            if not equals:
                raise ValueError(f"after a host stand variables as name=value, got {word!r}")
            variables[name] = _value(value)
        self.reading.add_hosts(self.group, words[0], variables)


class _Yaml:
    """ansible-core's `yaml`: groups with hosts, vars and children."""

    def __init__(self, reading: _Reading, document: config.Document) -> None:
        self.reading = reading
        self.document = document

    def read(self) -> None:
        value = self.document.value
        if not isinstance(value, config.Map):
            if self.document.ok:
                self.document.error("inventory", "an inventory is a mapping of groups", (1, 1, 1))
            return
        for name in value:
            self.group(str(name), value[name], value.keys_at[name])

    def group(self, name: str, body: Any, mark: config.Mark) -> None:
        group = self.reading.groups.setdefault(name, _Group())
        for key, inner in self.mapping(body, f"the group {name!r}", mark):
            at = body.keys_at[key]
            if key not in ("hosts", "vars", "children"):
                hint = errors.nearest(str(key), ("hosts", "vars", "children"))
                self.document.warning("inventory", f"{key!r} means nothing in a group", at, hint)
                continue
            if isinstance(inner, str):  # Ansible takes a lone name for a mapping of it
                inner = config.Map(at)
                inner[body[key]], inner.keys_at[body[key]] = None, at
            for word, value in self.mapping(inner, f"{key} of {name!r}", at):
                self.item(name, group, str(key), (str(word), value), inner.keys_at[word])

    def item(self, name: str, group: _Group, key: str, item: tuple[str, Any], at: config.Mark) -> None:
        word, value = item
        try:
            if key == "hosts":
                self.reading.add_hosts(name, word, dict(self.mapping(value, f"the host {word!r}", at)))
            elif key == "vars":
                group.variables |= _looked_at({word: value})
            else:
                self.group(word, value, at)
                if name != "all":
                    self.reading.add_child(name, word)
        except ValueError as error:
            self.document.error("inventory", str(error), at)

    def mapping(self, value: Any, what: str, mark: config.Mark) -> Iterator[tuple[Any, Any]]:
        if isinstance(value, config.Map):
            yield from value.items()
        elif value is not None:
            self.document.error("inventory", f"{what} has to be a mapping, got {type(value).__name__.lower()}", mark)


def _looked_at(variables: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in variables.items() if key in LOOKED_AT}


def _value(text: str) -> Any:
    """As Ansible: a Python literal where it is one, else the text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _bare(pattern: str) -> str:
    return pattern[1:-1] if pattern.startswith("[") and _address_of(pattern[1:-1]) else pattern


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
