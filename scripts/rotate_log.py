#!/usr/bin/env python3
"""Rotates one log that has grown too big: keeps a compressed copy, then empties it. Parameters: see rotate_log.meta.yml.

Who writes to the log goes on and need not be told, but has to append (O_APPEND), as loggers do. At whatever moment this is killed, no
line is lost: at worst some stand in the copy and in the log. Only what comes in the microseconds between the last look and the emptying
is lost. No part of the log's path may be a link, so that who can write to a folder above it cannot lead this elsewhere.

`log/NAME` means a demonstration host (inventory/demo.yml): DATA_DIR/hosts/<target>/log/NAME, found from the folder of the revision that
scripts run in. Any other log is one of the machine that this runs on, so the target has to be that machine.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import json
import os
import pathlib
import re
import signal
import stat
import sys
from typing import Any

PIECE_BYTES = 1 << 20
ROOM_BYTES = 16 << 20
"""So much of the disk stays free: others need it more than this needs its copy."""
MIB = 1 << 20
OPEN = os.O_NOFOLLOW | os.O_CLOEXEC


class Refused(Exception):
    """Why the log is left as it is."""


def place(log: str, target: str) -> pathlib.Path:
    """The path of the log. Raises `Refused` where it is not one of this machine."""
    this = os.uname().nodename
    if "," in target:
        raise Refused(f"one target at a time is wanted, got {target}")
    if not log.startswith("/"):
        return pathlib.Path.cwd().parents[1] / "hosts" / target / log
    if target not in ("localhost", this, this.partition(".")[0]):
        raise Refused(f"{log} of {target} cannot be reached from here, and that of {this} is not meant")
    return pathlib.Path(log)


def make(log: pathlib.Path) -> None:
    """The log of a demonstration host that has written nothing yet."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(log, os.O_CREAT | os.O_EXCL | OPEN, 0o600))


def opened(path: pathlib.Path) -> tuple[int, int]:
    """(its folder, the log), opened part by part. Raises `Refused`, also for links, and `OSError`."""
    if ".." in path.parts:
        raise Refused(f"{path} leads upwards")
    try:
        folder = os.open("/", os.O_RDONLY | os.O_DIRECTORY | OPEN)
        for part in path.parts[1:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | OPEN, dir_fd=folder)
            os.close(folder)
            folder = inner
        log = os.open(path.name, os.O_RDWR | os.O_NONBLOCK | OPEN, dir_fd=folder)
    except OSError as error:
        raise Refused(f"{path} cannot be opened without following links: {error.filename}: {error.strerror}") from None
    known = os.fstat(log)
    if not stat.S_ISREG(known.st_mode) or known.st_nlink != 1:
        raise Refused(f"{path} is no file, or has a second name")
    try:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Refused(f"{path} is locked: somebody else rotates it") from None
    return folder, log


def copies(folder: int, name: str) -> set[int]:
    """The numbers of the copies that are there: 1 is the newest."""
    found = (re.fullmatch(re.escape(name) + r"\.([1-9][0-9]{0,5})\.gz", one) for one in os.listdir(folder))
    return {int(one[1]) for one in found if one}


def make_place(folder: int, name: str, keep: int) -> None:
    """Free the number 1 (of one copy: it is to be replaced). Where this was interrupted there is a gap: it is filled, and no copy goes."""
    there = copies(folder, name)
    for number in (number for number in there if number > keep):
        os.unlink(f"{name}.{number}.gz", dir_fd=folder)
    gap = next((number for number in range(1, keep) if number not in there), keep)
    for number in range(gap, 1, -1):
        os.rename(f"{name}.{number - 1}.gz", f"{name}.{number}.gz", src_dir_fd=folder, dst_dir_fd=folder)


def copy_rest(log: int, copy: int) -> int:
    """Append what was not read yet, as one more member of the file (RFC 1952, 2.2). Returns its bytes, not compressed."""
    copied = 0
    with open(copy, "ab", closefd=False) as plain, gzip.GzipFile("", "wb", 6, plain) as packed:
        while piece := os.read(log, PIECE_BYTES):
            room = os.fstatvfs(copy)
            if room.f_bavail * room.f_frsize < ROOM_BYTES:
                raise Refused(f"less than {ROOM_BYTES // MIB} MiB of the disk are free: there is no room for a copy")
            copied += packed.write(piece)
    return copied


def rotate(folder: int, log: int, name: str, keep: int) -> int:
    """Copy, make the copy number 1, empty the log. Returns how many bytes were copied. What it raises leaves the log whole."""
    known = os.fstat(log)
    unfinished = f".{name}.rotating"
    with contextlib.suppress(FileNotFoundError):  # of one that was killed
        os.unlink(unfinished, dir_fd=folder)
    copy = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | OPEN, 0o600, dir_fd=folder)
    try:
        if os.geteuid() == 0:
            os.fchown(copy, known.st_uid, known.st_gid)
        os.fchmod(copy, stat.S_IMODE(known.st_mode) & 0o666)
        copied = copy_rest(log, copy)
        os.fsync(copy)
        make_place(folder, name, keep)
        os.rename(unfinished, f"{name}.1.gz", src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(unfinished, dir_fd=folder)
        raise
    copied += copy_rest(log, copy)  # what came in the meantime
    os.ftruncate(log, 0)
    return copied


def heal(parameters: dict[str, Any], target: str, dry: bool) -> dict[str, Any]:
    """All of it; the result. Raises `OSError` and `Refused`, after which the log is whole."""
    path, keep, floor = place(parameters["log"], target), parameters["keep"], parameters["min_mib"] * MIB
    if not parameters["log"].startswith("/") and not dry:
        make(path)
    folder, log = opened(path)
    try:
        rotated, size = False, os.fstat(log).st_size
        if size < floor:
            print(f"{path} has {size} bytes, fewer than {floor}: it is left as it is")
        elif dry:
            gone = f", {path.name}.{keep}.gz would go" if keep in copies(folder, path.name) else ""
            print(f"{path} has {size} bytes: they would become {path.name}.1.gz{gone}")
        else:
            rotated, size = True, rotate(folder, log, path.name, keep)
            print(f"{path} had {size} bytes: they are in {path.name}.1.gz")
        return {"rotated": rotated, "bytes": size, "copies": len(copies(folder, path.name))}
    finally:
        os.close(log)
        os.close(folder)


def main() -> int:
    """Exit 0: it is rotated, or too small for that. The last line is the result, as JSON."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the unfinished copy goes
    try:
        result = heal(json.load(sys.stdin), os.environ["HEALER_TARGET"], os.environ.get("HEALER_DRY_RUN") == "1")
    except (OSError, Refused) as error:
        print(f"{error}. The log is left as it is", file=sys.stderr)
        return 1
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
