"""Folders of plugins, roles and collections that the project's ansible.cfg names, so that a run finds them in the revision. Pure.

Caller: `tree`. What Ansible reads there: https://docs.ansible.com/ansible/latest/reference_appendices/config.html (section `defaults`).
"""

from __future__ import annotations

import configparser
import posixpath
from collections.abc import Iterator
from typing import Final

CONFIG: Final = "ansible.cfg"
FOLDERS_MAX: Final = 200
_KEYS: Final = ("library", "module_utils", "roles_path", "collections_path", "collections_paths")
_ENDING: Final = "_plugins"


def folders(raw: bytes) -> Iterator[str]:
    """Those that lie in the project, by their paths in it, as far as the text says itself where they lie. What cannot be read names
    none: Ansible says what is wrong with it."""
    read = configparser.ConfigParser(inline_comment_prefixes=(";",))
    try:
        read.read_string(raw.decode("utf-8-sig"))
        said = read.items("defaults", raw=True)
    except (ValueError, configparser.Error):
        return
    named = (part for key, value in said if key in _KEYS or key.endswith(_ENDING) for part in (value or "").split(":"))
    for _, one in zip(range(FOLDERS_MAX), dict.fromkeys(filter(None, map(_inside, named))), strict=False):
        yield one


def _inside(path: str) -> str:
    """A path relative to the project, whose folder ansible.cfg lies in; '' for the project itself and what lies elsewhere."""
    path = path.strip().strip("'\"")
    if not path or path.startswith(("/", "~")) or any(one in path for one in ("$", "{{", "\0")):
        return ""
    found = posixpath.normpath(path)
    return "" if found == "." or found.split("/")[0] == ".." else found
