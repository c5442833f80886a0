"""The writer alone: how many appends a second become durable while 1, 16, 64, 128 wait for theirs; and plain sqlite3 beside it.

With 64 waiting also with the batch cap set to 1, one after the other in each round: what grouping gains where nothing but the
store takes time.
"""

from __future__ import annotations

import asyncio
import pathlib
import sys
import time
from typing import Any, Final

import bars
import projects
import uvloop

from healer import daemon, store
from healer.store import connection, journal

WAITING: Final = (1, 16, 64, 128)
COMPARED: Final = 64
ROUNDS: Final = 3
SECONDS: Final = 1.5
RAW_BATCH: Final = 100


def measure(folder: pathlib.Path, scale: float) -> list[bars.Result]:
    """Rounds over all of them."""
    seconds = max(0.2, SECONDS * scale)
    rates: dict[str, list[float]] = {}
    before = sys.getswitchinterval()
    sys.setswitchinterval(daemon.SWITCH_S)
    try:
        for number in range(ROUNDS if scale >= 1 else 1):
            for waiting in WAITING:
                data_dir = folder / f"{number}-{waiting}"
                (data_dir / "single").mkdir(parents=True)
                rate = uvloop.run(_writer(data_dir, waiting, seconds))
                rates.setdefault(f"writer-{waiting}", []).append(rate)
                if waiting == COMPARED:
                    alone = uvloop.run(_writer(data_dir / "single", waiting, seconds, batch_rows_max=1))
                    rates.setdefault("writer-batching", []).append(rate / alone)
            rates.setdefault("writer-raw", []).append(_raw(folder / f"{number}-raw.db", seconds))
    finally:
        sys.setswitchinterval(before)
    return [bars.Result(name, samples) for name, samples in rates.items()]


async def _writer(data_dir: pathlib.Path, waiting: int, seconds: float, **options: int) -> float:
    """Appends a second."""
    opened = store.Store.open(data_dir, _clock, loop=asyncio.get_running_loop(), **options)
    end = time.perf_counter() + seconds
    done = 0

    async def submitter() -> None:
        nonlocal done
        while time.perf_counter() < end:
            await opened.submit(journal.Append([_row()]))
            done += 1

    started = time.perf_counter()
    await asyncio.gather(*(submitter() for _ in range(waiting)))
    rate = done / (time.perf_counter() - started)
    await opened.close()
    return rate


def _raw(path: pathlib.Path, seconds: float) -> float:
    """The same columns and table by hand: one INSERT of many rows a transaction."""
    opened = connection.open_writer(str(path))
    marks = ",".join(["(?,0,'event','healer.api',?,0,?,'key:admin')"] * RAW_BATCH)
    statement = f"INSERT INTO journal (seq, part, kind, source, at_us, depth, body, actor) VALUES {marks}"
    body = projects.body("cold")
    started = time.perf_counter()
    number = 0
    while time.perf_counter() - started < seconds:
        values: list[Any] = []
        for _ in range(RAW_BATCH):
            number += 1
            values += (number, _clock(), body)
        opened.execute("BEGIN IMMEDIATE")
        opened.execute(statement, values)
        opened.execute("COMMIT")
    rate = number / (time.perf_counter() - started)
    opened.close()
    return rate


def _row() -> journal.Row:
    return journal.Row("event", "healer.api", BODY, actor="key:admin")


def _clock() -> int:
    return time.time_ns() // 1000


BODY: Final = projects.body("cold")
