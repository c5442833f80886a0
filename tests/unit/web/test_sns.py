"""Messages of Amazon SNS: only what a listed topic signed just now, with a certificate of its own region, is taken."""

from __future__ import annotations

import asyncio
import base64
import datetime
import functools
import json
import pathlib
from typing import Any

import hypothesis
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from hypothesis import strategies as st

from healer.web import evidence, fetching, sns

NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
NOW_S = NOW.timestamp()
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alerts"
CHINA = "arn:aws-cn:sns:cn-north-1:123456789012:alerts"
URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a1b2c.pem"
SUBSCRIBE = f"https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f"
NOTE = {
    "Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "TopicArn": TOPIC, "Subject": "Disk füll",
    "Message": '{"AlarmName": "DiskFull",\n "ü": 1}', "Timestamp": "2026-03-01T11:59:00.123Z", "SigningCertURL": URL,
}  # fmt: skip
CONFIRMATION = {
    "Type": "SubscriptionConfirmation", "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b", "TopicArn": TOPIC, "Token": "2336412f",
    "Message": "You have chosen to subscribe.", "SubscribeURL": SUBSCRIBE, "Timestamp": "2026-03-01T11:59:00Z", "SigningCertURL": URL,
}  # fmt: skip


@functools.cache
def key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@functools.cache
def pem(days: int = 0, other: str = "") -> bytes:
    """A certificate that holds for two days around `days` from now."""
    mine: Any = ec.generate_private_key(ec.SECP256R1()) if other == "ec" else key(1024 if other == "short" else 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    at = NOW + datetime.timedelta(days=days)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(mine.public_key()).serial_number(7)
    made = made.not_valid_before(at - datetime.timedelta(days=1)).not_valid_after(at + datetime.timedelta(days=1))
    return made.sign(mine, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def signed(message: dict[str, Any], version: str = "2", signer: rsa.RSAPrivateKey | None = None) -> dict[str, Any]:
    """As SNS signs: written here apart from the module."""
    fields = ["Message", "MessageId", "SubscribeURL" if "SubscribeURL" in message else "Subject", "Timestamp"]
    fields += [*(["Token"] if "Token" in message else []), "TopicArn", "Type"]
    text = "".join(f"{field}\n{message[field]}\n" for field in fields if field in message)
    algorithm = hashes.SHA1() if version == "1" else hashes.SHA256()
    made = (signer or key(2048)).sign(text.encode(), padding.PKCS1v15(), algorithm)
    return {**message, "SignatureVersion": version, "Signature": base64.b64encode(made).decode()}


class Far:
    """What lies at addresses, and how often it was asked for."""

    def __init__(self, raw: bytes | fetching.NotFetched = b"") -> None:
        self.raw = raw or pem()
        self.asked: list[str] = []
        self.gate: asyncio.Event | None = None

    async def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(self.raw, fetching.NotFetched):
            raise self.raw
        return self.raw


async def ask(
    message: Any, far: Far | None = None, now_s: float = NOW_S, topics: tuple[str, ...] = (TOPIC, CHINA)
) -> sns.Envelope:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return await sns.verify(topics, body, sns.Certificates(far or Far()), now_s)


async def refused(message: Any, far: Far | None = None, **more: Any) -> str:
    with pytest.raises(evidence.Unproved) as raised:
        await ask(message, far, **more)
    return raised.value.reason


# --- what is taken ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1", "2"])
async def test_messages_of_every_type(version: str) -> None:
    made = await ask(signed(NOTE, version))
    assert (made.kind, made.topic, made.message_id, made.visit) == ("Notification", TOPIC, NOTE["MessageId"], "")
    made = await ask(signed(CONFIRMATION, version))
    assert (made.kind, made.visit) == ("SubscriptionConfirmation", SUBSCRIBE)
    made = await ask(signed({**CONFIRMATION, "Type": "UnsubscribeConfirmation"}, version))
    assert (made.kind, made.visit) == ("UnsubscribeConfirmation", "")
    await ask(signed({key: value for key, value in NOTE.items() if key != "Subject"}, version))
    in_china = "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService.pem"
    await ask(signed({**NOTE, "TopicArn": CHINA, "SigningCertURL": in_china}, version))


def test_the_text_that_is_signed_is_the_published_one(shared: pathlib.Path) -> None:
    """The published example as an envelope, and back."""
    said = json.loads((shared / "payloads/_vectors/signatures.json").read_text())
    text = next(one["signed_content"] for one in said if one["name"] == "aws-sns-string-to-sign")
    lines = text.splitlines()
    message = dict(zip(lines[::2], lines[1::2], strict=True))
    host = f"sns.{message['TopicArn'].split(':')[3]}.amazonaws.com"
    body = {
        **message,
        "SignatureVersion": "1",
        "Signature": "AAAA",
        "SigningCertURL": f"https://{host}/SimpleNotificationService.pem",
    }
    at_s = datetime.datetime.fromisoformat(message["Timestamp"]).timestamp()
    assert sns.parse(json.dumps(body).encode(), [message["TopicArn"]], at_s).signed == text.encode()


# --- what is refused ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["Message", "MessageId", "Subject", "Timestamp", "Type", "Signature"])
async def test_a_field_that_was_changed(field: str) -> None:
    whole = signed(NOTE)
    other = {
        "Timestamp": "2026-03-01T11:59:01.123Z",
        "Type": "UnsubscribeConfirmation",
        "Signature": base64.b64encode(bytes(256)).decode(),
    }
    far = Far()
    assert await refused({**whole, field: other.get(field, whole[field] + "x")}, far) in (
        "the signature does not match", "SubscribeURL is missing",
    )  # fmt: skip
    without = {key: value for key, value in whole.items() if key != field}
    assert await refused(without, far) in (f"{field} is missing", "the signature does not match")


async def test_a_signature_of_another_key_cut_or_by_the_other_hash() -> None:
    whole = signed(NOTE)
    assert await refused(signed(NOTE, signer=rsa.generate_private_key(65537, 2048))) == "the signature does not match"
    assert await refused({**whole, "SignatureVersion": "1"}) == "the signature does not match"
    for version in ("3", "0", "", "SHA256", 2, None):
        assert (await refused({**whole, "SignatureVersion": version})).startswith("SignatureVersion is")
    raw = base64.b64decode(whole["Signature"])
    for end in (0, 1, 128, 255):
        assert await refused({**whole, "Signature": base64.b64encode(raw[:end]).decode()}) in (
            "the signature does not match", "Signature is empty, too long or has a control character",
        )  # fmt: skip
    for text in (whole["Signature"][:-1], whole["Signature"] + "=", "ä", "=" * 8, whole["Signature"] + "\n"):
        assert (await refused({**whole, "Signature": text})).startswith("Signature is")


async def test_nothing_is_fetched_for_a_message_that_is_none_of_ours() -> None:
    far = Far()
    assert await refused(signed({**NOTE, "TopicArn": TOPIC + "x"}), far) == "TopicArn is not on the list of topics"
    assert await refused(signed(NOTE), far, topics=()) == "TopicArn is not on the list of topics"
    for text in (b"", b"[]", b'"x"', b"{", b"\xff", b'{"Type": "Notification", "Type": "Notification"}', b"[" * 10_000):
        assert "the body is no message of SNS" in await refused(text, far)
    for bad in (None, 5, ["Notification"], "notification", ""):
        assert (await refused({**signed(NOTE), "Type": bad}, far)).startswith("Type is")
    for bad in (5, None, {}, "a\nMessageId\nb", "x" * 9000, ""):
        assert (await refused({**signed(NOTE), "MessageId": bad}, far)).startswith("MessageId is")
    assert (await refused({**signed(NOTE), "Subject": "a\nb"}, far)).startswith("Subject is")
    assert far.asked == []


async def test_no_certificate_is_fetched_from_elsewhere() -> None:
    far = Far()
    for url in (
        "https://sns.us-east-1.amazonaws.com/SimpleNotificationService.pem",
        "https://evil.example/a.pem",
        URL + "?",
    ):
        why = "SigningCertURL is no address of a certificate of SNS in the topic's region"
        assert await refused(signed({**NOTE, "SigningCertURL": url}), far) == why
    without = {key: value for key, value in signed(NOTE).items() if key != "SigningCertURL"}
    assert await refused(without, far) == "SigningCertURL is missing"
    assert far.asked == []


async def test_a_message_cannot_be_read_in_two_ways() -> None:
    """What a message says could be the beginning of other fields, were those allowed to have several lines."""
    inner = {**NOTE, "Message": "a\nMessageId\nfake\nSubject\nb"}
    whole = signed({key: value for key, value in inner.items() if key != "Subject"})
    moved = {**whole, "Message": "a", "MessageId": "fake", "Subject": f"b\nMessageId\n{NOTE['MessageId']}"}
    await ask(whole)
    assert (await refused(moved)).startswith("Subject is")


@pytest.mark.parametrize(("time", "why"), [
    ("2026-03-01T11:00:00.000Z", ""),
    ("2026-03-01T12:05:00Z", ""),
    ("2026-03-01T10:59:59.999Z", "3600 s back"),
    ("2026-03-01T12:05:00.001Z", "300 s ahead"),
    ("2012-05-02T00:54:06.655Z", "3600 s back"),
    ("2026-03-01T12:00:00", "Timestamp is no time"),
    ("2026-03-01T12:00:00+00:00", "Timestamp is no time"),
    ("2026-02-30T12:00:00Z", "Timestamp is no time"),
    ("2026-03-01T24:61:00Z", "Timestamp is no time"),
    ("0000-00-00T00:00:00Z", "Timestamp is no time"),
    ("1772366400", "Timestamp is no time"),
    ("now", "Timestamp is no time"),
])  # fmt: skip
async def test_when_it_was_sent(time: str, why: str) -> None:
    message = signed({**NOTE, "Timestamp": time})
    if why:
        assert why in await refused(message)
    else:
        await ask(message)


# --- certificates -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("raw", "why"), [
    (pem(days=-2), "does not hold now"),
    (pem(days=2), "does not hold now"),
    (pem(other="ec"), "has no RSA key"),
    (pem(other="short"), "has no RSA key of 2048 bits"),
    (b"<html>", "is no certificate"),
    (pem()[:-60], "is no certificate"),
    (fetching.NotFetched("it answered 404", final=True), "there is no certificate at SigningCertURL: it answered 404"),
])  # fmt: skip
async def test_a_certificate_that_will_not_do(raw: Any, why: str) -> None:
    assert why in await refused(signed(NOTE), Far(raw))


