"""Rows A9 and A10 of the threat table: what a delivery must not make us ask. Each test says the threat and the defence."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import functools
import json
import pathlib
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import sending
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from healer.web import fetching, sns

OPEN = {"none": True}
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alerts"
HOST = "https://sns.eu-west-1.amazonaws.com"
PEM = "/SimpleNotificationService-0a1b2c.pem"
VISIT = f"/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=t0ken"
NOW = datetime.datetime.fromtimestamp(sending.NOW_S, datetime.UTC)
TEXT = {"Content-Type": "text/plain; charset=UTF-8"}


@functools.cache
def certified() -> tuple[rsa.RSAPrivateKey, bytes]:
    """A key, and a certificate of it that holds now."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    day = datetime.timedelta(days=1)
    made = made.not_valid_before(NOW - day).not_valid_after(NOW + day)
    return key, made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def of_sns(certificate: str, visit: str = "") -> bytes:
    """A message that whoever has the key has signed: a notification, or with an address to visit a subscription."""
    said = {"Message": "x", "MessageId": "m", "Timestamp": NOW.strftime("%Y-%m-%dT%H:%M:%SZ"), "TopicArn": TOPIC}
    said |= (
        {"SubscribeURL": visit, "Token": "t0ken", "Type": "SubscriptionConfirmation"}
        if visit
        else {"Type": "Notification"}
    )
    text = "".join(f"{name}\n{said[name]}\n" for name in sorted(said))
    signature = certified()[0].sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    more = {"SignatureVersion": "2", "Signature": base64.b64encode(signature).decode(), "SigningCertURL": certificate}
    return json.dumps(said | more).encode()


