"""A row of which the daemon dies again and again is set aside, what comes behind it heals; people decide what becomes of it."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Callable
from typing import Any

import pytest

KILLED = "the daemon ended 3 times while it decided on this row (killed, out of memory, or a crash)"


def dies(daemon: Any, place: str = "decide-before-commit") -> None:
    """A process starts, and is killed once it has decided something and not committed it."""
    daemon.start(crash=(place, 1))
    daemon.came_up()
    assert daemon.ended() == -9, daemon.said()


def poisoned(daemon: Any) -> str:
    """A daemon that died of its first event: journaled, not decided; its sender may have heard of it, or not. The event's id."""
    daemon.start()
    daemon.ready()
    assert daemon.stop() == 0
    daemon.start(crash=("decide-before-commit", 1))
    assert daemon.came_up()
    return ends_it(daemon, "h1")


def ends_it(daemon: Any, host: str) -> str:
    """An event of which the daemon dies, perhaps before it has answered. The event's id."""
    with contextlib.suppress(http.client.RemoteDisconnected, ConnectionError):
        daemon.break_host(host)
    assert daemon.ended() == -9, daemon.said()
    ((number,),) = daemon.rows("SELECT max(seq) FROM journal WHERE kind = 'event'")
    return f"e-{number}"


def decided(daemon: Any, event: str) -> dict[str, Any]:
    status, told = daemon.get(f"/events/{event}")
    assert status == 200, told
    return dict(told)


def held(daemon: Any) -> list[tuple[str, str, str]]:
    status, page = daemon.get("/quarantine")
    assert status == 200
    return [(one["event"], one["ruleset"], one["error"]) for one in page["items"]]


def test_a_crash_loop_ends_with_the_row_set_aside_and_the_rest_healed(
    daemon: Any, wait_for: Callable[..., None]
) -> None:
    event = poisoned(daemon)
    dies(daemon)
    dies(daemon)
    daemon.start()
    daemon.ready()
    other = daemon.break_host("h2")
    wait_for(lambda: daemon.states() == ["succeeded"], 60, "the next alert to be healed")
    assert held(daemon) == [(event, "*", KILLED)]
    assert daemon.get("/status")[1]["quarantine"] == 1
    assert [target for _, target in daemon.lines()] == ["h2"]
    assert decided(daemon, other)["decisions"][0]["outcome"] == "queued"
    told = decided(daemon, event)
    assert (told["decided"], told["decisions"]) == (True, [])
    assert [(one["ruleset"], one["state"], one["tries"]) for one in told["quarantined"]] == [("*", "held", 3)]
    assert {one["reason"] for one in daemon.get(f"/explain/{event}")[1]["rules"]} >= {"quarantined"}
    release(daemon, event, wait_for)
    assert daemon.stop() == 0
    daemon.verified()


def release(daemon: Any, event: str, wait_for: Callable[..., None]) -> None:
    """What was wrong is mended: it is tried again, and heals."""
    asked = daemon.healer("events", "quarantine", "release", event)
    assert asked.returncode == 2, asked.stderr
    assert "--yes" in asked.stderr
    done = daemon.healer("events", "quarantine", "release", event, "--reason", "mended", "--yes")
    assert done.returncode == 0, done.stderr
    wait_for(lambda: daemon.states() == ["succeeded", "succeeded"], 60, "the released alert to be healed")
    assert [target for _, target in daemon.lines()] == ["h2", "h1"]
    again = done.stdout.split(" as ")[1].split(",")[0]
    assert (decided(daemon, again)["cause"], held(daemon)) == (event, [])
    records = daemon.get("/audit?kind=quarantine_released")[1]["items"]
    assert [(one["ruleset"], one["reason"], one["actor"][:3]) for one in records] == [("*", "mended", "os:")]


def test_a_stop_in_between_begins_the_count_anew(daemon: Any, wait_for: Callable[..., None]) -> None:
    poisoned(daemon)
    dies(daemon)
    daemon.start()
    daemon.ready()
    wait_for(lambda: daemon.states() == ["succeeded"], 60, "the alert to be healed at the third try")
    assert daemon.stop() == 0
    assert daemon.rows("SELECT deaths, trying, stopped FROM stumble") == [(0, 0, 1)]
    daemon.start(crash=("decide-before-commit", 1))
    assert daemon.came_up()
    event = ends_it(daemon, "h2")
    dies(daemon)
    daemon.start()
    daemon.ready()
    wait_for(lambda: decided(daemon, event)["decided"], 60, "the second to be decided at the third try")
    assert held(daemon) == []


def test_an_alert_is_sent_once_more(daemon: Any, wait_for: Callable[..., None]) -> None:
    daemon.start()
    daemon.ready()
    event = daemon.event({"heal": "h3"})
    wait_for(lambda: daemon.states() == ["succeeded"], 60, "the event to heal")
    refused = daemon.healer("events", "resend", event)
    assert (refused.returncode, daemon.states()) == (2, ["succeeded"])
    done = daemon.healer("events", "resend", event, "--yes")
    assert done.returncode == 0, done.stderr
    wait_for(lambda: daemon.states() == ["succeeded", "succeeded"], 60, "the event to heal once more")
    listed = daemon.healer("events", "--limit", "2")
    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["event", done.stdout.split()[-1], event]
    shown = daemon.healer("events", "show", event)
    assert (shown.returncode, '"heal": "h3"' in shown.stdout) == (0, True)
    records = daemon.get("/audit?kind=resent")[1]["items"]
    assert [(f"e-{one['event']}", f"e-{one['made']}") for one in records] == [(event, done.stdout.split()[-1])]
    assert daemon.stop() == 0
    daemon.verified()


@pytest.mark.parametrize("role", ["readonly", "approver", "ci"])
def test_who_may_not(shared_daemon: Any, role: str) -> None:
    key = shared_daemon.make_key(role)
    for path, body in (
        ("/events/e-1/resend", None),
        ("/quarantine/release", {"event": "e-1"}),
        ("/quarantine/drop", {"event": "e-1"}),
    ):
        assert shared_daemon.ask("POST", path, body, key=key)[0] == 403
