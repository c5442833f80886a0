"""Playbooks and roles that something runs, as far as their YAML says itself what is wrong with them. Caller: `loading`.

Ansible reads them when they run; that a file is no YAML, or no list of plays or tasks, need not wait for the night. What only Ansible can
judge is left to it: where a name leads to by its own settings is a warning.
"""

from __future__ import annotations

import pathlib
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from healer import catalog, config, errors, templates, wording
from healer.catalog import entries
from healer.project import configured, controllers, locating, roles, tree

BYTES_MAX: Final = 1 << 20
"""A larger one is left to Ansible."""
_VAULT: Final = b"$ANSIBLE_VAULT;"
_TASKS: Final = ("tasks", "handlers")
_PARTS: Final[Mapping[str, bool]] = {**dict.fromkeys(_TASKS, True), "defaults": False, "vars": False, "meta": False}
"""The folders of a role of which `main` is read of itself, and whether it is a list of tasks; else it is a mapping."""
_OF_PLAY: Final = ("pre_tasks", "tasks", "post_tasks", "handlers")
_OF_BLOCK: Final = ("block", "rescue", "always")
_BUILTIN: Final = "ansible.builtin."
_PREFIXES: Final = ("", _BUILTIN, "ansible.legacy.")
_IMPORTS: Final = tuple(prefix + name for prefix in _PREFIXES for name in ("import_tasks", "include_tasks"))
_ROLES: Final = tuple(prefix + name for prefix in _PREFIXES for name in ("import_role", "include_role"))
_NAMED: Final = re.compile(r"""(?:^|\s)(?:name|role)=(?:"([^"]*)"|'([^']*)'|(\S+))""")
"""The role in `import_role: name=x tasks_from=y`."""
_MAKE: Final = "make the file, or mend the name"
HEAD_BYTES: Final = 4096
_OF_VARIABLES: Final = ("", ".yml", ".yaml", ".json")
_COLLECTIONS: Final = "collections"
"""Names collections in which Ansible looks for roles first."""


def mistakes(
    files: tree.Tree,
    written: Iterable[catalog.Written],
    playbooks: Iterable[str],
    reached: Iterable[controllers.Controller],
) -> Iterator[errors.Diagnostic]:
    """What is wrong with what actions name, and with the `playbooks` that rules run by themselves: each file once. `reached`: all the
    controllers."""
    reached = [*reached]
    elsewhere = any(spec.kinds & {"playbook", "role"} and any(map(spec.options.get, spec.machines)) for spec in reached)
    known = roles.Roles(files, elsewhere=elsewhere)
    runs = dict.fromkeys(found for found in map(catalog.runs, written) if found is not None)
    subjects = dict.fromkeys((*runs, *(("playbook", path) for path in sorted(playbooks))))
    ours = [spec for spec in reached if "playbook" in spec.kinds]
    if ours:
        vault = not all(spec.options.get("vault_password") for spec in ours)
        yield from configured.unreached(files.content(configured.CONFIG) or b"", files.files, vault=vault)
    for kind, subject in subjects:
        if kind == "playbook" and subject in files.files:
            yield from _Reading(files, subject, known).playbook()
        elif kind == "role" and subject.startswith(f"{entries.ROLES}/"):
            yield from _role(files, subject, known)


def _role(files: tree.Tree, subject: str, known: roles.Roles) -> Iterator[errors.Diagnostic]:
    read: dict[str, _Reading] = {}
    for part in _PARTS:
        main = (f"{subject}/{part}/main{ending}" for ending in locating.MAIN_ENDINGS)
        if path := next((path for path in main if path in files.files), ""):
            read[part] = _Reading(files, path, known)
    about = read["meta"].document.value if "meta" in read else None
    judged = not (isinstance(about, config.Map) and _COLLECTIONS in about)
    for part, reading in read.items():
        yield from reading.part(part, judged=judged)


