"""`POST /hooks/<path>`: who may deliver, what is kept, and what is refused."""

from __future__ import annotations

import json
import pathlib
import types
from typing import Any

import orjson
import pytest

from healer.store import letters
from healer.web import hooks

AM_TOKEN = "a-token-of-alertmanager"

GROUP = {
    "version": "4",
    "status": "firing",
    "groupLabels": {"alertname": "Down"},
    "alerts": [
        {
            "status": status,
            "labels": {"alertname": "Down", "instance": f"web{number}:9100"},
            "annotations": {},
            "startsAt": "2026-01-01T00:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "fingerprint": f"f{number}",
        }
        for number, status in ((1, "firing"), (2, "resolved"))
    ],
}


async def test_each_alert_of_a_group_is_an_event(room: Any) -> None:
    status, made = await room.ask("POST", "/hooks/alertmanager", AM_TOKEN, json=GROUP)
    assert (status, made) == (202, {"accepted": 2, "duplicates": 0, "ids": ["e-1", "e-2"]})
    first, second = await room.rows()
    assert (first["source"], first["actor"]) == ("am", "source:am")
    event = orjson.loads(first["body"])
    assert event["alert"]["key"] == "f1"
    assert "alerts" not in event["group"]
    assert first["raw_hash"] == second["raw_hash"] is not None
    assert json.loads(await room.services.store.blob(first["raw_hash"])) == GROUP


async def test_the_other_one_of_a_pair_counts_as_duplicate(room: Any) -> None:
    await room.ask("POST", "/hooks/alertmanager", AM_TOKEN, json=GROUP)
    assert await room.ask("POST", "/hooks/alertmanager", AM_TOKEN, json=GROUP) == (
        202,
        {"accepted": 0, "duplicates": 2, "ids": ["e-1", "e-2"]},
    )
    assert len(await room.rows()) == 2


async def test_a_generic_body_is_one_event_with_its_headers(room: Any) -> None:
    headers = {
        "X-Hub-Signature-256": "sha256=1", "X-Gitlab-Token": "t", "Cookie": "c=1", "X-Api-Key": "k", "X-Kind": "disk",
        "Authorization": "Bearer secret", "Proxy-Authorization": "p",
    }  # fmt: skip
    status, _ = await room.ask("POST", "/hooks/open/door", None, json={"name": "Disk", "host": "web1"}, headers=headers)
    assert status == 202
    (row,) = await room.rows()
    meta = orjson.loads(row["meta"])
    assert meta["endpoint"] == "open/door"
    assert meta["headers"]["x-kind"] == "disk"
    assert not {
        "authorization",
        "cookie",
        "x-api-key",
        "x-gitlab-token",
        "x-hub-signature-256",
        "proxy-authorization",
    } & set(meta["headers"])
    assert orjson.loads(row["body"])["payload"] == {"name": "Disk", "host": "web1"}
    assert (row["raw_hash"], row["raw"]) == (None, None)


async def test_no_credential_reaches_the_disk(room: Any, tmp_path: pathlib.Path) -> None:
    await room.ask("POST", "/hooks/alertmanager", AM_TOKEN, json=GROUP, headers={"X-Extra-Signature": "planted-canary"})
    await room.ask("POST", "/hooks/alertmanager", "planted-canary-2", json=GROUP)
    secrets = [AM_TOKEN.encode(), b"planted-canary", *(key.encode() for key in room.keys.values())]
    files = sorted((tmp_path / "data").rglob("*"), reverse=True)  # the write-ahead log before the database
    found = b"".join(path.read_bytes() for path in files if path.is_file())
    assert b"web1:9100" in found
    assert [secret for secret in secrets if secret in found] == []


@pytest.mark.parametrize("length", range(len(AM_TOKEN)))
async def test_a_token_cut_anywhere_is_refused(room: Any, length: int) -> None:
    status, answer = await room.ask("POST", "/hooks/alertmanager", AM_TOKEN[:length] or None, json=GROUP)
    assert (status, answer["code"]) == (401, "unauthorized")
    assert await room.rows() == []


