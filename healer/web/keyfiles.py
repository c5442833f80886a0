"""Keys that stand in files: `HEALER_ADMIN_KEY_FILE` (the key itself) and `keys.file` (lines `name role sha256`).

The daemon reads them at its start and at a reload and hands them to `auth.Keys.load`. They are read-only here: whoever
writes the file revokes them.
"""

from __future__ import annotations

import pathlib
import re
from typing import Final

from healer import access, errors
from healer.store import keys as stored
from healer.web import auth

BYTES_MAX: Final = 1 << 20
ADMIN_KEY_MIN: Final = 20
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def read(admin_key_file: pathlib.Path | None, keys_file: pathlib.Path | None) -> dict[str, access.Principal]:
    """digest → principal of both files. Raises `errors.ConfigurationError` with every mistake; no key is ever shown."""
    found: dict[str, access.Principal] = {}
    mistakes: list[errors.Diagnostic] = []
    if keys_file is not None:
        _read_hashes(keys_file, found, mistakes)
    if admin_key_file is not None:
        _read_admin(admin_key_file, found, mistakes)
    if mistakes:
        raise errors.ConfigurationError(mistakes)
    return found


def _read_admin(path: pathlib.Path, found: dict[str, access.Principal], mistakes: list[errors.Diagnostic]) -> None:
    key = _text(path, mistakes).strip()
    if mistakes:
        return
    if len(key) < ADMIN_KEY_MIN or not re.fullmatch(rf"[!-~]{{1,{auth.TOKEN_MAX}}}", key):
        wanted = f"one key of {ADMIN_KEY_MIN} to {auth.TOKEN_MAX} printable ASCII characters without spaces is wanted"
        mistakes.append(errors.Diagnostic("admin-key", wanted, errors.Place(str(path)), try_="openssl rand -hex 32"))
        return
    found[auth.digest(key)] = access.Principal.of("key:admin", "admin")


def _read_hashes(path: pathlib.Path, found: dict[str, access.Principal], mistakes: list[errors.Diagnostic]) -> None:
    for number, line in enumerate(_text(path, mistakes).splitlines(), 1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        wrong, try_ = _wrong(words)
        if wrong:
            mistakes.append(errors.Diagnostic("keys-file", wrong, errors.Place(str(path), number), try_=try_))
        else:
            found[words[2].lower()] = access.Principal.of(f"key:{words[0]}", words[1])


def _wrong(words: list[str]) -> tuple[str, str]:
    if len(words) != 3:
        return f"three words are wanted (name, role, SHA-256 of the key), got {len(words)}", ""
    name, role, hexadecimal = words
    if not stored.NAME.fullmatch(name):
        return f"{name[:80]!r} cannot be a name: letters, digits and . _ @ - are wanted", ""
    if role not in access.ROLES:
        return f"no role is named {role[:80]!r}", errors.nearest(
            role, access.ROLES
        ) or f"known: {', '.join(access.ROLES)}"
    if not _DIGEST.fullmatch(hexadecimal.lower()):
        return (
            "the third word has to be 64 hexadecimal digits: the SHA-256 of the key, never the key",
            "printf %s KEY | sha256sum",
        )
    return "", ""


def _text(path: pathlib.Path, mistakes: list[errors.Diagnostic]) -> str:
    reason = ""
    try:
        if not path.is_file():
            reason = "that is no regular file" if path.exists() else "there is no such file"
        elif path.stat().st_size > BYTES_MAX:
            reason = f"it is larger than {BYTES_MAX} bytes"
        else:
            return path.read_text("ascii")
    except UnicodeDecodeError:
        reason = "it is not ASCII text"
    except OSError as error:
        reason = error.strerror or str(error)
    mistakes.append(errors.Diagnostic("keys-file", f"it cannot be read: {reason}", errors.Place(str(path))))
    return ""
