"""The service of a demonstration host: one little HTTP server in one folder. Callers: demonstration/restart_service.yml, demo/.

    demonstration_service.py start|stop|restart|status FOLDER

The lock on FOLDER/lock is the service's life: it is held for as long as the process lives, however that ends. The process
leaves the session of who started it, as a real service would; it ends an hour later, or with its folder, so that none stays behind.
FOLDER/turn is locked by who asks: a daemon that is started again starts the services while a play that outlived it restarts one.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.server
import os
import pathlib
import signal
import socketserver
import sys
import time

LIFE_S = 3600.0
PATIENCE_S = 10.0
LOOK_S = 0.05
USAGE = 2


class Server(socketserver.TCPServer):
    """Answers everything with who it is; looks once a second whether it is still wanted. No `HTTPServer`: it asks the DNS."""

    timeout = 1.0


class Answer(http.server.BaseHTTPRequestHandler):
    """`ok, pid N`."""

    timeout = 5.0

    def do_GET(self) -> None:
        """Every path."""
        said = f"ok, pid {os.getpid()}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *args: object) -> None:
        """Nobody reads a log of it."""


def opened(path: pathlib.Path) -> int:
    """The descriptor of a file to lock; no program that is started gets it."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def locked(folder: pathlib.Path) -> int | None:
    """The lock's descriptor, now ours; None where a service holds it. Only who has the turn asks."""
    fd = opened(folder / "lock")
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def pid_of(folder: pathlib.Path) -> int | None:
    """The process that serves; None: it is down. One that has only just begun is waited for: who started it may have been killed."""
    end = time.monotonic() + PATIENCE_S
    while (fd := locked(folder)) is None:
        try:
            return int((folder / "pid").read_text())
        except (OSError, ValueError):
            if time.monotonic() > end:
                raise
            time.sleep(LOOK_S)
    os.close(fd)
    return None


def start(folder: pathlib.Path, turn: int) -> None:
    """Returns when it serves, or when it runs already. The service is born with the lock."""
    free = locked(folder)
    if free is None:
        return
    (folder / "pid").unlink(missing_ok=True)  # of the one before: nobody may take it for the new one
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(turn)
        os.setsid()
        if os.fork() == 0:
            os.close(reader)
            serve(folder.resolve(), writer)
        os._exit(0)
    os.close(free)
    os.close(writer)
    os.wait()
    os.read(reader, 1)  # comes when it serves; its end comes when it never will
    os.close(reader)


def serve(folder: pathlib.Path, ready: int) -> None:
    """The service's own life; never returns."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    os.chdir(folder)
    server = Server(("127.0.0.1", 0), Answer)
    (folder / "port").write_text(f"{server.server_address[1]}\n")
    (folder / "pid.new").write_text(f"{os.getpid()}\n")
    (folder / "pid.new").replace(folder / "pid")
    os.write(ready, b".")
    os.close(ready)
    end = time.monotonic() + LIFE_S
    inode = (folder / "lock").stat().st_ino
    while time.monotonic() < end:
        server.handle_request()
        try:
            if (folder / "lock").stat().st_ino != inode:
                break
        except OSError:
            break
    os._exit(0)


def stop(folder: pathlib.Path) -> None:
    """Returns when it is down."""
    end = time.monotonic() + PATIENCE_S
    while (pid := pid_of(folder)) is not None and time.monotonic() < end:
        with contextlib.suppress(ProcessLookupError):  # it has ended since
            os.kill(pid, signal.SIGKILL if end - time.monotonic() < PATIENCE_S / 2 else signal.SIGTERM)
        time.sleep(LOOK_S)


def main(arguments: list[str]) -> int:
    """Exit 0: it runs (after `stop`: it is down). One line says so."""
    if len(arguments) != 2 or arguments[0] not in ("start", "stop", "restart", "status"):
        print(__doc__, file=sys.stderr)
        return USAGE
    word, folder = arguments[0], pathlib.Path(arguments[1])
    if word in ("start", "restart"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    elif not folder.is_dir():
        print("down")
        return int(word != "stop")
    turn = opened(folder / "turn")
    fcntl.flock(turn, fcntl.LOCK_EX)
    if word in ("stop", "restart"):
        stop(folder)
    if word in ("start", "restart"):
        start(folder, turn)
    pid = pid_of(folder)
    print("down" if pid is None else f"active, pid {pid}")
    return int((pid is None) != (word == "stop"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
