"""Files in the wrong folder, plugins that would take the place of a built-in one, and what the daemon writes among what is read.

Caller: `loading`. Why that is refused and not left out of what is read: `data_dir: rulebooks` would be a project without
rules, and nothing would say so.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from healer import config, errors, plugins
from healer.project import settings
from healer.project.tree import FILES, FOLDERS, Tree

_YAML: Final = (".yml", ".yaml")
_LISTED: Final[Mapping[plugins.Kind, str]] = {
    "controllers": "controllers are listed in controllers.yaml",
    "checks": "checks are written where they are wanted: in a source check, and as check: of actions and verify",
    "sources": "sources are listed in rulebooks and, shared, in healer.yaml",
}
_FOLDER: Final = "or one outside the project"
_WRITTEN: Final = {
    "data_dir": ("data-dir", "the data directory", f"take a folder of its own, as .healer, {_FOLDER}"),
    "log.dir": ("log-dir", "the folder of the logs", f"take a folder of its own, as logs, {_FOLDER}"),
    "control.socket": (
        "control-socket",
        "the control socket",
        "leave it out (it is in the data directory then), or take a place outside the project",
    ),
}
"""Setting → (code, what it is, what to do)."""


def mistakes(tree: Tree) -> Iterator[errors.Diagnostic]:
    """Each file that lies where it will never be read, and each plugin named as a built-in one."""
    for kind, listed in _LISTED.items():
        taken = {*plugins.builtin_names(kind)} & plugins.project_names(kind, tree.root).keys()
        for path in tree.names(kind):
            name = pathlib.PurePosixPath(path)
            if name.suffix in _YAML and len(name.parts) == 2:
                yield _error("wrong-folder", path, f"this folder holds Python plugins; {listed}", "move it there")
            elif name.suffix == ".py" and len(name.parts) == 2 and name.stem in taken:
                message = f"healer has a {kind[:-1]} {name.stem!r} of its own, which this would take the place of"
                yield _error("plugin-shadows", path, message, "give the file another name")
    for path in tree.names("rulebooks"):
        if path.endswith(".py"):
            message = "this folder holds rulebooks; Python plugins lie in sources/, checks/ and controllers/"
            yield _error("wrong-folder", path, message, "move it there")


def among_read(
    tree: Tree, main: config.Document | None, read: settings.Read, inventories: Iterable[str]
) -> Iterator[errors.Diagnostic]:
    """Each place where the daemon would write among what it reads: the next load would fail, or be another revision."""
    there = list(inventories)
    for name, (code, what, try_) in _WRITTEN.items():
        section, _, key = name.rpartition(".")
        where = getattr(getattr(read.settings, section) if section else read.settings, key)
        if not where or not holds(tree, where, there):
            continue
        by = read.set_by.get(name)
        document = main if main is not None and not by else config.Document(by or "healer.yaml", "")
        inner = document.value.get(section) if section and isinstance(document.value, config.Map) else document.value
        mark = inner.values_at.get(key) if isinstance(inner, config.Map) else None
        message = f"{what} {where!r} lies where the project's own files are read from"
        yield document.diagnostic("error", code, message, mark, try_)


def holds(tree: Tree, where: str, inventories: Iterable[str]) -> bool:
    """Whether a path (relative to the project, or absolute) is or lies in what the project reads, links resolved.

    What the project would read counts as well as what was: the daemon makes its data directory.
    """
    read = {_real(tree, name) for name in (*FILES, *FOLDERS, *inventories)} | tree.folders
    real = pathlib.Path(_real(tree, where))
    return any(str(folder) in read for folder in (real, *real.parents))


def _real(tree: Tree, path: str) -> str:
    try:
        return os.path.realpath(tree.root / path)
    except ValueError:  # no name that a file could have; who opens it says so
        return os.path.normpath(tree.root / path)


def _error(code: str, path: str, message: str, try_: str = "") -> errors.Diagnostic:
    return errors.Diagnostic(code, message, errors.Place(path), try_=try_)
