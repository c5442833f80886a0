"""Messages of Amazon SNS: who signed them, and which addresses in them may be asked. Caller: `hooks`.

The proof is in the body: fields of it are signed, by a certificate that it names. So everything is looked at before anything is fetched:
the topic is one of those that are listed, the time is near, the certificate lies at SNS of the topic's own region. An address is held
against a pattern as a whole and never taken apart: two readers of an address could read two hosts.

Sources: docs.aws.amazon.com/sns, "Verifying the signatures of Amazon SNS messages" and "Parsing Amazon SNS message formats".
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import datetime
import re
import urllib.parse
from collections.abc import Collection, Mapping
from typing import Any, Final

from cryptography import exceptions, x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from healer import errors
from healer.intake import strict
from healer.web import fetching, signing
from healer.web.evidence import Unproved

OLD_S: Final = 3600.0
AHEAD_S: Final = 300.0
KEPT_MAX: Final = 32
KEPT_S: Final = 86_400.0
WAITING_MAX: Final = 16
"""Deliveries that wait for a certificate at once. Each has a body in memory."""
KEY_BITS_MIN: Final = 2048

NOTIFICATION: Final = "Notification"
CONFIRMATIONS: Final = ("SubscriptionConfirmation", "UnsubscribeConfirmation")
_OF_NOTIFICATION: Final = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_OF_CONFIRMATION: Final = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
"""What is signed, in its order."""
_HASHES: Final[Mapping[str, type[hashes.SHA1 | hashes.SHA256]]] = {"1": hashes.SHA1, "2": hashes.SHA256}

_TOPIC: Final = re.compile(r"arn:(aws|aws-cn|aws-us-gov):sns:([a-z0-9-]{3,32}):[0-9]{4,20}:[A-Za-z0-9_-]{1,256}")
_HOST: Final = r"https://(sns\.[a-z0-9-]{3,32}\.amazonaws\.com(?:\.cn)?)"
_CERTIFICATE: Final = re.compile(rf"{_HOST}/SimpleNotificationService(?:-[A-Za-z0-9]{{1,128}})?\.pem")
_SUBSCRIBE: Final = re.compile(rf"{_HOST}/\?([A-Za-z0-9._~%:=&-]{{1,2000}})")
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?Z")
_LINE: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,8192}")


@dataclasses.dataclass(frozen=True, slots=True)
class Envelope:
    """What stands around a message. `message_id` is the same when it comes again; `visit`: where a subscription can be confirmed, '' for
    none; `signed`: the text that is."""

    kind: str
    topic: str
    message_id: str
    visit: str
    signed: bytes = dataclasses.field(repr=False)
    version: str
    signature: bytes = dataclasses.field(repr=False)
    certificate_url: str


def parse(body: bytes, topics: Collection[str], now_s: float) -> Envelope:
    """The envelope of a body that claims to come from one of the topics, just now. Nothing is proved yet. Raises `Unproved`."""
    try:
        value = strict.parse(body)
    except errors.RequestError as error:
        raise Unproved(f"the body is no message of SNS: {error.code}") from error
    if not isinstance(value, dict):
        raise Unproved("the body is no message of SNS (is raw message delivery switched on there?)")
    kind = _line(value, "Type")
    if kind not in (NOTIFICATION, *CONFIRMATIONS):
        raise Unproved("Type is none of SNS")
    topic = _line(value, "TopicArn")
    if topic not in topics:
        raise Unproved("TopicArn is not on the list of topics")
    _recent(_line(value, "Timestamp"), now_s)
    version = _line(value, "SignatureVersion")
    if version not in _HASHES:
        raise Unproved("SignatureVersion is neither 1 nor 2")
    signature = signing.decoded(_line(value, "Signature"))
    if signature is None:
        raise Unproved("Signature is not written in base64")
    url = _line(value, "SigningCertURL")
    certificate(url, topic)
    visit = _line(value, "SubscribeURL") if kind == CONFIRMATIONS[0] else ""
    return Envelope(kind, topic, _line(value, "MessageId"), visit, _to_sign(value, kind), version, signature, url)


def _to_sign(value: Mapping[str, Any], kind: str) -> bytes:
    """The text that is signed: each key and its value, a line each; the subject only where there is one."""
    fields = _OF_NOTIFICATION if kind == NOTIFICATION else _OF_CONFIRMATION
    there = [field for field in fields if field != "Subject" or field in value]
    return "".join(f"{one}\n{_text(value, one) if one == 'Message' else _line(value, one)}\n" for one in there).encode()


def _text(value: Mapping[str, Any], key: str) -> str:
    found = value.get(key)
    if not isinstance(found, str):
        raise Unproved(f"{key} is {'missing' if found is None else 'no text'}")
    return found


def _line(value: Mapping[str, Any], key: str) -> str:
    """A text of one line. With several, two messages could be signed by one text: the end of one field would be the next."""
    found = _text(value, key)
    if not _LINE.fullmatch(found):
        raise Unproved(f"{key} is empty, too long or has a control character")
    return found


def _recent(text: str, now_s: float) -> None:
    try:
        at_s = datetime.datetime.fromisoformat(text).timestamp() if _TIME.fullmatch(text) else None
    except ValueError:
        at_s = None
    if at_s is None:
        raise Unproved("Timestamp is no time")
    if not now_s - OLD_S <= at_s <= now_s + AHEAD_S:
        away = f"{now_s - at_s:.0f} s old" if at_s < now_s else f"{at_s - now_s:.0f} s ahead"
        raise Unproved(f"the time is {away}; {OLD_S:g} s back and {AHEAD_S:g} s ahead are allowed")


# --- addresses ------------------------------------------------------------------------------------------------------------


def certificate(url: str, topic: str) -> None:
    """Raise `Unproved` unless an address is one of certificates of SNS, in the region of the topic."""
    found = _CERTIFICATE.fullmatch(url)
    if found is None or found[1] != _host_of(topic):
        raise Unproved("SigningCertURL is no address of a certificate of SNS in the topic's region")


def visit(url: str, topic: str) -> None:
    """Raise `Unproved` unless visiting an address does nothing but confirm a subscription to the topic."""
    found = _SUBSCRIBE.fullmatch(url)
    if found is None or found[1] != _host_of(topic):
        raise Unproved("SubscribeURL is no address of SNS in the topic's region")
    said = urllib.parse.parse_qsl(found[2], keep_blank_values=True)
    asked = dict(said)
    code = asked.pop("Token", "")
    if not code or len(said) != 3 or asked != {"Action": "ConfirmSubscription", "TopicArn": topic}:
        raise Unproved("SubscribeURL does something else than to confirm a subscription to the topic")


async def confirm(url: str, topic: str, fetch: fetching.Fetch) -> None:
    """Confirm a subscription: of a message that is proved, and only where the source says `confirm: true`.

    Raises `Unproved`, `fetching.NotFetched`.
    """
    visit(url, topic)
    await fetch(url)


def _host_of(topic: str) -> str:
    """The host of SNS in a topic's region and partition; '' for no topic, which no address has."""
    found = _TOPIC.fullmatch(topic)
    if found is None:
        return ""
    return f"sns.{found[2]}.amazonaws.com{'.cn' if found[1] == 'aws-cn' else ''}"


