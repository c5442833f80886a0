"""`/pauses`, `/scopes`, `POST /pause`, `POST /resume`: who may, what is taken, what is refused, and what is answered."""

from __future__ import annotations

from typing import Any

import pytest

RULE = "rule:web/alerts/restart"
RUN = "r-" + "a" * 26


async def paused(room: Any, scope: str = "all", **more: Any) -> Any:
    status, body = await room.ask("POST", "/pause", "operator", json={"scope": scope, "reason": "it hurts"} | more)
    assert status == 200, body
    return body


async def begun(room: Any, seed: Any) -> None:
    """A run that is under way."""
    await seed(room, RUN, "running", attempts=[("running", None, None)])
    at_us = room.services.clock() - 14_000_000
    await seed.do(room, lambda tx: tx.connection.execute("UPDATE attempt SET started_us = ?", (at_us,)))


async def scopes(room: Any) -> list[str]:
    _, body = await room.ask("GET", "/pauses", "readonly")
    return [one["scope"] for one in body["items"]]


async def test_a_pause_and_its_end(room: Any, seed: Any) -> None:
    await begun(room, seed)
    await seed(room, "r-" + "b" * 26, "queued")
    body = await paused(room, "rule:restart", for_s=3600)
    assert {name: body[name] for name in body if name not in ("since", "until")} == {
        "scope": RULE, "who": "key:operator", "reason": "it hurts", "until_changed": False, "running_count": 1,
        "running": [{"run": RUN, "action": "restart_service", "targets": ["host:web1"], "seconds": 14}],
        "waiting": 1, "cancelled": [],
    }  # fmt: skip
    assert body["since"] < body["until"]
    _, listed = await room.ask("GET", "/pauses", "readonly")
    assert listed["next"] is None
    (item,) = listed["items"]
    assert {name: item[name] for name in item if name not in ("since", "until")} == {
        "scope": RULE, "who": "key:operator", "reason": "it hurts", "until_changed": False,
    }  # fmt: skip
    _, audit = await room.ask("GET", "/audit?kind=pause")
    (record,) = audit["items"]
    assert (record["actor"], record["scope"], record["reason"]) == ("key:operator", RULE, "it hurts")
    status, body = await room.ask("POST", "/resume", "operator", json={"scope": RULE})
    assert (status, body) == (200, {"scope": RULE, "still_paused": [], "file": False})
    assert (await scopes(room), room.looked) == ([], 1)


async def test_a_preview_changes_nothing(room: Any, seed: Any) -> None:
    await seed(room, RUN, "deferred", reason="paused")
    await paused(room)
    await paused(room, RULE)
    status, body = await room.ask("POST", "/resume", "operator", json={"scope": "all", "preview": True})
    assert (status, body) == (
        200, {"scope": "all", "looked_at": 1, "states": {"deferred": {"paused": 1}}, "starting": {}, "still_paused": [RULE], "file": False},
    )  # fmt: skip
    assert (await scopes(room), room.looked) == (["all", RULE], 0)


async def test_the_file_is_among_them(room: Any) -> None:
    (room.data_dir / "PAUSE").write_text("by hand")
    _, body = await room.ask("GET", "/pauses")
    (item,) = body["items"]
    assert (item["scope"], item["who"], item["reason"], item["by"]) == ("all", "the file PAUSE", "by hand", "file")
    status, body = await room.ask("POST", "/resume", json={"scope": "all"})
    assert (status, body["try"]) == (404, "remove the file PAUSE from the data directory")


async def test_what_may_be_paused(room: Any) -> None:
    status, body = await room.ask("GET", "/scopes", "ci")
    assert (status, body["next"]) == (200, None)
    assert [one["scope"] for one in body["items"]] == [
        "all", "activation:web", "ruleset:web/alerts", RULE, "rule:web/alerts/clean", "ruleset:web/disks", "rule:web/disks/clean",
        "controller:local", "controller:ansible",
    ]  # fmt: skip


MAY = {
    ("POST", "/pause"): {"admin", "operator", "approver"}, ("POST", "/resume"): {"admin", "operator"},
    ("GET", "/pauses"): {"admin", "operator", "approver", "readonly", "auditor", "ci"},
    ("GET", "/scopes"): {"admin", "operator", "approver", "readonly", "auditor", "ci"},
}  # fmt: skip


@pytest.mark.parametrize(("method", "path"), list(MAY))
@pytest.mark.parametrize("role", ["admin", "operator", "approver", "readonly", "auditor", "ci"])
async def test_who_may(room: Any, method: str, path: str, role: str) -> None:
    await paused(room)
    more = {"json": {"scope": "all"}} if method == "POST" else {}
    status, body = await room.ask(method, path, role, **more)
    if role in MAY[method, path]:
        assert status == 200
    else:
        assert (status, body["code"]) == (403, "forbidden")
        assert await scopes(room) == ["all"]