@pytest.mark.parametrize("key", ["admin", AM_TOKEN + "x", AM_TOKEN.upper()])
async def test_another_token_is_refused(room: Any, key: str) -> None:
    assert (await room.ask("POST", "/hooks/alertmanager", key, json=GROUP))[0] == 401
    assert await room.rows() == []


@pytest.mark.parametrize("token", [None, AM_TOKEN, "None", ""])
async def test_while_its_secret_cannot_be_read_everyone_is_refused(room: Any, token: str | None) -> None:
    assert (await room.ask("POST", "/hooks/locked", token, json={}))[0] == 401
    assert await room.rows() == []


async def test_a_refusal_says_what_is_wanted_and_not_why(room: Any) -> None:
    asked = [("alertmanager", None), ("alertmanager", "x"), ("alertmanager", "x y"), ("locked", "x")]
    answers = [(await room.ask("POST", f"/hooks/{path}", token, json={}))[1] for path, token in asked]
    assert answers == answers[:1] * len(asked)
    assert answers[0]["detail"] == "this delivery does not prove that it comes from the sender of this hook"
    assert "hlr_" not in str(answers)


async def test_the_daemon_knows_why_a_sender_was_refused(room: Any) -> None:
    await room.ask("POST", "/hooks/locked", "x", json={})
    await room.ask("POST", "/hooks/alertmanager", AM_TOKEN, json={"x": 1})
    await room.ask("POST", "/hooks/open/door", None, json={})
    last = room.services.tally.last
    assert last.keys() == {"locked", "am"}
    assert last["locked"][1] == "the secret env:NOT_SET cannot be read: the variable is not set"
    assert last["am"][1].startswith("alerts")
    assert all(at > 0 for at, _ in last.values())


@pytest.mark.parametrize(
    "path", ["none", "open", "open/door/x", "open/door/", "../events", "a" * 3000, "%2e%2e", "%00", "ä"]
)
async def test_an_unknown_path_is_not_found(room: Any, path: str) -> None:
    status, _ = await room.ask("POST", f"/hooks/{path}", None, json=GROUP)
    assert status in (404, 401)
    assert await room.rows() == []


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"x", {}, 400, "not-json"),
        (b"[]", {}, 400, "not-an-object"),
        (b'{"a":1,"a":1}', {}, 400, "duplicate-key"),
        (b'{"a":"' + b"x" * 1000 + b'"}', {}, 413, "too-large"),
        (b"{}", {"Content-Type": "text/plain"}, 415, "content-type"),
        (b"{}", {"Content-Encoding": "gzip"}, 415, "content-type"),
        (b"{}", {"Idempotency-Key": "ä"}, 400, "invalid-field"),
    ],
)
async def test_bad_input_has_a_code(room: Any, body: bytes, headers: dict[str, str], status: int, code: str) -> None:
    got, answer = await room.ask(
        "POST", "/hooks/open/door", None, data=body, headers={"Content-Type": "application/json"} | headers
    )
    assert (got, answer["code"]) == (status, code)
    assert await room.rows() == []


async def test_a_body_of_another_format_names_what_is_wrong(room: Any) -> None:
    status, answer = await room.ask("POST", "/hooks/alertmanager", AM_TOKEN, json={"alert": [{"status": 5}]})
    assert (status, answer["code"]) == (400, "invalid-field")
    assert answer["detail"] == "alerts: a list of alerts is wanted, got nothing"


