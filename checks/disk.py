"""`disk`: how full a file system is, or how much of so many bytes the files of a folder take.

What blocks (stat, the files of a folder) runs in a thread of its own: it waits for the kernel, it does not compute.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import threading
from collections.abc import Iterator
from typing import Annotated, Final

import pydantic

from healer import plugins
from healer.checks import _texts

FILES_MAX: Final = 1_000_000

Percent = Annotated[float, pydantic.Field(gt=0, le=100)]


class DiskOptions(plugins.Options):
    """How full a file system is, or how much of `max_bytes` the files of a folder take."""

    path: _texts.Text
    used_percent_max: Percent | None = pydantic.Field(
        None, description="fires above it; default 90, or 100 of max_bytes"
    )
    max_bytes: Annotated[plugins.Size, pydantic.Field(ge=1)] | None = pydantic.Field(
        None, description="measure the folder's own files, in percent of so many bytes"
    )
    clear_percent: Percent | None = pydantic.Field(None, description="resolved only below it")

    @pydantic.model_validator(mode="after")
    def _hysteresis(self) -> DiskOptions:
        if self.clear_percent is not None and self.clear_percent > self.limit:
            raise ValueError(f"clear_percent has to be at most used_percent_max ({self.limit:g})")
        return self

    @property
    def limit(self) -> float:
        """The percentage that counts as too full."""
        if self.used_percent_max is not None:
            return self.used_percent_max
        return 100.0 if self.max_bytes is not None else 90.0


class Disk(plugins.Check):
    """How full a disk or a folder is."""

    Options = DiskOptions
    alert = "DiskFull"

    def subject(self) -> str:
        """The path."""
        return str(self.options.path)

    @property
    def clear_below(self) -> float | None:
        """As the options say."""
        clear: float | None = self.options.clear_percent
        return clear

    async def look(self) -> plugins.Reading:
        """The share that is used; of a file system as df tells it."""
        path, limit, ended = self.options.path, self.options.limit, threading.Event()
        try:
            used, whole = await plugins.apart(path, lambda: _used(path, self.options.max_bytes, ended))
        except OSError as error:
            raise plugins.Blind(f"{path}: {error.strerror or error}") from error
        finally:
            ended.set()
        percent = 100.0 * used / whole
        return plugins.Reading(
            ok=percent <= limit,
            value=percent,
            detail=f"{path} is {percent:.1f} % full ({used} of {whole} bytes), limit {limit:g} %",
        )


def _used(path: str, max_bytes: int | None, ended: threading.Event) -> tuple[int, int]:
    if max_bytes is not None:
        return _folder_bytes(path, ended), max_bytes
    usage = shutil.disk_usage(path)
    return usage.used, max(usage.used + usage.free, 1)  # as df: what is reserved for root is not there for others


def _folder_bytes(path: str, ended: threading.Event) -> int:
    """Of all its files. `ended`: nobody waits for it any more."""
    total = 0
    for count, size in enumerate(_sizes(path)):
        if count >= FILES_MAX:
            raise OSError(f"more than {FILES_MAX} files")
        if ended.is_set():
            break
        total += size
    return total


def _sizes(path: str) -> Iterator[int]:
    """The sizes of the regular files below a folder; links are not followed, what vanishes meanwhile is left out."""
    folders = [path]
    while folders:
        folder = folders.pop()
        try:
            entries = list(os.scandir(folder))
        except FileNotFoundError:
            if folder == path:
                raise
            continue
        folders += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                found = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(found.st_mode):
                    yield found.st_size


CHECK = Disk
