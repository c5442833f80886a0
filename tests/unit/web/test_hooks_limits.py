"""Hooks: from where, how fast, with which token in the URL, and what is told of what was refused."""

from __future__ import annotations

import base64
import io
from typing import Any

import orjson
import pytest
import yarl
from loguru import logger

from healer.web import refusals

TOKEN = "a-token-in-the-url-0123456789"


def options(room: Any, **more: Any) -> None:
    """Other options of the open hook."""
    found = room.revision.sources["open"]
    whole = {"path": "open/door", "auth": {"none": True}, **more}
    found.options = type(found.options).model_validate(whole)


async def send(room: Any, path: str = "open/door", **more: Any) -> tuple[int, Any]:
    said = more if "data" in more else {"json": {"a": 1}, **more}
    status, answer = await room.ask("POST", f"/hooks/{path}", None, **said)
    return status, answer.get("code") if isinstance(answer, dict) else answer


async def refused(room: Any) -> list[dict[str, Any]]:
    records = [orjson.loads(row["record"]) for row in await room.records()]
    return [one for one in records if one["kind"] == "delivery_refused"]


@pytest.mark.parametrize(
    ("networks", "status"),
    [(["127.0.0.0/8"], 202), (["192.0.2.0/24", "127.0.0.1"], 202), (["192.0.2.0/24"], 403), (["::1"], 403)],
)
async def test_only_from_some_addresses(room: Any, networks: list[str], status: int) -> None:
    options(room, allow_from=networks)
    assert await send(room) == (status, None if status == 202 else "forbidden")
    assert len(await room.rows()) == (status == 202)


async def test_a_token_in_the_url(room: Any) -> None:
    options(room, auth={"url_token": {"secret": "env:AM_TOKEN"}})
    room.services.secrets._environ["AM_TOKEN"] = TOKEN
    assert await send(room, f"open/door/{TOKEN}") == (202, None)
    for path in ("open/door", "open/door/", f"open/door/{TOKEN[:-1]}", f"open/door/{TOKEN}x", f"open/door/{TOKEN}?a=1"):
        assert (await send(room, path))[0] == (202 if path.endswith("?a=1") else 401), path
    assert (await send(room, f"open/door/{TOKEN}/x"))[0] == 404
    assert TOKEN not in str([dict(row) for row in await room.rows()])


async def test_no_token_of_a_url_is_logged(room: Any) -> None:
    said = io.StringIO()
    sink = logger.add(said, level=0, format="{message} {extra}")
    try:
        options(room, auth={"url_token": {"secret": "env:AM_TOKEN"}})
        for path in (f"open/door/{TOKEN}", f"nowhere/{TOKEN}", f"open/{TOKEN}", f"open/door/{TOKEN}/x"):
            await send(room, path)
            await room.ask("GET", f"/hooks/{path}", None)
    finally:
        logger.remove(sink)
    assert "/hooks/" in said.getvalue()
    assert TOKEN not in said.getvalue()


async def test_faster_than_its_rate_hears_503(room: Any) -> None:
    options(room, rate_limit="2 per hour")
    assert [await send(room) for _ in range(3)] == [(202, None), (202, None), (503, "rate-limit")]
    async with room.session.post(room.url("/hooks/open/door"), json={}) as answer:
        assert answer.headers["Retry-After"] == "1800"
    [record] = await refused(room)
    assert (record["source"], record["code"], record["count"]) == ("open", "rate-limit", 1)


async def test_a_reload_leaves_what_was_saved_up(room: Any) -> None:
    options(room, rate_limit="2 per hour")
    assert (await send(room))[0] == 202
    room.revision.sources = dict(room.revision.sources)
    room.revision = type(room.revision)(**vars(room.revision))
    assert [(await send(room))[0] for _ in range(2)] == [202, 503]


async def test_strangers_do_not_use_up_the_rate(room: Any) -> None:
    options(room, rate_limit="1 per hour", auth={"bearer": {"secret": "env:AM_TOKEN"}})
    assert [(await send(room))[0] for _ in range(3)] == [401] * 3
    assert (await room.ask("POST", "/hooks/open/door", "a-token-of-alertmanager", json={"a": 1}))[0] == 202


async def test_what_was_refused_of_a_known_sender_is_on_record_once_in_a_while(room: Any) -> None:
    for _ in range(3):
        assert (await send(room, data=b"[1]"))[0] == 415
        assert (await send(room, json=[1])) == (400, "not-an-object")
    assert [(one["code"], one["count"]) for one in await refused(room)] == [("content-type", 1), ("not-an-object", 1)]
    room.services.clock.now_us += refusals.TOLD_AGAIN_US
    await send(room, json=[1])
    assert [(one["code"], one["count"]) for one in await refused(room)][2:] == [("not-an-object", 3)]


