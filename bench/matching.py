"""Reading rules: how long 5,000 take from their file to sessions, and what they add to an idle daemon."""

from __future__ import annotations

import pathlib
import time
from typing import Final

import bars
import daemons
import projects

from healer import engine, project

LOADED: Final = 5_000
LOADS: Final = 3
SETTLED_S: Final = 0.5


def measure_load(folder: pathlib.Path, scale: float) -> list[bars.Result]:
    """A whole project, with places and all diagnostics, its rules compiled; and a daemon with it beside one with ten rules."""
    projects.write(folder / "many", projects.many(LOADED))
    took_s = []
    for _ in range(LOADS if scale >= 1 else 1):
        started = time.perf_counter()
        loaded = project.load(folder / "many", {}, None)
        if loaded.revision is None:
            raise daemons.MeasureFailedError(
                f"the project has mistakes: {[str(one) for one in loaded.diagnostics[:3]]}"
            )
        for _, ruleset in loaded.revision.rulesets():
            engine.Session(ruleset)
        took_s.append(time.perf_counter() - started)
    added_mb = [
        _rss_mb(folder / "many") - _rss_mb(projects.write(folder / f"ten-{n}", projects.TEN))
        for n in range(LOADS if scale >= 1 else 1)
    ]
    return [bars.Result("load-5000", took_s), bars.Result("memory-5000", added_mb)]


def _rss_mb(project_dir: pathlib.Path) -> float:
    with daemons.running(project_dir) as daemon:
        time.sleep(SETTLED_S)
        return daemon.rss_mb()
