"""Those who mean harm to a hook: a flood of deliveries with a wrong token, and connections whose bodies never end. Caller: `hooks.py`.

The flood is a process of its own (`python hostile.py PORT ADDRESS CONNECTIONS`): wrk cannot say which address it comes from. It goes on
until SIGTERM and then prints how many answers of each status it got. Each connection sends again as soon as it is answered, and a closed
one is opened again at once.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import json
import pathlib
import resource
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Final

import daemons
import deliveries
import uvloop

FLOOD_STARTS_S: Final = 0.3
SLOW: Final = 1000
FILES: Final = 4096
"""Open files that the slow connections need at both of their ends."""
SLOW_BODY: Final = 1000
GIVE_UP_S: Final = 40.0
_BIND_ADDRESS_NO_PORT: Final = 24
"""Linux, ip(7): the port is chosen when the connection is opened, so that binding needs no search for one."""


# --- a flood --------------------------------------------------------------------------------------------------------------


class Flood:
    """One that runs. Once it has ended: `seen` are answers by status, and connections that were `closed` or `broken` without one;
    `seconds` is how long it took."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}
        self.seconds = 0.0

    def rate(self) -> float:
        """Answers a second."""
        answers = sum(count for status, count in self.seen.items() if status.isdigit())
        return answers / self.seconds if self.seconds else 0.0


@contextlib.contextmanager
def flooding(daemon: daemons.Daemon, address: str, connections: int) -> Iterator[Flood]:
    """A flood from an address of the loopback for the length of a block; it has begun when the block begins."""
    flood, started = Flood(), time.perf_counter()
    command = [sys.executable, str(pathlib.Path(__file__)), str(daemon.port), address, str(connections)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            process.stdout.readline()
            time.sleep(FLOOD_STARTS_S)
            yield flood
        finally:
            process.send_signal(signal.SIGTERM)
            said = process.stdout.readline()
        flood.seen, flood.seconds = json.loads(said), time.perf_counter() - started


async def _flood(port: int, address: str, connections: int) -> None:
    seen: collections.Counter[str] = collections.Counter()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    one = deliveries.alert("wrong").replace(deliveries.MARK.encode(), b"0" * len(deliveries.MARK))
    senders = [asyncio.create_task(_send(port, address, one, seen)) for _ in range(connections)]
    print("begun", flush=True)
    await ended.wait()
    print(json.dumps(seen), flush=True)
    for sender in senders:
        sender.cancel()


async def _send(port: int, address: str, one: bytes, seen: collections.Counter[str]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        with socket.socket() as opened:
            opened.setblocking(False)
            opened.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
            opened.bind((address, 0))
            try:
                await loop.sock_connect(opened, ("127.0.0.1", port))
                while True:
                    await loop.sock_sendall(opened, one)
                    answer = await loop.sock_recv(opened, 1 << 16)
                    if not answer:
                        seen["closed"] += 1
                        break
                    seen[answer[9:12].decode("ascii", "replace")] += 1
                    if b"\r\nconnection: close" in answer.lower():
                        break
            except OSError:
                seen["broken"] += 1
                await asyncio.sleep(0)


# --- slow bodies ----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """What slow connections held: MB of resident memory above idle at the most, and after how many seconds the last one was closed."""

    above_mb: float
    closed_s: float
    answers: dict[str, int]


def slowly(daemon: daemons.Daemon, path: str, connections: int = SLOW) -> Held:
    """Connections that send the headers of a delivery; of its body half of them a byte each second, the others none.

    Raises `daemons.MeasureFailedError`.
    """
    head = deliveries.request(path, b"", {"Content-Type": "application/json"})
    head = head.replace(b"Content-Length: 0", b"Content-Length: %d" % SLOW_BODY)
    idle_mb, most_mb = daemon.rss_mb(), 0.0
    opened: dict[socket.socket, float] = {}
    ages: list[float] = []
    answers: collections.Counter[str] = collections.Counter()
    with contextlib.ExitStack() as stack:
        chosen = stack.enter_context(selectors.DefaultSelector())
        for number in range(connections):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", daemon.port), timeout=10))
            one.sendall(head)
            one.setblocking(False)
            opened[one] = time.perf_counter()
            chosen.register(one, selectors.EVENT_READ, number)
        dripping = [one for number, one in enumerate(opened) if number % 2]
        next_drop = time.perf_counter() + 1
        while len(ages) < connections:
            now = time.perf_counter()
            if now - max(opened.values()) > GIVE_UP_S:
                raise daemons.MeasureFailedError(
                    f"{connections - len(ages)} slow connections are open for {GIVE_UP_S} s"
                )
            if now >= next_drop:
                next_drop += 1
                for one in dripping:
                    with contextlib.suppress(OSError):
                        one.send(b" ")
            for key, _ in chosen.select(0.1):
                answer = _received(key.fileobj)
                if answer:
                    answers[answer[9:12].decode("ascii", "replace")] += 1
                else:
                    chosen.unregister(key.fileobj)
                    ages.append(time.perf_counter() - opened[key.fileobj])
            most_mb = max(most_mb, daemon.rss_mb())
    return Held(most_mb - idle_mb, max(ages), dict(answers))


def _received(one: socket.socket) -> bytes:
    """What came; nothing where it was closed."""
    try:
        return one.recv(1 << 16)
    except ConnectionError:
        return b""


@contextlib.contextmanager
def many_files(wanted: int = FILES) -> Iterator[None]:
    """Room for so many open files, here and in what is started meanwhile. Raises `daemons.MeasureFailedError`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise daemons.MeasureFailedError(f"{wanted} open files are wanted, the limit is {hard} (ulimit -Hn)")
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


if __name__ == "__main__":
    uvloop.run(_flood(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