# --- the proof ------------------------------------------------------------------------------------------------------------


class Certificates:
    """The certificates that were fetched, by their address, each for a day. One is fetched at a time."""

    def __init__(self, fetch: fetching.Fetch) -> None:
        self._fetch = fetch
        self._kept: collections.OrderedDict[str, tuple[float, x509.Certificate]] = collections.OrderedDict()
        self._lock = asyncio.Lock()
        self._waiting = 0

    async def at(self, url: str, now_s: float) -> x509.Certificate:
        """The certificate at an address that was looked at. Raises `Unproved`, `fetching.NotFetched`."""
        if (known := self._known(url, now_s)) is not None:
            return known
        if self._waiting >= WAITING_MAX:
            raise fetching.NotFetched("too many deliveries wait for a certificate")
        self._waiting += 1
        try:
            async with self._lock:
                return self._known(url, now_s) or await self._new(url, now_s)
        finally:
            self._waiting -= 1

    def _known(self, url: str, now_s: float) -> x509.Certificate | None:
        fetched_s, found = self._kept.get(url, (0.0, None))
        return found if found is not None and abs(now_s - fetched_s) < KEPT_S else None

    async def _new(self, url: str, now_s: float) -> x509.Certificate:
        try:
            raw = await self._fetch(url)
        except fetching.NotFetched as error:
            if error.final:
                raise Unproved(f"there is no certificate at SigningCertURL: {error.reason}") from error
            raise
        try:
            made = x509.load_pem_x509_certificate(raw)
        except (ValueError, x509.InvalidVersion) as error:
            raise Unproved("what lies at SigningCertURL is no certificate") from error
        self._kept[url] = now_s, made
        self._kept.move_to_end(url)
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        return made


async def verify(topics: Collection[str], body: bytes, certificates: Certificates, now_s: float) -> Envelope:
    """The envelope of a message that one of the topics sent. Raises `Unproved`.

    Raises `fetching.NotFetched` (503) where the certificate cannot be had just now: SNS sends again what is answered with 5xx, and
    nothing that is answered with 401.
    """
    envelope = parse(body, topics, now_s)
    found = await certificates.at(envelope.certificate_url, now_s)
    check(envelope, found, now_s)
    return envelope


def check(envelope: Envelope, found: x509.Certificate, now_s: float) -> None:
    """Raise `Unproved` unless the certificate holds now and its key signed the envelope (RSASSA-PKCS1-v1_5, RFC 8017, 8.2)."""
    if not found.not_valid_before_utc.timestamp() <= now_s <= found.not_valid_after_utc.timestamp():
        raise Unproved("the certificate at SigningCertURL does not hold now")
    try:
        key = found.public_key()
    except (ValueError, exceptions.UnsupportedAlgorithm) as error:
        raise Unproved("the certificate at SigningCertURL has a key of an unknown kind") from error
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < KEY_BITS_MIN:
        raise Unproved(f"the certificate at SigningCertURL has no RSA key of {KEY_BITS_MIN} bits or more")
    try:
        key.verify(envelope.signature, envelope.signed, padding.PKCS1v15(), _HASHES[envelope.version]())
    except exceptions.InvalidSignature:
        raise Unproved(signing.NO_MATCH) from None
