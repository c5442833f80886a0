"""Stored events over HTTP: the list, sending one once more, and what is decided on the quarantine."""

from __future__ import annotations

import types
from typing import Any

import orjson
import pytest

from healer.store import journal, letters


@pytest.fixture
async def kept(room: Any) -> Any:
    """A room with four events of `healer.api`, the last one of each a row that is none."""
    room.revision.rulesets = lambda: [
        (types.SimpleNamespace(name="web"), types.SimpleNamespace(name="alerts")),
        (types.SimpleNamespace(name="ended"), types.SimpleNamespace(name="rs")),
    ]
    for n in range(1, 4):
        await room.ask("POST", "/events", json={"n": n})
    await room.services.store.submit(journal.Append([journal.Row("tick", "healer", b"{}", actor="daemon")]))
    return room


async def hold(room: Any, seed: Any, seq: int, *rulesets: str) -> None:
    """The event cannot be digested by these."""
    for name in rulesets:
        await seed.do(room, lambda tx, name=name: tx.run("quarantine_insert", seq, name, "ValueError: x", 3, 5_000_000))


async def kinds(room: Any) -> list[str]:
    return [orjson.loads(one["record"])["kind"] for one in await room.records()]


# --- the list -----------------------------------------------------------------------------------------------------------------


async def test_the_list_is_newest_first_without_ticks(kept: Any, seed: Any) -> None:
    await seed.decided(kept, 2)
    kept.decided_to = 2
    await hold(kept, seed, 1, "web/alerts")
    status, page = await kept.ask("GET", "/events")
    assert (status, page["next"]) == (200, None)
    assert [(one["id"], one["decided"], one["quarantined"]) for one in page["items"]] == [
        ("e-3", False, 0), ("e-2", True, 0), ("e-1", True, 1),
    ]  # fmt: skip
    told = page["items"][0]
    assert told | {"received_at": ""} == {
        "id": "e-3", "kind": "event", "source": "healer.api", "received_at": "", "actor": "key:admin", "depth": 0, "cause": None,
        "bytes": 8, "begins": '{"n": 3}', "decided": False, "decisions": 0, "runs": 0, "quarantined": 0,
    }  # fmt: skip


async def test_what_the_decider_has_seen_is_decided_though_the_store_is_told_late(kept: Any) -> None:
    kept.decided_to = 3
    assert [one["decided"] for one in (await kept.ask("GET", "/events"))[1]["items"]] == [True, True, True]


async def test_filters_and_pages(kept: Any) -> None:
    found = []
    query = "?limit=2&kind=event,tick&source=healer.api&since=2h"
    while True:
        page = (await kept.ask("GET", f"/events{query}"))[1]
        found += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        query = f"?limit=2&source=healer.api&after={page['next']}"
    assert found == ["e-3", "e-2", "e-1"]
    assert [one["id"] for one in (await kept.ask("GET", "/events?kind=tick"))[1]["items"]] == ["e-4"]
    assert (await kept.ask("GET", "/events?until=2h"))[1]["items"] == []


@pytest.mark.parametrize(
    "query", ["kind=nothing", "kind=tick,x", "since=yesterday", "after=x", "limit=0", "kinds=event"]
)
async def test_a_query_that_is_wrong(kept: Any, query: str) -> None:
    status, body = await kept.ask("GET", f"/events?{query}")
    assert (status, body["code"]) == (400, "invalid-field")


# --- once more ------------------------------------------------------------------------------------------------------------------


async def test_an_event_goes_in_once_more(kept: Any) -> None:
    assert await kept.ask("POST", "/events/e-2/resend", "operator") == (202, {"event": "e-2", "id": "e-5"})
    new = (await kept.rows())[-1]
    assert (new["seq"], new["source"], new["body"], new["actor"]) == (5, "healer.api", b'{"n": 2}', "key:operator")
    assert (await kinds(kept))[-1] == "resent"


