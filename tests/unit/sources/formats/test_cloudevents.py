"""CloudEvents: the three modes of HTTP give the same event, each with its source and id."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from healer import plugins
from healer.formats import cloudevents

HEADERS = {
    "ce-specversion": "1.0", "ce-type": "disk.full", "ce-source": "/web1", "ce-id": "1", "ce-time": "2026-01-01", "ce-team": "caf%C3%A9%00",
    "content-type": "application/json", "user-agent": "x",
}  # fmt: skip
EVENT = {
    "specversion": "1.0", "type": "disk.full", "source": "/web1", "id": "1", "time": "2026-01-01", "team": "café", "data": {"free": 1},
}  # fmt: skip


def told(**over: Any) -> dict[str, Any]:
    [element] = cloudevents.read({**EVENT, **over})
    assert isinstance(element, plugins.Element)
    return dict(element.event["alert"])


def test_real_bodies_give_the_expected_values(corpus: Callable[..., Any], meets: Callable[..., None]) -> None:
    for case in corpus("cloudevents", "batched", "binary_json_body", "structured_data_base64"):
        meets(cloudevents.read(case.body, case.headers), case.wanted)
    [empty] = corpus("cloudevents", "batched_empty")
    assert cloudevents.read(empty.body) == []


def test_the_three_modes_give_the_same_event() -> None:
    structured = cloudevents.read(EVENT, {"content-type": "application/cloudevents+json"})
    assert cloudevents.read([EVENT], {"content-type": "application/cloudevents-batch+json"}) == structured
    assert cloudevents.read(EVENT["data"], HEADERS) == structured
    [element] = structured
    assert isinstance(element, plugins.Element)
    assert (element.event["payload"], element.delivery) == (EVENT, "/web1#1")


def test_an_event_without_data_stays_one() -> None:
    given = {name: value for name, value in EVENT.items() if name != "data"}
    [element] = cloudevents.read(given)
    assert isinstance(element, plugins.Element)
    assert element.event["payload"] == given


def test_an_event_is_no_alert() -> None:
    found = told(subject="C:")
    assert (found["name"], found["target"], found["status"], found["key"]) == ("disk.full", "/web1", "event", "/web1#1")
    assert (found["started_at"], found["summary"], found["labels"]) == (
        "2026-01-01",
        "C:",
        {"subject": "C:", "team": "café"},
    )


@pytest.mark.parametrize("data", [[1], 5, None, "text"])
def test_the_data_of_a_binary_event_may_be_anything(data: Any) -> None:
    [element] = cloudevents.read(data, HEADERS)
    assert isinstance(element, plugins.Element)
    assert element.event["payload"]["data"] == data


def test_a_structured_event_stays_one_beside_attributes_in_headers() -> None:
    [element] = cloudevents.read(
        EVENT, {**HEADERS, "ce-type": "other", "content-type": "Application/CloudEvents+json; charset=utf-8"}
    )
    assert isinstance(element, plugins.Element)
    assert element.event["alert"]["name"] == "disk.full"


@pytest.mark.parametrize(("text", "inside"), [(b'{"a": 1}', {"a": 1}), (b"hello", "hello"), (b"\xff", None)])
def test_data_in_base64_that_can_be_read_stands_under_data_too(text: bytes, inside: Any) -> None:
    packed = base64.b64encode(text).decode()
    given = {**{name: value for name, value in EVENT.items() if name != "data"}, "data_base64": packed}
    [element] = cloudevents.read(given)
    assert isinstance(element, plugins.Element)
    assert element.event["payload"] == given | ({} if inside is None else {"data": inside})
    [element] = cloudevents.read({**EVENT, "data_base64": packed})
    assert isinstance(element, plugins.Element)
    assert element.event["payload"]["data"] == EVENT["data"]


@pytest.mark.parametrize(
    ("over", "severity"),
    [
        ({"severitytext": "FATAL"}, "critical"), ({"severitynumber": 24}, "critical"), ({"severitynumber": 17}, "error"),
        ({"severitynumber": 13}, "warning"),
        ({"severitynumber": 9}, "info"), ({"severitynumber": "1"}, "info"), ({"severitynumber": 0}, "unknown"),
        ({"severitynumber": 25}, "unknown"),
        ({"severitynumber": "²"}, "unknown"), ({"severitytext": "odd", "severitynumber": 21}, "critical"), ({}, "unknown"),
    ],
)  # fmt: skip
def test_the_severity_is_that_of_the_extension(over: dict[str, Any], severity: str) -> None:
    assert told(**over)["severity"] == severity


def test_an_id_that_is_no_header_is_hashed_for_the_delivery() -> None:
    [element] = cloudevents.read({**EVENT, "id": "ä"})
    assert isinstance(element, plugins.Element)
    assert len(element.delivery) == 26


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (5, "body"), ({}, "type"), ([{}], "[0].type"), ([EVENT, 5], "[1]"), ({**EVENT, "id": ""}, "id"), ({**EVENT, "source": 5}, "source"),
        ({**EVENT, "specversion": None}, "specversion"),
    ],
)  # fmt: skip
def test_a_wrong_shape_is_told_with_its_path(path_of: Callable[..., str], given: Any, field: str) -> None:
    assert path_of(cloudevents.read, given) == field


def test_any_body_gives_elements_or_a_named_mistake(withstands: Callable[..., None]) -> None:
    withstands(cloudevents.read, EVENT, [EVENT, {**EVENT, "data_base64": "x"}])
    withstands(cloudevents.read, EVENT, headers=HEADERS)
