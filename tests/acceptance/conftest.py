"""A real daemon on a real project: what the acceptance tests start, ask, kill and start again.

The project heals with one script, which writes a line a run to the file `effects` and then waits for as long as the file
`hold` is there: so a test sees each effect, and has attempts under way for as long as it wants. pytest loads it.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import importlib.util
import json
import os
import pathlib
import selectors
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import pytest

CRASHING = pathlib.Path(__file__).with_name("crashing.py")
HOSTS = 300
DEADLINE_S = 120.0

GATES = (
    "storm: none\ndefaults: {run_action: {rate_limit: none, breaker: none, blast_radius: none, flapping: none, verify: none, "
    "approval: 'off'}}\n"
)
"""Many runs on few hosts are what most of these tests are about, not what brakes them."""
SETTINGS = "environment: test\nmode: active\ndrain: 60 seconds\n" + GATES
CONTROLLERS = (
    "controllers:\n  here: {type: local, inventory: inventory/}\n  there: {type: local, inventory: inventory/}\n"
)
ACTIONS = """\
actions:
  heal: {script: heal.sh, cooldown: 0 seconds, timeout: 5 minutes, events: [heal], impact: low}
  level:
    script: heal.sh
    cooldown: 0 seconds
    parameters: {level: {type: integer, minimum: 1, maximum: 5}, folder: {type: string, default: /var/tmp}}
    required: [level]
    events: [set_level]
    impact: low
  look: {script: heal.sh, target: none, events: [look], impact: low}
"""
RULES = """\
- name: healing
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - name: broken
      condition: event.alert.name == "Broken" and event.alert.status == "firing"
      action: {run_action: {name: heal, target: "{{ event.alert.target }}"}}
    - name: asked
      condition: event.heal is defined
      action: {run_action: {name: heal, target: "{{ event.heal }}"}}
    - name: by level
      condition: event.level is defined
      action: {run_action: {name: level, target: h1, parameters: {level: "{{ event.level }}"}}}
    - name: any action
      condition: event.action is defined
      action: {run_action: {name: "{{ event.action }}", target: h1}}
    - name: any controller
      condition: event.controller is defined
      action: {run_action: {name: heal, target: h1, controller: "{{ event.controller }}"}}
"""
SCRIPT = """\
#!/bin/sh
echo "$HEALER_RUN_ID $HEALER_TARGET" >> '{effects}'
while [ -e '{hold}' ]; do sleep 0.02; done
"""


def _beside(path: pathlib.Path) -> None:
    """A module of this folder, which is no package; tests import it by its name."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[path.stem] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


_beside(CRASHING.with_name("playing.py"))
_beside(CRASHING.with_name("foreseen.py"))
_beside(CRASHING.with_name("talking.py"))
_beside(CRASHING.with_name("senders.py"))
_beside(CRASHING.with_name("browsing.py"))
_beside(CRASHING.with_name("zygote.py"))

import zygote  # noqa: E402 - it is beside this file


@functools.cache
def starter() -> zygote.Zygote:
    """What starts daemons and commands here, made for the first of them."""
    return zygote.Zygote()


@pytest.fixture(scope="session", autouse=True)
def _starter_ends() -> Iterator[None]:
    yield
    if starter.cache_info().currsize:
        starter().end()


