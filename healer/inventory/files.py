"""The two forms of a static inventory, INI and YAML, read into groups, each mistake with its place.

The rules are those of ansible-core's plugins `ini` and `yaml`; a test compares with `ansible-inventory --list`.
"""

from __future__ import annotations

import ast
import pathlib
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Final

from healer import config, errors
from healer.inventory.groups import Group, Reading, looked_at
from healer.inventory.names import Inventory

LINE_MAX: Final = 16_384
_IGNORED: Final = re.compile(
    r"^\.|^(host_vars|group_vars|vars_plugins)$|(\.(pyc|pyo|swp|bak|rpm|md|txt|rst|orig|cfg|retry)|~)$"
)
_SECTION: Final = re.compile(r"\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?")
_CHILD: Final = re.compile(r"([^:\]\s]+)\s*(?:#.*)?")


def parse(files: Mapping[str, str]) -> tuple[Inventory, list[errors.Diagnostic]]:
    """Read the files (path as shown to people → text) as one inventory, in Ansible's order."""
    reading = Reading()
    alone = len(files) == 1
    for file in sorted(files):
        parts = pathlib.PurePosixPath(file).parts
        if any(_IGNORED.search(part) for part in (parts[:-1] if alone else parts) if part != ".."):
            continue
        _read(reading, file, files[file])
    return reading.inventory(), reading.diagnostics


def _read(reading: Reading, file: str, text: str) -> None:
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


def _dynamic(reading: Reading, file: str, text: str, what: str) -> None:
    message = f"{what} makes an inventory; it is not run, and its hosts are not known here"
    first = text.splitlines()[0] if text else ""
    try_ = "ansible-inventory --list --yaml --output FILE writes a static one"
    place = errors.Place(file, 1, 1)
    reading.diagnostics.append(errors.Diagnostic("dynamic-inventory", message, place, "hint", first, len(first), try_))


class _Ini:
    """ansible-core's `ini`: sections of hosts, variables or children."""

    def __init__(self, reading: Reading, document: config.Document) -> None:
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
            self.reading.groups[self.group].variables |= looked_at({name.strip(): _value(value.strip())})
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
        self.reading.groups.setdefault(group, Group())

    def child(self, line: str, mark: config.Mark) -> None:
        found = _CHILD.fullmatch(line)
        if not found:
            raise ValueError("a line of children is the name of a group")
        if found[1] not in self.reading.groups:
            self.awaited[found[1]] = (mark, f"the group {found[1]!r} is not defined")
            self.reading.groups[found[1]] = Group()
        self.reading.add_child(self.group, found[1])

    def hosts(self, line: str) -> None:
        if len(line) > LINE_MAX:  # shlex takes the square of it
            raise ValueError(f"the line has {len(line)} characters, more than {LINE_MAX}")
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

    def __init__(self, reading: Reading, document: config.Document) -> None:
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
        group = self.reading.groups.setdefault(name, Group())
        for key, inner in self.mapping(body, f"the group {name!r}", mark):
            at = body.keys_at[key]
            if key not in ("hosts", "vars", "children"):
                hint = errors.nearest(str(key), ("hosts", "vars", "children"))
                self.document.warning("inventory", f"{key!r} means nothing in a group", at, hint)
                continue
            items = _lone(inner, at) if isinstance(inner, str) else inner
            for word, value in self.mapping(items, f"{key} of {name!r}", at):
                self.item(name, group, str(key), (str(word), value), items.keys_at[word])

    def item(self, name: str, group: Group, key: str, item: tuple[str, Any], at: config.Mark) -> None:
        word, value = item
        try:
            if key == "hosts":
                self.reading.add_hosts(name, word, dict(self.mapping(value, f"the host {word!r}", at)))
            elif key == "vars":
                group.variables |= looked_at({word: value})
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


def _lone(name: str, mark: config.Mark) -> config.Map:
    """Ansible takes a lone name for a mapping of it to nothing."""
    made = config.Map(mark)
    made[name], made.keys_at[name] = None, mark
    return made


def _value(text: str) -> Any:
    """As Ansible: a Python literal where it is one, else the text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
