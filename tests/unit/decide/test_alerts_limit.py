"""More alerts than are followed: their events are heard by the rules, nothing is done for them, and it is the same at each replay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from healer.decide import alerts
from healer.store import asking, deciding

FIRES = 'down | event.alert.status == "firing" | actions: [{run_action: {name: note, target: web01, parameters: {text: x}}}, {debug: {}}]'
PLAYS = 'play | event.alert.status == "firing" | action: {run_playbook: {name: playbooks/fix.yml}}'


@pytest.fixture
def kit(make: Callable[..., Any]) -> Any:
    return make(FIRES, files={"healer.yaml": "mode: active\nalerts_max: 2\nfacts_max: 3\n"})


def said(key: str, status: str = "firing") -> dict[str, Any]:
    return {"alert": {"key": key, "status": status, "name": "Down", "target": "web01"}}


def commit(kit: Any, outcome: deciding.Outcome) -> None:
    """As T2 does, of one row."""
    at = kit.store.writer.tx.one("position_find", 0)[0]
    kit.store.writer.now(deciding.Decide(at, at + 1, kit.now_us, 1, [outcome], kit.standing.of_run))


def rows(kit: Any, sql: str) -> list[Any]:
    return list(kit.store.writer.tx.connection.execute(sql))


def test_beyond_the_cap_nothing_is_done_and_all_is_told(kit: Any) -> None:
    kit.store.writer.now(deciding.UseRevision("f" * 64, "", "daemon", {}))
    for key in ("a", "b", "c", "c"):
        commit(kit, kit.post(said(key)))
    assert rows(kit, "SELECT key, status FROM alert ORDER BY key") == [("a", "firing"), ("b", "firing")]
    assert rows(kit, "SELECT count(*) FROM opening") == [(2,)]
    found = rows(kit, "SELECT state, reason, detail FROM run ORDER BY seq")
    assert [one[0] for one in found] == ["queued", "queued", "refused"]  # a repeat is the same run
    assert found[2][1:] == ("alerts_full", '{"limit":2}')
    assert rows(kit, "SELECT count(*) FROM run_alert") == [(2,)]
    assert rows(kit, "SELECT count(*) FROM decision WHERE action = 'debug' AND outcome = 'done'") == [(4,)]
    kinds = [text for (text,) in rows(kit, "SELECT kind FROM audit WHERE kind = 'decision'")]
    assert len(kinds) == 4


def test_once_there_is_room_it_is_an_alert_like_any(kit: Any) -> None:
    kit.store.writer.now(deciding.UseRevision("f" * 64, "", "daemon", {}))
    for body in (said("a"), said("b"), said("c"), said("a", "resolved"), said("c")):
        commit(kit, kit.post(body))
    assert rows(kit, "SELECT key, status, cycle FROM alert ORDER BY key") == [
        ("a", "resolved", 1), ("b", "firing", 1), ("c", "firing", 1),
    ]  # fmt: skip
    assert [one for (one,) in rows(kit, "SELECT state FROM run ORDER BY seq")] == [
        "queued",
        "queued",
        "refused",
        "queued",
    ]


def test_rows_that_explain_others_are_those_of_open_alerts(make: Callable[..., Any]) -> None:
    inhibit = "inhibit: [{source: {alertname: Down}, target: {alertname: Slow}}]\n"
    kit = make(FIRES, files={"healer.yaml": f"mode: active\nalerts_max: 1\n{inhibit}"})
    labelled = [{"alert": said(key)["alert"] | {"labels": {"alertname": "Down"}}} for key in "ab"]
    assert [len(kit.post(body).alerts[0].explains) for body in labelled] == [1, 0]


def test_ansible_rulebooks_own_actions_never_asked_for_a_lifecycle(make: Callable[..., Any]) -> None:
    kit = make(PLAYS, files={"healer.yaml": "mode: active\nalerts_max: 1\n"})
    asks = [one for key in "ab" for one in kit.asks(said(key))]
    assert [one.candidate.problems for one in asks] == [(), ()]


def test_the_same_rows_are_beyond_the_cap_again(kit: Any) -> None:
    bodies = [said(key, status) for key in "abcab" for status in ("firing", "firing", "resolved")]

    def told() -> list[Any]:
        kit.evaluator.alerts = alerts.Alerts()
        found = []
        for body in bodies:
            outcome = kit.post({"alert": dict(body["alert"])})
            asks = [one.candidate.problems for one in outcome.results if isinstance(one, asking.Ask)]
            found.append([(word.key, word.cycle, word.opens, word.full) for word in outcome.alerts] + asks)
        return found

    assert told() == told()


def test_facts_are_kept_up_to_their_cap(kit: Any) -> None:
    (one,) = (found for name, found in kit.evaluator.running.items() if name.startswith("act/"))
    assert one.session.facts.limit == 3
