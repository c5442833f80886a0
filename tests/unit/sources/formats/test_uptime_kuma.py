"""Uptime Kuma's heartbeats become one event each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from healer.formats import uptime_kuma

DOWN = {
    "heartbeat": {"monitorID": 7, "status": 0, "time": "2026-11-26 10:00:00.000", "msg": "timeout", "important": True},
    "monitor": {
        "id": 7, "name": "Shop", "url": "https://shop.example.com:8443/health", "hostname": None, "type": "http", "port": 8443,
        "tags": [{"tag_id": 1, "name": "team", "value": "web", "color": "#fff"}],
    },
    "msg": "[Shop] [Down] timeout",
}  # fmt: skip
TESTING = {"heartbeat": None, "monitor": None, "msg": "healer Testing"}


def changed(part: str, **fields: Any) -> dict[str, Any]:
    return {**DOWN, part: {**DOWN[part], **fields}}


def test_real_bodies_give_the_expected_values(corpus: Callable[..., Any], meets: Callable[..., None]) -> None:
    for case in corpus("uptime_kuma"):
        meets(uptime_kuma.read(case.body, case.headers), case.wanted)


def test_a_monitor_that_is_down() -> None:
    [element] = uptime_kuma.read(DOWN)
    assert element.event["payload"] == DOWN
    assert element.event["alert"] == {
        "name": "Shop", "target": "shop.example.com", "status": "firing", "severity": "unknown", "severity_raw": "DOWN", "key": "7",
        "started_at": "2026-11-26 10:00:00.000", "summary": "timeout", "link": "",
        "labels": {"team": "web", "type": "http", "url": "https://shop.example.com:8443/health", "port": "8443"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("state", "status", "raw"),
    [(0, "firing", "DOWN"), (1, "resolved", "UP"), (2, "event", "PENDING"), (3, "event", "MAINTENANCE")],
)
def test_states(alert: Callable[..., Any], state: int, status: str, raw: str) -> None:
    found = alert(uptime_kuma.read(changed("heartbeat", status=state)))
    assert (found["status"], found["severity_raw"], found["key"]) == (status, raw, "7")


@pytest.mark.parametrize(
    ("fields", "target"),
    [
        ({"hostname": "db1"}, "db1"),
        ({"url": "https://"}, "Shop"),
        ({"url": "http://[broken"}, "Shop"),
        ({"url": None}, "Shop"),
        ({"url": 7}, "Shop"),
    ],
)
def test_the_target_is_the_host_that_is_looked_at_else_the_monitor(
    alert: Callable[..., Any], fields: dict[str, Any], target: str
) -> None:
    assert alert(uptime_kuma.read(changed("monitor", **fields)))["target"] == target


def test_its_test_button_and_a_certificate_that_runs_out_open_nothing(alert: Callable[..., Any]) -> None:
    found = alert(uptime_kuma.read(TESTING))
    assert (found["status"], found["summary"], found["name"]) == ("event", "healer Testing", "")
    assert found["key"]


def test_a_monitor_without_an_id_is_known_by_the_heartbeat_or_its_name(alert: Callable[..., Any]) -> None:
    assert alert(uptime_kuma.read({**DOWN, "monitor": None}))["key"] == "7"
    assert alert(uptime_kuma.read({"heartbeat": {"status": 1}, "monitor": {"name": "Shop"}}))["key"] == "Shop"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "body"),
        ({"monitor": {}, "msg": "x"}, "heartbeat"),
        ({**DOWN, "heartbeat": "x"}, "heartbeat"),
        ({**DOWN, "monitor": []}, "monitor"),
        (changed("heartbeat", status=None), "heartbeat.status"),
        (changed("heartbeat", status=True), "heartbeat.status"),
        (changed("heartbeat", status=4), "heartbeat.status"),
        (changed("heartbeat", status=[]), "heartbeat.status"),
        (changed("monitor", name={}), "monitor.name"),
        (changed("monitor", id=[]), "monitor.id"),
        (changed("monitor", hostname=5), "monitor.hostname"),
    ],
)
def test_a_wrong_shape_is_told_with_its_path(path_of: Callable[..., str], body: Any, field: str) -> None:
    assert path_of(uptime_kuma.read, body) == field


def test_any_body_gives_elements_or_a_named_mistake(withstands: Callable[..., None]) -> None:
    withstands(uptime_kuma.read, DOWN, TESTING)
