"""A daemon under measure: started as a process of its own, asked over HTTP, looked at through /proc, stopped.

Callers: the measures. `variant` names one of the start wrappers of `variants.py`; without it the daemon is as it ships.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import projects

START_S: Final = 60.0
STOP_S: Final = 60.0
VARIANTS: Final = pathlib.Path(__file__).with_name("variants.py")


class MeasureFailedError(RuntimeError):
    """What was to be measured did not happen; the text says what came instead."""


class Daemon:
    """A process that was started; `ready_s` is how long it took until `/readyz` said 200."""

    def __init__(self, folder: pathlib.Path, variant: str = "", arguments: Sequence[str] = ()) -> None:
        folder = self.folder = folder.resolve()
        self.port = _free_port()
        environ = {name: value for name, value in os.environ.items() if not name.startswith("HEALER_")}
        environ["HEALER_ADMIN_KEY_FILE"] = str(folder / projects.KEY_FILE)
        command = [str(VARIANTS), variant] if variant else ["-m", "healer"]
        self._output = (folder / "output.txt").open("w+")
        started = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, *command, "run", "--project", str(folder), "--port", str(self.port), *arguments],
            stdout=self._output, stderr=subprocess.STDOUT, env=environ, cwd=folder,
        )  # fmt: skip
        try:
            self._wait_ready()
        except BaseException:
            self.stop()
            raise
        self.ready_s = time.perf_counter() - started

    def ask(self, path: str, method: str = "GET", body: bytes | None = None) -> tuple[int, Any]:
        """(status, answer) on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(
                method, path, body, {"Authorization": f"Bearer {projects.KEY}", "Content-Type": "application/json"}
            )
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")

    def status(self) -> dict[str, Any]:
        """What `healer status` shows."""
        code, answer = self.ask("/api/v1/status")
        if code != 200:
            raise MeasureFailedError(f"/api/v1/status answered {code}: {answer}")
        found: dict[str, Any] = answer
        return found

    def decided_s(self, limit_s: float = 60.0) -> float:
        """Wait until no row waits to be decided; how long that took from now."""
        started = time.perf_counter()
        while (backlog := self.status()["backlog"]) > 0:
            if time.perf_counter() - started > limit_s:
                raise MeasureFailedError(f"{backlog} rows still wait after {limit_s} s")
            time.sleep(0.01)
        return time.perf_counter() - started

    def rss_mb(self) -> float:
        """Resident memory in MB (10⁶ bytes)."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024 / 1e6
        raise MeasureFailedError("the daemon has ended")

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for one that does not end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._output.close()

    def said(self) -> str:
        """The last of what it printed."""
        return (self.folder / "output.txt").read_text()[-2000:]

    def _wait_ready(self) -> None:
        end = time.perf_counter() + START_S
        while time.perf_counter() < end:
            if self.process.poll() is not None:
                raise MeasureFailedError(f"the daemon ended with {self.process.returncode}: {self.said()}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.ask("/readyz")[0] == 200:
                    return
            time.sleep(0.005)
        raise MeasureFailedError(f"the daemon was not ready within {START_S} s: {self.said()}")


@contextlib.contextmanager
def running(folder: pathlib.Path, variant: str = "", arguments: Sequence[str] = ()) -> Iterator[Daemon]:
    """A daemon for the length of a block."""
    daemon = Daemon(folder, variant, arguments)
    try:
        yield daemon
    finally:
        daemon.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
