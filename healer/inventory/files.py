"""The two forms of a static inventory, INI and YAML, read into groups, each mistake with its place.

The rules are those of ansible-core's plugins `ini` and `yaml`; a test compares with `ansible-inventory --list`.
"""

from __future__ import annotations

import abc
import ast
import contextlib
import pathlib
import re
import types
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from healer import config, errors, quoting, wording
from healer.inventory import names, variables, words
from healer.inventory.groups import LOOKED_AT, Reading, TooMuch, first
from healer.inventory.names import Inventory

LINE_MAX: Final = 16_384
"""Characters of a line that is looked into."""
LINES_MAX: Final = 1_000_000
MISTAKES_MAX: Final = 1_000
"""Of one file; after so many it is none of hosts."""
DYNAMIC: Final = "dynamic-inventory"
"""The code of a hint: this file has hosts that are not known here."""
COMPILED: Final = "\x7fELF"
"""Begins a program that is no text; so given, it stands for all of it."""
STATIC: Final = "the daemon has Ansible list them; ansible-inventory --list --yaml --output FILE writes a static one"
_IGNORED: Final = re.compile(
    r"^\.|^(host_vars|group_vars|vars_plugins)$|(\.(pyc|pyo|swp|bak|rpm|md|txt|rst|orig|cfg|retry)|~)$"
)
_SECTION: Final = re.compile(r"\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?")
_PLAIN: Final = re.compile(r"(?!(?:True|False|None)$)[A-Za-z_]\w*|\d+(?:\.\d+){3}", re.ASCII)
"""What is no literal at a glance: a name, an address."""
_CHILD: Final = re.compile(r"([^:\]\s]+)\s*(?:#.*)?")


def parse(
    files: Mapping[str, str],
    source: str = "",
    plays: Sequence[str] = (),
    counting: Mapping[str, Collection[config.Span]] = types.MappingProxyType({}),
) -> tuple[Inventory, list[errors.Diagnostic]]:
    """Read the files (path as shown to people → text) as one inventory, in Ansible's order.

    `source`: what Ansible is given, one of the files or the folder of them. `plays`: folders that playbooks lie in, that of most
    first. Beside the source and in these folders `group_vars/` and `host_vars/` count. `counting`: as of `config.read_text`, by
    file.
    """
    base = source.rpartition("/")[0] if source in files else source
    beside, *others = (variables.Folder(folder, files, counting) for folder in (base, *plays))
    reading = Reading(beside, others)
    for file in sorted(files):
        within = [] if file == source else pathlib.PurePosixPath(file.removeprefix(f"{source}/")).parts
        if any(folder.holds(file) for folder in (beside, *others)) or any(map(_IGNORED.search, within)):
            continue
        _read(reading, file, files[file], counting.get(file, ()))
        if reading.over:
            break
    try:
        made = reading.inventory()
    except TooMuch as error:
        reading.diagnostics.append(errors.Diagnostic("inventory", str(error), errors.Place(min(files))))
        made = reading.inventory()
    useless = [] if reading.over else sorted(reading.useless(made), key=_standing)[:MISTAKES_MAX]
    told = [one for folder in (beside, *others) for one in folder.told(reading.veiled)]
    return made, [*reading.diagnostics, *(one for one in told if one not in useless), *useless]


def _standing(one: errors.Diagnostic) -> tuple[str, int, int]:
    return one.place.file, one.place.line, one.place.column


def _read(reading: Reading, file: str, text: str, counting: Collection[config.Span]) -> None:
    suffix = pathlib.PurePosixPath(file).suffix
    if text.startswith(("#!", COMPILED)):
        shown = text if text.startswith("#!") else ""
        _unknown(reading, file, shown, "a program makes an inventory; it is not run", STATIC)
        return
    if text.startswith(variables.VAULT):
        try_ = "encrypt what is secret in group_vars/ and host_vars/, and leave the hosts readable"
        _unknown(reading, file, text, "an inventory is encrypted", try_)
        return
    if suffix in ("", ".yml", ".yaml", ".json"):
        document = config.read_text(text, file, counting=counting, ansible=True)
        if suffix or isinstance(document.value, config.Map):
            if isinstance(document.value, config.Map) and "plugin" in document.value:
                what = "a configuration of an inventory plugin makes an inventory; it is not run"
                _unknown(reading, file, text, what, STATIC, document.value.keys_at["plugin"][0])
                return
            _Yaml(reading, document).read()
            return
    _Ini(reading, config.Document(file, text)).read()


