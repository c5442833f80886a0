"""PagerDuty's events: an incident fires until it is resolved, what hangs on it changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer.formats import pagerduty


def body(kind: str = "incident.triggered", **data: Any) -> dict[str, Any]:
    incident = {
        "id": "P1",
        "type": "incident",
        "status": "triggered",
        "title": "Disk full",
        "service": {"summary": "web1"},
    }
    return {
        "event": {"id": "E1", "event_type": kind, "occurred_at": "2026-01-01T00:00:00Z", "data": {**incident, **data}}
    }


NOTE = {
    "type": "incident_note",
    "id": "N1",
    "content": "hm",
    "status": None,
    "incident": {"id": "P1", "summary": "Disk full"},
}


def test_real_bodies_give_the_expected_values(corpus: Callable[..., Any], meets: Callable[..., None]) -> None:
    for case in corpus("pagerduty"):
        meets(pagerduty.read(case.body, case.headers), case.wanted)


@pytest.mark.parametrize(
    ("status", "wanted"),
    [("triggered", "firing"), ("acknowledged", "firing"), ("resolved", "resolved"), ("odd", "event")],
)
def test_an_incident_fires_until_it_is_resolved(alert: Callable[..., Any], status: str, wanted: str) -> None:
    found = alert(pagerduty.read(body(status=status)))
    assert (found["status"], found["key"], found["target"]) == (wanted, "P1", "web1")


def test_a_note_is_an_event_of_its_incident(alert: Callable[..., Any]) -> None:
    found = alert(pagerduty.read(body("incident.annotated", **NOTE)))
    assert (found["status"], found["key"], found["summary"]) == ("event", "P1", "Disk full")


def test_a_service_is_no_alert(alert: Callable[..., Any]) -> None:
    data = {"type": "service", "id": "S1", "summary": "web", "status": "triggered", "service": None}
    found = alert(pagerduty.read(body("service.updated", **data)))
    assert (found["status"], found["key"], found["target"]) == ("event", "S1", "web")


@pytest.mark.parametrize(
    ("priority", "urgency", "wanted"),
    [
        ("P1", "low", ("critical", "P1")),
        ("Gold", "high", ("error", "high")),
        (None, "low", ("info", "low")),
        (None, "?", ("unknown", "?")),
    ],
)
def test_the_priority_counts_where_its_name_says_something(
    alert: Callable[..., Any], priority: str | None, urgency: str, wanted: tuple[str, str]
) -> None:
    found = alert(pagerduty.read(body(priority={"summary": priority}, urgency=urgency)))
    assert (found["severity"], found["severity_raw"]) == wanted


def test_the_event_names_the_delivery_and_the_whole_body_is_the_payload() -> None:
    [element] = pagerduty.read(body())
    assert element.delivery == "E1"
    assert element.event["payload"] == body()


def test_the_test_event_is_a_greeting() -> None:
    assert pagerduty.greeting(body("pagey.ping", type="ping"), {}) is not None
    assert pagerduty.greeting(body(), {}) is None


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ([], "body"), ({}, "event"), ({"event": 1}, "event"), ({"event": {}}, "event.data"), ({"event": {"data": {}}}, "event.event_type"),
        (body(status=1), "event.data.status"), (body(service="x"), "event.data.service"), (body(id=[]), "event.data.id"),
        (body(service={"summary": "x" * 1025}), "event.data.service.summary"), (body(id=None, title="x"), "nothing is wrong"),
    ],
)  # fmt: skip
def test_a_wrong_shape_is_told_with_its_path(path_of: Callable[..., str], given: Any, field: str) -> None:
    if field == "nothing is wrong":
        assert pagerduty.read(given)
    else:
        assert path_of(pagerduty.read, given) == field


def test_any_body_gives_elements_or_a_named_mistake(withstands: Callable[..., None]) -> None:
    withstands(pagerduty.read, body(), body("incident.annotated", **NOTE))


@hypothesis.given(
    st.dictionaries(
        st.just("event"),
        st.none() | st.text() | st.dictionaries(st.just("event_type"), st.text() | st.lists(st.text())),
    )
)
def test_a_greeting_is_known_in_any_body(given: Any) -> None:
    assert pagerduty.greeting(given, {}) is None
