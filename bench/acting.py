"""What acts: decisions with a run, from a match to the child's exec, and a start after a crash with much that is open.

All gates are asked; those that would hold everything back (`storm`, `rate_limit`, `breaker`) are wide open.
"""

from __future__ import annotations

import contextlib
import pathlib
import sqlite3
import time
from typing import Final

import bars
import daemons
import memory
import projects

HOT: Final = 'event.kind == "hot"'
RULEBOOK: Final = f"""\
- name: acting
  hosts: all
  sources:
    - healer.api: {{}}
  rules:
    - name: act
      condition: {HOT}
      action: {{run_action: {{name: stamp}}}}
"""
ACTIONS: Final = """\
actions:
  stamp: {command: [/bin/date, "+%s%N"], target: none, impact: low, description: says when it began}
"""
SETTINGS: Final = """\
environment: bench
mode: active
storm: none
backlog_max: 1000000
defaults: {run_action: {rate_limit: none, breaker: none, max_age: 1 hour, verify: none}}
"""
DECISIONS: Final = 20_000
RATE: Final = 100
EFFECTS_S: Final = 15
JOURNALED: Final = 1_000_000
OPEN: Final = 1_000


def write(folder: pathlib.Path) -> pathlib.Path:
    """A project whose one rule acts."""
    projects.write(folder, projects.QUIET)
    (folder / "rulebooks" / "acting.yml").write_text(RULEBOOK)
    (folder / "actions.yaml").write_text(ACTIONS)
    (folder / "healer.yaml").write_text(SETTINGS)
    return folder


def measure(folder: pathlib.Path, scale: float) -> list[bars.Result]:
    """Decisions, then effects, then a crash with much that is open."""
    return [
        _decisions(write(folder / "decisions"), scale),
        _effects(write(folder / "effects"), scale),
        _crash(write(folder / "crash"), scale),
    ]


def _pause(folder: pathlib.Path) -> None:
    (folder / ".healer").mkdir(exist_ok=True)
    (folder / ".healer" / "PAUSE").write_text("the measure")


def _decisions(folder: pathlib.Path, scale: float) -> bars.Result:
    """Matches that become runs, all held by the kill switch so that no effect takes part: a second."""
    count = max(2_000, int(DECISIONS * min(scale, 1)))
    _pause(folder)
    with daemons.running(folder) as daemon:
        started = time.perf_counter()
        memory.post(daemon, count, "hot")
        _until(daemon, count)
        took_s = time.perf_counter() - started
    return bars.Result("decisions", [count / took_s])


def _effects(folder: pathlib.Path, scale: float) -> bars.Result:
    """An event each hundredth of a second; from its acceptance to the moment that the child says, p99."""
    with daemons.running(folder) as daemon:
        begun = time.perf_counter()
        for number in range(int(RATE * max(3, EFFECTS_S * min(scale, 1)))):
            time.sleep(max(0.0, begun + number / RATE - time.perf_counter()))
            daemon.ask("/events", "POST", projects.body("hot"))
        _until(daemon, 0)
        waits_ms = sorted(_waits_ms(folder))
    return bars.Result(
        "effect-p99",
        [waits_ms[int(len(waits_ms) * 0.99)]],
        f"{len(waits_ms):,} effects, median {waits_ms[len(waits_ms) // 2]:.1f} ms",
    )


def _until(daemon: daemons.Daemon, runs: int) -> None:
    """Wait until so many runs are open, and committed."""
    found = -1
    for _ in range(1_200):
        found = sum(daemon.status()["runs"].values())
        if found == runs:
            return
        time.sleep(0.05)
    raise daemons.MeasureFailedError(f"{found} runs are open where {runs} are wanted")


def _waits_ms(folder: pathlib.Path) -> list[float]:
    sql = (
        "SELECT j.at_us, b.data FROM attempt a JOIN run r ON r.id = a.run JOIN journal j ON j.seq = r.seq"
        " JOIN blob b ON b.hash = a.stdout_hash WHERE a.state = 'succeeded'"
    )
    with contextlib.closing(sqlite3.connect(f"file:{folder / '.healer' / 'healer.db'}?mode=ro", uri=True)) as opened:
        return [(int(data) / 1_000 - at_us) / 1_000 for at_us, data in opened.execute(sql)]


def _crash(folder: pathlib.Path, scale: float) -> bars.Result:
    """kill -9 with so many events journaled and runs open; from the start to ready."""
    events = JOURNALED if scale >= 1 else 100_000
    _pause(folder)
    with daemons.running(folder) as daemon:
        memory.post(daemon, OPEN, "hot")
        _until(daemon, OPEN)
        memory.post(daemon, events, "cold")
        daemon.process.kill()
        daemon.process.wait()
    with daemons.running(folder) as again:
        _until(again, OPEN)
        return bars.Result("crash-ready", [again.ready_s], f"{events:,} events, {OPEN:,} open runs")
