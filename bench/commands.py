"""How long each command takes until it could begin: a process of its own that imports it and prints its help."""

from __future__ import annotations

import pathlib
import statistics
import subprocess
import sys
import time

import bars

from healer import cli

TIMES = 7


def measure(_folder: pathlib.Path, scale: float) -> list[bars.Result]:
    """All commands in turn, so that what else the machine does meets all of them; the samples are those of the slowest one."""
    script = pathlib.Path(sys.executable).with_name("healer")
    begun = [str(script)] if script.exists() else [sys.executable, "-m", "healer"]
    took: dict[str, list[float]] = {name: [] for name in cli.COMMANDS}
    for _ in range(TIMES if scale >= 1 else 2):
        for name, samples in took.items():
            started = time.perf_counter()
            subprocess.run([*begun, name, "--help"], check=True, stdout=subprocess.DEVNULL)
            samples.append(time.perf_counter() - started)
    worst = max(took, key=lambda name: statistics.median(took[name]))
    fastest = min(statistics.median(samples) for samples in took.values())
    return [bars.Result("commands", took[worst], f"{worst}, of {len(took)}; the fastest takes {fastest:.3f} s")]