class Daemon:
    """`healer run` on the project in `base/project`, with its data in `base/data`. Nothing runs before `start`."""

    def __init__(self, base: pathlib.Path) -> None:
        self.base = base
        self.project = base / "project"
        self.data = base / "data"
        self.effects = base / "effects"
        self.hold = base / "hold"
        self.log = base / "stderr"
        self.url = ""
        self.key = ""
        self.process: subprocess.Popen[bytes] | zygote.Forked | None = None
        self.variables: dict[str, str] = {}
        self.within: list[str] = []  # a command in which it and its shell run, as `nsenter …` is one
        script = SCRIPT.format(effects=self.effects, hold=self.hold)
        hosts = "".join(f"    h{n}: {{ansible_connection: local}}\n" for n in range(HOSTS))
        self.write("healer.yaml", SETTINGS)
        self.write("controllers.yaml", CONTROLLERS + "default: here\n")
        self.write("actions.yaml", ACTIONS)
        self.write("inventory/hosts.yml", f"all:\n  hosts:\n{hosts}")
        self.write("rulebooks/healing.yml", RULES)
        self.write("scripts/heal.sh", script).chmod(0o755)

    def write(self, name: str, text: str) -> pathlib.Path:
        """A file of the project."""
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    # --- its process ----------------------------------------------------------------------------------------------------

    def start(self, *flags: str, crash: tuple[str, int] | None = None) -> subprocess.Popen[bytes] | zygote.Forked:
        """Start it and return at once. `crash`: the place at which it kills itself, and at the how many-th time there."""
        argv = ["run", "--project", str(self.project), "--data-dir", str(self.data), "--port", "0", *flags]
        with self.log.open("ab") as log:
            if crash is None and self._is_plain():
                self.process = starter().piped(argv, self.environment(), self.base, log.fileno())
                return self.process
            program = ["-m", "healer"] if crash is None else [str(CRASHING), crash[0], str(crash[1])]
            self.process = subprocess.Popen(
                [*self.within, sys.executable, *program, *argv],
                stdout=subprocess.PIPE, stderr=log, env=self.environment(), cwd=self.base,
            )  # fmt: skip
        return self.process

    def _is_plain(self) -> bool:
        """Whether nothing is wanted that needs an interpreter of its own."""
        return not self.within and zygote.fits(self.environment())

    def environment(self) -> dict[str, str]:
        """What its process and the commands get."""
        return {k: v for k, v in os.environ.items() if not k.startswith("HEALER_")} | self.variables

    def ready(self) -> Daemon:
        """Wait until it says where it listens; it then says at /readyz that it is ready."""
        assert self.came_up(), f"it ended with {self.ended()}: {self.said()}"
        if not self.key:
            self.make_key()
        assert self.get("/readyz")[0] == 200
        return self

    def came_up(self) -> bool:
        """Wait until it listens, or (False) has ended."""
        process = self._running()
        assert process.stdout is not None
        shown = b""
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            end = time.monotonic() + DEADLINE_S
            while b"healer keys create" not in shown:
                assert selector.select(end - time.monotonic()), f"not ready in time: {self.said()}"
                piece = os.read(process.stdout.fileno(), 1 << 16)
                if not piece:
                    return False
                shown += piece
        self.url = next(word for word in shown.decode().split() if word.startswith("http://"))
        return True

    def kill(self) -> None:
        """kill -9."""
        self._running().kill()
        assert self.ended() == -signal.SIGKILL

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        self._running().terminate()
        return self.ended()

    def ended(self) -> int:
        """Wait for its end; its exit code."""
        process = self._running()
        code = process.wait(DEADLINE_S)
        if process.stdout is not None:
            process.stdout.close()
        return code

    def said(self) -> str:
        """What it wrote to standard error, over all starts."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def clean_up(self) -> None:
        """Let scripts end, end the process."""
        self.hold.unlink(missing_ok=True)
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.process is not None:
            self.ended()

    def _running(self) -> subprocess.Popen[bytes] | zygote.Forked:
        assert self.process is not None, "it was never started"
        return self.process

    # --- asking it --------------------------------------------------------------------------------------------------------

    def healer(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of the local shell on this daemon's data directory."""
        if self._is_plain():
            asked, out = [*arguments, "--data-dir", str(self.data)], self.base / "said"
            return zygote.run(starter(), asked, self.environment(), self.base, out, DEADLINE_S)
        argv = [*self.within, sys.executable, "-m", "healer", *arguments, "--data-dir", str(self.data)]
        return subprocess.run(
            argv, capture_output=True, text=True, check=False, timeout=DEADLINE_S, env=self.environment(), cwd=self.base
        )

    def make_key(self, role: str = "admin") -> str:
        """A key, made by `healer keys create`; the first is used from now on."""
        made = self.healer("keys", "create", f"the-{role}", "--role", role)
        assert made.returncode == 0, made.stderr
        self.key = self.key or made.stdout.strip()
        return made.stdout.strip()

    def ask(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, chunked: bool = False, delivery: str = ""
    ) -> tuple[int, Any]:  # fmt: skip
        """(status, JSON of the answer). `body`: bytes as they are, else made JSON. `key`: '' for none. `delivery`: its id."""
        parts = urllib.parse.urlsplit(self.url)
        assert parts.hostname is not None
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=DEADLINE_S)
        with contextlib.closing(connection):
            data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
            headers = {"Content-Type": "application/json"}
            if key != "":
                headers["Authorization"] = f"Bearer {key or self.key}"
            if delivery:
                headers["Idempotency-Key"] = delivery
            pieces = iter([data[at : at + 65536] for at in range(0, len(data), 65536)]) if chunked and data else data
            connection.connect()  # what a kill cuts off here is no answer that is refused early
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # refused before all of it was sent
                connection.request(method, path, pieces, headers, encode_chunked=chunked)
            with connection.getresponse() as answer:
                return answer.status, json.loads(answer.read())

    def get(self, path: str) -> tuple[int, Any]:
        """GET."""
        return self.ask("GET", path)

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        """POST."""
        return self.ask("POST", path, body)

    def event(self, event: dict[str, Any]) -> str:
        """Post an event that has to be accepted; its id."""
        status, answer = self.post("/events", event)
        assert status == 202, answer
        return str(answer["ids"][0])

    def break_host(self, host: str, key: str | None = None) -> str:
        """An alert that starts the script on a host."""
        alert = {"name": "Broken", "target": host, "key": key or f"broken-{host}", "status": "firing"}
        return self.event({"alert": alert})

    def runs(self) -> list[dict[str, Any]]:
        """All runs, the newest first."""
        found: list[dict[str, Any]] = []
        after = ""
        while True:
            status, page = self.get(f"/runs?limit=500{after}")
            assert status == 200, page
            found += page["items"]
            if not page.get("next"):
                return found
            after = f"&after={page['next']}"

    def states(self) -> list[str]:
        """The states of all runs, sorted."""
        return sorted(run["state"] for run in self.runs())

    def status(self) -> dict[str, Any]:
        """`/api/v1/status`."""
        status, answer = self.get("/api/v1/status")
        assert status == 200
        return dict(answer)

    def lines(self) -> list[list[str]]:
        """[run id, target] of each effect, in their order."""
        return [line.split() for line in self.effects.read_text().splitlines()] if self.effects.exists() else []

    # --- looking at what it keeps ---------------------------------------------------------------------------------------

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Read the store, whether or not it runs."""
        uri = f"{(self.data / 'healer.db').as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=30)) as reading:
            return reading.execute(sql).fetchall()

    def verified(self) -> None:
        """The audit's chain is whole."""
        told = self.healer("audit", "verify")
        assert told.returncode == 0, told.stdout + told.stderr

    def children(self) -> list[int]:
        """Processes of its attempts, the shims included."""
        work = str(self.data / "work").encode()
        found = []
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                seen = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
                seen += os.fsencode((folder / "cwd").readlink())  # a shim, which is forked, stands in its job's folder
                if work in seen or (b"HEALER_TOKEN=" in seen and str(self.data).encode() in seen):
                    found.append(int(folder.name))
        return found


@pytest.fixture
def daemon(tmp_path: pathlib.Path) -> Iterator[Daemon]:
    """A daemon that has not been started yet."""
    made = Daemon(tmp_path)
    yield made
    made.clean_up()
    sys.stdout.write(made.said())  # pytest shows it where the test has failed


@pytest.fixture(scope="module")
def shared_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One that runs for all tests of a module, which leave it as it was."""
    made = Daemon(tmp_path_factory.mktemp("daemon"))
    made.start()
    yield made.ready()
    made.clean_up()


@pytest.fixture(scope="module")
def fresh_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One that has not been started yet, for all tests of a module."""
    made = Daemon(tmp_path_factory.mktemp("daemon"))
    yield made
    made.clean_up()


@pytest.fixture
def another(tmp_path: pathlib.Path) -> Iterator[Callable[[str], Daemon]]:
    """`another(name)`: a further daemon, in a folder of its own, not started."""
    made: list[Daemon] = []

    def make(name: str) -> Daemon:
        made.append(Daemon(tmp_path / name))
        return made[-1]

    yield make
    for one in made:
        one.clean_up()
