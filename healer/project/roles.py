"""Where the roles lie that playbooks name, as far as files say it. Caller: `playbooks`.

Ansible looks in `roles/` beside a playbook, in its `roles_path`, and beside the playbook itself. What is to be installed by
`ansible-galaxy` (`requirements.yml`), and what another machine has, is not known here, and nothing is said of it.
"""

from __future__ import annotations

import configparser
import os
import pathlib
import posixpath
import re
from collections.abc import Iterator
from typing import Any, Final

from healer import config, errors, templates
from healer.catalog import entries
from healer.project import tree

PLACES: Final = ("~/.ansible/roles", "/usr/share/ansible/roles")
"""Where roles lie beside those of the project."""
CONFIG: Final = "ansible.cfg"
REQUIREMENTS: Final = tuple(
    f"{folder}requirements.{ending}" for folder in ("", f"{entries.ROLES}/") for ending in ("yml", "yaml")
)
_DEFAULT: Final = (*PLACES, "/etc/ansible/roles")
"""Ansible's own, which hold with an `ansible.cfg` that says nothing of them."""
_ARCHIVE: Final = re.compile(r"\.git$|\.tar\.gz$|\.tgz$|\.zip$")


class Roles:
    """`elsewhere`: whether playbooks run on another machine, whose roles are not known."""

    def __init__(self, files: tree.Tree, *, elsewhere: bool) -> None:
        self._root = files.root
        self._folders = {str(folder) for path in files.files for folder in pathlib.PurePosixPath(path).parents}
        self._own = {one.name for one in map(pathlib.PurePosixPath, self._folders) if one.parent.name == entries.ROLES}
        self._places = None if elsewhere else _places(files)
        self._required = _required(files)

    def missing(self, name: str, playbook: str) -> str | None:
        """What to do about a role that a file names and that is nowhere ('': nothing is known); None: it is there, or may be."""
        judged = name and name.count(".") < 2 and "/" not in name and not templates.is_template(name)
        if not judged or self._places is None or self._required is None or name in self._required:
            return None
        folder = posixpath.dirname(playbook)
        if (name in self._own and not self._is_passed_by(name, folder)) or posixpath.join(
            folder, name
        ) in self._folders:
            return None
        ours = [place for place in self._places if not place.is_absolute()]
        if any(posixpath.normpath(place / name) in self._folders for place in ours):
            return None
        if any((place / name).is_dir() for place in self._places if place.is_absolute()):
            return None
        if name in self._own:
            return (
                f"list {entries.ROLES}/ in roles_path of {CONFIG}: a playbook of {folder}/ does not find it otherwise"
            )
        lost = next((place for place in ours if (self._root / place / name).is_dir()), None)
        return f"no run gets {lost}/: roles lie in {entries.ROLES}/" if lost else errors.nearest(name, self._own)

    def _is_passed_by(self, name: str, folder: str) -> bool:
        """Whether it lies in the project's own `roles/` alone, and Ansible does not look there for a playbook."""
        own = f"{entries.ROLES}/{name}"
        others = [one for one in self._folders if one.endswith(f"/{own}")]
        of_playbook = bool(folder) and not f"{folder}/".startswith(f"{entries.ROLES}/")
        return (
            self._places is not None and pathlib.Path(entries.ROLES) not in self._places and of_playbook and not others
        )


def _places(files: tree.Tree) -> list[pathlib.Path] | None:
    """The places of `roles_path`, those of the project relative to it; None where they are not known."""
    written: list[str] = []
    if CONFIG in files.files:
        read = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=(";",))
        try:
            read.read_string((files.root / CONFIG).read_text("utf-8"))
        except (OSError, ValueError, configparser.Error):  # Ansible says what is wrong with it
            return None
        said = read.get("defaults", "roles_path", fallback="")
        if "{{" in said or "$" in said:
            return None
        written = [one.strip() for one in said.split(os.pathsep) if one.strip()] or [*_DEFAULT]
    found = [
        pathlib.Path(posixpath.normpath(pathlib.Path(place).expanduser()))
        for place in written or (entries.ROLES, *PLACES)
    ]
    return [place.relative_to(files.root) if place.is_relative_to(files.root) else place for place in found]


def _required(files: tree.Tree) -> set[str] | None:
    """The roles that `ansible-galaxy` is to install; None where that is not known."""
    found: set[str] = set()
    for path in REQUIREMENTS:
        if path not in files.files:
            continue
        document = config.read_file(files.root / path, path, twice="warning")
        value = document.value
        listed = value.get("roles") if isinstance(value, dict) else value
        if not document.ok or (
            isinstance(listed, list) and any(isinstance(one, dict) and "include" in one for one in listed)
        ):
            return None
        found.update(name for one in (listed if isinstance(listed, list) else ()) for name in _called(one))
    return found


def _called(one: Any) -> Iterator[str]:
    """The name that a role is installed by: its own, else that of what it comes from (`SRC,VERSION,NAME` as a text)."""
    parts = one.split(",") if isinstance(one, str) else []
    named = one.get("name", one.get("role")) if isinstance(one, dict) else parts[2] if len(parts) > 2 else None
    source = one.get("src") if isinstance(one, dict) else parts[0] if parts else None
    if isinstance(named, str):
        yield named.strip()
    elif isinstance(source, str):
        yield _ARCHIVE.sub("", pathlib.PurePosixPath(source.strip()).name)
