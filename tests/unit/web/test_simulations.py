"""`POST /simulate`: the event as its source would deliver it, and who may ask for what."""

from __future__ import annotations

import json
from typing import Any

import pytest

BODY = {"receiver": "r", "status": "firing", "alerts": [], "version": "4", "groupLabels": {}, "commonLabels": {}}


def alert(name: str) -> dict[str, Any]:
    return {
        "status": "firing", "labels": {"alertname": name}, "annotations": {}, "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z", "fingerprint": f"f{name}",
    }  # fmt: skip


async def ask(room: Any, body: Any, key: str = "readonly") -> tuple[int, Any]:
    status, answer = await room.ask("POST", "/simulate", key, json=body)
    return status, answer


async def test_an_event_is_looked_at_as_the_api_would_take_it_and_nothing_is_journaled(room: Any) -> None:
    status, answer = await ask(room, {"event": {"a": 1, "meta": {"hosts": ["x"]}}, "why": True})
    assert (status, answer) == (200, {"items": [{"event": {"id": None}, "rules": []}], "more": 0, "unread": []})
    (wanted,) = room.simulated
    assert (wanted.source, json.loads(wanted.body)) == ("healer.api", {"a": 1, "client_meta": {"hosts": ["x"]}})
    assert (wanted.why, wanted.plans, wanted.actor) == (True, False, "key:readonly")
    assert [row["kind"] for row in await room.rows()] == []


async def test_a_webhooks_body_is_read_in_its_format_and_each_of_its_events_is_looked_at_alone(room: Any) -> None:
    status, answer = await ask(room, {"event": BODY | {"alerts": [alert("A"), alert("B")]}, "source": "am"})
    assert (status, len(answer["items"])) == (200, 2)
    assert [json.loads(one.body)["alert"]["name"] for one in room.simulated] == ["A", "B"]
    assert {one.actor for one in room.simulated} == {"source:am"}
    assert json.loads(room.simulated[0].meta) == {"endpoint": "alertmanager", "headers": {}}


async def test_what_the_hook_would_hold_in_quarantine_is_told_and_the_rest_looked_at(room: Any) -> None:
    bad = {"status": 5}
    status, answer = await ask(room, {"event": BODY | {"alerts": [bad, alert("A"), bad]}, "source": "am"})
    assert (status, len(answer["items"])) == (200, 1)
    assert answer["unread"] == [f"alerts[{at}].status: text is wanted, got a number" for at in (0, 2)]
    status, answer = await ask(room, {"event": BODY | {"alerts": [bad]}, "source": "am"})
    assert (status, answer["code"], "alerts[0].status" in answer["detail"]) == (400, "invalid-field", True)


async def test_of_a_body_with_very_many_some_are_looked_at(room: Any) -> None:
    alerts = [alert(f"A{number}") for number in range(23)]
    _, answer = await ask(room, {"event": BODY | {"alerts": alerts}, "source": "am"})
    assert (len(answer["items"]), answer["more"]) == (20, 3)


async def test_an_event_of_the_catalog_is_what_post_webhook_would_make_of_it(room: Any) -> None:
    status, _ = await ask(room, {"event": {"event_type": "note.made", "dry_run": True}, "source": "healer.events"})
    assert status == 200
    made = {"event_type": "note.made", "target": None, "parameters": {}, "dry_run": True}
    assert json.loads(room.simulated[0].body) == made
    status, answer = await ask(room, {"event": {"target": "x"}, "source": "healer.events"})
    assert (status, answer["code"]) == (400, "invalid-field")
    assert "event_type" in answer["detail"]


async def test_an_action_by_hand_is_the_event_that_its_request_would_make(room: Any) -> None:
    asked = {
        "action": "restart_service",
        "target": ["web1", "web2"],
        "parameters": {"service": "x"},
        "reason": "it hangs",
    }
    assert (await ask(room, {"event": asked, "source": "healer.actions"}))[0] == 200
    assert json.loads(room.simulated[0].body) == asked
    status, answer = await ask(room, {"event": asked | {"event_type": "x"}, "source": "healer.actions"})
    assert (status, answer["code"], "event_type" in answer["detail"]) == (400, "invalid-field", True)


@pytest.mark.parametrize(("known", "meant"), [
    (["healer.events", "healer.actions"], "healer.events"), (["healer.events", "healer.actions", "am"], "am"),
    (["healer.api", "am", "open"], "healer.api"), (["am", "healer.actions"], "am"), (["healer.actions"], None), (["am", "open"], None), ([], None),
])  # fmt: skip
async def test_the_source_that_is_meant_where_none_is_named(room: Any, known: list[str], meant: str | None) -> None:
    for name in room.revision.sources.keys() - {*known}:
        del room.revision.sources[name]
    event = {"event_type": "note.made"} if meant == "healer.events" else BODY | {"alerts": [alert("A")]}
    status, answer = await ask(room, {"event": event})
    assert (status, [one.source for one in room.simulated]) == ((200, [meant]) if meant else (400, [])), answer


async def test_a_stored_event_is_looked_at_as_if_it_came_now(room: Any) -> None:
    _, sent = await room.ask("POST", "/events", json={"a": 1})
    (event,) = sent["ids"]
    for asked in (event, "latest"):
        assert (await ask(room, {"id": asked}))[0] == 200
        wanted = room.simulated.pop()
        assert (wanted.event, wanted.source, json.loads(wanted.body)) == (event, "healer.api", {"a": 1})


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "invalid-field"),
        ({"event": {}, "id": "e-1"}, 400, "invalid-field"),
        ({"event": []}, 400, "invalid-field"),
        ({"event": {}, "hook": "am"}, 400, "invalid-field"),
        ({"event": {}, "source": "amm"}, 404, "not-found"),
        ({"id": "e-1", "source": "am"}, 400, "invalid-field"),
        ({"id": "e-77"}, 404, "not-found"),
        ({"id": "latest"}, 404, "not-found"),
        ({"id": "r-1"}, 404, "not-found"),
    ],
)
async def test_what_is_wrong_is_said(room: Any, body: Any, status: int, code: str) -> None:
    got, answer = await ask(room, body)
    assert (got, answer["code"], room.simulated) == (status, code, [])


async def test_a_rule_that_would_not_hear_of_it_is_not_known(room: Any) -> None:
    status, answer = await ask(room, {"event": {}, "rule": "restrat"})
    assert (status, answer["code"]) == (404, "not-found")
    assert "restart" in answer["try"]
    room.rules = [{"rule": "web/alerts/restart"}]
    assert (await ask(room, {"event": {}, "rule": "restart"}))[0] == 200


async def test_who_may_have_nothing_started_may_not_have_controllers_asked_either(room: Any) -> None:
    status, answer = await ask(room, {"event": {}, "plan": True})
    assert (status, answer["code"]) == (403, "forbidden")
    assert room.simulated == []
    assert (await ask(room, {"event": {}, "plan": True}, "operator"))[0] == 200
    assert room.simulated[0].plans
    assert (await ask(room, {"event": {}}, "ci"))[0] == 403


async def test_what_no_rule_could_hear_is_asked_for_by_name_where_there_are_several(room: Any) -> None:
    del room.revision.sources["healer.api"]
    status, answer = await ask(room, {"event": {}})
    assert (status, answer["code"]) == (400, "invalid-field")
    assert "am" in answer["try"]
    for name in ("open", "locked"):
        del room.revision.sources[name]
    assert (await ask(room, {"event": BODY | {"alerts": [alert("A")]}}))[0] == 200
    assert room.simulated[0].source == "am"
