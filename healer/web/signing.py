"""Signatures of webhooks: what each sender signs with which key, and how it writes that down. Pure; callers: `proving`, which verifies,
and `attesting`, which does as a sender.

Always over the bytes as they came. What is expected is written as the sender would write it and the two texts are compared, so there is one
spelling of a signature and nothing is decoded that could be read in two ways. The algorithm is that of the scheme or of the
configuration, whatever a header says.

Sources: docs.github.com, "Validating webhook deliveries"; docs.slack.dev, "Verifying requests from Slack"; the specification of
standardwebhooks.com; developer.pagerduty.com, "Verifying webhook signatures"; docs.sentry.io, "Webhooks"; grafana.com, "Configure webhook
notifications"; docs.stripe.com, "Resolve webhook signature verification errors". HMAC: RFC 2104. Ed25519: RFC 8032.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import hmac
import string
from collections.abc import Iterable, Sequence
from typing import Final, Literal

from cryptography import exceptions
from cryptography.hazmat.primitives.asymmetric import ed25519

from healer import model
from healer.web import evidence
from healer.web.evidence import Given, Unproved

TOLERANCE_S: Final = 300.0
NO_MATCH: Final = "the signature does not match"
STRIPE: Final = "Stripe-Signature"
FAMILIES: Final = ("webhook", "svix")
"""How the headers of Standard Webhooks begin; the second is its elder."""
SYMMETRIC: Final = "whsec_"
PUBLIC: Final = "whpk_"
KEY_MIN: Final = 24
"""Bytes of a key of Standard Webhooks. Its upper bound (64) keeps nobody out: some senders have more."""

_ITEMS_MAX: Final = 64
_ID_MAX: Final = 256
_LOWER: Final = frozenset("0123456789abcdef")
_BASE64: Final = frozenset(string.ascii_letters + string.digits + "+/")

Algorithm = Literal["sha1", "sha256", "sha384", "sha512"]


@dataclasses.dataclass(frozen=True, slots=True)
class Form:
    """An HMAC in a header. With a header of the time `before`, the time and `separator` are signed before the body.

    `several`: signatures stand side by side, between commas, and those that begin otherwise are others' affair. `capitals`: hex may be
    written in those, which some libraries do by themselves.
    """

    header: str
    prefix: str = ""
    algorithm: Algorithm = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    several: bool = False
    capitals: bool = False
    timestamp: str = ""
    before: str = ""
    separator: str = ":"
    tolerance_s: float = TOLERANCE_S


GITHUB: Final = Form("X-Hub-Signature-256", "sha256=")
SLACK: Final = Form("X-Slack-Signature", "v0=", timestamp="X-Slack-Request-Timestamp", before="v0:")
SENTRY: Final = Form("Sentry-Hook-Signature")
PAGERDUTY: Final = Form("X-PagerDuty-Signature", "v1=", several=True)


def by_form(form: Form, given: Given, keys: Sequence[bytes], now_s: float) -> None:
    """Raise `Unproved` unless one of the keys made the signature."""
    found = _signatures(form, evidence.header(given, form.header))
    time = ""
    if form.timestamp:
        time = evidence.header(given, form.timestamp)
        evidence.recent(time, form.timestamp, now_s, form.tolerance_s)
    _compare(found, [_of_form(form, key, time, given.body) for key in keys])


def made(form: Form, key: bytes, body: bytes, time: str) -> dict[str, str]:
    """The headers of a sender that signs so, `time` in whole seconds since 1970."""
    signature = form.prefix + _of_form(form, key, time, body).decode()
    return {form.header: signature} | ({form.timestamp: time} if form.timestamp else {})


def _of_form(form: Form, key: bytes, time: str, body: bytes) -> bytes:
    signed = f"{form.before}{time}{form.separator}".encode() if form.timestamp else b""
    return _written(form.encoding, _mac(key, form.algorithm, signed, body))


def stripe(given: Given, keys: Sequence[bytes], now_s: float) -> None:
    """`t=TIME,v1=HEX,…`: the time, a dot and the body are signed. Anything but `t` and `v1` is passed over, v0 above all."""
    items = [item.partition("=") for item in evidence.header(given, STRIPE).split(",", _ITEMS_MAX)[:_ITEMS_MAX]]
    times = [value for name, _, value in items if name == "t"]
    found = [value for name, _, value in items if name == "v1"][: evidence.SIGNATURES_MAX]
    if len(times) != 1:
        raise Unproved(f"{STRIPE} has {'no time' if not times else 'several times'} (t=)")
    evidence.recent(times[0], f"t= of {STRIPE}", now_s, TOLERANCE_S)
    if not found:
        raise Unproved(f"{STRIPE} has no signature of the kind v1=")
    _compare(map(str.encode, found), [_of_stripe(key, times[0], given.body) for key in keys])


def stripe_made(key: bytes, body: bytes, time: str) -> dict[str, str]:
    """As `made`."""
    return {STRIPE: f"t={time},v1={_of_stripe(key, time, body).decode()}"}


def _of_stripe(key: bytes, time: str, body: bytes) -> bytes:
    return _written("hex", _mac(key, "sha256", f"{time}.".encode(), body))


# --- Standard Webhooks ----------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class StandardKeys:
    """Keys of Standard Webhooks: those that sign by HMAC (`v1`), and public ones (`v1a`)."""

    symmetric: tuple[bytes, ...] = ()
    public: tuple[ed25519.Ed25519PublicKey, ...] = ()


def standard_keys(secrets: Iterable[model.Secret]) -> StandardKeys:
    """The keys that secrets spell: `whsec_` or `whpk_` and base64. Raises `Unproved` for any other, and names it."""
    symmetric, public = [], []
    for secret in secrets:
        evidence.raw(secret)
        text = secret.reveal()
        if text.startswith(SYMMETRIC):
            key = _key_bytes(secret, text.removeprefix(SYMMETRIC))
            if len(key) < KEY_MIN:
                raise Unproved(f"the secret {secret.reference} has {len(key)} bytes, at least {KEY_MIN} are wanted")
            symmetric.append(key)
        elif text.startswith(PUBLIC):
            key = _key_bytes(secret, text.removeprefix(PUBLIC))
            if len(key) != 32:
                raise Unproved(f"the secret {secret.reference} has {len(key)} bytes, a public key has 32")
            public.append(ed25519.Ed25519PublicKey.from_public_bytes(key))
        else:
            raise Unproved(f"the secret {secret.reference} is no key: {SYMMETRIC}… or {PUBLIC}… is wanted")
    return StandardKeys(tuple(symmetric), tuple(public))


def standard_family(given: Given) -> str:
    """Which headers hold the signature: how their names begin."""
    return next((one for one in FAMILIES if given.headers.getall(f"{one}-signature", ())), FAMILIES[0])


def standard_webhooks(given: Given, keys: StandardKeys, now_s: float) -> None:
    """The id, the time and the body are signed, with dots between them; signatures stand between spaces, each with its kind.

    The id is what a second delivery is known by, so headers that name two of them are refused: only one is signed.
    """
    family = standard_family(given)
    text = evidence.header(given, f"{family}-signature")
    time = evidence.header(given, f"{family}-timestamp")
    named = evidence.header(given, f"{family}-id")
    if len(named) > _ID_MAX:
        raise Unproved(f"{family}-id has {len(named)} characters, {_ID_MAX} are allowed")
    if any(value != named for other in FAMILIES for value in given.headers.getall(f"{other}-id", ())):
        raise Unproved("webhook-id and svix-id are not the same")
    evidence.recent(time, f"{family}-timestamp", now_s, TOLERANCE_S)
    found = [one.partition(",") for one in text.split(" ", evidence.SIGNATURES_MAX)[: evidence.SIGNATURES_MAX]]
    signed = f"{named}.{time}.".encode()
    wanted = [_of_standard(key, signed, given.body) for key in keys.symmetric]
    right = evidence.any_same([value.encode() for kind, _, value in found if kind == "v1"], wanted)
    for value in [value for kind, _, value in found if kind == "v1a"]:
        for public in keys.public:
            right |= _is_signed(public, value, signed + given.body)
    if not right:
        raise Unproved(NO_MATCH)


def standard_webhooks_made(key: bytes, named: str, body: bytes, time: str) -> dict[str, str]:
    """As `made`, with a symmetric key and the id of the delivery."""
    signature = _of_standard(key, f"{named}.{time}.".encode(), body).decode()
    return {"webhook-id": named, "webhook-timestamp": time, "webhook-signature": f"v1,{signature}"}


def _of_standard(key: bytes, signed: bytes, body: bytes) -> bytes:
    return _written("base64", _mac(key, "sha256", signed, body))


def _is_signed(key: ed25519.Ed25519PublicKey, text: str, signed: bytes) -> bool:
    signature = decoded(text)
    if signature is None or len(signature) != 64:
        return False
    try:
        key.verify(signature, signed)
    except exceptions.InvalidSignature:
        return False
    return True


# --- keys, signatures and how they are written ----------------------------------------------------------------------------


def keys_of(secrets: Iterable[model.Secret], encoding: str = "text") -> list[bytes]:
    """The keys of HMAC that secrets are: as they stand, or what their base64 means. Raises `Unproved`, which names the one."""
    return [
        _key_bytes(secret, secret.reveal()) if encoding == "base64" and value else value
        for secret in secrets
        if (value := evidence.raw(secret))
    ]


def decoded(text: str) -> bytes | None:
    """The bytes of base64 (RFC 4648, 4) in its one spelling, with its padding; None for any other text."""
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if hmac.compare_digest(base64.b64encode(found), text.encode()) else None


def _key_bytes(secret: model.Secret, text: str) -> bytes:
    key = decoded(text)
    if not key:
        raise Unproved(f"the secret {secret.reference} is not written in base64, which its key has to be")
    return key


def _mac(key: bytes, algorithm: Algorithm, signed: bytes, body: bytes) -> bytes:
    made = hmac.new(key, signed, algorithm)
    made.update(body)
    return made.digest()


def _written(encoding: str, made: bytes) -> bytes:
    return made.hex().encode() if encoding == "hex" else base64.b64encode(made)


def _signatures(form: Form, text: str) -> list[bytes]:
    """The signatures of a header, without their prefix. Raises `Unproved` where none has the form."""
    if not form.several:
        return [_signature(form, text).encode()]
    found = [one.strip() for one in text.split(",", evidence.SIGNATURES_MAX)[: evidence.SIGNATURES_MAX]]
    known = [one for one in found if one.startswith(form.prefix)]
    if not known:
        raise Unproved(f"{form.header} has no signature of the kind {form.prefix}")
    return [one.removeprefix(form.prefix).encode() for one in known]


def _signature(form: Form, text: str) -> str:
    if not text.startswith(form.prefix):
        raise Unproved(f"{form.header} does not begin with {form.prefix!r}")
    bare = text.removeprefix(form.prefix)
    size = hashlib.new(form.algorithm, usedforsecurity=False).digest_size
    length = 2 * size if form.encoding == "hex" else (size + 2) // 3 * 4
    behind = f" behind {form.prefix!r}" if form.prefix else ""
    if len(bare) != length:
        raise Unproved(
            f"{form.header} has {len(bare)} characters{behind}, a signature by {form.algorithm} has {length}"
        )
    if form.capitals and form.encoding == "hex" and bare.isupper():
        bare = bare.lower()
    if not set(bare.rstrip("=") if form.encoding == "base64" else bare) <= (
        _BASE64 if form.encoding == "base64" else _LOWER
    ):
        raise Unproved(f"{form.header} has a character that is none of {form.encoding}")
    return bare


def _compare(found: Iterable[bytes], wanted: Sequence[bytes]) -> None:
    if not evidence.any_same(found, wanted):
        raise Unproved(NO_MATCH)