def _unknown(reading: Reading, file: str, text: str, what: str, try_: str, line: int = 1) -> None:
    reading.partial = True
    message = f"{what}, and its hosts are not known here"
    first = text.splitlines()[line - 1] if text else ""
    shown, moved, width = quoting.excerpt(first, 1, max(1, len(first)))
    place = errors.Place(file, line, 1)
    reading.diagnostics.append(errors.Diagnostic(DYNAMIC, message, place, "hint", shown, width, try_, moved=moved))


class _Ended(Exception):
    """It became too much, which is told."""


class _Form(abc.ABC):
    """What both forms share: a file, and what was read before it."""

    def __init__(self, reading: Reading, document: config.Document) -> None:
        self.reading = reading
        self.document = document

    def read(self) -> None:
        """All of the file, or as much as there may be."""
        with contextlib.suppress(_Ended):
            self.whole()
        self.reading.diagnostics += self.document.diagnostics

    @abc.abstractmethod
    def whole(self) -> None:
        """Read it. Raises _Ended."""

    def wrong(
        self, message: object, mark: config.Mark | None, try_: str = "", severity: errors.Severity = "error"
    ) -> None:
        """Tell a mistake. Raises _Ended where it is the last that is told."""
        self.document.diagnostic(severity, "inventory", str(message), mark, try_)
        if not self.reading.over and len(self.document.diagnostics) >= MISTAKES_MAX:
            self.reading.over = True
            last = f"more than {MISTAKES_MAX} mistakes; what follows was not read"
            self.document.error("inventory", last, mark)
        if self.reading.over:
            raise _Ended

    def doubt_host(self, pattern: str, mark: config.Mark | None) -> None:
        """Tell where a host, or what a range stands for, can never be a target. Raises _Ended."""
        name = first(pattern)
        if why := names.unfit_host(name):
            self.wrong(f"the host {config.shown(name)} is never a target: {why}", mark, severity="warning")

    def doubt(self, given: Mapping[str, Any], mark: config.Mark | None) -> None:
        """Tell of variables that can never work. Raises _Ended."""
        if why := variables.odd_address(given):
            self.wrong(why, mark, severity="warning")


class _Ini(_Form):
    """ansible-core's `ini`: sections of hosts, variables or children."""

    def __init__(self, reading: Reading, document: config.Document) -> None:
        super().__init__(reading, document)
        self.group, self.kind = "ungrouped", "hosts"
        self.given: set[str] = set()
        """The names of variables of this section so far."""
        self.awaited: dict[str, tuple[config.Mark, str]] = {}

    def whole(self) -> None:
        lines = self.document.lines
        if len(lines) > LINES_MAX:
            self.reading.over = True
            self.wrong(f"the file has {len(lines)} lines, more than {LINES_MAX}", (LINES_MAX + 1, 1, 1))
        for number, raw in enumerate(lines, 1):
            line = raw.strip()
            if line and line[0] not in "#;":
                mark = (number, len(raw) - len(raw.lstrip()) + 1, len(line))
                try:
                    self.line(line, mark)
                except ValueError as error:
                    self.wrong(error, mark)
        for mark, message in self.awaited.values():
            self.wrong(message, mark)

    def line(self, line: str, mark: config.Mark) -> None:
        if line.startswith("[") and (found := _SECTION.fullmatch(line)):
            _within(line)
            self.section(found[1], found[2] or "hosts", mark)
        elif line.startswith("[") and line.endswith("]") and ":" not in line:
            raise ValueError("a section is [group], [group:vars] or [group:children]")
        elif self.kind == "vars":
            name, equals, value = line.partition("=")
            if not equals:
                raise ValueError("a line of variables is name=value")
            _once(name.strip(), self.given)
            if name.strip() in LOOKED_AT:
                _within(line)
                given = {name.strip(): _value(value.strip())}
                self.reading.add_variables(self.group, given)
                self.reading.said.note(self.document, given, mark)
                self.doubt(given, mark)
        elif self.kind == "children":
            self.child(line, mark)
        else:
            self.hosts(line, mark)

    def section(self, group: str, kind: str, mark: config.Mark) -> None:
        self.group, self.kind = group, kind
        self.given = set()
        if kind not in ("hosts", "vars", "children"):
            self.kind = "hosts"
            hint = errors.nearest(kind, ("hosts", "vars", "children"))
            self.wrong(f"after the colon stands vars or children, got {config.shown(kind)}", mark, hint)
        if kind == "vars" and group not in self.reading.groups:
            self.awaited[group] = (mark, f"the group {config.shown(group)} of these variables is not defined")
        elif kind != "vars":
            self.awaited.pop(group, None)
        self.reading.add_group(group)

    def child(self, line: str, mark: config.Mark) -> None:
        _within(line)
        found = _CHILD.fullmatch(line)
        if not found:
            raise ValueError("a line of children is the name of a group")
        if found[1] not in self.reading.groups:
            self.awaited[found[1]] = (mark, f"the group {config.shown(found[1])} is not defined")
            self.reading.add_group(found[1])
        self.reading.add_child(self.group, found[1])

    def hosts(self, line: str, mark: config.Mark) -> None:
        _within(line)
        host, *rest = words.split(line)
        given: set[str] = set()
        own = {}
        for word in rest:
            name, equals, value = word.partition("=")
            if not equals:
                raise ValueError(f"after a host stand variables as name=value, got {config.shown(word)}")
            _once(name, given)
            if name in LOOKED_AT:
                own[name] = _value(value)
        self.reading.add_hosts(self.group, host, own)
        self.reading.said.note(self.document, own, mark)
        self.doubt_host(host, mark)
        self.doubt(own, mark)


