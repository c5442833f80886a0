"""The engine alone, and reading rules: what matching adds to parsing an event, and how long 5,000 rules take to load."""

from __future__ import annotations

import pathlib
import time
from typing import Final

import bars
import daemons
import orjson
import projects

from healer import engine, project, testing

ROUNDS: Final = 5
EVENTS: Final = 100_000
KINDS: Final = 1_000
"""So many different events; all but one in a hundred meet no rule."""
LOADED: Final = 5_000
LOADS: Final = 3


def measure(_folder: pathlib.Path, scale: float) -> list[bars.Result]:
    """Parse + match ÷ parse."""
    made = []
    for name, conditions in (("engine-10", projects.TEN), ("engine-10000", projects.many(10_000))):
        session = engine.Session(testing.load(projects.rulebook(conditions))[0])
        bodies = [projects.body("cold" if number % 100 else "hot", number % KINDS) for number in range(KINDS)]
        runs = [_run(session, bodies, round(EVENTS * scale)) for _ in range(ROUNDS if scale >= 1 else 1)]
        note = f"{sum(one[1] for one in runs) / len(runs):,.0f} events/s parsed and matched"
        made.append(bars.Result(name, [one[0] for one in runs], note))
    return made


def _run(session: engine.Session, bodies: list[bytes], events: int) -> tuple[float, float]:
    """(ratio, events/s) of one round, parsing and parsing + matching one after the other."""
    loads, post = orjson.loads, session.post
    rounds = max(1, events // len(bodies))
    started = time.perf_counter()
    for _ in range(rounds):
        for body in bodies:
            loads(body)
    parsed = time.perf_counter()
    for number in range(rounds):
        for body in bodies:
            post(loads(body), float(number))
    matched = time.perf_counter()
    return (matched - parsed) / (parsed - started), rounds * len(bodies) / (matched - parsed)


def measure_load(folder: pathlib.Path, scale: float) -> list[bars.Result]:
    """A whole project, as `healer validate` and the child of a reload read it."""
    projects.write(folder, projects.many(LOADED))
    took_s = []
    for _ in range(LOADS if scale >= 1 else 1):
        started = time.perf_counter()
        loaded = project.load(folder, {}, None)
        took_s.append(time.perf_counter() - started)
        if loaded.revision is None:
            raise daemons.MeasureFailedError(
                f"the project has mistakes: {[str(one) for one in loaded.diagnostics[:3]]}"
            )
    return [bars.Result("load-5000", took_s)]
