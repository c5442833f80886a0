"""The probes of the source `check`: how full a disk or folder is, whether a process runs, what a URL answers.

Each takes its options and gives a `plugins.Reading`; `Blind` says that nothing could be read, which is neither good nor
bad. What blocks (stat, /proc) runs in a thread: it waits for the kernel, it does not compute.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import shutil
import stat
import urllib.parse
from collections.abc import Iterator
from typing import Final

import aiohttp

from healer import plugins

FILES_MAX: Final = 1_000_000
BODY_MAX: Final = 1 << 20
REDIRECTS_MAX: Final = 5
PIDFILE_MAX: Final = 64


class Blind(Exception):
    """The probe could not look; the text says why."""


# --- disk -------------------------------------------------------------------------------------------------------------


async def disk(path: str, used_percent_max: float, max_bytes: int | None) -> plugins.Reading:
    """How full the file system of `path` is; with `max_bytes`, how much of so many bytes the folder's files take."""
    try:
        used, whole = await asyncio.to_thread(_used, path, max_bytes)
    except OSError as error:
        raise Blind(f"{path}: {error.strerror or error}") from error
    percent = 100.0 * used / whole
    return plugins.Reading(
        ok=percent <= used_percent_max,
        value=percent,
        detail=f"{path} is {percent:.1f} % full ({used} of {whole} bytes), limit {used_percent_max:g} %",
    )


def _used(path: str, max_bytes: int | None) -> tuple[int, int]:
    if max_bytes is not None:
        return _folder_bytes(path), max_bytes
    usage = shutil.disk_usage(path)
    return usage.used, max(usage.used + usage.free, 1)  # as df: what is reserved for root is not there for others


def _folder_bytes(path: str) -> int:
    total = 0
    for count, size in enumerate(_sizes(path)):
        if count >= FILES_MAX:
            raise OSError(f"more than {FILES_MAX} files")
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


# --- process ----------------------------------------------------------------------------------------------------------


async def process(name: str | None, pidfile: str | None) -> plugins.Reading:
    """Whether a process of that name, or the one whose number stands in the file, runs (a zombie does not)."""
    if name is not None:
        pids = await asyncio.to_thread(_pids_of, name)
        detail = f"{name} runs (pid {pids[0]})" if pids else f"no process is named {name}"
        return plugins.Reading(bool(pids), float(len(pids)), detail)
    return await asyncio.to_thread(_by_pidfile, str(pidfile))


def _by_pidfile(path: str) -> plugins.Reading:
    try:
        with pathlib.Path(path).open("rb") as file:
            text = file.read(PIDFILE_MAX).split(b"\n", 1)[0].strip()
    except OSError as error:
        return plugins.Reading(False, 0.0, f"{path}: {error.strerror or error}")
    if not text.isdigit():
        return plugins.Reading(False, 0.0, f"{path} does not hold the number of a process")
    pid = int(text)
    runs = _runs(pathlib.Path("/proc", str(pid)))
    return plugins.Reading(runs, float(runs), f"the process {pid} of {path} {'runs' if runs else 'does not run'}")


def _pids_of(name: str) -> list[int]:
    wanted = os.fsencode(name)
    return [
        int(entry.name)
        for entry in pathlib.Path("/proc").iterdir()
        if entry.name.isdigit() and wanted in _names(entry) and _runs(entry)
    ]


def _names(entry: pathlib.Path) -> tuple[bytes, ...]:
    """What a process is called: by the kernel (15 bytes at most), and by the first word of its command line."""
    try:
        first = entry.joinpath("cmdline").read_bytes().split(b"\0", 1)[0]
        return entry.joinpath("comm").read_bytes().rstrip(b"\n"), first.rsplit(b"/", 1)[-1]
    except OSError:  # it ended meanwhile
        return ()


def _runs(entry: pathlib.Path) -> bool:
    try:
        state = entry.joinpath("stat").read_bytes().rsplit(b") ", 1)[-1][:1]
    except OSError:
        return False
    return state not in (b"Z", b"X")


# --- http -------------------------------------------------------------------------------------------------------------


async def http(url: str, status: int | None, timeout_s: float, contains: str | None) -> plugins.Reading:
    """Whether a GET answers with the status (None: any 2xx) in time, and with the text in its first MiB.

    A redirect is followed on the same host only: another host's health says nothing of this one's.
    """
    limit = aiohttp.ClientTimeout(total=timeout_s)
    try:
        async with aiohttp.ClientSession(timeout=limit, cookie_jar=aiohttp.DummyCookieJar()) as session:
            return await _asked(session, url, status, contains)
    except TimeoutError:
        return plugins.Reading(False, None, f"{url} did not answer within {timeout_s:g} s")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return plugins.Reading(False, None, f"{url}: {str(error) or type(error).__name__}")


async def _asked(session: aiohttp.ClientSession, url: str, status: int | None, contains: str | None) -> plugins.Reading:
    at = url
    for _ in range(REDIRECTS_MAX + 1):
        async with session.get(at, allow_redirects=False) as answer:
            wanted = answer.status == status if status else 200 <= answer.status < 300
            to = answer.headers.get("Location")
            if not wanted and to and 300 <= answer.status < 400:
                there = urllib.parse.urljoin(at, to)
                if urllib.parse.urlsplit(there).hostname != urllib.parse.urlsplit(url).hostname:
                    return plugins.Reading(False, float(answer.status), f"{url} redirects to another host")
                at = there
                continue
            return await _judged(answer, url, wanted, contains)
    return plugins.Reading(False, None, f"{url} redirects more than {REDIRECTS_MAX} times")


async def _judged(answer: aiohttp.ClientResponse, url: str, wanted: bool, contains: str | None) -> plugins.Reading:
    value = float(answer.status)
    if wanted and contains is not None:
        body = bytearray()
        while len(body) < BODY_MAX and (chunk := await answer.content.read(BODY_MAX - len(body))):
            body += chunk
        if contains.encode() not in body:
            return plugins.Reading(False, value, f"{url} answers {answer.status} without the text that is wanted")
    return plugins.Reading(wanted, value, f"{url} answers {answer.status}")
