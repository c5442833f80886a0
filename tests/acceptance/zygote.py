"""Processes of `python -m healer` that begin where the interpreter has imported the package already: half of a daemon's start is that.

One process (`main`) imports the package, waits, and forks a keeper for each start, which forks the process itself, says its id and at its
end how it ended. What runs is what `python -m healer` runs, with its own arguments, environment, folder and files; what an environment
says to the interpreter itself (`PYTHON…`) needs a start of its own (`fits`). `conftest` loads it.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, Final

REQUEST_MAX: Final = 1 << 20
OF_THE_INTERPRETER: Final = ("PYTHON", "LD_", "MALLOC_", "LC_", "LANG", "TZ", "COVERAGE")


class Zygote:
    """The process that starts others."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", __file__, str(theirs.fileno())], pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL
            )  # fmt: skip
        self._socket = ours

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], folder: pathlib.Path, stdout: int, stderr: int
    ) -> Forked:
        """`python -m healer` with these arguments."""
        told, tells = os.pipe()
        request = {"arguments": [*arguments], "environment": {**environment}, "folder": str(folder)}
        try:
            socket.send_fds(self._socket, [json.dumps(request).encode()], [stdout, stderr, tells])
        finally:
            os.close(tells)
        return Forked(told)

    def piped(
        self, arguments: Sequence[str], environment: Mapping[str, str], folder: pathlib.Path, stderr: int
    ) -> Forked:
        """The same with a pipe for what it says."""
        ours, theirs = os.pipe()
        try:
            made = self.start(arguments, environment, folder, theirs, stderr)
        finally:
            os.close(theirs)
        made.stdout = os.fdopen(ours, "rb")
        return made

    def end(self) -> None:
        """It ends; what it has started goes on."""
        self._socket.close()
        self._process.wait(60)


class Forked:
    """One that it started, used as a `subprocess.Popen`."""

    def __init__(self, told: int) -> None:
        self._told = os.fdopen(told, "rb", buffering=0)
        self.stdout: BinaryIO | None = None
        self.returncode: int | None = None
        self.pid = int(self._line(60))

    def _line(self, timeout_s: float) -> bytes:
        """What the keeper says next. Raises TimeoutError."""
        ready, _, _ = select.select([self._told], [], [], timeout_s)
        if not ready:
            raise TimeoutError
        line = self._told.readline()
        assert line.endswith(b"\n"), "its keeper was killed"
        return line

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None: it runs."""
        with contextlib.suppress(TimeoutError):
            return self._end(0)
        return None

    def wait(self, timeout: float) -> int:
        """Its exit code. Raises subprocess.TimeoutExpired."""
        try:
            return self._end(timeout)
        except TimeoutError:
            raise subprocess.TimeoutExpired("healer", timeout) from None

    def _end(self, timeout_s: float) -> int:
        if self.returncode is None:
            self.returncode = int(self._line(timeout_s))
            self._told.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """A signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)


def fits(environment: Mapping[str, str]) -> bool:
    """Whether an environment says the same to the interpreter as that of the zygote."""
    return all(
        environment.get(name) == os.environ.get(name)
        for name in {*environment, *os.environ}
        if name.startswith(OF_THE_INTERPRETER)
    )


def run(
    zygote: Zygote, arguments: Sequence[str], environment: Mapping[str, str], folder: pathlib.Path, out: pathlib.Path, timeout_s: float
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """As `subprocess.run` of a command, whose output is kept in the folder `out` meanwhile."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "stdout").open("w+b") as stdout, (out / "stderr").open("w+b") as stderr:
        code = zygote.start(arguments, environment, folder, stdout.fileno(), stderr.fileno()).wait(timeout_s)
        texts = []
        for file in (stdout, stderr):
            file.seek(0)
            texts.append(file.read().decode())
    return subprocess.CompletedProcess(["healer", *arguments], code, *texts)


# --- in the process itself ------------------------------------------------------------------------------------------------


def main(requests: socket.socket) -> list[str]:
    """The arguments of a process that was forked, which goes on by itself; ends where nobody asks any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers end by themselves
    while True:
        said, files, _, _ = socket.recv_fds(requests, REQUEST_MAX, 3)
        if not said:
            raise SystemExit(0)
        if os.fork() == 0:
            return _become(json.loads(said), *files, requests=requests)
        for file in files:
            os.close(file)


def _become(request: Any, stdout: int, stderr: int, tells: int, requests: socket.socket) -> list[str]:
    """The keeper waits here and ends; its child returns as the process that is wanted."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    requests.close()
    if (child := os.fork()) != 0:
        os.close(stdout)
        os.close(stderr)
        os.write(tells, b"%d\n" % child)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with contextlib.suppress(BrokenPipeError):  # whoever wanted to know has ended
            os.write(tells, b"%d\n" % code)
        os._exit(0)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    for file in (stdout, stderr, tells):
        os.close(file)
    sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", errors="surrogateescape")  # noqa: SIM115 - as an interpreter opens them
    sys.stderr = sys.__stderr__ = open(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    return [str(one) for one in request["arguments"]]


def _import_all() -> None:
    """All of the package that needs no extra."""
    import gc
    import importlib
    import pkgutil

    import healer

    for package in ("healer.cli", "healer.daemon", "healer.web", "healer.dispatch", "healer.project", "healer.store"):
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            importlib.import_module(module.name)
    assert healer
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    _import_all()
    sys.argv[1:] = main(socket.socket(fileno=int(sys.argv[1])))
    sys.argv[0] = str(pathlib.Path(sys.modules["healer"].__path__[0]) / "__main__.py")
    sys.modules["healer.cli"].main()
