"""`process`: whether a process runs, by the name of its program or by the file that holds its number."""

from __future__ import annotations

import os
import pathlib
import stat
from typing import ClassVar, Final

import pydantic

from healer import plugins
from healer.checks import _texts

PIDFILE_MAX: Final = 64


class ProcessOptions(plugins.Options):
    """Whether a process runs: one of the keys."""

    _one_of: ClassVar[tuple[str, ...]] = ("name", "pidfile")
    model_config = pydantic.ConfigDict(json_schema_extra=plugins.exactly_one(*_one_of))

    name: _texts.Text | None = pydantic.Field(None, description="the name of its program, as ps shows it")
    pidfile: _texts.Text | None = pydantic.Field(None, description="a file with its number")


class Process(plugins.Check):
    """Whether a process runs (a zombie does not)."""

    Options = ProcessOptions
    alert = "ProcessDown"

    def subject(self) -> str:
        """The name, or the file."""
        return str(self.options.name or self.options.pidfile)

    async def look(self) -> plugins.Reading:
        """How many run that have the name; of a file whether its process runs."""
        name = self.options.name
        if name is None:
            path = str(self.options.pidfile)
            return await plugins.apart(path, lambda: _by_pidfile(path))
        pids = await plugins.apart(f"processes named {name}", lambda: _pids_of(name))
        detail = f"{name} runs (pid {pids[0]})" if pids else f"no process is named {name}"
        return plugins.Reading(bool(pids), float(len(pids)), detail)


def _by_pidfile(path: str) -> plugins.Reading:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return plugins.Reading(False, 0.0, f"{path} is no file")
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


CHECK = Process