class _Yaml(_Form):
    """ansible-core's `yaml`: groups with hosts, vars and children."""

    def whole(self) -> None:
        value = self.document.value
        if not isinstance(value, config.Map):
            if self.document.ok:
                self.wrong("an inventory is a mapping of groups", (1, 1, 1))
            return
        for name in value:
            self.group(str(name), value[name], value.keys_at[name])

    def group(self, name: str, body: Any, mark: config.Mark) -> None:
        try:
            self.reading.add_group(name)
        except ValueError as error:
            self.wrong(error, mark)
        for key, inner in self.mapping(body, "the group", name, mark):
            at = body.keys_at[key]
            if key not in ("hosts", "vars", "children"):
                hint = errors.nearest(str(key), ("hosts", "vars", "children"))
                self.wrong(f"{config.shown(key)} means nothing in a group", at, hint, "warning")
                continue
            items = _lone(inner, at) if isinstance(inner, str) else inner
            for word, value in self.mapping(items, f"{key} of", name, at):
                self.item(name, str(key), (str(word), value), items.keys_at[word])

    def item(self, name: str, key: str, item: tuple[str, Any], at: config.Mark) -> None:
        word, value = item
        try:
            if key == "hosts":
                self.reading.add_hosts(name, word, dict(self.mapping(value, "the host", word, at)))
                self.doubt_host(word, at)
                if isinstance(value, config.Map):
                    self.reading.said.note(self.document, value, value.values_at.get("healer_aliases"))
                    self.doubt(value, value.values_at.get("ansible_host"))
            elif key == "vars":
                self.reading.add_variables(name, {word: value})
                self.reading.said.note(self.document, {word: value}, at)
                self.doubt({word: value}, at)
            else:
                self.group(word, value, at)
                if name != "all":
                    self.reading.add_child(name, word)
        except ValueError as error:
            said = str(error).partition(" ")[0]  # the name of a variable, where the mistake is in one
            self.wrong(error, value.values_at.get(said, at) if isinstance(value, config.Map) else at)

    def mapping(self, value: Any, what: str, name: str, mark: config.Mark) -> Iterator[tuple[Any, Any]]:
        if isinstance(value, config.Map):
            yield from value.items()
        elif value is not None:
            self.wrong(f"{what} {config.shown(name)} has to be a mapping, got {wording.shown(value)}", mark)


def _lone(name: str, mark: config.Mark) -> config.Map:
    """Ansible takes a lone name for a mapping of it to nothing."""
    made = config.Map(mark)
    made[name], made.keys_at[name] = None, mark
    return made


def _within(line: str) -> None:
    if len(line) > LINE_MAX:
        raise ValueError(f"the line has {len(line)} characters, more than {LINE_MAX}")


def _once(name: str, given: set[str]) -> None:
    if name in given:
        raise ValueError(f"the variable {config.shown(name)} stands here twice; one of them has to go")
    given.add(name)


def _value(text: str) -> Any:
    """As Ansible: a Python literal where it is one, else the text."""
    if _PLAIN.fullmatch(text):
        return text
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
