"""Pub/Sub: an incident in the envelope is an alert, whatever else it carries an event."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import plugins
from healer.formats import gcp_pubsub

INCIDENT = {"incident_id": "i1", "state": "open", "started_at": 100, "policy_name": "disk", "resource_name": "web1"}


def packed(value: Any) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def body(data: Any = "SGVsbG8=", **over: Any) -> dict[str, Any]:
    message = {
        "messageId": "m1",
        "publishTime": "2026-01-01",
        "attributes": {"team": "web", "n": [1]},
        "data": data,
        **over,
    }
    return {"message": message, "subscription": "projects/p/subscriptions/s"}


def incident(version: str = "1.2", **over: Any) -> dict[str, Any]:
    return body(packed({"version": version, "incident": {**INCIDENT, **over}}))


def test_real_bodies_give_the_expected_values(corpus: Callable[..., Any], meets: Callable[..., None]) -> None:
    for case in corpus("gcp_pubsub"):
        meets(gcp_pubsub.read(case.body, case.headers), case.wanted)


def test_an_incident_inside_is_an_alert(alert: Callable[..., Any]) -> None:
    found = alert(gcp_pubsub.read(incident()))
    assert (found["name"], found["status"], found["key"], found["target"], found["started_at"]) == (
        "disk",
        "firing",
        "i1",
        "web1",
        100,
    )
    assert found["labels"] == {"team": "web", "subscription": "projects/p/subscriptions/s"}


def test_an_end_without_a_time_has_that_of_the_envelope(alert: Callable[..., Any]) -> None:
    assert alert(gcp_pubsub.read(incident(state="closed")))["started_at"] == "2026-01-01"
    assert alert(gcp_pubsub.read(incident(state="closed", ended_at=200)))["started_at"] == 200


@pytest.mark.parametrize(
    ("data", "inside"),
    [
        ("SGVsbG8=", "Hello"),
        (packed({"a": 1}), {"a": 1}),
        (packed([1]), [1]),
        ("no base64", None),
        (None, None),
        (packed({"incident": 5}), {"incident": 5}),
    ],
)
def test_anything_else_is_an_event(data: Any, inside: Any) -> None:
    [element] = gcp_pubsub.read(body(data))
    assert isinstance(element, plugins.Element)
    found = element.event["alert"]
    assert (found["status"], found["key"], found["started_at"]) == ("event", "m1", "2026-01-01")
    assert element.event.get("data") == inside
    assert (element.delivery, element.event["payload"]) == ("m1", body(data))


def test_the_test_notification_is_a_greeting() -> None:
    assert gcp_pubsub.greeting(incident("test"), {}) is not None
    assert gcp_pubsub.greeting(incident(), {}) is None


@hypothesis.given(
    st.none()
    | st.fixed_dictionaries({"message": st.text() | st.dictionaries(st.just("data"), st.text() | st.integers())})
)
def test_no_body_breaks_the_look_for_a_greeting(given: Any) -> None:
    assert gcp_pubsub.greeting(given, {}) is None


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ([], "body"), ({}, "message"), ({"message": []}, "message"), (body(messageId=None), "message.messageId"),
        (body(messageId=[]), "message.messageId"),
        (incident(state=5), "message.data.incident.state"),
    ],
)  # fmt: skip
def test_a_wrong_shape_is_told_with_its_path(path_of: Callable[..., str], given: Any, field: str) -> None:
    assert path_of(gcp_pubsub.read, given) == field


def test_any_body_gives_elements_or_a_named_mistake(withstands: Callable[..., None]) -> None:
    withstands(gcp_pubsub.read, body(), incident())
