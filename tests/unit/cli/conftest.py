"""What the tests of commands share: running one, and a daemon's stand-in that answers on a control socket or a port."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import json
import pathlib
import socketserver
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import click.testing
import pytest

from healer import cli

Answer = Any
"""JSON (200), (status, JSON or bytes), or a function of the request's record that gives one of them."""


@dataclasses.dataclass
class Request:
    """What a command sent."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class StandIn:
    """A daemon that answers from a table. `data_dir` holds its control socket; `url` is its port."""

    def __init__(self, data_dir: pathlib.Path) -> None:
        self.data_dir = data_dir
        self.url = ""
        self.routes: dict[str, Answer] = {}
        self.requests: list[Request] = []

    def __setitem__(self, route: str, answer: Answer) -> None:
        self.routes[route] = answer

    def answer(self, request: Request) -> tuple[int, bytes, str]:
        self.requests.append(request)
        route = f"{request.method} {request.path}"
        if route not in self.routes:
            detail = f"the path {request.path!r} is not known"
            return (
                404,
                json.dumps({"code": "not-found", "detail": detail, "status": 404}).encode(),
                "application/problem+json",
            )
        found = self.routes[route]
        found = found(request) if callable(found) else found
        status, body = found if isinstance(found, tuple) else (200, found)
        kind = (
            "text/plain"
            if isinstance(body, bytes)
            else "application/problem+json"
            if status >= 400
            else "application/json"
        )
        return status, body if isinstance(body, bytes) else json.dumps(body).encode(), kind


class _UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def get_request(self) -> tuple[Any, Any]:
        request, _ = super().get_request()
        return request, ("control", 0)


class _TcpServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


def _handler(stand_in: StandIn) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            parts = urllib.parse.urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, parts.path, dict(urllib.parse.parse_qsl(parts.query)), headers, body)
            status, data, kind = stand_in.answer(request)
            with contextlib.suppress(ConnectionError):  # a command that did not wait for it
                self.send(status, data, kind)

        def send(self, status: int, data: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            if status == 503:
                self.send_header("Retry-After", "7")
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = handle_any  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    return Handler


@pytest.fixture
def daemon(tmp_path: pathlib.Path) -> Iterator[StandIn]:
    """A daemon's stand-in on a control socket and on a port, both for as long as the test."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    made = StandIn(data_dir)
    servers = [
        _UnixServer(str(data_dir / "control.sock"), _handler(made)),
        _TcpServer(("127.0.0.1", 0), _handler(made)),
    ]
    made.url = f"http://127.0.0.1:{servers[1].server_address[1]}"
    threads = [threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}) for server in servers]
    for thread in threads:
        thread.start()
    yield made
    for server, thread in zip(servers, threads, strict=True):
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def _vienna(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local times are those of one place."""
    monkeypatch.setenv("TZ", "Europe/Vienna")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def healer(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., click.testing.Result]:
    """`healer("status", "--json", stdin=b"…", env={…})`: runs a command in an empty folder, as the entry point does."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def run(
        *args: str | pathlib.Path, stdin: bytes | str | None = None, env: dict[str, str] | None = None
    ) -> click.testing.Result:
        return click.testing.CliRunner().invoke(cli.cli, [str(arg) for arg in args], input=stdin, env=env)

    return run


@pytest.fixture
def ask(healer: Callable[..., click.testing.Result], daemon: StandIn) -> Callable[..., click.testing.Result]:
    """As `healer`, with the stand-in as the daemon."""

    def run(*args: str | pathlib.Path, **more: Any) -> click.testing.Result:
        return healer(*args, "--data-dir", daemon.data_dir, **more)

    return run
