"""A daemon that stands still for longer than its data directory waits for it, and then goes on: another has it by then.

It stands still exactly before it decides, claims, starts or ends something; that the lock is gone is what a lease that is over would be.
"""

from __future__ import annotations

import contextlib
import http.client
import pathlib
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

WaitFor = Callable[..., None]


def stands_still(pid: int) -> bool:
    """Whether a process is stopped."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "T"


def takes_over(daemon: Any, another: Callable[[str], Any]) -> Any:
    """Another daemon on the same data, though the first one lives."""
    (daemon.data / "lock").unlink()
    made = another("later")
    made.data, made.project, made.key = daemon.data, daemon.project, daemon.key
    made.start()
    return made.ready()


def posts(daemon: Any) -> None:
    """An alert to a daemon that may never answer, or only that it is no owner."""
    with contextlib.suppress(OSError, http.client.HTTPException, AssertionError, ValueError):
        daemon.break_host("h1")


@pytest.mark.parametrize(
    "place", ["decide-before-begin", "claim-before-begin", "effect-before-shim", "finish-before-begin"]
)
def test_who_stood_still_and_is_no_owner_any_more_does_nothing(
    daemon: Any, another: Callable[[str], Any], wait_for: WaitFor, place: str
) -> None:
    daemon.variables["BEFALLS"] = "stop"
    daemon.start(crash=(place, 1))
    daemon.ready()
    posting = threading.Thread(target=posts, args=(daemon,))  # it may stand still before it has answered
    posting.start()
    wait_for(lambda: stands_still(daemon.process.pid), 60, "it to stand still")
    later = takes_over(daemon, another)
    wait_for(lambda: later.states() == ["succeeded"], 60, "the other one to heal")
    ((size,),) = later.rows("SELECT size FROM audit_head")
    daemon.process.send_signal(signal.SIGCONT)
    assert daemon.ended() == 1
    posting.join(60)
    assert "another process owns the data directory now" in daemon.said()
    assert [target for _, target in daemon.lines()] == ["h1"]
    assert later.rows("SELECT size FROM audit_head") == [(size,)]
    later.break_host("h2")
    wait_for(lambda: later.states() == ["succeeded", "succeeded"], 60, "the other one to go on")
    assert later.stop() == 0
    later.verified()


def test_a_sync_that_fails_ends_it_and_the_next_start_goes_on(daemon: Any, wait_for: WaitFor) -> None:
    daemon.variables["BEFALLS"] = "eio"
    daemon.start(crash=("finish-before-commit", 1))
    daemon.ready()
    daemon.break_host("h1")
    assert daemon.ended() == 1
    assert "the store failed and the daemon ends" in daemon.said()
    assert daemon.rows("SELECT state FROM attempt") == [("running",)]
    daemon.start()
    daemon.ready()
    wait_for(lambda: daemon.states() == ["succeeded"], 60, "what ran to be found")
    assert len(daemon.lines()) == 1
    daemon.verified()