async def test_what_strangers_send_is_not_on_record(room: Any) -> None:
    options(room, auth={"bearer": {"secret": "env:AM_TOKEN"}})
    assert (await send(room, json=[1]))[0] == 401
    assert await refused(room) == []


async def test_alerts_that_were_cut_off_are_warned_of(room: Any) -> None:
    said = io.StringIO()
    sink = logger.add(said, level="WARNING", format="{message}")
    try:
        options(room, format="alertmanager")
        body = {"alerts": [{"status": "firing", "labels": {"alertname": "x"}}], "truncatedAlerts": 7}
        assert (await send(room, json=body))[0] == 202
    finally:
        logger.remove(sink)
    assert "open: 7 alerts of a group were not sent (truncatedAlerts)" in said.getvalue()


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def test_a_form_is_not_taken_where_the_format_has_none(room: Any) -> None:
    assert await send(room, data=b"payload=%7B%22a%22%3A1%7D", headers=FORM) == (415, "content-type")


async def test_a_form_is_read_where_the_format_takes_one(room: Any) -> None:
    options(room, format="slack")
    assert await send(room, data=b"payload=%7B%22type%22%3A%22t%22%7D", headers=FORM) == (202, None)
    [row] = await room.rows()
    assert orjson.loads(row["body"])["payload"] == {"type": "t"}


async def test_no_header_of_a_proxy_keeps_the_token_of_a_url(room: Any) -> None:
    options(room, auth={"url_token": {"secret": "env:AM_TOKEN"}})
    room.services.secrets._environ["AM_TOKEN"] = TOKEN
    names = ("X-Original-URI", "X-Envoy-Original-Path", "Referer", "X-Anything")
    assert await send(room, f"open/door/{TOKEN}", headers=dict.fromkeys(names, f"/hooks/open/door/{TOKEN}")) == (
        202,
        None,
    )
    escaped = (
        f"/hooks/open/door/{TOKEN.replace(TOKEN[0], f'%{ord(TOKEN[0]):02x}', 1)}"  # what need not be escaped may be
    )
    target = yarl.URL(room.url(escaped), encoded=True)
    for at in (target, room.url(f"/hooks/open/door/{TOKEN}")):  # a proxy may have taken the escapes out
        async with room.session.post(at, json={}, headers=dict.fromkeys(names, escaped)) as answer:
            assert answer.status == 202
    for row in await room.rows():
        assert TOKEN[1:] not in row["meta"]
        assert "user-agent" in row["meta"]


SECRET = {"secret": "env:AM_TOKEN"}


@pytest.mark.parametrize("auth", [
    {"bearer": SECRET}, {"header": {"name": "X-Token", "token": SECRET}}, {"gitlab": SECRET}, {"basic": {"user": "u", "password": SECRET}},
])  # fmt: skip
async def test_a_proof_that_is_repeated_elsewhere_is_not_kept(room: Any, auth: Any) -> None:
    [kind] = auth
    options(room, auth=auth)
    room.services.secrets._environ["AM_TOKEN"] = TOKEN
    proofs = {
        "bearer": {"Authorization": f"Bearer {TOKEN}"}, "header": {"X-Token": TOKEN}, "gitlab": {"X-Gitlab-Token": TOKEN},
        "basic": {"Authorization": "Basic " + base64.b64encode(f"u:{TOKEN}".encode()).decode()},
    }  # fmt: skip
    assert await send(room, headers=proofs[kind] | {"X-Copy": f"Bearer {TOKEN}", "X-Other": "o"}) == (202, None)
    [row] = await room.rows()
    assert TOKEN not in row["meta"]
    assert "x-other" in row["meta"]


async def test_the_log_says_why_nobody_was_proved(room: Any) -> None:
    said = io.StringIO()
    sink = logger.add(said, level="WARNING", format="{message}")
    try:
        options(room, auth={"github": {"secret": "env:AM_TOKEN"}})
        await send(room)
    finally:
        logger.remove(sink)
    assert "refused from open: X-Hub-Signature-256 is missing" in said.getvalue()


async def test_the_same_bytes_under_the_same_id_are_no_conflict_whatever_other_headers_say(room: Any) -> None:
    options(room, format="standard_webhooks")
    body = b'{"type":"t","data":{}}'
    for time in ("1000", "2000"):
        headers = {"Content-Type": "application/json", "webhook-id": "m1", "webhook-timestamp": time}
        assert (await send(room, data=body, headers=headers))[0] == 202
    kinds = [orjson.loads(row["record"])["kind"] for row in await room.records()]
    assert "delivery_conflict" not in kinds
    assert len(await room.rows()) == 1
