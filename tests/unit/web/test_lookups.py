"""`/alerts`, `/events/{id}`, `/audit`, `/explain/{id}`."""

from __future__ import annotations

import datetime
import hashlib
import json
from typing import Any

import pytest

from healer.audit import records, tree

AM_TOKEN = "a-token-of-alertmanager"
RUN = "r-" + "a" * 26


async def opened(seed: Any, room: Any, key: str, at_us: int, *, source: str = "am", name: str = "Down") -> None:
    def apply(tx: Any) -> None:
        tx.run("alert_open", source, key, 1, at_us, at_us, 10, 1, 1, name, "web1", "critical", "it is down", "{}")

    await seed.do(room, apply)


async def test_alerts_with_their_runs(room: Any, seed: Any) -> None:
    await opened(seed, room, "one", 1_000_000)
    await opened(seed, room, "two", 2_000_000, name="Disk")
    await opened(seed, room, "three", 2_000_000, source="other")
    await seed(room, RUN, "failed")

    def apply(tx: Any) -> None:
        tx.run("run_alert_insert", RUN, "am", "one", 1, 1)
        tx.run("alert_close", 3_000_000, "resolved", 1, "am", "two")

    await seed.do(room, apply)
    _, body = await room.ask("GET", "/alerts")
    assert [alert["key"] for alert in body["items"]] == ["two", "three", "one"]
    assert body["items"][2]["runs"] == [{"id": RUN, "state": "failed"}]
    assert body["items"][0] == {
        "source": "am", "key": "two", "cycle": 1, "status": "resolved", "name": "Disk", "target": "web1", "severity": "critical",
        "summary": "it is down", "opened": "1970-01-01T00:00:02.000000Z", "seen": "1970-01-01T00:00:02.000000Z",
        "closed": "1970-01-01T00:00:03.000000Z", "closed_by": "resolved", "times": 1, "runs": [],
    }  # fmt: skip
    for query, found in (
        ("status=firing", 2),
        ("status=resolved", 1),
        ("source=other", 1),
        ("name=Disk", 1),
        ("name=x", 0),
    ):
        assert len((await room.ask("GET", f"/alerts?{query}"))[1]["items"]) == found
    assert (await room.ask("GET", "/alerts?status=open"))[0] == 400
    seen, after = [], ""
    while True:
        _, body = await room.ask("GET", f"/alerts?limit=1{after}")
        seen += [alert["key"] for alert in body["items"]]
        if not body["next"]:
            break
        after = f"&after={body['next']}"
    assert seen == ["two", "three", "one"]
    for query, more in (
        ("limit=3", False),
        ("limit=2", True),
        ("limit=2&source=am", False),
        ("limit=1&name=Disk", False),
    ):
        assert ((await room.ask("GET", f"/alerts?{query}"))[1]["next"] is not None) == more, query


async def test_an_event_and_what_came_of_it(room: Any, seed: Any) -> None:
    await room.ask("POST", "/events", json={"a": 1, "meta": {"b": 2}})
    await seed(
        room, RUN, "refused", reason="unknown_target",
        explanation='{"gates":[{"gate":"validity","ok":false,"code":"unknown_target","fields":{"target":"w","inventory":"i","nearest":""}}]}',
    )  # fmt: skip
    status, body = await room.ask("GET", "/events/e-1")
    assert status == 200
    assert body["event"] == {"a": 1, "client_meta": {"b": 2}}
    assert (body["id"], body["source"], body["kind"], body["actor"]) == ("e-1", "healer.api", "event", "key:admin")
    assert (body["decided"], body["cause"], body["depth"]) == (False, None, 0)
    (decision,) = body["decisions"]
    assert (decision["run"], decision["outcome"], decision["sentence"]) == (RUN, "refused", "No target w in i.")


async def test_an_event_is_decided_as_soon_as_the_decider_says_so(room: Any, seed: Any) -> None:
    await room.ask("POST", "/events", json={"a": 1})
    asked = []
    for room.decided_to in (0, 1):
        asked.append((await room.ask("GET", "/events/e-1"))[1]["decided"])
    await seed.decided(room, 1)
    room.decided_to = None  # nobody has to be asked any more
    asked.append((await room.ask("GET", "/events/e-1"))[1]["decided"])
    assert asked == [False, True, True]


async def test_when_an_event_was_set_aside(room: Any, seed: Any) -> None:
    await room.ask("POST", "/events", json={"a": 1})
    await seed.do(room, lambda tx: tx.run("quarantine_insert", 1, "a/b", "ValueError: x", 3, 5_000_000))
    told = {"ruleset": "a/b", "error": "ValueError: x", "tries": 3, "at": "1970-01-01T00:00:05.000000Z"}
    assert (await room.ask("GET", "/events/e-1"))[1]["quarantined"] == [
        told | {"state": "held", "ended": None, "released": None}
    ]
    await seed.do(room, lambda tx: tx.run("quarantine_end", "released", 6_000_000, 2, 1, "a/b"))
    assert (await room.ask("GET", "/events/e-1"))[1]["quarantined"] == [
        told | {"state": "released", "ended": "1970-01-01T00:00:06.000000Z", "released": "e-2"}
    ]


