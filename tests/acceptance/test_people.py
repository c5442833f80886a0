"""People at a real daemon with real processes: they end what runs, say how ended what nobody knew, and let go of locks."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pathlib
import signal
from collections.abc import Callable
from typing import Any

import pytest

WaitFor = Callable[..., None]


def begun(daemon: Any, host: str, wait_for: WaitFor) -> str:
    """Let an attempt begin on a host; its run."""
    daemon.break_host(host)
    wait_for(lambda: host in [target for _, target in daemon.lines()], 60, "the attempt to begin")
    return next(str(run) for run, target in daemon.lines() if target == host)


def state_of(daemon: Any, run: str) -> str:
    """The state of a run."""
    return str(daemon.get(f"/runs/{run}")[1]["state"])


def records(daemon: Any, kind: str) -> list[dict[str, Any]]:
    """The audit's records of a kind."""
    return list(daemon.get(f"/audit?kind={kind}")[1]["items"])


@pytest.fixture
def held(daemon: Any) -> Any:
    """A daemon whose scripts wait."""
    daemon.hold.touch()
    daemon.start()
    return daemon.ready()


@pytest.fixture
def lost(held: Any, wait_for: WaitFor) -> Any:
    """`(daemon, run)`: everything that could say how an attempt on h1 ended was killed, and the daemon is there again."""
    run = begun(held, "h1", wait_for)
    held.kill()
    for pid in held.children():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not held.children(), 60, "the processes to be gone")
    held.start()
    held.ready()
    assert state_of(held, run) == "unknown"
    return held, run


# --- cancel -----------------------------------------------------------------------------------------------------------


def test_what_runs_is_stopped_and_not_tried_again(held: Any, wait_for: WaitFor) -> None:
    run = begun(held, "h1", wait_for)
    other = begun(held, "h2", wait_for)
    assert len(held.children()) >= 4
    told = held.healer("runs", "cancel", "--yes", run[:12], "--reason", "the wrong host")
    assert (told.returncode, told.stdout.split(":")[0]) == (0, f"{run[:8]}  running"), told.stderr
    wait_for(lambda: state_of(held, run) == "cancelled", 60, "the run to be cancelled")
    shown = held.get(f"/runs/{run}")[1]
    assert shown["sentence"].startswith("cancelled by os:")
    assert "the wrong host" in shown["sentence"]
    assert shown["attempts"][0]["state"] == "cancelled"
    token = f"HEALER_TOKEN={run}-1".encode()
    wait_for(lambda: not processes_with(held, token), 60, "its processes to be gone")
    assert state_of(held, other) == "running"
    assert [one["run"] for one in held.get("/locks")[1]["items"]] == [other]
    held.break_host("h1")
    held.hold.unlink()
    wait_for(lambda: state_of(held, other) == "succeeded", 60, "the other one to end")
    assert len(held.lines()) == 2
    assert [(one["run"], one["detail"]) for one in records(held, "cancel")] == [(run, "the wrong host")]
    held.verified()


def processes_with(daemon: Any, token: bytes) -> list[int]:
    """The processes of one attempt."""
    found = []
    for pid in daemon.children():
        with contextlib.suppress(OSError):
            if token in pathlib.Path(f"/proc/{pid}/environ").read_bytes():
                found.append(pid)
    return found


def test_what_waits_never_starts_and_what_has_ended_is_told(held: Any, wait_for: WaitFor) -> None:
    first = begun(held, "h1", wait_for)
    held.break_host("h1", "another alert")
    wait_for(lambda: held.states() == ["queued", "running"], 60, "the second run to wait")
    waits = next(str(run["id"]) for run in held.runs() if run["state"] == "queued")
    assert held.healer("runs", "cancel", "--yes", waits).stdout == f"{waits[:8]}  cancelled\n"
    held.hold.unlink()
    wait_for(lambda: state_of(held, first) == "succeeded", 60, "the first run to end")
    told = held.healer("runs", "cancel", "--yes", first, waits, "--json")
    assert told.returncode == 1
    assert [(one["run"], one["code"]) for one in json.loads(told.stdout)["refused"]] == [
        (first, "run-ended"), (waits, "run-ended"),
    ]  # fmt: skip
    assert len(held.lines()) == 1


