"""One run of wrk against a daemon. Callers: the measures of requests.

One thread of wrk: it is far from being the limit, and on two cores a second one would take the daemon's.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
from typing import Final

import daemons
import projects

CONNECTIONS: Final = 64
THREADS: Final = 1
SCRIPT: Final = pathlib.Path(__file__).with_name("events.lua")


@dataclasses.dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw. `refused` are answers other than 2xx or 3xx."""

    rate: float
    p50_ms: float
    p99_ms: float
    refused: int


def run(daemon: daemons.Daemon, seconds: float, hot_every: int = 0) -> Load:
    """Post for some seconds; every `hot_every`-th event fires (0: none). Raises `daemons.MeasureFailedError`."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise daemons.MeasureFailedError("wrk is not installed; on Debian: apt-get install wrk")
    environ = os.environ | {
        "BENCH_HOT_EVERY": str(hot_every), "BENCH_KEY": projects.KEY, "BENCH_COLD": projects.body("cold").decode(),
        "BENCH_HOT": projects.body("hot").decode(),
    }  # fmt: skip
    command = [wrk, f"-t{THREADS}", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "-s", str(SCRIPT)]
    done = subprocess.run(
        [*command, f"http://127.0.0.1:{daemon.port}"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + 60,
    )
    line = next((line for line in done.stdout.splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        raise daemons.MeasureFailedError(f"wrk: {done.stdout[-500:]} {done.stderr[-500:]}")
    seen = json.loads(line.removeprefix("RESULT "))
    if seen["broken"] or not seen["requests"]:
        raise daemons.MeasureFailedError(
            f"wrk: {seen['requests']} requests, {seen['broken']} of them broken: {daemon.said()}"
        )
    rate = (seen["requests"] - seen["refused"]) / seen["duration_us"] * 1e6
    return Load(rate, seen["p50_us"] / 1e3, seen["p99_us"] / 1e3, seen["refused"])


def together(some: list[Load]) -> Load:
    """Several runs of equal length as one: rates as their mean, percentiles as their median."""
    middle = len(some) // 2
    return Load(
        rate=sum(one.rate for one in some) / len(some),
        p50_ms=sorted(one.p50_ms for one in some)[middle],
        p99_ms=sorted(one.p99_ms for one in some)[middle],
        refused=sum(one.refused for one in some),
    )
