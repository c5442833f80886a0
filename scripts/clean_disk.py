#!/usr/bin/env python3
"""Removes the oldest files of a folder until the rest is within its limit. Parameters: see clean_disk.meta.yml.

The newest files, and what was changed lately, stay in any case: somebody may be writing them. Folders are opened once, part by part and
without links, and files are removed by these: whoever can write below the folder cannot lead this elsewhere.

`folder: disk` means a demonstration host (inventory/demo.yml): DATA_DIR/hosts/<target>/disk, found from the folder of the revision
that scripts run in. Any other folder is one of the machine that this runs on, so the target has to be that machine.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pathlib
import stat
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
DEPTH_MAX = 100
MIB = 1 << 20


class Refused(Exception):
    """Why nothing is removed."""


class File(NamedTuple):
    """One file as it was seen; `parents` lead to its folder."""

    changed: float
    size: int
    parents: tuple[str, ...]
    name: str

    def shown(self) -> str:
        """Its path on one line, whatever stands in it."""
        return json.dumps("/".join((*self.parents, self.name)).encode("utf-8", "replace").decode())


def place(folder: str, target: str, *, dry: bool) -> pathlib.Path:
    """The path of the folder. Raises `Refused` where it is not one of this machine."""
    this = os.uname().nodename
    if "," in target:
        raise Refused(f"one target at a time is wanted, got {target}")
    if not folder.startswith("/"):
        path = pathlib.Path.cwd().parents[1] / "hosts" / target / folder
        if not dry:
            path.mkdir(parents=True, exist_ok=True)
        return path
    if target not in ("localhost", this, this.partition(".")[0]):
        raise Refused(f"{folder} of {target} cannot be reached from here, and that of this machine is not meant")
    return pathlib.Path(folder)


@contextlib.contextmanager
def opened(parts: tuple[str, ...], start: int | None = None) -> Iterator[int]:
    """A folder, opened part by part. Raises OSError, also for a link."""
    here = os.dup(start) if start is not None else os.open("/", OPEN)
    try:
        for part in parts:
            inner = os.open(part, OPEN, dir_fd=here)
            os.close(here)
            here = inner
        yield here
    finally:
        os.close(here)


def files(folder: int, device: int, parents: tuple[str, ...] = ()) -> Iterator[File]:
    """The regular files of a folder and of those below it, on the same file system."""
    names = os.listdir(folder)
    for name in names:
        try:
            known = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISREG(known.st_mode):
                yield File(known.st_mtime, known.st_size, parents, name)
            elif stat.S_ISDIR(known.st_mode) and known.st_dev == device and len(parents) < DEPTH_MAX:
                with opened((name,), folder) as inner:
                    yield from files(inner, device, (*parents, name))
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue  # gone meanwhile, or not ours to look into
        except OSError as error:
            if error.errno != errno.ELOOP:  # a link in its place since
                raise


def remove(root: int, file: File) -> bool:
    """Whether it is gone: the very file that was seen, not one that came to its name since."""
    try:
        with opened(file.parents, root) as folder:
            known = os.stat(file.name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISREG(known.st_mode) or (known.st_mtime, known.st_size) != (file.changed, file.size):
                return False
            os.unlink(file.name, dir_fd=folder)
            return True
    except OSError as error:
        print(f"{file.shown()} stays: {error.strerror}", file=sys.stderr)
        return False


def main() -> int:
    """0 where the folder is within its limit at the end."""
    given = json.load(sys.stdin)
    dry, limit = os.environ.get("HEALER_DRY_RUN") == "1", given["limit_mib"] * MIB
    path = place(given["folder"], os.environ["HEALER_TARGET"], dry=dry)
    try:
        with opened(path.parts[1:]) as root:
            seen = sorted(files(root, os.fstat(root).st_dev))
            before = left = sum(one.size for one in seen)
            print(f"{path} has {before} bytes, the limit is {limit}")
            since, removed = time.time() - given["keep_minutes"] * 60, 0
            for one in seen[: max(0, len(seen) - given["keep_files"])]:
                if left <= limit or one.changed >= since:  # all that follow are newer
                    break
                if dry or remove(root, one):
                    print(f"{'would remove' if dry else 'removed'} {one.shown()} ({one.size} bytes)")
                    left, removed = left - one.size, removed + 1
            if not dry:  # what is there now, not what was reckoned
                left = sum(one.size for one in files(root, os.fstat(root).st_dev))
    except OSError as error:
        raise Refused(f"{path} is no folder, or a link leads to it ({error.strerror})") from None
    print(json.dumps({"removed": removed, "before_bytes": before, "left_bytes": left}))
    if left > limit:
        kept = f"the newest files ({given['keep_files']}) and those of the last {given['keep_minutes']} minutes stay"
        print(f"{path} is still over its limit: {kept}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Refused as refused:
        sys.exit(f"{refused}: nothing is removed")
