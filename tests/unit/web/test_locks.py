"""`/locks`: what runs have locked, page by page, and letting go of it."""

from __future__ import annotations

from typing import Any

import pytest

RUN, OTHER = ("r-" + letter * 26 for letter in "ab")
SINCE_US = 1_000_000


@pytest.fixture
async def locked(room: Any, seed: Any) -> Any:
    """A run that is unknown has a host and a named lock, one that runs another host."""
    await seed(room, RUN, "unknown", attempts=[("unknown", None, None)])
    await seed(room, OTHER, "running", attempts=[("running", None, None)])
    for target, run in (("host:web1", RUN), ("lock:db", RUN), ("host:web2", OTHER)):
        held = (target, f"{run}-1", run, 1, SINCE_US, 2 * SINCE_US)
        await seed.do(room, lambda tx, held=held: tx.run("lock_take", *held))
    return room


async def test_the_list(locked: Any) -> None:
    status, body = await locked.ask("GET", "/locks", "readonly")
    assert (status, body["next"]) == (200, None)
    assert body["items"][0] == {
        "target": "host:web1", "run": RUN, "short": RUN[:8], "attempt": 1, "state": "unknown", "rule": "web/alerts/restart",
        "action": "restart_service", "since": "1970-01-01T00:00:01.000000Z", "until": None, "again": None,
    }  # fmt: skip
    assert [(one["target"], one["state"], one["until"]) for one in body["items"][1:]] == [
        ("host:web2", "running", "1970-01-01T00:00:02.000000Z"), ("lock:db", "unknown", None),
    ]  # fmt: skip


async def test_when_an_unknown_run_is_done_again_by_itself_is_said(locked: Any, seed: Any) -> None:
    await seed.do(locked, lambda tx: tx.run("run_once_more_at", 3 * SINCE_US, RUN))
    _, body = await locked.ask("GET", "/locks")
    again = "1970-01-01T00:00:03.000000Z"
    assert [(one["until"], one["again"]) for one in body["items"]] == [
        (None, again), ("1970-01-01T00:00:02.000000Z", None), (None, again),
    ]  # fmt: skip


async def test_pages_lead_through_all(locked: Any) -> None:
    _, first = await locked.ask("GET", "/locks?limit=2")
    _, second = await locked.ask("GET", f"/locks?limit=2&after={first['next']}")
    assert [one["target"] for one in first["items"] + second["items"]] == ["host:web1", "host:web2", "lock:db"]
    assert second["next"] is None


async def test_a_parameter_that_is_none_is_refused(locked: Any) -> None:
    status, body = await locked.ask("GET", "/locks?target=web1")
    assert (status, body["code"]) == (400, "invalid-field")


async def test_one_is_let_go(locked: Any) -> None:
    status, body = await locked.ask(
        "POST", "/locks/release", "operator", json={"target": "web1", "reason": "it is gone"}
    )
    assert (status, body) == (200, {"target": "host:web1", "run": RUN, "state": "unknown"})
    _, left = await locked.ask("GET", "/locks")
    assert [one["target"] for one in left["items"]] == ["host:web2", "lock:db"]
    _, audit = await locked.ask("GET", "/audit?kind=lock_released")
    (record,) = audit["items"]
    assert (record["actor"], record["target"], record["run"], record["detail"]) == (
        "key:operator", "host:web1", RUN, "it is gone",
    )  # fmt: skip


@pytest.mark.parametrize(("body", "status", "code"), [
    ({"target": "web2", "reason": "x"}, 409, "lock-in-use"), ({"target": "web9", "reason": "x"}, 404, "not-found"),
    ({"target": "web1"}, 400, "invalid-field"), ({"target": "", "reason": "x"}, 400, "invalid-field"),
    ({"reason": "x"}, 400, "invalid-field"), ({"target": "web1", "reason": ""}, 400, "invalid-field"),
])  # fmt: skip
async def test_what_is_not_let_go(locked: Any, body: Any, status: int, code: str) -> None:
    got, answer = await locked.ask("POST", "/locks/release", json=body)
    assert (got, answer["code"]) == (status, code)
    if code == "lock-in-use":
        assert answer["try"] == f"healer runs cancel {OTHER[:8]}"
    _, left = await locked.ask("GET", "/locks")
    assert len(left["items"]) == 3
