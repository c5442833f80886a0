"""Real senders of alerts, each a process on a port of its own: Alertmanager, and Prometheus with something to watch."""

from __future__ import annotations

import contextlib
import http.server
import json
import pathlib
import shutil
import subprocess
import threading
import urllib.request
from typing import Any

import pytest

from tests import ports


class _Sender:
    """A program that says when it is ready. The test is skipped where none of the names is installed."""

    def __init__(self, folder: pathlib.Path, *names: str) -> None:
        found = next(filter(None, map(shutil.which, names)), None)
        if found is None:
            pytest.skip(f"{names[0]} is not installed")
        folder.mkdir()
        self.folder, self.program = folder, found
        self.port = ports.free()
        self.process: subprocess.Popen[bytes] | None = None

    def run(self, *arguments: str) -> None:
        """Start it."""
        self.process = subprocess.Popen(
            [self.program, *arguments, f"--web.listen-address=127.0.0.1:{self.port}"],
            cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def ready(self) -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready") as answer:
            return int(answer.status) == 200
        return False

    def kill(self) -> None:
        """End it, at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


class Alertmanager(_Sender):
    """Alertmanager on a port of its own, alone. `config`: its file, `%s` for where the daemon is."""

    def __init__(self, folder: pathlib.Path, config: str) -> None:
        super().__init__(folder, "prometheus-alertmanager", "alertmanager")
        self.config = config

    def start(self, hooks: str) -> None:
        """Begin with nothing."""
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        (self.folder / "am.yml").write_text(self.config % hooks)
        self.run("--config.file=am.yml", "--storage.path=data", "--cluster.listen-address=")

    def say(self, path: str, body: Any) -> None:
        """Post to its API."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v2/{path}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request).close()

    def alerts(self, *hosts: str, ends: str = "2099-01-01T00:00:00Z", **labels: str) -> None:
        """As Prometheus posts them."""
        self.say("alerts", [
            {
                "labels": {"alertname": "Down", "instance": f"{host}:9100", "severity": "critical", **labels},
                "annotations": {"summary": f"{host} is down"}, "startsAt": "2026-01-01T00:00:00.123456789Z", "endsAt": ends,
                "generatorURL": "http://prom/graph",
            }
            for host in hosts
        ])  # fmt: skip


class Watched:
    """What Prometheus scrapes: a gauge `broken` of each host that a test has broken and nobody has mended."""

    def __init__(self) -> None:
        self.broken: set[str] = set()
        watched = self

        class Metrics(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                lines = [f'broken{{host="h{number}"}} {int(f"h{number}" in watched.broken)}\n' for number in range(3)]
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write("".join(lines).encode())

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


class Prometheus(_Sender):
    """Scrapes and evaluates each second; what fires goes to an Alertmanager."""

    def __init__(self, folder: pathlib.Path, watched: Watched, alertmanager: Alertmanager) -> None:
        super().__init__(folder, "prometheus")
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n"
            "rule_files: [rules.yml]\n"
            f"scrape_configs: [{{job_name: hosts, static_configs: [{{targets: ['127.0.0.1:{watched.port}']}}]}}]\n"
            f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{alertmanager.port}']}}]}}]}}\n"
        )
        (folder / "rules.yml").write_text(
            "groups: [{name: hosts, rules: [{alert: Broken, expr: broken == 1, labels: {severity: critical},"
            " annotations: {summary: '{{ $labels.host }} is broken'}}]}]\n"
        )

    def start(self) -> None:
        """Begin with nothing."""
        self.run("--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=error")
