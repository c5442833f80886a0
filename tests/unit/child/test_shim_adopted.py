"""What a child has made a daemon of itself: it ends with a cancelled run, and outlives one that ends by itself."""

from __future__ import annotations

import asyncio
import os
import pathlib
import signal
import sys
from collections.abc import Awaitable, Callable

from healer.child import jobs, shim, starting
from tests import processes

WaitAsync = Callable[..., Awaitable[None]]
ENV = {"PATH": "/usr/bin:/bin"}
ESCAPES = """
import os, sys, time
told, tell = os.pipe()
if not os.fork():
    os.setsid()
    if not os.fork():
        print(os.getpid(), flush=True)
        os.write(tell, b"x")
        null = os.open("/dev/null", os.O_RDWR)
        os.dup2(null, 1), os.dup2(null, 2)
        time.sleep(120)
    os._exit(0)
os.read(told, 1)
time.sleep(STAYS)
"""


class Job:
    """A job under a shim of the launcher, followed."""

    def __init__(self, folder: pathlib.Path, argv: list[str]) -> None:
        jobs.make(folder)
        jobs.write(folder, jobs.Spec(argv, ENV, "/", 60.0, kill_after_s=1.0))
        self.said = b""
        self.process = starting.start(folder)
        self.following = asyncio.ensure_future(jobs.Follower(folder, self.hear, self.process).wait())

    def hear(self, _stream: jobs.Stream, piece: bytes) -> None:
        self.said += piece

    async def pid(self, wait_for_async: WaitAsync) -> int:
        """What the escaped process says of itself."""
        await wait_for_async(lambda: self.said.endswith(b"\n"))
        return int(self.said)


def alive(pid: int) -> bool:
    return pid in {one.pid for one in shim.processes()}


async def test_it_is_ended_with_a_cancelled_run(tmp_path: pathlib.Path, wait_for_async: WaitAsync) -> None:
    job = Job(tmp_path / "j", [sys.executable, "-c", ESCAPES.replace("STAYS", "120")])
    pid = await job.pid(wait_for_async)
    await wait_for_async(lambda: shim.Process(pid).parent == job.process.pid)
    jobs.cancel(tmp_path / "j")
    assert (await job.following).cancelled
    assert not alive(pid)


async def test_it_outlives_a_child_that_ends_by_itself(tmp_path: pathlib.Path, wait_for_async: WaitAsync) -> None:
    job = Job(tmp_path / "j", [sys.executable, "-c", ESCAPES.replace("STAYS", "0")])
    pid = await job.pid(wait_for_async)
    assert (await job.following).exit_code == 0
    assert alive(pid)
    os.kill(pid, signal.SIGKILL)


async def test_many_that_end_leave_no_zombies(tmp_path: pathlib.Path, wait_for_async: WaitAsync) -> None:
    program = "for _ in $(seq 30); do (setsid sleep 0.01 &) ; done; echo made; exec sleep 120"
    job = Job(tmp_path / "j", ["/bin/sh", "-c", program])
    await wait_for_async(lambda: job.said == b"made\n")
    await wait_for_async(lambda: len(processes.children(job.process.pid)) == 1)
    jobs.cancel(tmp_path / "j")
    assert (await job.following).cancelled
