"""Event Grid: the health of a resource has a lifecycle, everything else is an event, the handshake is answered with its code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from healer import plugins
from healer.formats import azure_eventgrid

VM = "/subscriptions/S/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/web1"
HEALTH = "Microsoft.ResourceNotifications.HealthResources.AvailabilityStatusChanged"


def event(state: str = "Unavailable", **over: Any) -> dict[str, Any]:
    data = {"resourceInfo": {"properties": {"targetResourceId": VM, "availabilityState": state}}}
    return {
        "id": "e1",
        "topic": "/subscriptions/S",
        "subject": VM,
        "eventType": HEALTH,
        "eventTime": "2026-01-01",
        "data": data,
        **over,
    }


def cloud(**over: Any) -> dict[str, Any]:
    given = event()
    renamed = {"type": given.pop("eventType"), "time": given.pop("eventTime"), "source": given.pop("topic")}
    return {**given, **renamed, "specversion": "1.0", **over}


def handshake(**data: Any) -> list[dict[str, Any]]:
    return [
        event(
            eventType=azure_eventgrid.VALIDATION,
            subject="",
            data={"validationCode": "c1", "validationUrl": "https://x/", **data},
        )
    ]


def test_real_bodies_give_the_expected_values(corpus: Callable[..., Any], meets: Callable[..., None]) -> None:
    for case in corpus("azure_eventgrid"):
        meets(azure_eventgrid.read(case.body, case.headers), case.wanted)


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        ("Unavailable", ("firing", "error")),
        ("Degraded", ("firing", "warning")),
        ("Available", ("resolved", "info")),
        ("Unknown", ("unknown", "unknown")),
    ],
)
def test_a_resource_fires_until_it_is_available(alert: Callable[..., Any], state: str, wanted: tuple[str, str]) -> None:
    found = alert(azure_eventgrid.read([event(state)]))
    assert (found["status"], found["severity"], found["severity_raw"]) == (*wanted, state)
    assert (found["name"], found["key"], found["target"], found["labels"]["resource_group"]) == (
        HEALTH,
        VM,
        "web1",
        "g",
    )


def test_both_schemas_say_the_same(alert: Callable[..., Any]) -> None:
    assert alert(azure_eventgrid.read(cloud())) == alert(azure_eventgrid.read([event()]))


def test_each_event_of_a_batch_is_one_and_a_bad_one_keeps_no_other() -> None:
    first, wrong, last = azure_eventgrid.read([event(), 5, event(id="e2")])
    assert isinstance(wrong, plugins.Wrong)
    assert wrong.error.fields["field"] == "[1]"
    assert isinstance(first, plugins.Element)
    assert isinstance(last, plugins.Element)
    assert (first.delivery, last.delivery) == ("/subscriptions/S#e1", "/subscriptions/S#e2")
    assert first.event["payload"] == event()


@pytest.mark.parametrize(
    "data",
    [None, "text", {}, {"resourceInfo": 5}, {"resourceInfo": {"properties": {"availabilityState": "Available"}}}],
)
def test_anything_else_is_an_event(alert: Callable[..., Any], data: Any) -> None:
    found = alert(
        azure_eventgrid.read(
            [event(data=data, eventType="Microsoft.Storage.BlobCreated", subject="/containers/a/blobs/b.txt")]
        )
    )
    assert (found["status"], found["key"], found["target"]) == ("event", "e1", "b.txt")


def test_the_handshake_is_answered_with_its_code_and_nothing_is_visited() -> None:
    found = azure_eventgrid.greeting(handshake(), {})
    assert found is not None
    assert (found.answer, found.visit) == ({"validationResponse": "c1"}, "")
    assert len(azure_eventgrid.read(handshake())) == 1


@pytest.mark.parametrize(
    "given",
    [
        5,
        [],
        [event()],
        handshake(validationCode=5),
        handshake(validationCode=""),
        handshake(validationCode="x" * 257),
        [*handshake(), event()],
        [event(eventType=azure_eventgrid.VALIDATION, data="c1")],
    ],
)
def test_what_is_no_handshake_is_not_answered(given: Any) -> None:
    assert azure_eventgrid.greeting(given, {"aeg-event-type": "SubscriptionValidation"}) is None


def test_a_subscription_that_is_gone_is_told() -> None:
    found = azure_eventgrid.greeting([event(eventType=azure_eventgrid.DELETION)], {})
    assert found is not None
    assert (found.answer, found.visit) == (None, "")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (5, "body"), ({}, "eventType"), ([{}], "[0].eventType"), ([event(id=5)], "[0].id"), (cloud(type=""), "type"),
        ([event(topic=5)], "[0].topic"),
        ([event(subject="x" * 1025, data=None)], "alert.target"),
    ],
)  # fmt: skip
def test_a_wrong_shape_is_told_with_its_path(path_of: Callable[..., str], given: Any, field: str) -> None:
    assert path_of(azure_eventgrid.read, given) == field


def test_any_body_gives_elements_or_a_named_mistake(withstands: Callable[..., None]) -> None:
    withstands(azure_eventgrid.read, [event(), event("Degraded")], cloud(), handshake())
