"""What Ansible said, kept by what it said it of: `$XDG_CACHE_HOME/healer/ansible-syntax/` (default `~/.cache`), one small file each.

It is our own word, and is read as if it were a stranger's: a file that is not this user's alone, a link, or anything else than was
written is passed over. That nothing can be kept is no mistake: then Ansible is asked again.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import secrets
import stat
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

FOLDERS: Final = ("healer", "ansible-syntax")
FORM: Final = "ansible-syntax 1"
BYTES_MAX: Final = 16 << 10
ENTRIES_MAX: Final = 2_000
AGE_MAX_S: Final = 30 * 86_400.0
UNFINISHED_S: Final = 3_600.0
_KEY: Final = re.compile(r"[0-9a-f]{64}")
_UNFINISHED: Final = ".unfinished-"


class Kept:
    """The folder of one user. Nothing here raises OSError."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._base = _base(environ)
        self._trimmed = False

    def read(self, key: str) -> Any:
        """The value under a key; None where there is none that can be trusted."""
        try:
            with self._folder(make=False) as folder:
                return _value(_content(folder, _name(key)), key)
        except (OSError, ValueError, RecursionError):
            return None

    def write(self, key: str, value: Any) -> None:
        """Keep it: whole, or not at all."""
        raw = json.dumps({"form": FORM, "key": key, "value": value}).encode()
        with contextlib.suppress(OSError, ValueError), self._folder(make=True) as folder:
            if len(raw) > BYTES_MAX:
                return
            if not self._trimmed:
                self._trimmed = True
                _trim(folder)
            unfinished = f"{_UNFINISHED}{os.getpid()}-{secrets.token_hex(8)}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            try:
                with os.fdopen(os.open(unfinished, flags, 0o600, dir_fd=folder), "wb") as file:
                    file.write(raw)
                os.rename(unfinished, _name(key), src_dir_fd=folder, dst_dir_fd=folder)
            except OSError:
                with contextlib.suppress(OSError):
                    os.unlink(unfinished, dir_fd=folder)
                raise

    @contextlib.contextmanager
    def _folder(self, *, make: bool) -> Iterator[int]:
        """A descriptor of it. Raises OSError where it is not there, or not ours alone."""
        if self._base is None:
            raise FileNotFoundError
        if make:
            self._base.mkdir(mode=0o700, parents=True, exist_ok=True)
        at = os.open(self._base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in FOLDERS:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(name, 0o700, dir_fd=at)
                inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
                os.close(at)
                at = inner
                _ours(os.fstat(at), 0o077 if name == FOLDERS[-1] else 0o022)
            yield at
        finally:
            os.close(at)


def _base(environ: Mapping[str, str]) -> pathlib.Path | None:
    """As the XDG Base Directory Specification has it: a relative path is passed over."""
    named, home = environ.get("XDG_CACHE_HOME", ""), environ.get("HOME", "")
    if pathlib.Path(named).is_absolute() and "\0" not in named:
        return pathlib.Path(named)
    return pathlib.Path(home, ".cache") if pathlib.Path(home).is_absolute() and "\0" not in home else None


def _ours(found: os.stat_result, others: int) -> None:
    """Raises PermissionError where it is another user's, or one may do what `others` says."""
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & others:
        raise PermissionError


def _name(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError(key)
    return f"{key}.json"


def _content(folder: int, name: str) -> bytes:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, dir_fd=folder), "rb") as file:
        found = os.fstat(file.fileno())
        _ours(found, 0o077)
        age = time.time() - found.st_mtime
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_size > BYTES_MAX:
            raise PermissionError
        if not -UNFINISHED_S <= age <= AGE_MAX_S:
            raise FileNotFoundError
        return file.read(BYTES_MAX + 1)


def _value(raw: bytes, key: str) -> Any:
    noted = json.loads(raw.decode())
    if not isinstance(noted, dict) or set(noted) != {"form", "key", "value"}:
        return None
    return noted["value"] if noted["form"] == FORM and noted["key"] == key else None


def _trim(folder: int) -> None:
    """Take out what is too old or too much."""
    now, found = time.time(), []
    for name in os.listdir(folder):
        with contextlib.suppress(OSError):
            seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
            most = UNFINISHED_S if name.startswith(_UNFINISHED) else AGE_MAX_S
            if not stat.S_ISDIR(seen.st_mode):
                found.append((now - seen.st_mtime > most, seen.st_mtime, name))
    found.sort(key=lambda one: one[1], reverse=True)
    for number, (old, _, name) in enumerate(found):
        if old or number >= ENTRIES_MAX:
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=folder)