@pytest.mark.parametrize(("method", "path"), list(MAY))
@pytest.mark.parametrize("key", [None, "hlr_0000000_nothing"])
async def test_without_a_key(room: Any, method: str, path: str, key: str | None) -> None:
    status, _ = await room.ask(method, path, key, **({"json": {"scope": "all"}} if method == "POST" else {}))
    assert status == 401
    assert await scopes(room) == []


async def test_who_pauses_may_not_end_what_runs(room: Any, seed: Any) -> None:
    """An approver may pause; `runs.cancel` is more than that."""
    await begun(room, seed)
    status, body = await room.ask("POST", "/pause", "approver", json={"scope": "all", "cancel_running": True})
    assert (status, body["code"]) == (403, "forbidden")
    assert "runs.cancel" in body["detail"]
    assert (await scopes(room), room.dispatcher.ended) == ([], [])
    body = await paused(room, cancel_running=True)
    assert (body["cancelled"], room.dispatcher.ended) == ([RUN], [f"{RUN}-1"])


async def test_what_had_not_begun_waits(room: Any, seed: Any) -> None:
    await begun(room, seed)
    room.dispatcher.withheld = {f"{RUN}-1"}
    body = await paused(room)
    assert (body["running_count"], body["running"], body["waiting"]) == (0, [], 1)


@pytest.mark.parametrize(("scope", "code", "said"), [
    ("rule:web/alerts/restrat", "not-found", "did you mean 'rule:web/alerts/restart'?"), ("controller:loca", "not-found", "'controller:local'"),
    ("activation:wbe", "not-found", "'activation:web'"), ("ruleset:web/alert", "not-found", "'ruleset:web/alerts'"),
    ("rule:clean", "not-found", ""), ("everything", "invalid-field", ""), ("rules:restart", "invalid-field", "'rule"), ("all:web", "invalid-field", ""),
    ("", "invalid-field", ""), ("x" * 1025, "invalid-field", ""), (7, "invalid-field", ""), (None, "invalid-field", ""), (["all"], "invalid-field", ""),
])  # fmt: skip
async def test_scopes_that_there_are_not(room: Any, scope: Any, code: str, said: str) -> None:
    status, body = await room.ask("POST", "/pause", json={"scope": scope})
    assert (status, body["code"]) == (404 if code == "not-found" else 400, code)
    assert said in body.get("try", "")
    if code == "not-found":
        assert body["near"]
    assert await scopes(room) == []


@pytest.mark.parametrize("scope", ["all", "rule:web/alerts/clean", "rule:gone", "controller:local"])
@pytest.mark.parametrize("preview", [False, True])
async def test_what_is_not_paused(room: Any, scope: str, preview: bool) -> None:
    await paused(room, RULE)
    status, body = await room.ask("POST", "/resume", json={"scope": scope, "preview": preview})
    assert (status, body["code"], body["near"]) == (404, "not-found", [RULE])
    assert await scopes(room) == [RULE]


@pytest.mark.parametrize("more", [
    {"for_s": 0}, {"for_s": -1}, {"for_s": "1h"}, {"for_s": True}, {"for_s": 366 * 86_400 + 1}, {"until_revision_changes": "yes"},
    {"cancel_running": 1}, {"reason": "x" * 501}, {"reason": None}, {"reason": 7}, {"for": 60}, {"scopes": "all"},
])  # fmt: skip
async def test_wrong_bodies(room: Any, more: dict[str, Any]) -> None:
    status, body = await room.ask("POST", "/pause", json={"scope": "all"} | more)
    assert (status, [one["field"] for one in body["errors"]]) == (400, list(more))
    assert await scopes(room) == []


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"scope": "all", "scope": "all"}', b'"all"'])
@pytest.mark.parametrize("path", ["/pause", "/resume"])
async def test_what_is_no_body(room: Any, data: bytes, path: str) -> None:
    status, _ = await room.ask("POST", path, data=data, headers={"Content-Type": "application/json"})
    assert status == 400


@pytest.mark.parametrize("path", ["/pauses?limit=3", "/scopes?kind=rule"])
async def test_parameters_that_are_none(room: Any, path: str) -> None:
    status, body = await room.ask("GET", path)
    assert (status, body["code"]) == (400, "invalid-field")


async def test_the_longest_reason_and_time(room: Any) -> None:
    body = await paused(room, reason="x" * 500, for_s=366 * 86_400, until_revision_changes=True)
    assert (body["reason"], body["until_changed"]) == ("x" * 500, True)
