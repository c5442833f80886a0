"""Handshakes: what a sender wants to hear, and that nothing which it names is visited unless the source says so."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from typing import Any

import orjson
import pytest

from healer import plugins
from healer.web import fetching, greetings

SECRET = "a-token-of-alertmanager"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alerts"


def options(room: Any, **more: Any) -> Any:
    found = room.revision.sources["open"]
    found.options = type(found.options).model_validate({"path": "open/door", "auth": {"none": True}, **more})
    return found.options


async def greet(room: Any, body: Any, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    headers = {"Content-Type": "application/json", **(headers or {})}
    status, answer = await room.ask("POST", "/hooks/open/door", None, data=orjson.dumps(body), headers=headers)
    return status, answer


async def test_event_grid_hears_its_code_and_its_address_is_left_alone(room: Any) -> None:
    options(room, format="azure_eventgrid")
    data = {"validationCode": "c0de", "validationUrl": "https://127.0.0.1:1/x"}
    event = {
        "id": "1", "topic": "/t", "subject": "", "data": data, "eventTime": "2026-01-01T00:00:00Z", "metadataVersion": "1",
        "dataVersion": "2", "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
    }  # fmt: skip
    headers = {"aeg-event-type": "SubscriptionValidation"}
    assert await greet(room, [event], headers) == (200, {"validationResponse": "c0de"})
    assert await room.rows() == []
    assert room.services.tally.greeted.keys() == {"open"}


async def test_slack_hears_its_challenge_once_it_has_proved_itself(room: Any) -> None:
    options(room, auth={"slack": {"secret": "env:AM_TOKEN"}})
    body = {"type": "url_verification", "challenge": "ch4ll"}
    assert (await greet(room, body))[0] == 401
    time = str(int(room.services.wall() / 1_000_000))
    signed = f"v0:{time}:".encode() + orjson.dumps(body)
    signature = "v0=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    headers = {"X-Slack-Signature": signature, "X-Slack-Request-Timestamp": time}
    assert await greet(room, body, headers) == (200, {"challenge": "ch4ll"})
    assert await room.rows() == []


async def test_a_ping_of_github_is_no_event(room: Any) -> None:
    options(room, format="github")
    status, _ = await greet(room, {"zen": "Design for failure.", "hook_id": 1, "hook": {}}, {"X-GitHub-Event": "ping"})
    assert status == 200
    assert await room.rows() == []


async def test_cloudevents_are_consented_to_for_known_origins_alone(room: Any) -> None:
    asked: list[bytes] = []

    async def lure(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(10))
        writer.close()

    server = await asyncio.start_server(lure, "127.0.0.1", 0)
    callback = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    options(room, origins=["eventgrid.azure.net"], rate_limit="2 per second")
    try:
        for origin, status in (("eventgrid.azure.net", 200), ("evil.example", 405), ("", 405), ("*", 405)):
            headers = {"WebHook-Request-Origin": origin, "WebHook-Request-Callback": callback}
            async with room.session.options(room.url("/hooks/open/door"), headers=headers) as answer:
                assert answer.status == status, origin
                assert answer.headers.get("WebHook-Allowed-Origin") == (origin if status == 200 else None)
                assert answer.headers.get("WebHook-Allowed-Rate") == ("120" if status == 200 else None)
        async with room.session.options(room.url("/hooks/nowhere")) as answer:
            assert answer.status == 404
    finally:
        server.close()
        await server.wait_closed()
    assert asked == []


class Fetch:
    """Remembers what was fetched."""

    def __init__(self, error: Exception | None = None) -> None:
        self.urls: list[str] = []
        self.error = error

    async def __call__(self, url: str) -> bytes:
        self.urls.append(url)
        if self.error is not None:
            raise self.error
        return b""


VISIT = f"https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=t0ken"


@pytest.mark.parametrize(
    ("confirm", "visit", "error", "fetched", "told"),
    [
        (False, VISIT, None, 0, "asks"),
        (True, VISIT, None, 1, "the subscription is confirmed"),
        (True, VISIT, fetching.NotFetched("it answered 500"), 1, "could not be confirmed: it answered 500"),
        (True, "https://169.254.169.254/latest", None, 0, "could not be confirmed: SubscribeURL is no address of SNS"),
    ],
)
async def test_a_subscription_is_confirmed_only_where_the_source_says_so(
    room: Any, confirm: bool, visit: str, error: Exception | None, fetched: int, told: str
) -> None:
    room.services.fetch = fetch = Fetch(error)
    said = options(room, auth={"sns": {"topics": [TOPIC], "confirm": confirm}})
    greeter = greetings.Greetings()
    answer = await greeter.answer(room.services, "open", said, plugins.Greeting("asks", visit=visit))
    assert answer.status == 200
    await asyncio.gather(*greeter._visits)
    assert len(fetch.urls) == fetched
    said_of_it = room.services.tally.greeted["open"][1]
    assert told in said_of_it
    by_hand = visit == VISIT and not (confirm and error is None)
    _, shown = await room.ask("GET", "/sources/open")
    assert shown["visit"] == ([visit] if by_hand else [])
    assert ("healer sources show has the address" in said_of_it) == by_hand
    assert "t0ken" not in said_of_it


@pytest.mark.parametrize(("visit", "shown"), [
    (VISIT, True), (VISIT.replace("eu-west-1.amazonaws.com", "eu-west-2.amazonaws.com"), False),
    (VISIT.replace("sns.", "s3."), False), (VISIT + "&x=y", False), ("https://[", False), (VISIT.replace("Confirm", "Un"), False),
])  # fmt: skip
async def test_no_address_but_one_of_sns_is_shown(room: Any, visit: str, shown: bool) -> None:
    said = options(room, auth={"basic": {"user": "sns", "password": {"secret": "env:X"}}})
    greeter = greetings.Greetings()
    await greeter.answer(room.services, "open", said, plugins.Greeting("asks", visit=visit))
    assert room.services.tally.to_visit == ({"open": {TOPIC: visit}} if shown else {})


async def test_each_topic_has_its_address_and_the_newest_are_shown(room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greetings, "SHOWN_MAX", 2)
    said = options(room, auth={"basic": {"user": "sns", "password": {"secret": "env:X"}}})
    greeter = greetings.Greetings()
    for topic, code in (("a", 1), ("b", 2), ("a", 3), ("c", 4)):
        visit = VISIT.replace(TOPIC, f"{TOPIC}-{topic}").replace("t0ken", f"t0ken{code}")
        await greeter.answer(room.services, "open", said, plugins.Greeting("asks", visit=visit))
    await greeter.answer(room.services, "open", said, plugins.Greeting("another was ended"))
    shown = room.services.tally.to_visit["open"]
    assert [(name, url[-1]) for name, url in shown.items()] == [(f"{TOPIC}-a", "3"), (f"{TOPIC}-c", "4")]