async def test_a_large_event_is_read_from_its_file(room: Any) -> None:
    await room.ask("POST", "/events", json={"a": "x" * 20_000})
    assert (await room.ask("GET", "/events/e-1"))[1]["event"] == {"a": "x" * 20_000}


ONE = b'{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"a\\u0026b"},"fingerprint":"%s"}]}\n'


@pytest.mark.parametrize(("bodies", "kept"), [
    ((ONE % b"f1",), "beside"), ((ONE % b"f1", ONE % b"f1"), "beside"), ((ONE.replace(b"[", b"[{},") % b"f1",), "apart"),
    ((ONE % (b"f" * 20_000),), "apart"), ((ONE.replace(b'"4"', b'"%s"' % (b"4" * 20_000)) % b"f1",), "apart"),
])  # fmt: skip
async def test_the_request_of_an_event_is_given_as_it_came(
    room: Any, seed: Any, bodies: tuple[bytes, ...], kept: str
) -> None:
    del seed
    headers = {"Content-Type": "application/json"}
    for body in bodies:
        await room.ask("POST", "/hooks/alertmanager", AM_TOKEN, data=body, headers=headers)
    [row, *more] = await room.rows()
    assert (row["raw"] is not None, row["raw_hash"] is not None) == (kept == "beside", kept == "apart")
    assert len(more) == (bodies[0].count(b"{}") > 0)
    event = (await room.ask("GET", "/events/e-1"))[1]
    raw = await room.session.get(room.url("/events/e-1/raw"), headers={"Authorization": f"Bearer {room.keys['admin']}"})
    assert (raw.status, raw.content_type, await raw.read()) == (200, "application/octet-stream", bodies[0])
    assert event["raw"] == hashlib.sha256(bodies[0]).hexdigest()


@pytest.mark.parametrize("body", [
    b'{"name":"Disk"}', b' {"name" : "Disk", "a": [1.50, {"x": "}"}] }\r\n', '{"name":"ä😀","payload":{"b":"]"}}'.encode(), b'{"name":"\\n\\""}\n\n',
    b'{"name":"\\u00e4"}', b"[]", b' "a text" ', b"5", b'{"name":"%s"}' % (b"x" * 300),
])  # fmt: skip
async def test_the_request_is_cut_out_of_an_event_that_has_it_in_it(room: Any, body: bytes) -> None:
    status, _ = await room.ask(
        "POST", "/hooks/open/door", None, data=body, headers={"Content-Type": "application/json"}
    )
    found = await room.session.get(
        room.url("/events/e-1/raw"), headers={"Authorization": f"Bearer {room.keys['admin']}"}
    )
    assert (await found.read() == body) if status == 202 else found.status == 404


async def test_of_an_event_that_came_alone_the_request_is_the_event(room: Any) -> None:
    for body in (b'{ "a":1}', b'{"a":"%s"}' % (b"x" * 20_000)):
        await room.ask("POST", "/events", data=body, headers={"Content-Type": "application/json"})
    for number, size in ((1, 8), (2, 20_008)):
        status, text = await room.ask("GET", f"/events/e-{number}/raw")
        assert (status, len(text), (await room.ask("GET", f"/events/e-{number}"))[1]["raw"]) == (200, size, None)
    assert (await room.ask("GET", "/events/e-3/raw"))[0] == 404


@pytest.mark.parametrize("given", ["e-2", "e-", "1", "e-0", "e-99999999999999999999999", "e--1", "e-1x", "r-a", "%00"])
async def test_an_event_that_is_none(room: Any, given: str) -> None:
    status, body = await room.ask("GET", f"/events/{given}")
    assert (status, body["code"]) == (404, "not-found")


async def test_the_audit_is_given_in_the_text_that_the_hashes_cover(room: Any) -> None:
    """`at` stands before it and is no part of it."""
    await room.ask("POST", "/keys", json={"name": "x", "role": "ci"})
    async with room.session.get(
        room.url("/audit"), headers={"Authorization": f"Bearer {room.keys['auditor']}"}
    ) as answer:
        text = await answer.read()
    stored = [row["record"].encode() for row in await room.records()]
    items = json.loads(text)["items"]
    assert [item["seq"] for item in items] == list(range(len(stored)))
    for record, item in zip(stored, items, strict=True):
        at = datetime.datetime.fromisoformat(item.pop("at"))
        assert (at - datetime.datetime.fromtimestamp(0, datetime.UTC)) / datetime.timedelta(microseconds=1) == item[
            "at_us"
        ]
        assert records.canonical(item) == record
        beside = b'{"at":"%s",' % at.isoformat(timespec="microseconds").replace("+00:00", "Z").encode()
        assert beside + record[1:] in text
    _, head = await room.ask("GET", "/audit/head")
    frontier = tree.Frontier()
    for record in stored:
        frontier.append(tree.leaf_hash(record))
    assert (head["size"], head["root"]) == (len(stored), frontier.root().hex())


