"""The files of a job folder as the shim writes them; the folder is the current one.

`shim` alone calls this. What has to be written after the child has started needs no new space on the disk, or gives way:
the status has its space beforehand, and where the scrubbed job finds none, the job is removed.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pathlib
import time
from typing import Any

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
STATUS_BYTES = 4096
ERROR_CHARACTERS = 300  # as JSON one takes up to 12 bytes


def write_whole(descriptor: int, content: bytes) -> None:
    """Write all of it: on a disk that fills up, a part is written first and only the next call fails."""
    while content:
        content = content[os.write(descriptor, content) :]


def discard(name: str) -> None:
    """Remove a file, if it can be."""
    with contextlib.suppress(OSError):
        os.unlink(name)  # noqa: PTH108


def remove(names: list[str]) -> None:
    """Remove the files with secrets, wherever in the folder they lie."""
    for name in ("stdin", *names):
        discard(name)


def sync() -> None:
    """The names in the folder are on disk when it returns."""
    descriptor = os.open(".", os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- before the child -------------------------------------------------------------------------------------------------


def claim(content: str) -> bool:
    """Link `content` as `started`; False if somebody was first. Raises OSError where it is not claimed.

    `sync` has to follow: after a power cut a claim that is gone would read as "never started".
    """
    temporary = f"started.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        write_whole(descriptor, content.encode())
        os.fsync(descriptor)
        os.link(temporary, "started")
    except FileExistsError:
        return False
    finally:
        os.close(descriptor)
        discard(temporary)
    return True


def reserved() -> str:
    """The name of the file that will be the status. Each shim has its own, as it is made before the claim."""
    return f"status.{os.getpid()}"


def reserve_status() -> int:
    """The file that will be the status, with its space taken now: a disk that fills up later cannot hinder it.

    Raises OSError where there is no space, and leaves nothing then.
    """
    descriptor = os.open(reserved(), os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        try:
            os.posix_fallocate(descriptor, 0, STATUS_BYTES)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # a file system that cannot
                raise
            write_whole(descriptor, b" " * STATUS_BYTES)
    except OSError:
        os.close(descriptor)
        discard(reserved())
        raise
    return descriptor


def read_job() -> dict[str, Any]:
    """The job of the folder."""
    job = json.loads(pathlib.Path("job.json").read_bytes())
    if type(job) is not dict:
        raise ValueError("job.json is no object")
    return job


# --- once the child runs ----------------------------------------------------------------------------------------------


def scrub(job: dict[str, Any]) -> None:
    """Take the values of the environment out of job.json: a secret lies on disk no longer than it has to.

    Where that cannot be written it removes the file, which needs no space, and raises: it may be tried again.
    """
    temporary = "job.json.tmp"
    try:
        text = json.dumps({**job, "env": sorted(job.get("env", {}))})
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            write_whole(descriptor, text.encode())
        finally:
            os.close(descriptor)
        os.replace(temporary, "job.json")  # noqa: PTH105
    except BaseException:
        discard(temporary)
        discard("job.json")
        raise


def write_status(descriptor: int, status: dict[str, Any]) -> None:
    """Make the status seen, whole and on disk. May be tried again where it raises."""
    status["ended_at"] = time.time()
    status["error"] = status["error"][:ERROR_CHARACTERS]
    os.pwrite(descriptor, json.dumps(status).encode().ljust(STATUS_BYTES), 0)
    os.fsync(descriptor)
    os.rename(reserved(), "status")  # noqa: PTH104
    with contextlib.suppress(OSError):  # it is there for all who look; only a power cut could take it back
        sync()