async def test_what_cannot_be_read_of_a_group_is_kept_apart_and_the_rest_is_taken(room: Any) -> None:
    alerts = [GROUP["alerts"][0], {"status": 5, "labels": {"x": "y"}}, GROUP["alerts"][0] | {"fingerprint": "f9"}]
    status, answer = await room.ask("POST", "/hooks/alertmanager", AM_TOKEN, json=GROUP | {"alerts": alerts})
    assert (status, answer) == (202, {"accepted": 2, "duplicates": 0, "ids": ["e-1", "e-2"], "quarantined": 1})
    rows = await room.rows()
    assert [letters.unread(row["meta"]) for row in rows] == [
        "", "", "alerts[1].status: text is wanted, got a number",
    ]  # fmt: skip
    assert orjson.loads(rows[2]["body"]) == {"payload": alerts[1]}
    assert letters.brought(rows[2]["meta"])["endpoint"] == "alertmanager"
    assert rows[2]["raw_hash"] == rows[0]["raw_hash"] is not None


async def test_each_event_of_a_body_may_have_an_id_of_its_own(room: Any) -> None:
    found = room.revision.sources["open"]
    found.options = found.options.model_copy(update={"format": "cloudevents"})
    batch = [{"specversion": "1.0", "type": "t", "source": "/s", "id": str(number)} for number in range(3)]
    headers = {"Content-Type": "application/cloudevents-batch+json"}

    async def send(*events: Any) -> tuple[int, int]:
        body = orjson.dumps(events)
        _, made = await room.ask("POST", "/hooks/open/door", None, data=body, headers=headers)
        return made["accepted"], made["duplicates"]

    assert await send(*batch[:2]) == (2, 0)
    assert await send(*batch) == (1, 2)
    assert await send(batch[0]) == (0, 1)
    assert len(await room.rows()) == 3
    bad = {"specversion": "1.0"}
    assert await send(*batch, bad) == (0, 3)
    assert await send(*batch, bad) == (0, 4)
    assert await send(bad, bad) == (0, 2)
    assert [letters.unread(row["meta"]) != "" for row in await room.rows()] == [False, False, False, True]


async def test_an_element_is_the_same_alone_and_among_others(room: Any) -> None:
    """No conflict, and what is bad beside the only one that can be read is held."""
    found = room.revision.sources["open"]
    found.options = found.options.model_copy(update={"format": "cloudevents"})
    batch, alone = "application/cloudevents-batch+json", "application/cloudevents+json"

    def one(number: int, **more: Any) -> dict[str, Any]:
        return {"specversion": "1.0", "type": "t", "source": "/s", "id": str(number), **more}

    async def send(*events: Any, form: str = batch, **how: Any) -> tuple[int, int, int]:
        body = json.dumps(events if form == batch else events[0], **how)
        _, made = await room.ask("POST", "/hooks/open/door", None, data=body, headers={"Content-Type": form})
        return made["accepted"], made["duplicates"], made.get("quarantined", 0)

    def conflicts() -> int:
        rows = room.services.store.writer.tx.connection.execute("SELECT 1 FROM audit WHERE kind = 'delivery_conflict'")
        return len(rows.fetchall())

    assert await send(one(1)) == (1, 0, 0)
    assert await send(one(1), {"id": "A"}) == (0, 1, 1)
    assert await send(one(1), {"id": "A"}) == (0, 2, 0)
    assert await send(one(2), {"id": "B"}) == (1, 0, 1)
    assert await send(one(2), {"id": "B"}, one(3)) == (1, 2, 0)
    assert await send(one(3), form=alone) == (0, 1, 0)
    assert await send(one(3), form=alone, indent=2) == (0, 1, 0)
    assert await send(one(4), form=alone, indent=2) == (1, 0, 0)
    assert await send(one(4), one(5)) == (1, 1, 0)
    assert conflicts() == 0
    assert await send(one(4, data="another")) == (0, 1, 0)
    assert conflicts() == 1


