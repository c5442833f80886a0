"""How long it takes until something is there: the daemon, and the shortest command."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import time
from typing import Final

import bars
import daemons
import projects

STARTS: Final = 5
COMMANDS: Final = 10
SETTLED_S: Final = 0.5


def measure(folder: pathlib.Path, scale: float) -> list[bars.Result]:
    """Each start on a data directory of its own, with ten rules and the controllers `local` and `ansible`."""
    ready_s, rss_mb = [], []
    for number in range(STARTS if scale >= 1 else 2):
        with daemons.running(projects.write(folder / str(number), projects.TEN, controllers=True)) as daemon:
            ready_s.append(daemon.ready_s)
            time.sleep(SETTLED_S)
            rss_mb.append(daemon.rss_mb())
    return [
        bars.Result("ready", ready_s),
        bars.Result("ready-rss", rss_mb),
        bars.Result("version", [_version_s() for _ in range(COMMANDS if scale >= 1 else 3)]),
    ]


def _version_s() -> float:
    script = pathlib.Path(sys.executable).with_name("healer")
    command = [str(script)] if script.exists() else [sys.executable, "-m", "healer"]
    started = time.perf_counter()
    subprocess.run([*command, "version"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started