async def test_what_is_no_event_is_refused(kept: Any) -> None:
    status, body = await kept.ask("POST", "/events/e-4/resend")
    assert (status, body["code"]) == (422, "not-an-event")
    assert body["detail"] == "e-4 is a row of the kind tick, and only events are sent again"
    assert (await kept.ask("POST", "/events/e-99/resend"))[0] == 404
    assert (await kept.ask("POST", "/events/nothing/resend"))[0] == 404
    assert len(await kept.rows()) == 4


async def test_nobody_is_told_2xx_for_what_nobody_hears(kept: Any) -> None:
    del kept.revision.sources["healer.api"]
    status, body = await kept.ask("POST", "/events/e-2/resend")
    assert (status, body["code"]) == (404, "no_listener")
    assert body["detail"] == "no ruleset lists the source healer.api any more, so nobody would read the event"
    kept.revision.sources["healer.api"] = types.SimpleNamespace(subscribers=[])
    assert (await kept.ask("POST", "/events/e-2/resend"))[0] == 404
    assert len(await kept.rows()) == 4


@pytest.mark.parametrize(
    ("source", "status"), [("ruleset:web/alerts", 202), ("ruleset:web/gone", 404), ("ruleset:ended/rs", 404)]
)
async def test_an_event_that_an_action_made_needs_its_ruleset(kept: Any, source: str, status: int) -> None:
    await kept.services.store.submit(journal.Append([journal.Row("event", source, b"{}", depth=1)]))
    assert (await kept.ask("POST", "/events/e-5/resend"))[0] == status


async def test_an_event_that_was_trimmed_is_gone(kept: Any) -> None:
    blob = await kept.services.store.keep(b'{"a":"' + b"x" * 20_000 + b'"}')
    row = journal.Row("event", "healer.api", None, body_hash=blob.hash)
    await kept.services.store.submit(journal.Append([row], [blob]))
    assert (await kept.ask("POST", "/events/e-5/resend"))[0] == 202
    kept.services.store.blobs.forget(blob.hash)
    status, body = await kept.ask("POST", "/events/e-5/resend")
    assert (status, body["code"]) == (410, "body-gone")


async def test_a_controller_is_chosen_again_only_by_who_may(kept: Any) -> None:
    asked = {"event_type": "note.made", "controller_override": "ansible"}
    assert (await kept.ask("POST", "/webhook", json=asked))[0] == 202
    kept.revision.sources["healer.events"].subscribers = [("web", "alerts")]
    status, body = await kept.ask("POST", "/events/e-5/resend", "operator")
    assert (status, body["code"]) == (403, "forbidden")
    assert (await kept.ask("POST", "/events/e-5/resend", "admin"))[0] == 202


@pytest.mark.parametrize("path", ["/events/e-1/resend", "/quarantine/release"])
async def test_a_full_daemon_takes_nothing_more(kept: Any, seed: Any, path: str) -> None:
    await hold(kept, seed, 1, "web/alerts")
    kept.backlog = 11
    status, body = await kept.ask("POST", path, **({"json": {"event": "e-1"}} if "release" in path else {}))
    assert (status, body["code"]) == (429, "backlog_full")
    assert len(await kept.rows()) == 4


# --- the quarantine -------------------------------------------------------------------------------------------------------------


async def test_what_is_held(kept: Any, seed: Any) -> None:
    await hold(kept, seed, 2, "web/alerts", "web/other")
    await hold(kept, seed, 3, "*")
    status, page = await kept.ask("GET", "/quarantine", "readonly")
    assert status == 200
    assert [(one["event"], one["ruleset"]) for one in page["items"]] == [
        ("e-3", "*"),
        ("e-2", "web/alerts"),
        ("e-2", "web/other"),
    ]
    assert page["items"][0] | {"received_at": ""} == {
        "event": "e-3", "ruleset": "*", "source": "healer.api", "kind": "event", "error": "ValueError: x", "tries": 3,
        "since": "1970-01-01T00:00:05.000000Z", "received_at": "", "cause": None,
    }  # fmt: skip
    page = (await kept.ask("GET", "/quarantine?limit=2"))[1]
    rest = (await kept.ask("GET", f"/quarantine?limit=2&after={page['next']}"))[1]
    assert ([one["ruleset"] for one in rest["items"]], rest["next"]) == (["web/other"], None)
    assert len((await kept.ask("GET", "/quarantine?ruleset=*&source=healer.api"))[1]["items"]) == 1


