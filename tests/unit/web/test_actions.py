"""`/actions`: what is shown of the catalog, and what is checked before an action is started by hand."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from loguru import logger

from healer.explain import plans
from healer.web import actions

GOOD = {"target": "web1", "parameters": {"service": "nginx"}}
RUN = "/actions/restart_service/run"


async def bodies(room: Any) -> list[Any]:
    """What the journal holds."""
    return [orjson.loads(row["body"]) for row in await room.rows()]


async def overrides(room: Any) -> list[dict[str, Any]]:
    """The audit's records of controllers that were chosen."""
    found = [orjson.loads(one["record"]) for one in await room.records()]
    return [one for one in found if one["kind"] == "override"]


async def test_the_list_says_where_each_stands_and_who_does_it(room: Any) -> None:
    status, page = await room.ask("GET", "/actions", "readonly")
    assert (status, page["next"], [one["name"] for one in page["items"]]) == (200, None, ["note", "restart_service"])
    assert page["items"][1] == {
        "name": "restart_service", "kind": "script", "subject": "scripts/restart.sh", "description": "", "place": "actions.yaml:1",
        "target": "required", "controller": "local", "chosen": "default", "impact": "high", "impact_declared": False, "idempotent": False,
        "dry_run": False, "timeout_s": None, "tags": [], "events": ["service.down"],
    }  # fmt: skip
    assert (page["items"][0]["subject"], page["items"][0]["target"]) == (["true"], "none")


async def test_one_in_full_has_its_parameters_and_gates(room: Any) -> None:
    status, shown = await room.ask("GET", "/actions/restart_service", "readonly")
    assert status == 200
    assert shown["parameters"]["force"] == {"type": "boolean", "default": False}
    assert (shown["required"], shown["payload_parameters"]) == (["service"], ["service", "force"])
    assert [(one["gate"], one["from"]) for one in shown["gates"]] == [("timeout", "action restart_service")]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/actions/restart_servcie"), ("POST", "/actions/restart_servcie/run")]
)
async def test_one_that_is_not_there(room: Any, method: str, path: str) -> None:
    status, answer = await room.ask(method, path, json={} if method == "POST" else None)
    assert (status, answer["code"], answer["try"]) == (404, "unknown_action", "did you mean 'restart_service'?")


async def test_who_may_start_nothing_does_not_hear_which_actions_there_are(room: Any) -> None:
    for name in ("restart_service", "nothing"):
        status, answer = await room.ask("POST", f"/actions/{name}/run", "ci", json=GOOD)
        assert (status, answer["code"]) == (403, "forbidden")
        assert "actions.run" in answer["detail"]
    assert await bodies(room) == []


async def test_what_is_started_is_an_event_of_who_asked(room: Any) -> None:
    status, made = await room.ask("POST", RUN, "operator", json=GOOD | {"reason": " it hangs "})
    assert (status, made) == (202, {"accepted": 1, "duplicates": 0, "ids": ["e-1"], "action": "restart_service"})
    (row,) = await room.rows()
    assert (row["source"], row["actor"]) == ("healer.actions", "key:operator")
    assert await bodies(room) == [GOOD | {"action": "restart_service", "reason": "it hangs"}]
    assert await overrides(room) == []


async def test_an_action_without_target_and_body_keys(room: Any) -> None:
    assert (await room.ask("POST", "/actions/note/run", json={}))[0] == 202
    assert await bodies(room) == [{"action": "note", "target": None, "parameters": {}}]


async def test_by_hand_every_declared_parameter_may_be_set(room: Any) -> None:
    """What an event may not set is for rules and people to say."""
    asked = GOOD | {"parameters": {"service": "nginx", "internal": "x"}, "dry_run": True}
    assert (await room.ask("POST", RUN, json=asked))[0] == 202
    assert (await bodies(room))[0]["parameters"] == {"service": "nginx", "internal": "x"}
    assert (await bodies(room))[0]["dry_run"] is True


