"""Content by its SHA-256: small in the database, large as files under `blobs/`, on disk before the row that names them."""

from __future__ import annotations

import hashlib
import os
import pathlib
import re
import tempfile
from typing import Final

from healer.store import journal

OURS: Final = re.compile(r"[0-9a-f]{64}|\.new-.+")
"""The names of our files in the folder: content, and what was not written to its end."""


class Blobs:
    """The folder of large content. `folder` None: everything stays in the database (in-memory stores)."""

    def __init__(self, folder: pathlib.Path | None) -> None:
        self.folder = folder
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def keep(self, data: bytes) -> journal.Blob:
        """Make content ready for a transaction. Blocks for an fsync when it is large: call it in a thread."""
        name = hashlib.sha256(data).hexdigest()
        if len(data) <= journal.INLINE_MAX or self.folder is None:
            return journal.Blob(name, len(data), data)
        path = self.folder / name
        if not path.exists():
            self._write(path, data)
        return journal.Blob(name, len(data), None)

    def _write(self, path: pathlib.Path, data: bytes) -> None:
        fd, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            pathlib.Path(temporary).replace(path)
        except BaseException:
            pathlib.Path(temporary).unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def read(self, name: str, data: bytes | None) -> bytes:
        """The content: `data` from the row, or the file. FileNotFoundError when it was trimmed."""
        if data is not None:
            return bytes(data)
        if self.folder is None:
            raise FileNotFoundError(name)
        return (self.folder / name).read_bytes()

    def forget(self, name: str) -> None:
        """Remove the file of content that no row names any more, where there is one."""
        if self.folder is not None:
            (self.folder / name).unlink(missing_ok=True)
