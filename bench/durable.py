"""Durable `POST /events` against the same daemon that only counts, and against one that commits each request alone.

All daemons stand side by side and are loaded one after the other in rounds, each round in another order; ratios are made
within a round, so that the drift of the machine cancels.
"""

from __future__ import annotations

import collections
import contextlib
import pathlib
from collections.abc import Mapping
from typing import Final

import bars
import daemons
import load
import projects

ROUNDS: Final = 5
SLICES: Final = 6
SECONDS: Final = 1.0
"""A round is some short turns of each daemon, one after the other: a machine that is slow for seconds is slow for all of them."""
WARM_S: Final = 2.0
# name: (rules, start wrapper, every how many-th event fires)
CASES: Final[dict[str, tuple[list[str], str, int]]] = {
    "baseline": (projects.QUIET, "baseline", 0),
    "durable": (projects.QUIET, "", 0),
    "firing": (projects.TEN, "", 100),
    "all-firing": (projects.TEN, "", 1),
    "single": (projects.QUIET, "single", 0),
    "slow": (projects.QUIET, "slow", 0),
    "slow-single": (projects.QUIET, "slow-single", 0),
}


def measure(folder: pathlib.Path, scale: float) -> list[bars.Result]:
    """Every bar on requests but that of reloads."""
    seconds = max(1.0, SECONDS * scale)
    loads: dict[str, list[load.Load]] = collections.defaultdict(list)
    decided: dict[str, list[float]] = collections.defaultdict(list)
    with contextlib.ExitStack() as stack:
        running = {
            name: stack.enter_context(daemons.running(projects.write(folder / name, rules), variant))
            for name, (rules, variant, _) in CASES.items()
        }
        for name, daemon in running.items():
            load.run(daemon, max(1.0, WARM_S * scale), CASES[name][2])
            daemon.decided_s()
        names = list(CASES)
        for number in range(ROUNDS if scale >= 1 else 2):
            slices: dict[str, list[load.Load]] = collections.defaultdict(list)
            for part in range(SLICES if scale >= 1 else 1):
                turn = (number + part) % len(names)
                for name in names[turn:] + names[:turn]:
                    slices[name].append(load.run(running[name], seconds, CASES[name][2]))
                    decided[name].append(running[name].decided_s())
            for name, some in slices.items():
                loads[name].append(load.together(some))
    return _results(loads, decided)


def _results(loads: Mapping[str, list[load.Load]], decided: Mapping[str, list[float]]) -> list[bars.Result]:
    base = loads["baseline"]
    made = []
    for name in ("durable", "firing", "all-firing"):
        pairs = list(zip(loads[name], base, strict=True))
        ratio = [mine.rate / other.rate for mine, other in pairs]
        made.append(bars.Result(f"{name}-ratio", ratio, f"{_told(loads[name])}; baseline {_told(base)}"))
        made.append(bars.Result(f"{name}-p99", [mine.p99_ms / other.p99_ms for mine, other in pairs]))
        if name != "durable":
            made.append(bars.Result(f"{name}-backlog", decided[name]))
    pairs = list(zip(loads["durable"], loads["single"], strict=True))
    ratio = [mine.rate / other.rate for mine, other in pairs]
    made.append(bars.Result("batching-ratio", ratio, f"cap 1: {_told(loads['single'])}"))
    slow = list(zip(loads["slow"], loads["slow-single"], strict=True))
    told = f"{_told(loads['slow'])}; cap 1: {_told(loads['slow-single'])}"
    made.append(bars.Result("batching-1ms", [mine.rate / other.rate for mine, other in slow], told))
    most = [free.rate / other.rate for free, other in zip(base, loads["single"], strict=True)]
    made.append(bars.Result("batching-most", most))
    return made


def _told(seen: list[load.Load]) -> str:
    """Medians in words."""
    middle = sorted(seen, key=lambda one: one.rate)[len(seen) // 2]
    refused = sum(one.refused for one in seen)
    more = f", {refused} refused" if refused else ""
    return f"{middle.rate:,.0f} requests/s, p50 {middle.p50_ms:.1f} ms, p99 {middle.p99_ms:.1f} ms{more}"
