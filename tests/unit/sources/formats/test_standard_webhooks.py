"""Bodies of Standard Webhooks are events without a lifecycle, of whatever shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from healer.formats import standard_webhooks

BODY = {"type": "disk.full", "timestamp": "2026-01-01T00:00:00Z", "data": {"id": "web1", "type": "host"}}


def test_real_bodies_give_the_expected_values(corpus: Callable[..., Any], meets: Callable[..., None]) -> None:
    for case in corpus("standard_webhooks"):
        meets(standard_webhooks.read(case.body, case.headers), case.wanted)


def test_the_three_fields_make_an_event(alert: Callable[..., Any]) -> None:
    found = alert(standard_webhooks.read(BODY, {"webhook-id": "msg_1"}))
    assert (found["name"], found["target"], found["status"], found["key"]) == ("disk.full", "web1", "event", "msg_1")
    assert found["started_at"] == BODY["timestamp"]


def test_a_body_of_another_shape_is_an_event_without_a_name(alert: Callable[..., Any]) -> None:
    found = alert(standard_webhooks.read({"data": [1]}, {"svix-timestamp": "1700000000"}))
    assert (found["name"], found["target"], found["started_at"]) == ("", "", "1700000000")
    assert found["key"] != alert(standard_webhooks.read({"data": [2]}))["key"]


@pytest.mark.parametrize(("given", "field"), [("x", "body"), ({"type": 5}, "type"), ({"data": {"id": []}}, "data.id")])
def test_a_wrong_shape_is_told_with_its_path(path_of: Callable[..., str], given: Any, field: str) -> None:
    assert path_of(standard_webhooks.read, given) == field


def test_any_body_gives_elements_or_a_named_mistake(withstands: Callable[..., None]) -> None:
    withstands(standard_webhooks.read, BODY)
