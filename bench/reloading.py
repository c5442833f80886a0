"""What a reload of 5,000 rules does to those who post meanwhile. All rules change with each reload, over and over.

The reload is asked for over the control socket, as `healer reload` does it, without a new Python for each.
"""

from __future__ import annotations

import concurrent.futures
import pathlib
import threading
import time
from typing import Final

import bars
import daemons
import load
import projects

from healer.cli import client, location

RULES: Final = 5_000
PAIRS: Final = 5
SECONDS: Final = 6.0
TIMEOUT_S: Final = 300.0


def measure(folder: pathlib.Path, scale: float) -> list[bars.Result]:
    """p99 with and without, in pairs."""
    reloader = Reloader(projects.write(folder, projects.many(RULES)))
    calm: list[float] = []
    loaded: list[float] = []
    with daemons.running(folder) as daemon, concurrent.futures.ThreadPoolExecutor(1) as pool:
        load.run(daemon, 2)
        for _ in range(PAIRS if scale >= 1 else 1):
            calm.append(load.run(daemon, SECONDS if scale >= 1 else 2.0).p99_ms)
            reloader.ended.clear()
            reloads = pool.submit(reloader.run)
            try:
                loaded.append(load.run(daemon, SECONDS).p99_ms)
            finally:
                reloader.ended.set()
            reloads.result()
            daemon.decided_s()
    note = f"{sorted(loaded)[len(loaded) // 2]:.1f} ms ÷ {sorted(calm)[len(calm) // 2]:.1f} ms, {len(reloader.took_s)} reloads"
    ratios = [during / without for during, without in zip(loaded, calm, strict=True)]
    return [bars.Result("reload-p99", ratios, note), bars.Result("reload-time", reloader.took_s)]


class Reloader:
    """Changes all rules and reloads, until `ended`; the reload that runs then comes to its end. `took_s`: what each took."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.ended = threading.Event()
        self.took_s: list[float] = []
        self._folder = folder
        self._asked = client.Client(location.Where(folder / ".healer"), TIMEOUT_S)
        self._threshold = 0
        # Written beforehand: making 5,000 rules takes the processor from those who are measured.
        self._prepared = [projects.prepare(folder, projects.many(RULES, threshold), threshold) for threshold in (0, 1)]

    def run(self) -> None:
        """Raises `client.Refused`, and `daemons.MeasureFailedError` where a reload changed something else than all rules."""
        while not self.ended.is_set():
            self._threshold = 1 - self._threshold
            projects.take(self._folder, self._prepared[self._threshold])
            started = time.perf_counter()
            changed = self._asked.ask("POST", f"{client.API}/reload", body=b"")["changed"]
            self.took_s.append(time.perf_counter() - started)
            if len(changed.get("rules", {}).get("restarted", ())) != RULES:
                raise daemons.MeasureFailedError(f"not all rules were reloaded, but {str(changed)[:300]}")