@pytest.mark.parametrize("at", ["1e300", "9223372036854775807", "null", '"now"', "1.5"])
async def test_a_record_without_a_time_that_could_be_is_shown_all_the_same(room: Any, at: str) -> None:
    await room.ask("POST", "/keys", json={"name": "x", "role": "ci"})
    writing = room.services.store.writer.tx.connection
    writing.execute("DROP TRIGGER audit_no_update")
    writing.execute("UPDATE audit SET record = json_set(record, '$.at_us', json(?)) WHERE seq = 0", (at,))
    status, body = await room.ask("GET", "/audit")
    assert (status, body["items"][0]["seq"], "at" in body["items"][0]) == (200, 0, False)


async def test_the_audit_is_filtered_and_paged(room: Any) -> None:
    await room.ask("POST", "/keys", json={"name": "x", "role": "ci"})
    size = len(await room.records())

    async def seqs(query: str) -> list[int]:
        status, body = await room.ask("GET", f"/audit?{query}")
        assert status == 200, body
        return [item["seq"] for item in body["items"]]

    everything = list(range(size))
    assert await seqs("") == everything
    assert await seqs("order=desc") == everything[::-1]
    assert await seqs("actor=key:admin") == [size - 1]
    assert await seqs("kind=key_created&limit=2") == [0, 1]
    assert await seqs("kind=override") == []
    assert await seqs("action=x") == []
    assert await seqs("after=1&limit=2") == [2, 3]
    assert await seqs("after=3&order=desc&limit=2") == [2, 1]
    assert (await room.ask("GET", "/audit?limit=2"))[1]["next"] == "1"
    for query in (f"limit={size}", f"limit={size}&order=desc", "limit=1&actor=key:admin", f"limit=2&after={size - 3}"):
        assert (await room.ask("GET", f"/audit?{query}"))[1]["next"] is None, query
    for order, last in (("asc", size - 2), ("desc", 1)):
        assert (await room.ask("GET", f"/audit?limit={size - 1}&order={order}"))[1]["next"] == str(last)
    assert await seqs("from=2000-01-01T00:00:00Z") == everything
    assert await seqs("to=2000-01-01T00:00:00Z") == []
    times = [json.loads(row["record"])["at_us"] for row in await room.records()]
    at = datetime.datetime.fromtimestamp(0, datetime.UTC) + datetime.timedelta(microseconds=times[2])
    stamp = at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    assert await seqs(f"from={stamp}") == [seq for seq in everything if times[seq] >= times[2]]
    assert await seqs(f"to={stamp}") == [seq for seq in everything if times[seq] < times[2]]
    for query in ("after=x", "order=up", "kinds=x", "after=-1", "from=x"):
        assert (await room.ask("GET", f"/audit?{query}"))[0] == 400


async def test_a_kind_of_record_that_there_is_not_is_refused(room: Any) -> None:
    status, answer = await room.ask("GET", "/audit?kind=desicion")
    assert (status, answer["code"]) == (400, "invalid-field")
    assert "decision" in answer["try"]
    assert all(kind in answer["detail"] for kind in records.KINDS)


async def test_the_audit_of_a_run(room: Any, seed: Any) -> None:
    await seed(room, RUN, "failed")
    await seed.do(room, lambda tx: tx.audit("decision", actor="rule:x", run=RUN, action="note"))
    _, body = await room.ask("GET", "/audit?run=a")
    assert [item["run"] for item in body["items"]] == [RUN]
    assert (await room.ask("GET", "/audit?run=b"))[0] == 404
    trimmed = "r-" + "c" * 26
    await seed.do(room, lambda tx: tx.audit("decision", actor="rule:x", run=trimmed, action="note"))
    assert len((await room.ask("GET", f"/audit?run={trimmed}"))[1]["items"]) == 1


async def test_explaining_is_routed_with_the_whole_id(room: Any, seed: Any) -> None:
    await seed(room, RUN, "failed")
    assert (await room.ask("GET", "/explain/a?rule=x"))[1] == {"event": RUN, "rules": ["x"]}
    assert (await room.ask("GET", "/explain/e-5"))[1]["event"] == "e-5"
    assert (await room.ask("GET", "/explain/latest"))[1] == {"event": "latest", "rules": [None]}
    assert (await room.ask("GET", "/explain/e-x"))[0] == 404
