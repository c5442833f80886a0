"""Health, status, reload, and the API's own keys."""

from __future__ import annotations

import json
from typing import Any

import pytest

import healer
from healer import access, errors
from healer.web import auth


@pytest.mark.parametrize("state", ["starting", "ok", "paused", "stopping"])
async def test_health_is_public_and_always_200(room: Any, state: str) -> None:
    room.state = state
    assert await room.ask("GET", "/health", None) == (200, {"status": state, "version": healer.__version__})
    assert (await room.ask("GET", "/livez", None))[0] == 200


async def test_ready_says_why_not(room: Any) -> None:
    assert await room.ask("GET", "/readyz", None) == (200, {"ready": True, "reason": ""})
    room.state = "starting"
    assert await room.ask("GET", "/readyz", None) == (503, {"ready": False, "reason": "starting"})


async def test_health_is_the_same_with_a_wrong_key(room: Any) -> None:
    assert (await room.ask("GET", "/health", "wrong"))[0] == 200


async def test_a_head_request_has_no_body(room: Any) -> None:
    async with room.session.head(room.url("/health")) as answer:
        assert answer.status == 200
        assert await answer.read() == b""


async def test_status_is_also_below_its_version(room: Any) -> None:
    assert await room.ask("GET", "/status") == await room.ask("GET", "/api/v1/status") == (200, {"mode": "active"})


async def test_reload_names_who_asked(room: Any) -> None:
    status, body = await room.ask("POST", "/reload", "operator")
    assert (status, body["short"]) == (200, "aaaaaaa")
    assert room.reloads == ["key:operator"]


async def test_a_preview_of_a_reload_changes_nothing(room: Any) -> None:
    status, _ = await room.ask("POST", "/reload", "operator", json={"preview": True})
    assert (status, room.reloads) == (200, ["key:operator?"])
    assert (await room.ask("POST", "/reload", "operator", json={"preview": "yes"}))[0] == 400


async def test_a_reload_of_mistakes_tells_them_all(room: Any) -> None:
    place = errors.Place("rulebooks/a.yml", 3, 5)
    room.reload_error = errors.ConfigurationError([errors.Diagnostic("unknown-source", "no source", place)] * 2)
    status, body = await room.ask("POST", "/reload")
    assert (status, body["code"], len(body["errors"])) == (422, "configuration", 2)
    assert body["errors"][0] | {"file": "rulebooks/a.yml", "line": 3, "column": 5} == body["errors"][0]


async def test_a_key_is_shown_once_and_valid_at_once(room: Any) -> None:
    status, made = await room.ask("POST", "/keys", json={"name": "grafana", "role": "readonly"})
    assert status == 201
    assert (made["name"], made["role"], made["created_by"], made["revoked"]) == (
        "grafana",
        "readonly",
        "key:admin",
        None,
    )
    assert (await room.ask("GET", "/runs", made["key"]))[0] == 200
    assert (await room.ask("POST", "/events", made["key"], json={}))[0] == 403
    _, listed = await room.ask("GET", "/keys")
    assert made["id"] in {one["id"] for one in listed["items"]}
    assert made["key"] not in json.dumps(listed)
    assert made["key"].split("_")[2] not in "".join(row["record"] for row in await room.records())


async def test_a_revoked_key_is_refused_at_once(room: Any) -> None:
    _, made = await room.ask("POST", "/keys", json={"name": "x", "role": "admin"})
    assert await room.ask("DELETE", f"/keys/{made['id']}") == (200, {"id": made["id"], "revoked": True})
    assert (await room.ask("GET", "/runs", made["key"]))[0] == 401
    assert await room.ask("DELETE", f"/keys/{made['id']}") == (200, {"id": made["id"], "revoked": False})
    kinds = [json.loads(row["record"])["kind"] for row in await room.records()]
    assert kinds[-2:] == ["key_created", "key_revoked"]


@pytest.mark.parametrize(
    "body",
    [
        {}, {"name": "x"}, {"role": "ci"}, {"name": "x", "role": "root"}, {"name": "", "role": "ci"}, {"name": "a b", "role": "ci"},
        {"name": "x" * 65, "role": "ci"}, {"name": 5, "role": "ci"}, {"name": "x", "role": "ci", "more": 1}, {"name": "x\n", "role": "ci"},
        {"name": "ä", "role": "ci"},
    ],
)  # fmt: skip
async def test_a_bad_key_is_not_made(room: Any, body: dict[str, Any]) -> None:
    before = len(await room.records())
    status, answer = await room.ask("POST", "/keys", json=body)
    assert (status, answer["code"]) == (400, "invalid-field")
    assert len(await room.records()) == before


@pytest.mark.parametrize("given", ["nothing", "%00", "x" * 100, "ä", "a.b"])
async def test_a_key_that_is_none_cannot_be_revoked(room: Any, given: str) -> None:
    assert (await room.ask("DELETE", f"/keys/{given}"))[0] == 404


async def test_keys_of_files_are_listed_without_an_id(room: Any) -> None:
    place = errors.Place("keys", 1)
    files = [auth.FileKey("0" * 64, "file", "ci", "", place), auth.FileKey("1" * 64, "laptop", "", "ana", place)]
    room.services.gate.keys.use(room.services.gate.keys.directory, files)
    _, listed = await room.ask("GET", "/keys")
    assert [(one["id"], one["name"], one["role"], one["principal"], one["created_by"]) for one in listed["items"][:2]] == [
        (None, "file", "ci", None, "file"), (None, "laptop", None, "ana", "file"),
    ]  # fmt: skip
    assert len(listed["items"]) == len(access.ROLES) + 2
