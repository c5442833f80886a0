"""What the daemon's own stop ended, since it ran for longer than the stop waits: a real daemon ends a real script and starts again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

WaitFor = Callable[..., None]


def state_of(daemon: Any, run: str) -> str:
    return str(daemon.get(f"/runs/{run}")[1]["state"])


@pytest.fixture
def stopped(daemon: Any, wait_for: WaitFor) -> Callable[[str], str]:
    """`stopped(keys)`: a run of an action with these keys that a stop has ended while it ran; its id."""

    def made(keys: str) -> str:
        actions = (daemon.project / "actions.yaml").read_text()
        daemon.write("actions.yaml", actions.replace("cooldown: 0 seconds,", f"cooldown: 0 seconds, {keys},", 1))
        daemon.write("healer.yaml", (daemon.project / "healer.yaml").read_text().replace("60 seconds", "1 second"))
        daemon.hold.touch()
        daemon.start()
        daemon.ready()
        daemon.break_host("h1")
        wait_for(lambda: len(daemon.lines()) == 1, 60, "the attempt to begin")
        assert daemon.stop() == 0
        wait_for(lambda: daemon.children() == [], what="its shim to end")
        assert daemon.rows("SELECT * FROM lock") == []
        daemon.hold.unlink()
        return str(daemon.lines()[0][0])

    return made


def test_what_may_be_done_twice_is_done_at_the_next_start(
    daemon: Any, stopped: Callable[[str], str], wait_for: WaitFor
) -> None:
    """Its sender says it once; `attempts: 1` is about failures of its own."""
    run = stopped("attempts: 1, idempotent: true")
    assert daemon.rows("SELECT state FROM run") == [("queued",)]
    daemon.start()
    daemon.ready()
    wait_for(lambda: state_of(daemon, run) == "succeeded", 60, "it to be done")
    assert [made for made, _ in daemon.lines()] == [run, run]
    daemon.verified()


def test_what_may_not_waits_for_a_word_of_its_sender(
    daemon: Any, stopped: Callable[[str], str], wait_for: WaitFor
) -> None:
    run = stopped("attempts: 1")
    daemon.start()
    daemon.ready()
    assert (state_of(daemon, run), len(daemon.lines())) == ("failed", 1)
    assert f"run {run} cancelled: heal of healing/healing/broken: " in daemon.said()
    daemon.break_host("h1")
    wait_for(lambda: state_of(daemon, run) == "succeeded", 60, "it to be tried again")
    assert len(daemon.lines()) == 2
    daemon.verified()
