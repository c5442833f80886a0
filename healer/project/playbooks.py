"""Playbooks and roles that something runs, as far as their YAML says itself what is wrong with them. Caller: `loading`.

Ansible reads them when they run; that a file is no YAML, or no list of plays or tasks, need not wait for the night. What only Ansible can
judge is left to it: where a name leads to by its own settings is a warning.
"""

from __future__ import annotations

import pathlib
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from healer import catalog, config, errors, templates, wording
from healer.catalog import entries
from healer.project import tree

BYTES_MAX: Final = 1 << 20
"""A larger one is left to Ansible."""
ROLES: Final = ("~/.ansible/roles", "/usr/share/ansible/roles")
"""Where roles lie beside those of the project."""
_VAULT: Final = b"$ANSIBLE_VAULT;"
_TASKS: Final = ("tasks", "handlers")
_PARTS: Final[Mapping[str, bool]] = {**dict.fromkeys(_TASKS, True), "defaults": False, "vars": False, "meta": False}
"""The folders of a role of which `main` is read of itself, and whether it is a list of tasks; else it is a mapping."""
_OF_PLAY: Final = ("pre_tasks", "tasks", "post_tasks", "handlers")
_OF_BLOCK: Final = ("block", "rescue", "always")
_IMPORTS: Final = ("import_tasks", "include_tasks")
_BUILTIN: Final = "ansible.builtin."


def mistakes(
    files: tree.Tree, written: Iterable[catalog.Written], playbooks: Iterable[str]
) -> Iterator[errors.Diagnostic]:
    """What is wrong with what actions name, and with the `playbooks` that rules run by themselves: each file once."""
    runs = dict.fromkeys(found for found in map(catalog.runs, written) if found is not None)
    subjects = dict.fromkeys((*runs, *(("playbook", path) for path in sorted(playbooks))))
    for kind, subject in subjects:
        if kind == "playbook" and subject in files.files:
            yield from _Reading(files, subject).playbook()
        elif kind == "role" and subject.startswith(f"{entries.ROLES}/"):
            for part, tasks in _PARTS.items():
                main = (f"{subject}/{part}/main{ending}" for ending in (".yml", ".yaml"))
                if path := next((path for path in main if path in files.files), ""):
                    yield from _Reading(files, path).part(tasks=tasks)


class _Reading:
    """One file."""

    def __init__(self, files: tree.Tree, path: str) -> None:
        self.files = files
        self.path = path
        self.document = config.Document(path, "")
        raw = b""
        if files.files[path].bytes <= BYTES_MAX:
            try:
                raw = (files.root / path).read_bytes()
            except OSError:
                return  # which is told of all files
        if raw and not raw.startswith(_VAULT):
            self._read(raw)

    def _read(self, raw: bytes) -> None:
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            self.document.error("unreadable", "the file is not UTF-8", config.place_of(error, raw))
            return
        read = config.read_text(text, self.path, twice="warning", ansible=True)
        if read.unparsed or read.ok:  # what is valid YAML and beyond our own bounds is for Ansible to judge
            self.document = read

    def playbook(self) -> Iterator[errors.Diagnostic]:
        """It is a list of plays."""
        for play, at in self._items(self.document.value, "a playbook is a list of plays", (1, 1, 1)):
            if not isinstance(play, config.Map):
                self.document.error("playbook", f"a play is a mapping, got {wording.shown(play)}", at)
                continue
            name = play.get("import_playbook", play.get(f"{_BUILTIN}import_playbook"))
            if isinstance(name, str) and not (name.count(".") == 2 and "/" not in name):
                self._there(name, play.values_at.get("import_playbook") or at, "playbook")
            roles = play.get("roles")
            for role, mark in zip(roles, roles.items_at, strict=True) if isinstance(roles, config.Seq) else ():
                self._role(role, mark)
            for key in _OF_PLAY:
                self._tasks(play.get(key), f"{key} are a list of tasks", play.values_at.get(key))
        yield from self.document.diagnostics

    def part(self, *, tasks: bool) -> Iterator[errors.Diagnostic]:
        """It is what the folder says in which it lies."""
        value = self.document.value
        if tasks:
            self._tasks(value, "it is a list of tasks", (1, 1, 1))
        elif value is not None and not isinstance(value, config.Map):
            self.document.error(
                "role", f"it is a mapping, got {wording.shown(value)}", getattr(value, "mark", (1, 1, 1))
            )
        yield from self.document.diagnostics

    def _items(self, value: Any, what: str, mark: config.Mark | None) -> Iterator[tuple[Any, config.Mark]]:
        """A list's items with their marks; anything else, but nothing, is told."""
        if isinstance(value, config.Seq):
            yield from zip(value, value.items_at, strict=True)
        elif value is not None:
            self.document.error("playbook", f"{what}, got {wording.shown(value)}", getattr(value, "mark", mark))

    def _tasks(self, value: Any, what: str, mark: config.Mark | None) -> None:
        if templates.is_template(value) if isinstance(value, str) else False:
            return
        for task, at in self._items(value, what, mark):
            if not isinstance(task, config.Map):
                self.document.error("playbook", f"a task is a mapping, got {wording.shown(task)}", at)
                continue
            for key in _OF_BLOCK:
                self._tasks(task.get(key), f"{key} is a list of tasks", task.values_at.get(key))
            for key in (*_IMPORTS, *(_BUILTIN + one for one in _IMPORTS)):
                named = task.get(key)
                file = named.get("file") if isinstance(named, config.Map) else named
                if isinstance(file, str) and "=" not in file:
                    self._there(file, task.values_at.get(key), "file of tasks")

    def _there(self, name: str, at: config.Mark | None, what: str) -> None:
        """A file that is imported lies below one of many folders; where no file of the project ends so, it lies in none."""
        end = posixpath.normpath(name).lstrip("./")
        if not end or templates.is_template(name) or pathlib.PurePosixPath(name).is_absolute():
            return
        if not any(path == end or path.endswith(f"/{end}") for path in self.files.files):
            folder = posixpath.dirname(self.path)
            near = errors.nearest(name, [path[len(folder) + 1 :] for path in self.files.names(folder)])
            self.document.warning("no-file", f"the project has no {what} {name}", at, near)

    def _role(self, role: Any, at: config.Mark) -> None:
        named = role.get("role", role.get("name")) if isinstance(role, config.Map) else role
        if not isinstance(named, str) or templates.is_template(named) or "." in named or "/" in named:
            return
        inside = f"{entries.ROLES}/{named}/"
        ours = any(path.startswith(inside) or f"/{inside}" in path for path in self.files.files)
        others = any((pathlib.Path(place).expanduser() / named).is_dir() for place in ROLES)
        if not ours and not others and "ansible.cfg" not in self.files.files:
            names = {path.split("/")[1] for path in self.files.names(entries.ROLES)}
            self.document.warning("no-file", f"there is no role {named}", at, errors.nearest(named, names))
