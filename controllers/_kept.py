"""One JSON object in one file of an attempt's folder, which appears whole or not at all, and is on the disk when it is said to be.

Callers: what `aap` and `http` keep so that a crash does not lose it.
"""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any


class Unreadable(Exception):
    """something may have been done, and what was written of it cannot be read"""


def write(path: pathlib.Path, content: dict[str, Any]) -> None:
    """Put it there. Raises OSError, and then what was there before still is."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(json.dumps(content).encode())
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    _sync(path.parent)


def remove(path: pathlib.Path) -> None:
    """Take it away, if it is there. Raises OSError."""
    path.unlink(missing_ok=True)
    _sync(path.parent)


def read(path: pathlib.Path) -> dict[str, Any] | None:
    """What is there; None where nothing is. Raises `Unreadable`, OSError."""
    try:
        made = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise Unreadable(str(path)) from error
    if not isinstance(made, dict):
        raise Unreadable(str(path))
    return made


def _sync(folder: pathlib.Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
