"""Variables in files of their own: `group_vars/` and `host_vars/` beside an inventory or a playbook. Caller: `groups`.

The rules are those of ansible-core's plugin `host_group_vars`: which files belong to a name, and in which order they count.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Collection, Mapping
from typing import Any, Final, Literal

from healer import config, errors, wording

KINDS: Final = ("group_vars", "host_vars")
VAULT: Final = "$ANSIBLE_VAULT;"
"""How a file begins that ansible-vault has encrypted as a whole."""
OLD: Final = ("ansible_ssh_host", "ansible_ssh_port")
"""Earlier names, which the connection `ssh` still reads."""
LOOKED_AT: Final = ("ansible_host", "ansible_port", "ansible_user", "ansible_connection", "healer_aliases", *OLD)
PORT_MAX: Final = 65_535
ALIASES_MAX: Final = 100
ADDRESS_MAX: Final = 512
_LIKE: Final = "like healer_aliases: [shop, shop.example.org]"
_ENDINGS: Final = ("", ".yml", ".yaml", ".json")
_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+$\\-]{0,199}", re.ASCII)


class Folder:
    """The files of variables in one folder. Each is read once, when it is first asked for.

    `files`: path → text, of which only those count that lie in the folder's `group_vars/` and `host_vars/`. `counting`: as of
    `config.read_text`, by file.
    """

    def __init__(self, path: str, files: Mapping[str, str], counting: Mapping[str, Collection[config.Span]]) -> None:
        self._at = f"{path}/" if path else ""
        self._files = {file: text for file, text in files.items() if self.holds(file)}
        self._folders: dict[str, list[str]] = {}
        for file in self._files:
            for end in (at for at, char in enumerate(file) if char == "/"):
                self._folders.setdefault(file[:end], []).append(file)
        self._counting = counting
        self.said = Said()
        self._read: dict[str, Mapping[str, Any]] = {}
        self._diagnostics: list[errors.Diagnostic] = []
        self._sealed: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._files)

    def holds(self, file: str) -> bool:
        """Whether a path is one of a file of variables here."""
        return file.startswith(tuple(f"{self._at}{kind}/" for kind in KINDS))

    def told(self, veiled: bool) -> list[errors.Diagnostic]:
        """The mistakes in what was read; and what is encrypted, where that makes a difference."""
        message = "the file is encrypted: since it may say how its hosts are reached, they count as beyond this machine"
        try_ = "an ansible_connection that can be read and counts more than this file, as in host_vars/"
        hints = [
            errors.Diagnostic("encrypted-variables", message, errors.Place(file, 1, 1), "hint", try_=try_)
            for file in self._sealed if veiled
        ]  # fmt: skip
        return self._diagnostics + hints

    def of(self, kind: Literal["group_vars", "host_vars"], name: str) -> dict[str, Any]:
        """The variables of a group or host that are looked at."""
        found: dict[str, Any] = {}
        for file in self._of(f"{self._at}{kind}/{name}"):
            if file not in self._read:
                self._read[file] = self._variables(file)
            found |= self._read[file]
        return found

    def _of(self, path: str) -> Collection[str]:
        """The first that there is of a file or folder of the name and the name with an ending."""
        for one in (path + ending for ending in _ENDINGS):
            if one in self._folders:
                inside = (file for file in self._folders[one] if _counts(file[len(one) + 1 :]))
                return sorted(inside, key=lambda file: file.split("/"))
            if one in self._files:
                return (one,)
        return ()

    def _variables(self, file: str) -> Mapping[str, Any]:
        text = self._files[file]
        if text.startswith(VAULT):
            self._sealed.append(file)
            return {"ansible_connection": config.SEALED}
        document = config.read_text(text, file, counting=self._counting.get(file, ()), ansible=True)
        found: dict[str, Any] = {}
        if isinstance(document.value, config.Map):
            found = {name: document.value[name] for name in LOOKED_AT if name in document.value}
            for name in list(found):
                try:
                    check({name: found[name]})
                except ValueError as error:
                    document.error("inventory", str(error), document.value.values_at.get(name))
                    del found[name]
            if why := odd_address(found):
                document.warning("inventory", why, document.value.values_at.get("ansible_host"))
            self.said.note(document, found, document.value.values_at.get("healer_aliases"))
        elif document.value is not None:
            message = f"a file of variables has to be a mapping, got {wording.shown(document.value)}"
            document.error("inventory", message, getattr(document.value, "mark", (1, 1, 1)))
        self._diagnostics += document.diagnostics
        return found


class Said:
    """Where aliases stand, so that those that help nobody can be told."""

    def __init__(self) -> None:
        self.at: dict[str, tuple[config.Document, config.Mark | None]] = {}

    def note(self, document: config.Document, variables: Mapping[str, Any], mark: config.Mark | None) -> None:
        """The aliases among variables that stand at `mark`. What is no name is told in the document."""
        written = variables.get("healer_aliases")
        if written is None or written is config.SEALED:
            return
        if not isinstance(written, str | list | tuple):
            document.warning("alias", f"healer_aliases is a list of names, got {wording.shown(written)}", mark, _LIKE)
            return
        listed = written.split(",") if isinstance(written, str) else written
        marks = written.items_at if isinstance(written, config.Seq) else [mark] * len(listed)
        for one, at in zip(listed, marks, strict=True):
            if not _is_name(one):
                document.warning("alias", f"an alias is a name, got {wording.shown(one)}; it is left out", at, _LIKE)
            elif word := str(one).strip():
                self.at.setdefault(word, (document, at))


def _is_name(one: Any) -> bool:
    return isinstance(one, str | int) and not isinstance(one, bool)


def _counts(path: str) -> bool:
    """Whether a file below the folder of a name counts: nothing hidden, no backup, no ending that is none of variables."""
    *folders, name = path.split("/")
    return (
        not any(part.startswith(".") or part.endswith("~") for part in (*folders, name))
        and not any(os.path.splitext(folder)[1] for folder in folders)  # noqa: PTH122 - as Ansible does it
        and os.path.splitext(name)[1] in _ENDINGS  # noqa: PTH122
    )


def check(variables: Mapping[str, Any]) -> None:
    """Raises ValueError for what cannot be: too many aliases, a port or a user that is none."""
    aliases(variables)
    given = variables.get("ansible_port")
    if not _unknown(given) and not (port(variables) and 0 < int(str(given)) <= PORT_MAX):
        raise ValueError(f"ansible_port is a port, 1 to {PORT_MAX}, got {wording.shown(given)}")
    named = variables.get("ansible_user")
    if not _unknown(named) and (isinstance(named, bool) or not _USER.fullmatch(str(named))):
        wanted = "a name of letters, digits and . _ - @ + $ \\"
        raise ValueError(f"ansible_user is {wanted}, got {wording.shown(named)}")


def odd_address(variables: Mapping[str, Any]) -> str:
    """Why ansible_host can be neither a name nor an address; '' where it may be one, or Ansible alone can tell."""
    given = variables.get("ansible_host")
    if _unknown(given) or not isinstance(given, str):
        return ""
    sound = (
        len(given) <= ADDRESS_MAX
        and not given.startswith("-")
        and given.isprintable()
        and not any(map(str.isspace, given))
    )
    return "" if sound else f"ansible_host is a name or an address, got {config.shown(given)}"


def port(variables: Mapping[str, Any]) -> int | None:
    """ansible_port: None where there is none, 0 where it cannot be known here."""
    given = variables.get("ansible_port")
    text = str(given)
    if given is None or given == "":
        return None
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 5 else 0


def user(variables: Mapping[str, Any]) -> str:
    """ansible_user as it is written, '' where there is none; one that is encrypted as a template, which nobody is called."""
    given = variables.get("ansible_user")
    return "{{ }}" if given is config.SEALED else "" if given is None else str(given)


def _unknown(given: Any) -> bool:
    """Whether a value is none, or Ansible alone can tell which it is."""
    return given is None or given == "" or given is config.SEALED or (isinstance(given, str) and "{{" in given)


def aliases(variables: Mapping[str, Any]) -> tuple[str, ...]:
    """The aliases among variables. Raises ValueError for too many of them."""
    written = variables.get("healer_aliases") or ()
    listed = written.split(",") if isinstance(written, str) else written if isinstance(written, list | tuple) else ()
    found = tuple(word for one in listed if _is_name(one) and (word := str(one).strip()))
    if len(found) > ALIASES_MAX:
        raise ValueError(f"more than {ALIASES_MAX} healer_aliases")
    return found
