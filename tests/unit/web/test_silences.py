"""`/silences`: who may, what is taken, what is refused, and what is listed."""

from __future__ import annotations

from typing import Any

import pytest

from healer.store import silencing

BODY = {"matchers": ["alertname=NodeDown"], "for_s": 3600, "comment": "works"}


async def made(room: Any, **more: Any) -> str:
    status, body = await room.ask("POST", "/silences", "operator", json=BODY | more)
    assert status == 201, body
    return str(body["id"])


async def listed(room: Any) -> list[dict[str, Any]]:
    _, body = await room.ask("GET", "/silences", "readonly")
    items: list[dict[str, Any]] = body["items"]
    return items


async def test_one_is_made_listed_and_ended(room: Any, seed: Any) -> None:
    await seed(room, "r-" + "a" * 26, "deferred", reason="silenced")
    status, body = await room.ask(
        "POST", "/silences", "operator", json=BODY | {"matchers": ["alertname=NodeDown", 'env=~"prod|stage"']}
    )
    assert (status, {*body}) == (201, {"id", "from", "until"})
    (item,) = await listed(room)
    assert {name: item[name] for name in ("id", "state", "from", "until", "who", "comment", "ended", "ended_by")} == {
        "id": body["id"], "state": "holds", "from": body["from"], "until": body["until"], "who": "key:operator", "comment": "works",
        "ended": None, "ended_by": None,
    }  # fmt: skip
    assert len(item["matchers"]) == 2
    status, answer = await room.ask("POST", f"/silences/{body['id']}/end", "operator")
    assert (status, answer) == (200, {"id": body["id"], "ended": True})
    (item,) = await listed(room)
    assert (item["state"], item["ended_by"], room.looked) == ("ended", "key:operator", 1)
    status, answer = await room.ask("POST", f"/silences/{body['id'][:5]}/end", "operator")
    assert (status, answer) == (200, {"id": body["id"], "ended": False})
    _, audit = await room.ask("GET", "/audit?kind=silence_ended")
    assert [record["actor"] for record in audit["items"]] == ["key:operator"]


async def test_its_times_are_the_wall_clocks(room: Any) -> None:
    room.ahead_us = 3_600_000_000
    first = await made(room)
    later = await made(room, in_s=60)
    assert [(one["id"], one["state"]) for one in await listed(room)] == [(later, "waits"), (first, "holds")]
    room.ahead_us += 3_600_000_000
    assert [(one["id"], one["state"]) for one in await listed(room)] == [(later, "holds"), (first, "ended")]
    _, answer = await room.ask("POST", f"/silences/{first}/end")
    assert answer == {"id": first, "ended": False}


MAY = {
    "GET": {"admin", "operator", "approver", "readonly", "auditor"},
    "POST": {"admin", "operator"},
    "end": {"admin", "operator"},
}


@pytest.mark.parametrize("what", list(MAY))
@pytest.mark.parametrize("role", ["admin", "operator", "approver", "readonly", "auditor", "ci"])
async def test_who_may(room: Any, what: str, role: str) -> None:
    one = await made(room)
    path = f"/silences/{one}/end" if what == "end" else "/silences"
    status, body = await room.ask(
        "GET" if what == "GET" else "POST", path, role, **({"json": BODY} if what == "POST" else {})
    )
    if role in MAY[what]:
        assert status in (200, 201)
    else:
        assert (status, body["code"]) == (403, "forbidden")
        assert [item["state"] for item in await listed(room)] == ["holds"]


@pytest.mark.parametrize("what", list(MAY))
@pytest.mark.parametrize("key", [None, "hlr_0000000_nothing"])
async def test_without_a_key(room: Any, what: str, key: str | None) -> None:
    path = "/silences/s-1/end" if what == "end" else "/silences"
    status, _ = await room.ask(
        "GET" if what == "GET" else "POST", path, key, **({"json": BODY} if what == "POST" else {})
    )
    assert status == 401


@pytest.mark.parametrize(("more", "field"), [
    ({"matchers": []}, "matchers"), ({"matchers": ["a=b"] * 51}, "matchers"), ({"matchers": "a=b"}, "matchers"), ({"matchers": [""]}, "matchers.0"),
    ({"for_s": 0}, "for_s"), ({"for_s": None}, "for_s"), ({"for_s": 366 * 86_400 + 1}, "for_s"), ({"for_s": "1h"}, "for_s"),
    ({"in_s": -1}, "in_s"), ({"comment": ""}, "comment"), ({"comment": "  "}, "comment"), ({"comment": "x" * 501}, "comment"), ({"until": 1}, "until"),
])  # fmt: skip
async def test_wrong_bodies(room: Any, more: dict[str, Any], field: str) -> None:
    status, body = await room.ask("POST", "/silences", json=BODY | more)
    assert (status, body["code"]) == (400, "invalid-field")
    assert field in [one["field"] for one in body["errors"]]
    assert await listed(room) == []


@pytest.mark.parametrize("name", ["matchers", "for_s", "comment"])
async def test_what_is_missing(room: Any, name: str) -> None:
    status, body = await room.ask("POST", "/silences", json={key: value for key, value in BODY.items() if key != name})
    assert (status, [one["field"] for one in body["errors"]]) == (400, [name])


@pytest.mark.parametrize("wrong", ["nothing", "=b", "a=~(", "a b=c"])
async def test_matchers_that_are_none_are_all_told(room: Any, wrong: str) -> None:
    status, body = await room.ask("POST", "/silences", json=BODY | {"matchers": ["a=b", wrong, "=x"]})
    assert (status, body["code"]) == (400, "invalid-matcher")
    assert body["detail"].count(";") >= 1
    assert "name=~regex" in body["try"]
    assert await listed(room) == []


async def test_too_many(room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silencing, "ACTIVE_MAX", 1)
    await made(room)
    status, body = await room.ask("POST", "/silences", json=BODY)
    assert (status, body["code"]) == (409, "too-many-silences")


async def test_one_that_there_is_not(room: Any) -> None:
    ids = [await made(room) for _ in range(2)]
    status, body = await room.ask("POST", "/silences/s-nope/end")
    assert (status, body["code"], body["try"]) == (404, "not-found", "healer silence list")
    status, body = await room.ask("POST", "/silences/s-/end")
    assert (status, body["code"], body["near"]) == (409, "ambiguous", sorted(ids))
    assert [item["state"] for item in await listed(room)] == ["holds", "holds"]