@pytest.mark.parametrize(("target", "meant"), [
    (["web1", "db1", "web1"], ["web1", "db1"]), (["db1"], "db1"), ("group:web", ["host:web1", "host:web2"]), ("group:db", "host:db1"),
    (["web2", "group:web"], ["web2", "host:web1", "host:web2"]), ("mars", "mars"),
])  # fmt: skip
async def test_targets_are_journaled_one_by_one(room: Any, target: Any, meant: Any) -> None:
    assert (await room.ask("POST", RUN, json=GOOD | {"target": target}))[0] == 202
    assert (await bodies(room))[0]["target"] == meant


@pytest.mark.parametrize(("change", "role", "status", "code", "says"), [
    ({"target": None}, "operator", 400, "invalid-field", "works on a target, and none is given"),
    ({"target": []}, "operator", 400, "invalid-field", "target"),
    ({"target": ["web1", 5]}, "operator", 400, "invalid-field", "target"),
    ({"target": ""}, "operator", 400, "invalid-field", "target"),
    ({"target": ["x"] * 1001}, "operator", 400, "invalid-field", "target"),
    ({"target": "group:wbe"}, "operator", 400, "unknown_target", "did you mean 'web'?"),
    ({"target": "group:odd"}, "operator", 400, "invalid-field", "not every host of group:odd can be named"),
    ({"target": "group:empty"}, "operator", 400, "invalid-field", "group:empty has no host"),
    ({"parameters": {}}, "operator", 400, "invalid_parameters", "service"),
    ({"parameters": {"service": 5}}, "operator", 400, "invalid_parameters", "service"),
    ({"parameters": {"service": "x", "more": 1}}, "operator", 400, "invalid_parameters", "more"),
    ({"dry_run": "yes"}, "operator", 400, "invalid-field", "dry_run"),
    ({"event_type": "x"}, "operator", 400, "invalid-field", "event_type"),
    ({"reason": "x" * 501}, "operator", 400, "invalid-field", "reason"),
    ({"controller_override": "ansible"}, "operator", 403, "forbidden", "controllers.override"),
    ({"controller_override": "nothing", "target": "group:web"}, "operator", 403, "forbidden", "controllers.override"),
    ({"controller_override": "ansibel"}, "admin", 400, "unknown_controller", "ansible"),
    ({}, "readonly", 403, "forbidden", "actions.run"),
])  # fmt: skip
async def test_bad_input_has_a_code_and_leaves_nothing(
    room: Any, change: dict[str, Any], role: str, status: int, code: str, says: str
) -> None:
    records = len(await room.records())
    got, answer = await room.ask("POST", RUN, role, json=GOOD | change)
    assert (got, answer["code"]) == (status, code), answer
    assert says in str(answer)
    assert await room.rows() == []
    assert len(await room.records()) == records


async def test_groups_have_a_limit_together(room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "TARGETS_MAX", 1)
    status, answer = await room.ask("POST", RUN, json=GOOD | {"target": "group:web"})
    assert (status, answer["code"]) == (400, "invalid-field")
    assert "an action takes 1 targets, and these groups have 2 together" in answer["detail"]


async def test_another_controller_is_in_the_audit_and_the_log(room: Any) -> None:
    said: list[str] = []
    sink = logger.add(lambda message: said.append(message.record["message"]), level="INFO")
    asked = GOOD | {"target": ["web1", "db1"], "controller_override": "ansible", "reason": "local is broken"}
    assert (await room.ask("POST", RUN, json=asked))[0] == 202
    logger.remove(sink)
    (record,) = await overrides(room)
    assert {name: record[name] for name in ("actor", "action", "controller", "targets", "detail")} == {
        "actor": "key:admin", "action": "restart_service", "controller": "ansible", "targets": ["web1", "db1"], "detail": "local is broken",
    }  # fmt: skip
    assert "key:admin sends restart_service to ansible in the place of its own controller" in said
    assert (await bodies(room))[0]["controller_override"] == "ansible"


async def test_its_own_controller_is_no_other_one(room: Any) -> None:
    assert (await room.ask("POST", RUN, "operator", json=GOOD | {"controller_override": "local"}))[0] == 202
    assert await overrides(room) == []
    assert "controller_override" not in (await bodies(room))[0]


