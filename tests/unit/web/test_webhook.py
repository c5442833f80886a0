"""`POST /webhook`: what is checked before an event is taken, and waiting for what comes of it."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from loguru import logger

from healer.web import orders

GOOD = {"event_type": "service.down", "target": "web1", "parameters": {"service": "nginx"}}


async def test_a_good_one_is_journaled_as_it_is(room: Any) -> None:
    status, made = await room.ask("POST", "/webhook", "ci", json=GOOD)
    assert status == 202
    assert made == {
        "accepted": 1, "duplicates": 0, "ids": ["e-1"], "event_type": "service.down", "action": "restart_service",
    }  # fmt: skip
    (row,) = await room.rows()
    assert (row["source"], row["actor"]) == ("healer.events", "key:ci")
    assert orjson.loads(row["body"]) == GOOD


async def test_the_rest_is_kept_when_given(room: Any) -> None:
    await room.ask("POST", "/webhook", json=GOOD | {"dry_run": True, "controller_override": "ansible"})
    (row,) = await room.rows()
    assert orjson.loads(row["body"]) == GOOD | {"dry_run": True, "controller_override": "ansible"}
    (record,) = [orjson.loads(one["record"]) for one in await room.records() if "override" in one["record"]]
    assert {name: record[name] for name in ("kind", "actor", "controller", "action", "target", "event_type", "dry_run")} == {
        "kind": "override", "actor": "key:admin", "controller": "ansible", "action": "restart_service", "target": GOOD["target"],
        "event_type": "service.down", "dry_run": True,
    }  # fmt: skip


async def test_its_own_controller_is_no_other_and_needs_no_permission(room: Any) -> None:
    status, _ = await room.ask("POST", "/webhook", "ci", json=GOOD | {"controller_override": "local"})
    assert status == 202
    (row,) = await room.rows()
    assert orjson.loads(row["body"]) == GOOD
    assert not [one for one in await room.records() if "override" in one["record"]]


async def test_another_controller_is_in_the_log(room: Any) -> None:
    said: list[str] = []
    sink = logger.add(lambda message: said.append(message.record["message"]), level="INFO")
    await room.ask("POST", "/webhook", json=GOOD)
    await room.ask("POST", "/webhook", json=GOOD | {"controller_override": "ansible"})
    await room.ask("POST", "/webhook", "ci", json=GOOD | {"controller_override": "ansible"})
    logger.remove(sink)
    assert [one for one in said if "controller" in one and "403" not in one] == [
        "key:admin sends restart_service to ansible in the place of its own controller"
    ]


@pytest.mark.parametrize(
    ("change", "role", "status", "code", "says"),
    [
        ({"event_type": "service.dwon"}, "ci", 404, "unknown_event_type", "service.down"),
        ({"event_type": ""}, "ci", 400, "invalid-field", "event_type"),
        ({"event_type": 5}, "ci", 400, "invalid-field", "event_type"),
        ({"event_type": None}, "ci", 400, "invalid-field", "event_type"),
        ({"parameters": {}}, "ci", 400, "invalid_parameters", "service"),
        ({"parameters": {"service": 5}}, "ci", 400, "invalid_parameters", "service"),
        ({"parameters": {"service": "x", "more": 1}}, "ci", 400, "invalid_parameters", "more"),
        ({"parameters": {"service": "x", "internal": "x"}}, "ci", 400, "invalid_parameters", "internal"),
        ({"parameters": []}, "ci", 400, "invalid-field", "parameters"),
        ({"target": None}, "ci", 400, "invalid-field", "target"),
        ({"target": ["web1"]}, "ci", 400, "invalid-field", "target"),
        ({"dry_run": "yes"}, "ci", 400, "invalid-field", "dry_run"),
        ({"dryrun": True}, "ci", 400, "invalid-field", "dryrun"),
        ({"controller_override": "ansible"}, "ci", 403, "forbidden", "controllers.override"),
        ({"controller_override": "ansible"}, "operator", 403, "forbidden", "controllers.override"),
        ({"controller_override": "ansibel"}, "admin", 400, "unknown_controller", "ansible"),
    ],
)
async def test_bad_input_has_a_code_and_leaves_nothing(
    room: Any, change: dict[str, Any], role: str, status: int, code: str, says: str
) -> None:
    records = len(await room.records())
    got, answer = await room.ask("POST", "/webhook", role, json=GOOD | change)
    assert (got, answer["code"]) == (status, code), answer
    assert says in str(answer)
    assert await room.rows() == []
    assert len(await room.records()) == records


async def test_all_mistakes_are_told_at_once(room: Any) -> None:
    _, answer = await room.ask("POST", "/webhook", json={"target": 5, "parameters": [], "x": 1})
    assert {problem["field"] for problem in answer["errors"]} == {"event_type", "target", "parameters", "x"}
    assert answer["detail"] == (
        "the key 'event_type' is missing; target: a text is wanted, got 5; parameters: a mapping is wanted, got an empty list;"
        " the key 'x' is not known here"
    )


async def test_near_names_are_for_programs_too(room: Any) -> None:
    _, answer = await room.ask("POST", "/webhook", json={"event_type": "service.dwon"})
    assert answer["near"] == ["service.down"]
    assert "near" not in (await room.ask("POST", "/webhook", json={"event_type": "zzz"}))[1]


async def test_an_action_without_targets_needs_none(room: Any) -> None:
    assert (await room.ask("POST", "/webhook", json={"event_type": "note.made"}))[0] == 202


@pytest.mark.parametrize("target", ["web1", "nobody"])
async def test_an_action_without_targets_takes_none(room: Any, target: str) -> None:
    status, answer = await room.ask("POST", "/webhook", json={"event_type": "note.made", "target": target})
    assert (status, answer["code"]) == (400, "invalid_parameters")
    assert answer["detail"].endswith(f"target: the action works on none (target: none), got {target!r}")
    assert [one["field"] for one in answer["errors"]] == ["target"]
    assert await room.rows() == []


async def test_a_second_delivery_is_the_first(room: Any) -> None:
    for accepted in (1, 0):
        _, made = await room.ask("POST", "/webhook", json=GOOD, headers={"Idempotency-Key": "k"})
        assert (made["accepted"], made["ids"]) == (accepted, ["e-1"])


async def test_a_key_that_comes_with_another_request_is_refused(room: Any) -> None:
    await room.ask("POST", "/webhook", json=GOOD, headers={"Idempotency-Key": "k"})
    other = GOOD | {"dry_run": True}
    status, answer = await room.ask("POST", "/webhook", json=other, headers={"Idempotency-Key": "k"})
    assert (status, answer["code"]) == (409, "idempotency-key-reused")


async def test_waiting_in_vain_says_pending(room: Any) -> None:
    status, made = await room.ask("POST", "/webhook?wait=0s", json=GOOD)
    assert (status, made["results"], made["pending"]) == (200, [], True)


@pytest.mark.parametrize("wait", ["soon", "-1s", "5", "10m", "301s", ""])
async def test_a_wait_is_a_duration_of_five_minutes_at_most(room: Any, wait: str) -> None:
    status, answer = await room.ask("POST", f"/webhook?wait={wait}", json=GOOD)
    assert (status, answer["code"]) == (400, "invalid-field")
    assert "wait" in answer["detail"]
    assert await room.rows() == []


async def test_too_many_do_not_wait(room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "WAITERS_MAX", 0)
    status, answer = await room.ask("POST", "/webhook?wait=1s", json=GOOD)
    assert (status, answer["code"]) == (503, "unavailable")
    assert await room.rows() == []


async def test_waiting_ends_with_the_last_run(room: Any, seed: Any) -> None:
    asked = asyncio.ensure_future(room.ask("POST", "/webhook?wait=5m", json=GOOD))
    while not await room.rows():
        await asyncio.sleep(0)
    await seed(room, "r-" + "a" * 26, "running", seq=1)
    await seed(room, "r-" + "b" * 26, "succeeded", seq=1)
    await seed.decided(room, 1)
    assert not asked.done()
    await seed.move(room, "r-" + "a" * 26, "failed")
    status, made = await asked
    assert status == 200
    assert "pending" not in made
    assert [(run["id"][2], run["state"]) for run in made["results"]] == [("a", "failed"), ("b", "succeeded")]