async def test_one_that_cannot_be_had_just_now_is_asked_for_again() -> None:
    """SNS sends again what is answered with 503, and nothing that is answered with 401."""
    far = Far(fetching.NotFetched("it answered 500"))
    certificates = sns.Certificates(far)
    body = json.dumps(signed(NOTE)).encode()
    with pytest.raises(fetching.NotFetched) as raised:
        await sns.verify([TOPIC], body, certificates, NOW_S)
    assert (raised.value.status, raised.value.message) == (503, "not now: an address of the sender could not be asked")
    far.raw = pem()
    await sns.verify([TOPIC], body, certificates, NOW_S)
    assert len(far.asked) == 2


async def test_a_certificate_is_kept_for_a_day_and_held_against_the_time_of_each_message() -> None:
    far = Far(pem())
    certificates = sns.Certificates(far)
    found = await certificates.at(URL, NOW_S)
    assert await certificates.at(URL, NOW_S + sns.KEPT_S - 1) is found
    assert far.asked == [URL]
    await certificates.at(URL, NOW_S + sns.KEPT_S)
    assert far.asked == [URL] * 2
    envelope = sns.parse(json.dumps(signed(NOTE)).encode(), [TOPIC], NOW_S)
    with pytest.raises(evidence.Unproved, match="does not prove"):
        sns.check(envelope, found, NOW_S + 86_401)


