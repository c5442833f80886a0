"""Keys that stand in files: `HEALER_ADMIN_KEY_FILE` (the key itself) and `keys.file` (lines `name role sha256 [principal]`).

The daemon reads them at its start and at a reload and hands them to `auth.Keys.use`. They are read-only here: whoever
writes the file revokes them.
"""

from __future__ import annotations

import pathlib
import re
from typing import Final

from healer import errors
from healer.store import keys as stored
from healer.web import auth, minting

BYTES_MAX: Final = 1 << 20
ADMIN_KEY_MIN: Final = 20
THEIR_ROLES: Final = "-"
"""In the place of a role: those of the principal."""
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def read(admin_key_file: pathlib.Path | None, keys_file: pathlib.Path | None) -> list[auth.FileKey]:
    """The keys of both files. Raises `errors.ConfigurationError` with every mistake; no key is ever shown.

    Roles and principals are names here: what is not there grants nothing (`auth.Keys.idle`), so that one can be taken out of
    `healer.yaml` at once.
    """
    found: list[auth.FileKey] = []
    mistakes: list[errors.Diagnostic] = []
    if keys_file is not None:
        _read_hashes(keys_file, found, mistakes)
    if admin_key_file is not None:
        _read_admin(admin_key_file, found, mistakes)
    if mistakes:
        raise errors.ConfigurationError(mistakes)
    return found


def _read_admin(path: pathlib.Path, found: list[auth.FileKey], mistakes: list[errors.Diagnostic]) -> None:
    key = _text(path, mistakes).strip()
    if mistakes:
        return
    if len(key) < ADMIN_KEY_MIN or not re.fullmatch(rf"[!-~]{{1,{auth.TOKEN_MAX}}}", key):
        wanted = f"one key of {ADMIN_KEY_MIN} to {auth.TOKEN_MAX} printable ASCII characters without spaces is wanted"
        mistakes.append(errors.Diagnostic("admin-key", wanted, errors.Place(str(path)), try_="openssl rand -hex 32"))
        return
    found.append(auth.FileKey(minting.digest(key), "admin", "admin", "", errors.Place(str(path))))


def _read_hashes(path: pathlib.Path, found: list[auth.FileKey], mistakes: list[errors.Diagnostic]) -> None:
    for number, line in enumerate(_text(path, mistakes).splitlines(), 1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        wrong, try_ = _wrong(words)
        place = errors.Place(str(path), number)
        if wrong:
            mistakes.append(errors.Diagnostic("keys-file", wrong, place, try_=try_))
        else:
            name, role, hexadecimal, *principal = words
            role = "" if role == THEIR_ROLES else role
            found.append(auth.FileKey(hexadecimal.lower(), name, role, principal[0] if principal else "", place))


def _wrong(words: list[str]) -> tuple[str, str]:
    if len(words) not in (3, 4):
        return f"three words are wanted (name, role, SHA-256 of the key), and maybe a principal, got {len(words)}", ""
    name, role, hexadecimal, *principal = words
    if not stored.NAME.fullmatch(name):
        return f"{name[:80]!r} cannot be a name: letters, digits and . _ @ - are wanted", ""
    if role == THEIR_ROLES and not principal:
        return "a role is wanted, or a principal as the fourth word, whose roles it has then", ""
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
