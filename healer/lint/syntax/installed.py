"""Where Ansible finds collections and roles that no file of the project is: whether one is there, and a stamp that changes with them."""

from __future__ import annotations

import configparser
import hashlib
import os
import pathlib
import re
import stat
from collections.abc import Iterator, Mapping
from typing import Final

from healer import project

ENTRIES_MAX: Final = 20_000
"""So many files are looked at; of more nothing is known, and nothing is kept."""
_COLLECTIONS: Final = "ansible_collections"
_SHARED: Final = "/usr/share/ansible"
_OF_CONFIG: Final = ("roles_path", "collections_path", "collections_paths", "library", "module_utils")
_FULL: Final = re.compile(r"([a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*)\.[\w.]+")
_BUILTIN: Final = ("ansible.builtin", "ansible.legacy")


class Places:
    """Those of one project. `location`: of Ansible's own package, beside which the collections lie that come with it."""

    def __init__(self, held: project.Revision, environ: Mapping[str, str], location: str) -> None:
        self._files = held.files
        home = environ.get("HOME", "")
        named = list(_named(held, home))
        own = [f"{home}/.ansible", _SHARED] if pathlib.Path(home).is_absolute() else [_SHARED]
        self._whole = [
            *(f"{one}/collections" for one in own),
            *(f"{one}/roles" for one in own),
            "/etc/ansible/roles",
            *named,
        ]
        self._bundled = pathlib.Path(location).parent / _COLLECTIONS if location else None
        self._stamp: str | None = None

    def lacks(self, name: str) -> str:
        """The collection that a full name is of, where it is nowhere; else ''."""
        found = _FULL.fullmatch(name)
        if found is None or found[1] in _BUILTIN:
            return ""
        below = f"{_COLLECTIONS}/{found[1].replace('.', '/')}"
        if any(f"/{below}/" in f"/{path}" for path in self._files):
            return ""
        places = [*self._whole, *([str(self._bundled.parent)] if self._bundled else [])]
        there = any(pathlib.Path(place, below).is_dir() for place in places)
        return "" if there else found[1]

    def stamp(self) -> str:
        """Of what lies there now; '' where it is too much to look at."""
        if self._stamp is None:
            self._stamp = self._stamped()
        return self._stamp

    def _stamped(self) -> str:
        digest, left = hashlib.sha256(), ENTRIES_MAX
        for place in (*self._whole, *self._of_package()):
            for path, found in _below(place, whole=place in self._whole):
                digest.update(
                    f"{path}\0{found.st_mode}\0{found.st_size}\0{found.st_mtime_ns}\n".encode("utf-8", "replace")
                )
                left -= 1
                if left < 0:
                    return ""
        return digest.hexdigest()

    def _of_package(self) -> Iterator[str]:
        """The folders of the collections that come with Ansible."""
        if self._bundled is not None and self._bundled.is_dir():
            yield from (str(one) for one in sorted(self._bundled.glob("*/*")))


def _below(place: str, *, whole: bool) -> Iterator[tuple[str, os.stat_result]]:
    """What lies below a folder, links followed once; of what is not `whole` the folder and its manifest alone."""
    paths = [place, f"{place}/MANIFEST.json"]
    for path in paths:
        try:
            found = os.stat(path)  # noqa: PTH116 - many texts
        except (OSError, ValueError):
            continue
        yield path, found
        if whole and stat.S_ISDIR(found.st_mode) and path == place:
            for here, folders, names in os.walk(path):
                folders.sort()
                for name in sorted((*folders, *names)):
                    inner = f"{here}/{name}"
                    try:
                        yield inner, os.stat(inner)  # noqa: PTH116
                    except OSError:
                        continue


def _named(held: project.Revision, home: str) -> Iterator[str]:
    """Folders outside the project that its ansible.cfg names."""
    if "ansible.cfg" not in held.files:
        return
    read = configparser.ConfigParser(inline_comment_prefixes=(";",))
    try:
        read.read_string((held.project_dir / "ansible.cfg").read_text("utf-8-sig"))
        said = read.items("defaults", raw=True)
    except (OSError, ValueError, configparser.Error):  # Ansible says what is wrong with it
        return
    for key, value in said:
        for part in (value or "").split(":") if key in _OF_CONFIG or key.endswith("_plugins") else ():
            path = part.strip().strip("'\"")
            path = home + path[1:] if path.startswith("~/") and home else path
            if path.startswith("/") and "\0" not in path:
                yield path