async def test_it_is_released(kept: Any, seed: Any) -> None:
    await hold(kept, seed, 2, "web/alerts")
    body = {"event": "e-2", "ruleset": "web/alerts", "reason": "mended"}
    status, told = await kept.ask("POST", "/quarantine/release", "operator", json=body)
    assert (status, told) == (202, {"event": "e-2", "released": [{"ruleset": "web/alerts", "id": "e-5"}]})
    record = orjson.loads((await kept.records())[-1]["record"])
    assert (record["kind"], record["actor"], record["reason"]) == ("quarantine_released", "key:operator", "mended")
    assert (await kept.ask("GET", "/quarantine"))[1]["items"] == []
    shown = (await kept.ask("GET", "/events/e-5"))[1]
    assert (shown["only"], shown["cause"], shown["meta"]) == ("web/alerts", "e-2", None)
    status, told = await kept.ask("POST", "/quarantine/release", json=body)
    assert (status, told["code"]) == (404, "not-in-quarantine")


@pytest.mark.parametrize("ruleset", ["web/gone", "ended/rs"])
async def test_a_ruleset_that_is_gone_is_not_released_to(kept: Any, seed: Any, ruleset: str) -> None:
    await hold(kept, seed, 2, ruleset)
    status, told = await kept.ask("POST", "/quarantine/release", json={"event": "e-2"})
    assert (status, told["code"]) == (404, "no_listener")
    assert told["try"] == f"healer events quarantine drop e-2 --ruleset {ruleset}"
    assert len(await kept.rows()) == 4


async def test_what_nobody_heard_goes_to_all_that_listen(kept: Any, seed: Any) -> None:
    await hold(kept, seed, 2, letters.EVERY_RULESET)
    assert (await kept.ask("POST", "/quarantine/release", json={"event": "e-2"}))[1]["released"] == [
        {"ruleset": "*", "id": "e-5"}
    ]
    await hold(kept, seed, 3, letters.EVERY_RULESET)
    del kept.revision.sources["healer.api"]
    assert (await kept.ask("POST", "/quarantine/release", json={"event": "e-3"}))[1]["code"] == "no_listener"


async def test_a_tick_is_only_given_up(kept: Any, seed: Any) -> None:
    await hold(kept, seed, 4, letters.EVERY_RULESET)
    status, told = await kept.ask("POST", "/quarantine/release", json={"event": "e-4"})
    assert (status, told["code"], told["try"]) == (422, "not-tried-again", "healer events quarantine drop e-4")
    status, told = await kept.ask("POST", "/quarantine/drop", "operator", json={"event": "e-4", "reason": "a tick"})
    assert (status, told) == (200, {"event": "e-4", "dropped": ["*"]})
    assert (await kinds(kept))[-1] == "quarantine_dropped"
    assert (await kept.ask("POST", "/quarantine/drop", json={"event": "e-4"}))[0] == 404


@pytest.mark.parametrize(
    "body", [{}, {"event": ""}, {"event": 5}, {"event": "e-1", "rule": "x"}, {"event": "e-1", "reason": "x" * 1025}, []]
)
@pytest.mark.parametrize("what", ["release", "drop"])
async def test_a_body_that_is_wrong(kept: Any, what: str, body: Any) -> None:
    status, _ = await kept.ask("POST", f"/quarantine/{what}", json=body)
    assert status == 400


async def test_an_event_that_is_none(kept: Any) -> None:
    for what in ("release", "drop"):
        for given in ("e-99", "x"):
            status, _ = await kept.ask("POST", f"/quarantine/{what}", json={"event": given})
            assert status == 404