class Fetch:
    """Remembers what was asked for, and has the certificate."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        return certified()[1]


def to_sns(room: Any, fetch: fetching.Fetch, *, confirm: bool = False) -> None:
    """The open hook takes messages of the topic."""
    sending.hook(room, {"sns": {"topics": [TOPIC], "confirm": confirm}}, format="aws_sns")
    room.services.fetch, room.services.certificates = fetch, sns.Certificates(fetch)


async def send(room: Any, body: bytes, **headers: str) -> tuple[int, Any]:
    said = {**sending.JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return await room.ask("POST", "/hooks/open/door", None, data=body, headers=said)


# --- A9 -------------------------------------------------------------------------------------------------------------------


async def test_a09_certificates_elsewhere(room: Any, other_tests: Callable[[str], Any]) -> None:
    """A request to where a body says → for no hostile SigningCertURL anything is fetched, the delivery is 401; the right one is."""
    table = other_tests("unit/web/test_sns_addresses.py")
    hostile = [one + PEM for one in table.HOSTILE_HOSTS] + [HOST + one for one in table.HOSTILE_PATHS]
    fetch = Fetch()
    to_sns(room, fetch)
    assert len(hostile) > 60
    for url in hostile:
        assert (await send(room, of_sns(url), **{"Content-Type": TEXT["Content-Type"]}))[0] == 401, url
    assert (fetch.asked, await room.rows()) == ([], [])
    assert (await send(room, of_sns(HOST + PEM)))[0] == 202
    assert fetch.asked == [HOST + PEM]


async def test_a09_visits_elsewhere(
    room: Any, other_tests: Callable[[str], Any], wait_for_async: Callable[..., Any]
) -> None:
    """A request to where a body says → a signed subscription is confirmed at SNS alone, and by nothing but a confirmation."""
    table = other_tests("unit/web/test_sns_addresses.py")
    hostile = [one + VISIT for one in table.HOSTILE_HOSTS if one] + [HOST + one for one in table.HOSTILE_QUERIES]
    fetch = Fetch()
    to_sns(room, fetch, confirm=True)
    greeted = room.services.tally.greeted
    for url in hostile:
        status, _ = await send(room, of_sns(HOST + PEM, url))
        assert status in (200, 401), url
    assert (await send(room, of_sns(HOST + PEM, HOST + VISIT)))[0] == 200
    await wait_for_async(lambda: "is confirmed" in greeted["open"][1])
    assert fetch.asked == [HOST + PEM, HOST + VISIT]


class Lure:
    """Listens on loopback and counts who comes."""

    def __init__(self, port: int = 0) -> None:
        self.port, self.came = port, 0

    def _take(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came += 1
        writer.close()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Lure]:
        server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
            before = self.came
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)  # it does listen
            writer.close()
            await asyncio.sleep(0)
            while self.came == before:
                await asyncio.sleep(0)
            assert self.came == before + 1 == 1
        finally:
            server.close()
            await server.wait_closed()


@pytest.mark.parametrize(
    "means", [["127.0.0.1"], ["::1"], ["169.254.169.254"], ["52.94.0.1", "127.0.0.1"], ["0.0.0.0"]]
)
async def test_a09_a_name_that_leads_inside(room: Any, means: list[str]) -> None:
    """A right name with a wrong meaning → an address of this machine or its link is not connected to; the sender may come again."""
    async with Lure().listening() as lure:

        async def names(_host: str) -> list[str]:
            return means

        to_sns(room, fetching.Fetcher(names, lure.port))
        assert (await send(room, of_sns(HOST + PEM)))[0] == 503
    assert await room.rows() == []


# --- A10 ------------------------------------------------------------------------------------------------------------------

ADDRESS = re.compile(r"[a-z]{2,8}://[^\s\"'<>|]+")


def with_texts(value: Any, change: Callable[[str], str]) -> Any:
    """The value with every text in it changed; names stay."""
    if isinstance(value, dict):
        return {key: with_texts(inner, change) for key, inner in value.items()}
    if isinstance(value, list):
        return [with_texts(inner, change) for inner in value]
    return change(value) if isinstance(value, str) else value


async def test_a10_callbacks(room: Any, shared: pathlib.Path) -> None:
    """A callback as a lure → no address in a body or a header is called: not of greetings, not of any real body, not by OPTIONS."""
    async with Lure().listening() as lure:
        url = f"http://127.0.0.1:{lure.port}/x"
        lures = dict.fromkeys(
            ("WebHook-Request-Callback", "Referer", "Link", "Origin", "X-Forwarded-Host", "X-Callback-Url"), url
        )
        grid = {
            "id": "1",
            "topic": "/t",
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "eventTime": "2026-01-01T00:00:00Z",
        }
        grid |= {
            "subject": "",
            "data": {"validationCode": "c", "validationUrl": url},
            "dataVersion": "2",
            "metadataVersion": "1",
        }
        sending.hook(room, OPEN, format="azure_eventgrid")
        assert await send(room, json.dumps([grid]).encode(), **lures) == (200, {"validationResponse": "c"})
        addresses = 0
        for sent in sending.corpus(shared):
            sending.hook(room, OPEN, format=sent.format, origins=["a"])
            changed = with_texts(sent.value, lambda text: ADDRESS.sub(url, text))
            addresses += json.dumps(changed).count(url)
            github = {name: value for name, value in sent.headers.items() if name == "x-github-event"}
            assert (await send(room, json.dumps(changed).encode(), **lures, **github))[0] < 500
            async with room.session.options(
                room.url("/hooks/open/door"), headers={**lures, "WebHook-Request-Origin": "a"}
            ) as answer:
                assert answer.status == 200
        assert addresses > 200
        assert len(await room.rows()) > 50


async def test_a10_a_subscription_is_shown_and_not_visited(room: Any) -> None:
    """A confirmation as a lure → without `confirm: true` a signed subscription is told to the operator, and nothing is visited."""
    fetch = Fetch()
    to_sns(room, fetch)
    assert (await send(room, of_sns(HOST + PEM, HOST + VISIT)))[0] == 200
    told = f"SNS wants the subscription to {TOPIC} confirmed: its SubscribeURL has to be visited; healer sources show has the address"
    assert (fetch.asked, room.services.tally.greeted["open"][1]) == ([HOST + PEM], told)
    status, shown = await room.ask("GET", "/sources/open")
    assert (status, shown["visit"]) == (200, [HOST + VISIT])
    assert await room.rows() == []


async def test_a04_replay_of_sns(room: Any) -> None:
    """Replay → the id that is signed is that of the delivery: the same message under another header is a duplicate."""
    to_sns(room, Fetch())
    for accepted, header in ((1, "m"), (0, "m"), (0, "another"), (0, "")):
        more = {"X-Amz-Sns-Message-Id": header, "Idempotency-Key": header} if header else {}
        status, made = await send(room, of_sns(HOST + PEM), **more)
        assert (status, made["accepted"], made["ids"]) == (202, accepted, ["e-1"]), header
