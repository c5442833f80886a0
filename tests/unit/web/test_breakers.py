"""`/breakers`: which actions failed, which are stopped, and who closes one."""

from __future__ import annotations

from typing import Any

import pytest

from healer import policy
from healer.policy import limits
from healer.store import transaction

RUN = "r-" + "a" * 26
LIMITS = transaction.dumps(policy.Limits(breakers=(limits.Breaker(2, 1800, 600),)).as_json())
BODY = {"action": "restart_service", "controller": "local", "reason": "mended"}


@pytest.fixture
async def failed(room: Any, seed: Any) -> Any:
    """`await failed(seconds ago, …)`: the action failed then; its last run names a breaker."""
    await seed(room, RUN, "failed")

    async def fail(*ago_s: int) -> None:
        now_us = room.services.clock()
        times = transaction.dumps([now_us - one * 1_000_000 for one in ago_s])

        def apply(tx: Any) -> None:
            tx.connection.execute("UPDATE run SET limits = ?", (LIMITS,))
            tx.run("breaker_put", "restart_service", "local", times, 0)

        await seed.do(room, apply)

    return fail


@pytest.mark.parametrize(("ago_s", "state"), [
    ((5,), "closed"), ((100, 5), "open"), ((3600, 5), "closed"), ((900, 700), "half-open"),
])  # fmt: skip
async def test_the_list(room: Any, failed: Any, ago_s: tuple[int, ...], state: str) -> None:
    await failed(*ago_s)
    status, body = await room.ask("GET", "/breakers", "readonly")
    assert (status, body["next"]) == (200, None)
    (item,) = body["items"]
    assert (item["action"], item["controller"], item["state"], len(item["failures"]), item["succeeded_since"]) == (
        "restart_service", "local", state, len(ago_s), 0,
    )  # fmt: skip
    assert (item["trial"] is None) is (state == "closed")


async def test_none(room: Any) -> None:
    assert await room.ask("GET", "/breakers") == (200, {"items": [], "next": None})


async def test_one_is_closed_and_what_waited_is_looked_at(room: Any, failed: Any) -> None:
    await failed(100, 5)
    status, body = await room.ask("POST", "/breakers/close", "operator", json=BODY)
    assert (status, body) == (200, {"action": "restart_service", "controller": "local", "closed": True})
    assert (await room.ask("GET", "/breakers"))[1]["items"] == []
    assert room.looked == 1
    _, audit = await room.ask("GET", "/audit?kind=breaker_closed")
    (record,) = audit["items"]
    assert (record["actor"], record["reason"], record["failures"]) == ("key:operator", "mended", 2)


@pytest.mark.parametrize(("more", "said"), [
    ({"action": "restart_servic"}, "did you mean 'restart_service on local'?"), ({"controller": "locl"}, "did you mean 'restart_service on local'?"),
    ({"action": "x", "controller": "y"}, "healer breakers"),
])  # fmt: skip
async def test_only_what_has_failed_is_closed(room: Any, failed: Any, more: Any, said: str) -> None:
    await failed(100, 5)
    status, body = await room.ask("POST", "/breakers/close", json=BODY | more)
    assert (status, body["code"], body["try"], body["near"]) == (404, "not-found", said, ["restart_service on local"])
    assert len((await room.ask("GET", "/breakers"))[1]["items"]) == 1


MAY = {"GET": {"admin", "operator", "approver", "readonly", "auditor", "ci"}, "POST": {"admin", "operator"}}


@pytest.mark.parametrize("method", list(MAY))
@pytest.mark.parametrize("role", ["admin", "operator", "approver", "readonly", "auditor", "ci"])
async def test_who_may(room: Any, failed: Any, method: str, role: str) -> None:
    await failed(100, 5)
    path, more = ("/breakers", {}) if method == "GET" else ("/breakers/close", {"json": BODY})
    status, body = await room.ask(method, path, role, **more)
    assert status == (200 if role in MAY[method] else 403)
    assert role in MAY[method] or body["code"] == "forbidden"


@pytest.mark.parametrize("key", [None, "hlr_0000000_nothing"])
async def test_without_a_key(room: Any, key: str | None) -> None:
    for method, path, more in (("GET", "/breakers", {}), ("POST", "/breakers/close", {"json": BODY})):
        assert (await room.ask(method, path, key, **more))[0] == 401


@pytest.mark.parametrize("more", [
    {"action": ""}, {"controller": ""}, {"reason": ""}, {"reason": " "}, {"reason": "x" * 501}, {"action": 7}, {"all": True},
])  # fmt: skip
async def test_wrong_bodies(room: Any, failed: Any, more: dict[str, Any]) -> None:
    await failed(100, 5)
    status, body = await room.ask("POST", "/breakers/close", json=BODY | more)
    assert (status, [one["field"] for one in body["errors"]]) == (400, list(more))
    assert len((await room.ask("GET", "/breakers"))[1]["items"]) == 1