def test_a_daemon_that_is_killed_after_the_wish_stops_it_at_its_next_start(daemon: Any, wait_for: WaitFor) -> None:
    daemon.hold.touch()
    daemon.start(crash=("cancel-after-commit", 1))
    daemon.ready()
    run = begun(daemon, "h1", wait_for)
    with contextlib.suppress(OSError, http.client.HTTPException):
        daemon.post(f"/runs/{run}/cancel", {"reason": "the wrong host"})
    assert daemon.ended() == -signal.SIGKILL, daemon.said()
    assert daemon.children()
    assert daemon.rows("SELECT state, cancel_reason FROM attempt") == [("running", "the wrong host")]
    daemon.start()
    daemon.ready()
    wait_for(lambda: state_of(daemon, run) == "cancelled", 60, "the run to be cancelled")
    wait_for(lambda: not daemon.children(), 60, "its processes to be gone")
    assert daemon.rows("SELECT * FROM lock") == []
    assert len(daemon.lines()) == 1
    assert daemon.stop() == 0
    daemon.verified()


def test_who_may_not_does_not(held: Any, wait_for: WaitFor) -> None:
    run = begun(held, "h1", wait_for)
    key = held.make_key("approver")
    for path, body in ((f"/runs/{run}/cancel", {}), (f"/runs/{run}/resolve", {}), ("/locks/release", {})):
        assert held.ask("POST", path, body, key=key)[0] == 403
    assert held.ask("POST", f"/runs/{run}/cancel", {}, key=held.make_key("operator"))[0] == 200
    wait_for(lambda: state_of(held, run) == "cancelled", 60, "the run to be cancelled")
    assert [one["actor"] for one in records(held, "cancel")] == ["key:the-operator"]


# --- what is unknown --------------------------------------------------------------------------------------------------


def test_what_is_unknown_is_named_locked_and_resolved(lost: Any, wait_for: WaitFor) -> None:
    daemon, run = lost
    assert "1 unknown → healer runs --unknown" in daemon.healer("status").stdout
    assert run[:8] in daemon.healer("runs", "--unknown").stdout
    assert daemon.healer("runs", "cancel", "--yes", run).returncode == 1
    assert daemon.healer("locks").stdout.splitlines()[1].split()[:2] == ["host:h1", run[:8]]
    told = daemon.healer("runs", "resolve", "--yes", run, "--as", "queued", "--reason", "nothing was done")
    assert (told.returncode, told.stdout) == (0, f"{run[:8]}  queued\n"), told.stderr
    wait_for(lambda: len(daemon.lines()) == 2, 60, "the second attempt")
    daemon.hold.unlink()
    wait_for(lambda: state_of(daemon, run) == "succeeded", 60, "the run to end")
    ((old, new, actor),) = [(one["old"], one["state"], one["actor"]) for one in records(daemon, "resolved")]
    assert (old, new, actor.split(":")[0]) == ("unknown", "queued", "os")
    told = daemon.healer("runs", "resolve", "--yes", run, "--as", "failed", "--reason", "x")
    assert (told.returncode, "error[not-unknown]" in told.stderr) == (1, True)
    wait_for(lambda: not list((daemon.data / "work").iterdir()), 60, "the job folders to be gone")
    daemon.verified()


def test_a_lock_that_is_let_go_lets_another_run_begin(lost: Any, wait_for: WaitFor) -> None:
    daemon, run = lost
    daemon.break_host("h1", "another alert")
    wait_for(lambda: daemon.states() == ["queued", "unknown"], 60, "the second run to wait")
    told = daemon.healer("locks", "release", "--yes", "h1", "--reason", "nothing runs there")
    assert (told.returncode, told.stdout) == (0, f"released host:h1, which {run[:8]} (unknown) had\n"), told.stderr
    wait_for(lambda: daemon.states() == ["running", "unknown"], 60, "the second run to begin")
    told = daemon.healer("locks", "release", "--yes", "h1", "--reason", "that too")
    assert (told.returncode, "error[lock-in-use]" in told.stderr) == (1, True)
    daemon.hold.unlink()
    told = daemon.healer("runs", "resolve", "--yes", run, "--as", "failed", "--reason", "nothing was done", "--json")
    assert (told.returncode, json.loads(told.stdout)["state"]) == (0, "failed")
    wait_for(lambda: daemon.states() == ["failed", "succeeded"], 60, "the second run to end")
    assert daemon.rows("SELECT * FROM lock") == []
    assert [(one["target"], one["run"]) for one in records(daemon, "lock_released")] == [("host:h1", run)]
    daemon.verified()