class _Reading:
    """One file."""

    def __init__(self, files: tree.Tree, path: str, known: roles.Roles) -> None:
        self.files = files
        self.path = path
        self.known = known
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
            self.document.error("unreadable", "the file is not UTF-8", config.place_of(error, raw), config.AS_UTF8)
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
            judged = _COLLECTIONS not in play
            self._roles(play.get("roles"), judged=judged)
            self._variables(play.get("vars_files"), play.values_at.get("vars_files"))
            for key in _OF_PLAY:
                self._tasks(play.get(key), f"{key} are a list of tasks", play.values_at.get(key), judged=judged)
        yield from self.document.diagnostics

    def part(self, part: str, *, judged: bool) -> Iterator[errors.Diagnostic]:
        """It is what the folder says in which it lies. `judged`: whether it may be said that a role is nowhere."""
        value = self.document.value
        if part == "meta" and isinstance(value, config.Map):
            self._roles(value.get("dependencies"), judged=judged)
        if _PARTS[part]:
            self._tasks(value, "it is a list of tasks", (1, 1, 1), judged=judged)
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

    def _tasks(self, value: Any, what: str, mark: config.Mark | None, *, judged: bool) -> None:
        if templates.is_template(value) if isinstance(value, str) else False:
            return
        for task, at in self._items(value, what, mark):
            if not isinstance(task, config.Map):
                self.document.error("playbook", f"a task is a mapping, got {wording.shown(task)}", at)
                continue
            self._async(task)
            known = judged and _COLLECTIONS not in task
            for key in _OF_BLOCK:
                self._tasks(task.get(key), f"{key} is a list of tasks", task.values_at.get(key), judged=known)
            for key in _ROLES:
                if known and key in task:
                    self._named(_role_of(task[key], task.get("args")), task.values_at.get(key))
            for key in _IMPORTS:
                named = task.get(key)
                file = named.get("file") if isinstance(named, config.Map) else named
                if isinstance(file, str) and "=" not in file:
                    self._there(file, task.values_at.get(key), "file of tasks")

    def _async(self, task: config.Map) -> None:
        if task.get("async") not in (None, 0, "0", ""):
            message = "behind ssh it goes on after its run was cancelled or timed out, for as long as async says"
            at = task.values_at.get("async")
            self.document.diagnostic("hint", "async-task", message, at, "a timeout of the action, and no async")

    def _there(self, name: str, at: config.Mark | None, what: str) -> None:
        """A file that is imported lies below one of many folders; where no file of the project ends so, it lies in none."""
        end = posixpath.normpath(name).lstrip("./")
        if not end or templates.is_template(name) or pathlib.PurePosixPath(name).is_absolute():
            return
        if not any(path == end or path.endswith(f"/{end}") for path in self.files.files):
            folder = posixpath.dirname(self.path)
            others = (path for path in self.files.names(folder) if path != self.path)
            near = errors.nearest(name, [path[len(folder) + 1 :] for path in others])
            self.document.warning("no-file", f"the project has no {what} {name}", at, near or _MAKE)

    def _roles(self, listed: Any, *, judged: bool) -> None:
        """The roles of a play, or those that a role depends on; `src` is one that ansible-galaxy gets."""
        for role, at in zip(listed, listed.items_at, strict=True) if judged and isinstance(listed, config.Seq) else ():
            if not isinstance(role, config.Map):
                self._named(role, at)
            elif "src" not in role:
                self._named(role.get("role", role.get("name")), at)

    def _named(self, name: Any, at: config.Mark | None) -> None:
        try_ = self.known.missing(name, self.path) if isinstance(name, str) else None
        if try_ is not None:
            self.document.warning("no-file", f"there is no role {name}", at, try_)

    def _variables(self, listed: Any, mark: config.Mark | None) -> None:
        """Of a list in the list Ansible takes the first that is there; it passes over what is nowhere."""
        items = zip(listed, listed.items_at, strict=True) if isinstance(listed, config.Seq) else [(listed, mark)]
        for item, at in items:
            names = [one for one in item if isinstance(one, str)] if isinstance(item, config.Seq) else [item]
            if not names or not all(isinstance(one, str) and one and not templates.is_template(one) for one in names):
                continue
            wanted = {path: name for name in names for path in self._places_of(name)}
            outside = any(name.startswith(("/", "~")) for name in names) or any(
                path.startswith("../") for path in wanted
            )
            if not outside and not self.files.files.keys() & wanted.keys():
                message = f"the project has no file of variables {' or '.join(names)}, and Ansible passes over it"
                self.document.warning("no-file", message, at, self._instead(wanted))

    def _places_of(self, name: str) -> Iterator[str]:
        """Where Ansible looks for a file of variables."""
        folder = posixpath.dirname(self.path)
        if not name.startswith("vars/"):
            yield posixpath.normpath(posixpath.join(folder, "vars", name))
        yield posixpath.normpath(posixpath.join(folder, name))

    def _instead(self, wanted: Mapping[str, str]) -> str:
        for path, name in wanted.items():
            if (self.files.root / path).is_file():
                return f"no run gets {path}: move it to playbooks/vars/, or to vars/"
            folder = posixpath.dirname(path)
            beside = [one for one in self.files.names(folder) if posixpath.dirname(one) == folder]
            near = [
                posixpath.join(posixpath.dirname(name), posixpath.basename(one))
                for one in beside
                if self._may_be_variables(one)
            ]
            if found := errors.nearest(name, near):
                return found
        return _MAKE

    def _may_be_variables(self, path: str) -> bool:
        """No playbook and no tasks, which are lists, and nothing that is neither YAML nor JSON."""
        if path == self.path or posixpath.splitext(path)[1] not in _OF_VARIABLES:
            return False
        try:
            with (self.files.root / path).open("rb") as file:
                lines = file.read(HEAD_BYTES).decode("utf-8-sig", "replace").splitlines()
        except OSError:
            return False
        said = (line for line in map(str.strip, lines) if line and not line.startswith(("#", "---", "%")))
        return not next(said, "").startswith(("-", "["))


def _role_of(named: Any, beside: Any) -> Any:
    """The role that `import_role` or `include_role` names; None where that is no text that can be read here."""
    if isinstance(named, str):
        found = None if templates.is_template(named) else _NAMED.search(named)
        return next((one for one in found.groups() if one is not None), None) if found else None
    given = beside if named is None else named
    return given.get("name", given.get("role")) if isinstance(given, config.Map) else None
