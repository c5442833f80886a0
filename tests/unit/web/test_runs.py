"""`/runs`: lists with filters and pages, ids by their beginning, output that is followed, and what people ask of runs."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

import pytest

from healer import model
from healer.web import runs

ONE, TWO, THREE = ("r-" + letter * 26 for letter in "abc")
OUTCOME = '{"state":"failed","summary":"exit status 3","seconds":1.5,"exit_code":3,"per_target":{}}'


async def keep(seed: Any, room: Any, data: bytes) -> str:
    """Content in the store; its name."""
    name = hashlib.sha256(data).hexdigest()
    await seed.do(room, lambda tx: tx.run("blob_insert", name, len(data), data, tx.now_us))
    return name


@pytest.fixture
async def three(room: Any, seed: Any) -> Any:
    """Three runs, the first the oldest."""
    out = await keep(seed, room, b"line one\n<b>line two</b>\n")
    await seed(
        room,
        ONE,
        "failed",
        created_us=1_000_000,
        attempts=[("failed", OUTCOME, out)],
        detail='{"summary":"exit status 3"}',
    )
    await seed(
        room, TWO, "refused", created_us=2_000_000, reason="unknown_target", targets=["host:web1", "host:db1"],
        detail='{"target":"web9","inventory":"hosts.yml","nearest":"did you mean \'web1\'?"}', action="note", rule="db/x/vacuum",
    )  # fmt: skip
    await seed(
        room, THREE, "succeeded", created_us=3_000_000, reason="unverified", attempts=[("succeeded", OUTCOME, out)] * 2
    )
    return room


async def ids(room: Any, query: str) -> str:
    status, body = await room.ask("GET", f"/runs?{query}")
    assert status == 200, body
    return "".join(run["id"][2] for run in body["items"])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "cba"),
        ("state=failed", "a"),
        ("state=failed,refused", "ba"),
        ("state=running", ""),
        ("failed", "a"),
        ("failed=0", "cba"),
        ("rule=web/alerts/restart", "ca"),
        ("rule=restart", "ca"),
        ("rule=start", ""),
        ("rule=alerts/restart", "ca"),
        ("rule=%25", ""),
        ("action=note", "b"),
        ("target=db1", "b"),
        ("target=host:web1", "cba"),
        ("target=web1", "cba"),
        ("target=web", ""),
        ("since=1970-01-01T00:00:02Z", "cb"),
        ("until=1970-01-01T00:00:02Z", "a"),
        ("since=1970-01-01T01:00:02%2B01:00&until=1970-01-01T00:00:03Z", "b"),
        ("since=1h", ""),
        ("target=web1&state=failed&rule=restart", "a"),
    ],
)
async def test_filters(three: Any, query: str, found: str) -> None:
    assert await ids(three, query) == found


async def test_pages_lead_through_all(three: Any) -> None:
    seen, after = "", ""
    for _ in range(4):
        status, body = await three.ask("GET", f"/runs?limit=1{after}")
        assert status == 200
        seen += "".join(run["id"][2] for run in body["items"])
        if body["next"] is None:
            break
        after = f"&after={body['next']}"
    assert (seen, body["next"]) == ("cba", None)


@pytest.mark.parametrize(("query", "found", "more"), [
    ("limit=3", "cba", False), ("limit=2", "cb", True), ("limit=2&rule=restart", "ca", False), ("limit=1&state=failed", "a", False),
])  # fmt: skip
async def test_next_leads_to_something(three: Any, query: str, found: str, more: bool) -> None:
    _, body = await three.ask("GET", f"/runs?{query}")
    assert ("".join(run["id"][2] for run in body["items"]), body["next"] is not None) == (found, more)


async def test_pages_of_runs_made_at_one_moment(room: Any, seed: Any) -> None:
    for run_id in (ONE, TWO, THREE):
        await seed(room, run_id, "failed", created_us=5)
    _, first = await room.ask("GET", "/runs?limit=2")
    _, second = await room.ask("GET", f"/runs?limit=2&after={first['next']}")
    assert [run["id"] for run in first["items"] + second["items"]] == [ONE, TWO, THREE]


@pytest.mark.parametrize(
    "query",
    [
        "state=faild", "limit=0", "limit=501", "limit=x", "limit=-1", "after=x", "after=W10", "after=WyJ4Iiwi", "since=yesterday",
        "since=2026-01-01T00:00:00", "since=99999999999-01-01", "status=failed", "state=failed&state=failed", "failed=maybe",
        "rule=%00", "target=" + "x" * 2000, "limit=%C2%B2",
    ],
)  # fmt: skip
async def test_bad_filters_are_refused(three: Any, query: str) -> None:
    status, body = await three.ask("GET", f"/runs?{query}")
    assert (status, body["code"]) == (400, "invalid-field")


async def test_a_run_in_a_list_says_why(three: Any) -> None:
    _, body = await three.ask("GET", "/runs")
    refused, failed = body["items"][1], body["items"][2]
    assert refused["sentence"] == "No target web9 in hosts.yml. did you mean 'web1'?"
    assert refused["next_step"].startswith("add it to the inventory")
    assert refused["targets"] == ["host:db1", "host:web1"]
    assert (refused["attempts"], refused["last"]) == (0, None)
    assert failed["last"] == {"state": "failed", "summary": "exit status 3", "seconds": 1.5}
    assert failed["created"] == "1970-01-01T00:00:01.000000Z"
    assert (failed["event"], failed["short"], failed["parameters"]) == ("e-1", ONE[:8], {"service": "nginx"})


@pytest.mark.parametrize("given", [ONE, ONE[2:], "r-a", "a", ONE[:10]])
async def test_a_run_by_the_beginning_of_its_id(three: Any, given: str) -> None:
    status, body = await three.ask("GET", f"/runs/{given}")
    assert (status, body["id"]) == (200, ONE)
    assert body["attempts"][0]["exit_code"] == 3
    assert body["targets"][0]["inventory_name"] == "web1"
    assert (body["events"], body["revision"]) == (["e-1"], "f" * 64)
    assert body["explanation"] == {
        "conditions": [],
        "gates": [],
        "chosen": None,
        "asked_for": None,
        "approved": None,
        "break_glass": None,
        "looked_at": None,
        "waited": [],
    }


async def test_a_runs_last_look_and_what_it_waited_for(three: Any, seed: Any) -> None:
    told = {
        "conditions": [], "gates": [], "would": "", "look": 3_000_000, "events": [1],
        "waited": [{"code": "chain", "fields": {"run": "r-0", "waits": True}, "since_us": 1_000_000, "until_us": 2_000_000}],
    }  # fmt: skip
    text = json.dumps(told)
    await seed.do(three, lambda tx: tx.connection.execute("UPDATE run SET explanation = ? WHERE id = ?", (text, ONE)))
    assert (await three.ask("GET", f"/runs/{ONE}"))[1]["explanation"] == {
        "conditions": [], "gates": [], "would": "", "chosen": None, "asked_for": None, "approved": None, "break_glass": None, "looked_at": "1970-01-01T00:00:03.000000Z",
        "waited": [{"code": "chain", "sentence": "Waits for the step before it (r-0) to end.",
                    "since": "1970-01-01T00:00:01.000000Z", "until": "1970-01-01T00:00:02.000000Z"}],
    }  # fmt: skip


async def test_how_much_of_an_output_is_kept(three: Any, seed: Any) -> None:
    kept = [attempt["kept"] for attempt in (await three.ask("GET", f"/runs/{THREE}"))[1]["attempts"]]
    assert kept == [{"stdout": 25, "stderr": None}] * 2
    await seed.do(three, lambda tx: tx.connection.execute("DELETE FROM blob"))
    assert (await three.ask("GET", f"/runs/{ONE}"))[1]["attempts"][0]["kept"] == {"stdout": None, "stderr": None}


@pytest.mark.parametrize("given", ["r-z", "zz", "R-A", "r-", "x" * 40, "e-1", "%27--", "a%00", "*", "_"])
async def test_an_id_that_is_none(three: Any, given: str) -> None:
    for path in (f"/runs/{given}", f"/runs/{given}/output", f"/explain/{given}"):
        status, body = await three.ask("GET", path)
        if path == "/explain/e-1":
            continue
        assert (status, body["code"]) == (404, "not-found")


async def test_an_ambiguous_id_names_the_candidates(three: Any, seed: Any) -> None:
    other = "r-a" + "b" * 25
    await seed(three, other, "failed")
    status, body = await three.ask("GET", "/runs/a")
    assert (status, body["code"], body["near"]) == (409, "ambiguous", [ONE, other])


async def test_a_whole_id_is_never_ambiguous(three: Any, seed: Any) -> None:
    await seed(three, ONE + "a", "failed")
    assert (await three.ask("GET", f"/runs/{ONE}"))[1]["id"] == ONE


async def test_output_is_plain_text(three: Any) -> None:
    async with three.session.get(
        three.url(f"/runs/{ONE}/output"), headers={"Authorization": f"Bearer {three.keys['readonly']}"}
    ) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert await answer.read() == b"line one\n<b>line two</b>\n"


async def test_output_of_one_attempt_and_stream(three: Any) -> None:
    assert (await three.ask("GET", f"/runs/{THREE}/output?attempt=1"))[0] == 200
    assert (await three.ask("GET", f"/runs/{THREE}/output?attempt=3"))[0] == 404
    assert (await three.ask("GET", f"/runs/{TWO}/output"))[0] == 404
    assert await three.ask("GET", f"/runs/{ONE}/output?stream=stderr") == (200, "")
    assert (await three.ask("GET", f"/runs/{ONE}/output?stream=stdlog"))[0] == 400
    assert await three.ask("GET", f"/runs/{ONE}/output?follow=1") == (200, "line one\n<b>line two</b>\n")


async def test_output_that_was_trimmed_says_so(room: Any, seed: Any) -> None:
    await seed(room, ONE, "failed", attempts=[("failed", OUTCOME, "0" * 64)])
    assert await room.ask("GET", f"/runs/{ONE}/output") == (200, "(the output was trimmed)\n")


async def test_output_is_followed_to_its_end(room: Any, seed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "LOOK_S", 0.001)
    await seed(room, ONE, "running", attempts=[("running", None, None)])
    token = f"{ONE}-1"
    room.live[token, "stdout"] = b"one\n"
    assert await room.ask("GET", f"/runs/{ONE}/output") == (200, "one\n")
    headers = {"Authorization": f"Bearer {room.keys['readonly']}"}
    async with room.session.get(room.url(f"/runs/{ONE}/output?follow=1"), headers=headers) as answer:
        assert await answer.content.readany() == b"one\n"
        room.live[token, "stdout"] = b"one\ntwo\n"
        assert await answer.content.readany() == b"two\n"
        name = await keep(seed, room, b"one\ntwo\nthree\n")
        await seed.do(
            room,
            lambda tx: tx.connection.execute(
                "UPDATE attempt SET state = 'succeeded', stdout_hash = ? WHERE token = ?", (name, token)
            ),
        )
        assert await answer.content.read() == b"three\n"


async def test_who_follows_is_let_go_when_the_daemon_stops(room: Any, seed: Any) -> None:
    await seed(room, ONE, "running", attempts=[("running", None, None)])
    room.state = "stopping"
    assert await asyncio.wait_for(room.ask("GET", f"/runs/{ONE}/output?follow=1"), 20) == (200, "")


async def test_too_many_do_not_follow(room: Any, seed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "FOLLOWERS_MAX", 0)
    await seed(room, ONE, "running", attempts=[("running", None, None)])
    assert (await room.ask("GET", f"/runs/{ONE}/output?follow=1"))[0] == 503
    assert (await room.ask("GET", f"/runs/{ONE}/output"))[0] == 200


# --- what people ask of runs ------------------------------------------------------------------------------------------


async def told(room: Any, kind: str) -> dict[str, Any]:
    """The only audit record of a kind."""
    _, body = await room.ask("GET", f"/audit?kind={kind}")
    (record,) = body["items"]
    return dict(record)


async def test_what_is_queued_is_cancelled(room: Any, seed: Any) -> None:
    await seed(room, ONE, "queued", attempts=[("queued", None, None)])
    status, body = await room.ask("POST", "/runs/a/cancel", "operator", json={"reason": "  the wrong host "})
    assert (status, body) == (
        200, {"id": ONE, "short": ONE[:8], "state": "cancelled", "ending": False, "asked_before": None},
    )  # fmt: skip
    record = await told(room, "cancel")
    assert (record["actor"], record["run"], record["detail"]) == ("key:operator", ONE, "the wrong host")
    _, shown = await room.ask("GET", f"/runs/{ONE}")
    assert (shown["sentence"], shown["attempts"][0]["state"]) == (
        "cancelled by key:operator: the wrong host",
        "cancelled",
    )


async def test_what_runs_is_to_end_and_says_so(room: Any, seed: Any) -> None:
    await seed(room, ONE, "running", attempts=[("running", None, None)])
    status, body = await room.ask("POST", "/runs/a/cancel", "operator")
    assert (status, body["state"], body["ending"]) == (200, "running", True)
    assert room.dispatcher.ended == [f"{ONE}-1"]
    _, again = await room.ask("POST", "/runs/a/cancel", "admin", json={})
    assert again["asked_before"] == "key:operator"
    _, shown = await room.ask("GET", f"/runs/{ONE}")
    cancel = shown["attempts"][0]["cancel"]
    assert (cancel["by"], cancel["reason"], cancel["at"][:2]) == ("key:operator", "", "20")


async def test_an_attempt_that_nobody_wants_to_end_says_that(three: Any) -> None:
    _, shown = await three.ask("GET", f"/runs/{ONE}")
    assert shown["attempts"][0]["cancel"] is None


@pytest.mark.parametrize(("run", "code", "says"), [
    (ONE, "run-ended", "it is failed"), ("zz", "not-found", "zz"), ("r-", "not-found", "r-"),
])  # fmt: skip
async def test_what_cannot_be_cancelled(three: Any, run: str, code: str, says: str) -> None:
    status, body = await three.ask("POST", f"/runs/{run}/cancel", json={})
    assert (status, body["code"]) == (404 if code == "not-found" else 409, code)
    assert says in body["detail"]
    assert body["try"]


WISH = {"break_glass": True, "reason": "the site is down"}


async def test_what_waits_starts_past_its_gates_for_an_admin(room: Any, seed: Any) -> None:
    await seed(room, ONE, "deferred")
    status, body = await room.ask("POST", "/runs/a/start", "operator", json=WISH)
    assert (status, body["code"]) == (403, "forbidden")
    status, body = await room.ask("POST", "/runs/a/start", json=WISH)
    assert (status, body["state"], body["asked_before"]) == (200, "queued", None)
    assert (await room.ask("POST", "/runs/a/start", json=WISH))[1]["asked_before"] == "key:admin"
    record = await told(room, "break_glass")
    assert (record["actor"], record["old"], record["detail"]) == ("key:admin", "deferred", "the site is down")


async def test_what_has_ended_starts_for_nobody(three: Any) -> None:
    status, body = await three.ask("POST", f"/runs/{ONE}/start", json=WISH)
    assert (status, body["code"]) == (409, "run-ended")


async def test_what_is_unknown_is_resolved_and_not_cancelled(room: Any, seed: Any) -> None:
    await seed(room, ONE, "unknown", attempts=[("unknown", OUTCOME, None)])
    status, body = await room.ask("POST", "/runs/a/cancel", json={})
    assert (status, body["code"], body["try"]) == (
        409, "run-unknown", f"healer runs resolve {ONE[:8]} --as failed --reason TEXT",
    )  # fmt: skip
    status, body = await room.ask(
        "POST", "/runs/a/resolve", "operator", json={"state": "succeeded", "reason": "looked at it"}
    )
    assert (status, body) == (200, {"id": ONE, "short": ONE[:8], "state": "succeeded", "found": None})
    record = await told(room, "resolved")
    assert (record["actor"], record["old"], record["state"], record["detail"]) == (
        "key:operator", "unknown", "succeeded", "looked at it",
    )  # fmt: skip
    status, body = await room.ask("POST", "/runs/a/resolve", json={"state": "failed", "reason": "x"})
    assert (status, body["code"]) == (409, "not-unknown")


async def test_what_still_runs_is_not_resolved(room: Any, seed: Any) -> None:
    await seed(room, ONE, "unknown", attempts=[("unknown", OUTCOME, None)])
    room.dispatcher.found = model.Found("running")
    status, body = await room.ask("POST", "/runs/a/resolve", json={"state": "failed", "reason": "x"})
    assert (status, body["code"], body["try"]) == (409, "still-running", f"healer runs cancel {ONE[:8]}")


@pytest.mark.parametrize(("path", "body", "says"), [
    ("resolve", {"state": "failed"}, "reason"), ("resolve", {"reason": "x"}, "state"), ("resolve", {"state": "failed", "reason": " "}, "reason"),
    ("resolve", {"state": "cancelled", "reason": "x"}, "state"), ("resolve", {"state": "failed", "reason": "x" * 501}, "reason"),
    ("resolve", {"state": "failed", "reason": 1}, "reason"), ("start", {"reason": "x"}, "break_glass"),
    ("start", {"break_glass": False, "reason": "x"}, "break_glass"), ("start", {"break_glass": True}, "reason"), ("cancel", {"reasn": "x"}, "reasn"), ("cancel", {"reason": ""}, "reason"),
])  # fmt: skip
async def test_a_wish_that_is_wrong(three: Any, path: str, body: Any, says: str) -> None:
    status, answer = await three.ask("POST", f"/runs/{ONE}/{path}", json=body)
    assert (status, answer["code"]) == (400, "invalid-field")
    assert says in answer["detail"]
