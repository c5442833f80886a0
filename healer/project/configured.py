"""Folders of plugins, roles and collections that the project's ansible.cfg names, so that a run finds them in the revision. Pure.

Callers: `tree`, and `playbooks`, which tells what it names that no run gets.
What Ansible reads there: https://docs.ansible.com/ansible/latest/reference_appendices/config.html (section `defaults`).
"""

from __future__ import annotations

import configparser
import posixpath
import re
from collections.abc import Collection, Iterator
from typing import Final

from healer import errors

CONFIG: Final = "ansible.cfg"
FOLDERS_MAX: Final = 200
_KEYS: Final = ("library", "module_utils", "roles_path", "collections_path", "collections_paths")
_ENDING: Final = "_plugins"
_VAULTS: Final = ("vault_password_file", "vault_identity_list")
_FILES: Final = (*_VAULTS, "private_key_file")
_OF_SSH: Final = ("ssh_args", "ssh_common_args", "ssh_extra_args")
_BY_SSH: Final = re.compile(
    r"(?:^|\s)(?:-[Fi]\s*|-o\s*[\"']?(?:UserKnownHostsFile|IdentityFile|CertificateFile)[=\s])[\"']?([^\s\"']+)"
)
_NOT_FILES: Final = ("", "none", "prompt")


def folders(raw: bytes) -> Iterator[str]:
    """Those that lie in the project, by their paths in it, as far as the text says itself where they lie. What cannot be read names
    none: Ansible says what is wrong with it."""
    said = [(key, value) for section, key, value in _settings(raw) if section == "defaults"]
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


def unreached(raw: bytes, files: Collection[str], *, vault: bool) -> Iterator[errors.Diagnostic]:
    """What it names that no run gets: each relative path is looked for in the revision. `vault`: whether its password matters, as not
    every controller has one of its own."""
    lines = raw.decode("utf-8-sig", "replace").splitlines()
    for section, key, value in _settings(raw):
        if section == "defaults" and key in _FILES and (vault or key not in _VAULTS):
            parts = [one.rpartition("@")[2] for one in value.split(",")] if key == _VAULTS[1] else [value]
            wanted = [one for one in map(_plain, parts) if one.lower() not in _NOT_FILES and not _is_there(one, files)]
        elif section == "ssh_connection" and key in _OF_SSH:
            wanted = [one for one in _BY_SSH.findall(value) if one != "none" and not _is_there(one, files)]
        elif section == "defaults" and (key in _KEYS or key.endswith(_ENDING)):
            wanted = [one for one in map(_plain, value.split(":")) if one.startswith(("../", "{{"))]
        else:
            continue
        line = next((number for number, one in enumerate(lines, 1) if re.match(rf"\s*{re.escape(key)}\s*[=:]", one)), 1)
        try_ = "a path from the root, or a file or folder of those that a revision has (files/, roles/)"
        if key in _VAULTS:
            try_ = "vault_password of the controller"
        for one in wanted:
            message = f"{key} names {one}, which no run gets: it is none of the revision's files"
            yield errors.Diagnostic("no-file", message, errors.Place(CONFIG, line), "warning", try_=try_)


def _is_there(path: str, files: Collection[str]) -> bool:
    """Whether a run finds it, or where it lies is not said here."""
    elsewhere = path.startswith(("/", "~")) or any(one in path for one in ("$", "{{", "%"))
    return elsewhere or posixpath.normpath(path) in files


def _plain(path: str) -> str:
    return path.strip().strip("'\"")


def _settings(raw: bytes) -> Iterator[tuple[str, str, str]]:
    """(section, key, value) of each. What cannot be read has none: Ansible says what is wrong with it."""
    read = configparser.ConfigParser(inline_comment_prefixes=(";",))
    try:
        read.read_string(raw.decode("utf-8-sig"))
    except (ValueError, configparser.Error):
        return
    for section in read.sections():
        yield from ((section, key, value or "") for key, value in read.items(section, raw=True))