@pytest.mark.parametrize(("kind", "body", "status"), [
    ("application/json", b'{"x": 1}', 202), ("application/json", b'"text"', 202), ("text/plain", b"text", 415), ("application/xml", b"<x/>", 415),
    ("application/vnd.acme+json", b"{}", 415), ("application/json", b"", 400),
])  # fmt: skip
async def test_a_binary_cloudevent_has_json_as_its_data(room: Any, kind: str, body: bytes, status: int) -> None:
    found = room.revision.sources["open"]
    found.options = found.options.model_copy(update={"format": "cloudevents"})
    headers = {"ce-specversion": "1.0", "ce-type": "t", "ce-source": "/s", "ce-id": "1", "Content-Type": kind}
    assert (await room.ask("POST", "/hooks/open/door", None, data=body, headers=headers))[0] == status
    structured = {
        "specversion": "1.0",
        "type": "t",
        "source": "/s",
        "id": "2",
        "datacontenttype": kind,
        "data_base64": "AAE=",
    }
    as_told = {"Content-Type": "application/cloudevents+json"}
    assert (await room.ask("POST", "/hooks/open/door", None, json=structured, headers=as_told))[0] == 202


async def test_no_alerts_are_no_events(room: Any) -> None:
    assert (await room.ask("POST", "/hooks/alertmanager", AM_TOKEN, json={"alerts": []}))[1]["accepted"] == 0


@pytest.mark.parametrize("header", ["Idempotency-Key", "X-GitHub-Delivery", "webhook-id", "ce-id"])
async def test_a_delivery_is_known_by_its_header(room: Any, header: str) -> None:
    for accepted in (1, 0):
        _, made = await room.ask("POST", "/hooks/open/door", None, json={"a": 1}, headers={header: "d1"})
        assert made["accepted"] == accepted


async def test_a_source_names_its_own_header(room: Any) -> None:
    found = room.revision.sources["open"]
    found.options = found.options.model_copy(update={"delivery_id": "X-Mine"})
    for headers, accepted in (
        ({"X-Mine": "1"}, 1),
        ({"X-Mine": "1"}, 0),
        ({"webhook-id": "1"}, 1),
        ({"webhook-id": "1"}, 1),
    ):
        _, made = await room.ask("POST", "/hooks/open/door", None, json={"a": 1}, headers=headers)
        assert made["accepted"] == accepted


async def test_another_revision_has_other_hooks(room: Any) -> None:
    known = hooks.Hooks()
    assert known.find(room.revision, "open/door")[0].source == "open"
    other = types.SimpleNamespace(sources={"new": room.revision.sources["open"]})
    assert known.find(other, "open/door")[0].source == "new"


async def test_a_format_that_does_not_exist_leaves_the_other_hooks(room: Any) -> None:
    found = room.revision.sources["open"]
    found.options = found.options.model_copy(update={"format": "nothing"})
    assert (await room.ask("POST", "/hooks/open/door", None, json={}))[0] == 404
    assert (await room.ask("POST", "/hooks/alertmanager", AM_TOKEN, json=GROUP))[0] == 202


async def test_the_webhook_of_ansible_rulebook_is_no_hook(room: Any) -> None:
    room.revision.sources["eda"] = types.SimpleNamespace(type="webhook", options=None, subscribers=[("a", "b")])
    assert (await room.ask("POST", "/hooks/open/door", None, json={}))[0] == 202


@pytest.mark.parametrize(
    ("body", "held"),
    [
        (b' {"b" : 1.50,\n\t"a":[ ]}\r\n', True), (b"{}", True), ('{"ä":"\N{GRINNING FACE}"}'.encode(), True),
        (b'{"a":"\\u00e4"}', False), (b'{"a":"\\n"}', True),
    ],
)  # fmt: skip
async def test_the_bytes_that_were_proved_are_the_bytes_that_are_kept(room: Any, body: bytes, held: bool) -> None:
    headers = {"Content-Type": "application/json"}
    assert (await room.ask("POST", "/hooks/open/door", None, data=body, headers=headers))[0] == 202
    [row] = await room.rows()
    assert orjson.loads(row["body"])["payload"] == orjson.loads(body)
    assert (row["raw"] is None, body in row["body"], row["raw_hash"]) == (held, held, None)
