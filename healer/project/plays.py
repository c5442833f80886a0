"""The module or role that an action names, before a play of one is made of it. Caller: `checking`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from healer import config, errors, wording
from healer.catalog import entries
from healer.project import locating
from healer.project.tree import Tree

_FOLDER: Final = re.compile(rf"{entries.ROLES}(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+")


def check(document: config.Document, tree: Tree, kind: str, subject: str, at: config.Mark | None) -> None:
    """Say what is wrong with what an action of these kinds names; of any other kind, and of none, nothing."""
    if kind == "module" and subject and not all(part.isidentifier() for part in subject.split(".")):
        document.error("module", f"{subject!r} is no name of a module", at, "like ansible.builtin.service")
    elif kind == "role" and subject:
        _role(document, tree, subject, at)


def _role(document: config.Document, tree: Tree, subject: str, at: config.Mark | None) -> None:
    inside = f"{entries.ROLES}/"
    if not subject.startswith(inside):
        if locating.locate_role(subject, tree.root) is None:
            places = ", ".join(("collections/", *locating.COLLECTIONS))
            try_ = errors.nearest(subject, _names(tree)) or f"collections are looked for in {places}"
            document.error("no-file", f"no installed collection has a role {subject}", at, try_)
    elif not _FOLDER.fullmatch(subject):
        message = f"{wording.shown(subject.removeprefix(inside))} is no name of a role"
        document.error("role", message, at, f"a folder of {inside}, or NAMESPACE.COLLECTION.ROLE")
    elif not any(subject + file in tree.files for file in locating.ROLE_FILES):
        if next(tree.names(subject), None) is not None:
            document.error("no-file", f"{subject} has no tasks/main.yml and no meta/main.yml", at)
        else:
            document.error("no-file", f"there is no role {subject}", at, errors.nearest(subject, _names(tree)))


def _names(tree: Tree) -> Iterator[str]:
    """The roles of the project, as `subject` names them."""
    for path in tree.names(entries.ROLES):
        for file in locating.ROLE_FILES:
            if path.endswith(file):
                yield path.removesuffix(file)