async def test_a_second_delivery_is_the_first(room: Any) -> None:
    for accepted in (1, 0):
        _, made = await room.ask("POST", RUN, json=GOOD, headers={"Idempotency-Key": "k"})
        assert (made["accepted"], made["ids"]) == (accepted, ["e-1"])
    status, answer = await room.ask("POST", RUN, json=GOOD | {"dry_run": True}, headers={"Idempotency-Key": "k"})
    assert (status, answer["code"]) == (409, "idempotency-key-reused")


async def test_waiting_for_the_decision_ends_with_it(room: Any, seed: Any) -> None:
    asked = asyncio.ensure_future(room.ask("POST", f"{RUN}?wait=5m&until=decided", json=GOOD))
    while not await room.rows():
        await asyncio.sleep(0)
    await seed(room, "r-" + "a" * 26, "queued", seq=1)
    await seed.decided(room, 1)
    status, made = await asked
    assert (status, made["pending"], [run["state"] for run in made["results"]]) == (200, True, ["queued"])


@pytest.mark.parametrize("until", ["&until=planned", ""])
async def test_waiting_for_the_plan_ends_when_its_controller_has_spoken(room: Any, seed: Any, until: str) -> None:
    run = "r-" + "a" * 26
    asked = asyncio.ensure_future(room.ask("POST", f"{RUN}?wait=5m{until}", json=GOOD | {"dry_run": True}))
    while not await room.rows():
        await asyncio.sleep(0)
    await seed(room, run, "simulated", seq=1)
    await seed.do(
        room,
        lambda tx: tx.connection.execute("INSERT INTO plan (run, state, asked_us) VALUES (?, 'wanted', 1)", (run,)),
    )
    await seed.decided(room, 1)
    for _ in range(20):
        await asyncio.sleep(0)
    assert not asked.done()
    sql = "UPDATE plan SET state = 'failed', detail = 'no such object', made_us = 2 WHERE run = ?"
    await seed.do(room, lambda tx: tx.connection.execute(sql, (run,)))
    status, made = await asked
    assert (status, [one["plan"] for one in made["results"]]) == (
        200,
        [{"state": "failed", "sentence": "plan failed: no such object", "fails": ""}],
    )


@pytest.mark.parametrize("fails", ["it cannot be run: nosuchprog is not on the PATH", ""])
async def test_its_sentence_agrees_with_its_plan(
    room: Any, seed: Any, fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def of(*_: Any) -> dict[str, Any]:
        return plans.shown("made", content={"fails": fails})

    monkeypatch.setattr(plans, "of", of)
    asked = asyncio.ensure_future(room.ask("POST", f"{RUN}?wait=5m", json=GOOD | {"dry_run": True}))
    while not await room.rows():
        await asyncio.sleep(0)
    await seed(room, "r-" + "a" * 26, "simulated", seq=1)
    await seed.decided(room, 1)
    _, made = await asked
    (told,) = made["results"]
    assert told["plan"]["fails"] == fails
    assert ("it would fail: it cannot be run: nosuchprog" in told["sentence"]) == bool(fails)


@pytest.mark.parametrize("state", ["unknown", "failed"])
async def test_a_wait_ends_where_a_person_has_to_act(room: Any, seed: Any, state: str) -> None:
    asked = asyncio.ensure_future(room.ask("POST", f"{RUN}?wait=5m", json=GOOD))
    while not await room.rows():
        await asyncio.sleep(0)
    await seed(room, "r-" + "a" * 26, state, seq=1)
    await seed.decided(room, 1)
    status, made = await asked
    assert (status, made.get("pending", False), [run["state"] for run in made["results"]]) == (
        200,
        state == "unknown",
        [state],
    )


@pytest.mark.parametrize("query", ["until=decided", "wait=1s&until=done", "wait=soon"])
async def test_a_wait_is_for_something(room: Any, query: str) -> None:
    status, answer = await room.ask("POST", f"{RUN}?{query}", json=GOOD)
    assert (status, answer["code"]) == (400, "invalid-field")
    assert await room.rows() == []


async def test_sending_it_once_more_wants_the_right_to_choose_again(room: Any) -> None:
    await room.ask("POST", RUN, json=GOOD | {"controller_override": "ansible"})
    await room.ask("POST", RUN, json=GOOD)
    assert (await room.ask("POST", "/events/e-1/resend", "operator"))[0] == 403
    assert (await room.ask("POST", "/events/e-2/resend", "operator"))[0] == 202
