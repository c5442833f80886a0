"""On what it was measured. Caller: `report.py`. One figure belongs to it: what one sync to that disk takes, on which durable rates rest."""

from __future__ import annotations

import os
import pathlib
import platform
import sqlite3
import statistics
import time
from typing import Final

from healer.store import connection

SYNCS: Final = 200
BLOCK: Final = b"\0" * 4096


def describe(folder: pathlib.Path) -> dict[str, str]:
    """Name → value, for people."""
    kind = connection.filesystem_of(folder, pathlib.Path("/proc/self/mounts"))
    cores = len(os.sched_getaffinity(0))
    return {
        "cores": f"{cores} ({_processor()})",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.1f} GB",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "disk": f"{kind}, fdatasync of 4 KiB: {_sync_ms(folder):.2f} ms (median)",
        "load before": f"{os.getloadavg()[0]:.2f} (1 minute)",
    }


def _processor() -> str:
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _sync_ms(folder: pathlib.Path) -> float:
    path = folder / "sync"
    took = []
    with path.open("wb", buffering=0) as file:
        for _ in range(SYNCS):
            file.write(BLOCK)
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - started) * 1e3)
    path.unlink()
    return statistics.median(took)
