"""Whether memory stays where it is: a million events through one daemon with ten rules, retention at work all the while."""

from __future__ import annotations

import concurrent.futures
import contextlib
import http.client
import json
import pathlib
import time
from typing import Final

import bars
import daemons
import projects

EVENTS: Final = 1_000_000
FIRST: Final = 100_000
QUICK_EVENTS: Final = 200_000
"""Fewer would say nothing: the buffers have to be full when memory is looked at first."""
ARRAY: Final = 500
SENDERS: Final = 4
HOT_EVERY: Final = 100
SETTLED_S: Final = 2.0


def measure(folder: pathlib.Path, scale: float) -> list[bars.Result]:
    """Resident memory after the first events and after all of them."""
    total, first = (EVENTS, FIRST) if scale >= 1 else (QUICK_EVENTS, FIRST)
    projects.write(folder, projects.TEN)
    with daemons.running(folder, "retaining") as daemon:
        started = time.perf_counter()
        post(daemon, first)
        took_s = time.perf_counter() - started
        time.sleep(SETTLED_S)
        before_mb = daemon.rss_mb()
        started = time.perf_counter()
        post(daemon, total - first)
        took_s += time.perf_counter() - started
        time.sleep(SETTLED_S)
        after_mb = daemon.rss_mb()
        trimmed = daemon.status()["counters"].get("trimmed_events", 0)
    note = (
        f"{before_mb:.1f} MB after {first:,} events, {after_mb:.1f} MB after {total:,}; {trimmed:,} trimmed meanwhile"
    )
    return [
        bars.Result("memory", [after_mb], note, limit=before_mb * 1.1 + 5),
        bars.Result("memory-rate", [total / took_s]),
    ]


def post(daemon: daemons.Daemon, events: int, kind: str = "") -> None:
    """Arrays over a few connections, until all is decided; without a kind one event of a hundred is hot."""
    array = [projects.event(kind or ("cold" if number % HOT_EVERY else "hot")) for number in range(ARRAY)]
    body = json.dumps(array, separators=projects.COMPACT).encode()
    requests = events // ARRAY
    shares = [requests // SENDERS + (number < requests % SENDERS) for number in range(SENDERS)]
    with concurrent.futures.ThreadPoolExecutor(SENDERS) as pool:
        for done in [pool.submit(send, daemon.port, body, share) for share in shares]:
            done.result()
    daemon.decided_s()


def send(port: int, body: bytes, requests: int) -> None:
    """One connection; a 429 (too much waits) is sent again a little later."""
    headers = {"Authorization": f"Bearer {projects.KEY}", "Content-Type": "application/json"}
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        left = requests
        while left:
            connection.request("POST", "/events", body, headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status == 429:
                time.sleep(0.05)
            elif answer.status == 202:
                left -= 1
            else:
                raise daemons.MeasureFailedError(f"{answer.status}: {text[:500]!r}")
