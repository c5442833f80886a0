"""The files of a revision as one stream, for a machine that does not have them; and the id by which it knows them. Caller: `_run_on`.

The id is a hash over paths, contents and who may execute them, so that the same files are sent once, from whatever daemon. It is found
anew where a file has another size or time: what is published never changes, but nothing here relies on that.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import pathlib
import tarfile
from collections.abc import Iterator
from typing import Final

from healer.controllers import _shimmed

BYTES_MAX: Final = 256 << 20
"""Of all files: they are sent from memory."""
FILES_MAX: Final = 50_000
IDS_KEPT: Final = 8

Stamp = tuple[tuple[str, int, int, bool], ...]
"""(path, bytes, time, executable) of each file, sorted."""


class Files:
    """Those of the revisions that were asked for lately."""

    def __init__(self) -> None:
        self._ids: dict[tuple[str, Stamp], str] = {}

    def id(self, root: pathlib.Path) -> str:
        """What the files below `root` are known by. Raises `RefusedJob` for what cannot be sent."""
        with _read():
            stamp = _stamp(root)
            known = self._ids.pop((str(root), stamp), None) or _id(root, stamp)
        self._ids[str(root), stamp] = known
        while len(self._ids) > IDS_KEPT:
            del self._ids[next(iter(self._ids))]
        return known

    def archive(self, root: pathlib.Path) -> bytes:
        """All of them as a compressed tar. Raises `RefusedJob`."""
        packed = io.BytesIO()
        with _read(), tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as archive:
            for path, _, _, executable in _stamp(root):
                content = (root / path).read_bytes()
                member = tarfile.TarInfo(path)
                member.size, member.mode = len(content), 0o700 if executable else 0o600
                archive.addfile(member, io.BytesIO(content))
        return packed.getvalue()


@contextlib.contextmanager
def _read() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _shimmed.RefusedJob(reason=f"the files of its revision cannot be read: {error}") from error


def _stamp(root: pathlib.Path) -> Stamp:
    found = []
    inside = os.path.realpath(root)
    for folder, _, names in os.walk(root, onerror=_unreadable):
        for name in names:
            path = os.path.join(folder, name)  # noqa: PTH118 - thousands of them
            if os.path.islink(path) and not os.path.realpath(path).startswith(inside + os.sep):  # noqa: PTH114
                raise _shimmed.RefusedJob(reason=f"{os.path.relpath(path, root)} leads out of the revision")
            seen = os.stat(path)  # noqa: PTH116
            found.append((os.path.relpath(path, root), seen.st_size, seen.st_mtime_ns, bool(seen.st_mode & 0o100)))
    size = sum(one[1] for one in found)
    if size > BYTES_MAX or len(found) > FILES_MAX:
        limit = f"{BYTES_MAX >> 20} MiB and {FILES_MAX} files"
        reason = f"its revision has {size >> 20} MiB in {len(found)} files; at most {limit} are sent to another machine"
        raise _shimmed.RefusedJob(reason=reason)
    return tuple(sorted(found))


def _unreadable(error: OSError) -> None:
    raise error


def _id(root: pathlib.Path, stamp: Stamp) -> str:
    digest = hashlib.sha256(b"healer files 1\n")
    for path, _, _, executable in stamp:
        content = hashlib.sha256((root / path).read_bytes()).hexdigest()
        digest.update(f"{path}\0{'x' if executable else '-'}\0{content}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