async def test_so_many_are_kept() -> None:
    far = Far(pem())
    certificates = sns.Certificates(far)
    addresses = [URL.replace("0a1b2c", str(number)) for number in range(sns.KEPT_MAX + 1)]
    for url in addresses:
        await certificates.at(url, NOW_S)
    await certificates.at(addresses[-1], NOW_S)
    assert len(far.asked) == sns.KEPT_MAX + 1
    await certificates.at(addresses[0], NOW_S)
    assert len(far.asked) == sns.KEPT_MAX + 2


async def test_one_is_fetched_once_however_many_wait_and_only_so_many_wait() -> None:
    far = Far(pem())
    far.gate = asyncio.Event()
    certificates = sns.Certificates(far)
    tasks = [asyncio.create_task(certificates.at(URL, NOW_S)) for _ in range(sns.WAITING_MAX)]
    for _ in range(3):
        await asyncio.sleep(0)
    one_more = asyncio.create_task(certificates.at(URL, NOW_S))
    await asyncio.sleep(0)
    assert one_more.done()
    error = one_more.exception()
    assert isinstance(error, fetching.NotFetched)
    assert error.reason == "too many deliveries wait for a certificate"
    far.gate.set()
    assert len({id(one) for one in await asyncio.gather(*tasks)}) == 1
    assert far.asked == [URL]
    await certificates.at(URL.replace("0a", "0b"), NOW_S)


# --- whatever comes ---------------------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=2), max_leaves=3
)
FIELDS = st.sampled_from([*NOTE, *CONFIRMATION, "SignatureVersion", "Signature"])


@hypothesis.given(
    st.dictionaries(FIELDS, JSON | st.sampled_from([*NOTE.values(), *CONFIRMATION.values(), "1", "2", "AAAA"]))
)
def test_whatever_a_body_has_is_refused_and_nothing_else(changed: dict[str, Any]) -> None:
    body = json.dumps({**NOTE, "SignatureVersion": "2", "Signature": "AAAA", **changed}).encode()
    try:
        made = sns.parse(body, [TOPIC], NOW_S)
    except evidence.Unproved as error:
        assert error.reason.isprintable()
    else:
        found = x509.load_pem_x509_certificate(pem())
        with pytest.raises(evidence.Unproved):
            sns.check(made, found, NOW_S)


@hypothesis.given(st.binary(max_size=200))
def test_no_bytes_are_more_than_refused(body: bytes) -> None:
    with pytest.raises(evidence.Unproved):
        sns.parse(body, [TOPIC], NOW_S)
