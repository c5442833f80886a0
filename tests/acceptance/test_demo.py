"""`make run` and `make demo` for real: a copy of this project, the daemon, curl, the script, ansible-playbook, kill -9."""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests import ports

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PROJECT = (
    "healer.yaml", "actions.yaml", "controllers.yaml", "inventory", "rulebooks", "playbooks", "scripts", "examples", "demo",
)  # fmt: skip
SERVICE = "playbooks/files/demonstration_service.py"
PATIENCE_S = 120

Wait = Callable[..., None]


class Demonstration:
    """A copy of the project with all of its own: folder, home, port."""

    def __init__(self, root: pathlib.Path) -> None:
        self.folder, self.home, self.port = root / "project", root / "home", ports.free()
        self.home.mkdir()
        self.folder.mkdir()
        for name in PROJECT:
            source = REPOSITORY / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, self.folder / name)
        path = f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {"PATH": path, "HOME": str(self.home), "LANG": "C.UTF-8", "PORT": str(self.port)}

    def start(self, *command: str) -> subprocess.Popen[str]:
        """A process in the project's folder. Its output goes to a file, so that nothing waits for a reader."""
        with (self.folder.parent / f"{pathlib.Path(command[0]).name}.log").open("a") as log:
            return subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=log, stderr=subprocess.STDOUT, text=True
            )

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command that ends by itself."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def ready(self) -> bool:
        """Whether the daemon takes events."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
                return int(answer.status) == 200
        except (OSError, urllib.error.URLError):
            return False

    def runs(self) -> list[dict[str, Any]]:
        """All runs, newest first; none while no daemon answers."""
        done = self.run("healer", "runs", "--json")
        found: list[dict[str, Any]] = json.loads(done.stdout)["items"] if done.returncode == 0 else []
        return found

    def files(self) -> dict[str, tuple[int, int]]:
        """Every file outside of .healer/demo, with size and time of change."""
        found = {}
        for top in (self.folder, self.home):
            for path in top.rglob("*"):
                if not path.is_relative_to(self.folder / ".healer/demo") and path != self.folder / ".healer":
                    known = path.lstat()
                    found[str(path)] = (
                        known.st_size if path.is_file() else 0,
                        known.st_mtime_ns if path.is_file() else 0,
                    )
        return found

    def end(self) -> None:
        """No service of it stays behind."""
        for folder in (self.folder / ".healer/demo/hosts").glob("*/services/*"):
            self.run(sys.executable, SERVICE, "stop", str(folder))


@contextlib.contextmanager
def daemon(made: Demonstration, wait_for: Wait) -> Iterator[subprocess.Popen[str]]:
    """`demo/run`, which becomes the daemon; ended by SIGTERM."""
    process = made.start("demo/run")
    try:
        wait_for(lambda: made.ready() or process.poll() is not None, PATIENCE_S, "the daemon is ready")
        assert process.poll() is None, (made.folder.parent / "run.log").read_text()
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


@pytest.fixture
def made(tmp_path: pathlib.Path) -> Iterator[Demonstration]:
    """A demonstration that leaves no process behind."""
    found = Demonstration(tmp_path)
    yield found
    found.end()


def healed_by(runs: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    """(action, state, attempts), sorted."""
    return sorted((run["action"], run["state"], run["attempts"]) for run in runs)


ONCE = [("clean_disk", "succeeded", 1), ("restart_service", "refused", 0), ("restart_service", "succeeded", 1)]


def test_the_demonstration_heals_also_through_a_kill(made: Demonstration, wait_for: Wait) -> None:
    before = made.files()
    with daemon(made, wait_for) as first:
        log = (made.folder.parent / "run.log").read_text()
        assert "mode ACTIVE on the demonstration hosts in .healer/demo only" in log
        assert "try:   make demo" in log
        told = made.run("demo/demo")
        assert told.returncode == 0, told.stdout + told.stderr
        assert "ok, pid" in told.stdout
        assert "No target web99:9100" in told.stdout
        assert healed_by(made.runs()) == ONCE

        second = made.start("demo/demo")
        wait_for(
            lambda: any(run["action"] == "restart_service" and run["state"] == "running" for run in made.runs()),
            PATIENCE_S,
            "the second restart runs",
        )
        first.kill()
        first.wait()
    with daemon(made, wait_for):
        assert second.wait(PATIENCE_S) == 0, (made.folder.parent / "demo.log").read_text()
        assert healed_by(made.runs()) == sorted(ONCE * 2)
        assert json.loads(made.run("healer", "alerts", "--status", "firing", "--json").stdout)["items"] == []
        verified = made.run("healer", "audit", "verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr
    assert made.files() == before


def test_a_port_where_nothing_listens_is_told_at_once(made: Demonstration, wait_for: Wait) -> None:
    with daemon(made, wait_for):
        begun = time.monotonic()
        made.environment["PORT"] = str(ports.free())
        told = made.run("demo/demo")
        assert time.monotonic() - begun < 80  # it would have tried for 90 s; what it breaks first takes some of these
        assert told.returncode == 1
        assert told.stderr == (
            f"error[not-healed]: nothing listens at http://127.0.0.1:{made.environment['PORT']}/hooks/alertmanager, and the daemon answers\n"
            "  try  PORT=… make demo  sends to its port\n"
        )


def test_without_a_daemon_it_says_so(made: Demonstration) -> None:
    told = made.run("demo/demo")
    assert told.returncode == 3
    assert told.stderr == "error[not-running]: no daemon answers\n  try  make run  in another terminal\n"


@pytest.mark.parametrize(
    ("request_", "action"),
    [
        ({"event_type": "service_down", "target": "web01", "parameters": {"service": "shop"}}, "restart_service"),
        ({"event_type": "disk_full", "target": "web01", "parameters": {"limit_mib": 1}}, "clean_disk"),
        ({"event_type": "health_check", "target": "web02"}, "check_health"),
        ({"event_type": "log_full", "target": "web01"}, "rotate_log"),
        ({"event_type": "show_disk"}, "show_disk"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_sample_is_started_by_its_event_type(
    made: Demonstration, wait_for: Wait, request_: dict[str, Any], action: str
) -> None:
    with daemon(made, wait_for):
        key = made.run("healer", "keys", "create", "test", "--role", "operator").stdout.strip()
        request = urllib.request.Request(
            f"http://127.0.0.1:{made.port}/webhook?wait=60s", json.dumps(request_).encode(),
            {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            (result,) = json.load(answer)["results"]
        assert (result["action"], result["state"]) == (action, "succeeded"), result


def test_a_full_log_is_rotated_by_its_rule_and_no_other_file(made: Demonstration, wait_for: Wait) -> None:
    log = made.folder / ".healer/demo/hosts/web01/log/shop.log"
    log.parent.mkdir(parents=True)
    log.write_bytes(b"a line\n" * 200_000)
    example = json.loads((made.folder / "examples/log_full.json").read_text())
    hostile = ("../disk/shop", "shop\n", "-shop", "$(id)", "shop;id", ".shop", "x/../../../services/shop/lock")
    others = [
        {"alert": {**example["alert"], "key": f"k{number}", "labels": {"service": service}}}
        for number, service in enumerate(hostile)
    ]
    (made.folder / "others.json").write_text(json.dumps(others))
    with daemon(made, wait_for):
        assert made.run("healer", "send", "others.json", "--source", "healer.api", "--yes").returncode == 0
        sent = made.run("healer", "send", "examples/log_full.json", "--yes")
        assert sent.returncode == 0, sent.stdout + sent.stderr
        wait_for(
            lambda: len(made.runs()) == 1 + len(hostile) and log.stat().st_size == 0,
            PATIENCE_S,
            "it is rotated and all else is refused",
        )
        reasons = {run["reason"] for run in made.runs() if run["state"] == "refused"}
    assert reasons == {"invalid_parameters"}
    assert sorted(path.name for path in log.parent.iterdir()) == ["shop.log", "shop.log.1.gz"]
    assert gzip.decompress((log.parent / "shop.log.1.gz").read_bytes()) == b"a line\n" * 200_000


def test_the_project_has_no_mistake_and_no_warning(made: Demonstration) -> None:
    told = made.run("healer", "validate", "--strict")
    assert told.returncode == 0
    assert told.stdout.startswith("ok:"), told.stdout + told.stderr
    assert len((told.stdout + told.stderr).splitlines()) == 1


# --- the service of a demonstration host ----------------------------------------------------------------------------------


def test_a_service_is_asked_for_by_one_at_a_time(tmp_path: pathlib.Path, wait_for: Wait) -> None:
    """After a kill a play that outlived the daemon restarts it while `demo/run` starts it: neither may meet the other's half."""
    command = [sys.executable, str(REPOSITORY / SERVICE)]
    with (tmp_path / "turn").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        asking = [
            subprocess.Popen([*command, word, tmp_path], stdout=subprocess.PIPE, text=True)
            for word in ("restart", "start")
        ]

        def wait_their_turn() -> bool:
            waiting = [line.split() for line in pathlib.Path("/proc/locks").read_text().splitlines() if "->" in line]
            return {str(one.pid) for one in asking} <= {line[5] for line in waiting}

        wait_for(wait_their_turn, what="both wait")
        assert [path.name for path in tmp_path.iterdir()] == ["turn"], "nothing was done so far"
    try:
        assert [one.communicate(timeout=PATIENCE_S)[0].partition(",")[0] for one in asking] == ["active", "active"]
        assert [one.returncode for one in asking] == [0, 0]
    finally:
        subprocess.run([*command, "stop", tmp_path], check=True)


def test_a_service_whose_starter_was_killed_is_waited_for(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.spec_from_file_location("demonstration_service", REPOSITORY / SERVICE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module.time, "sleep", lambda _s: (tmp_path / "pid").write_text("4711\n"))
    assert module.pid_of(tmp_path) is None
    with (tmp_path / "lock").open("r+") as born:
        fcntl.flock(born, fcntl.LOCK_EX)
        assert module.pid_of(tmp_path) == 4711
