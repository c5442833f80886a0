"""The other side of `proving`: what a sender of a hook sends as its proof, with the secret that both have. Pure. Caller: `healer send`.

What is made here is verified here too before it is given away: who delivers by hand hears why a secret can prove nobody, and not that
they are nobody.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

import multidict

from healer import model
from healer.web import proving, signing
from healer.web.evidence import Unproved


class TheirsAlone(Unproved):
    """this delivery does not prove that it comes from the sender of this hook, and nobody but that sender can prove it"""


@dataclasses.dataclass(frozen=True, slots=True)
class Proof:
    """Headers of a delivery, and what stands behind the path in its URL. Nothing of it is printed."""

    headers: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    token: str = dataclasses.field(default="", repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Delivery:
    """What is to be proved. `time`: whole seconds since 1970; `named`: its id, where one is signed."""

    body: bytes
    time: str
    named: str


Maker = Callable[[Any, model.Secret, Delivery], Proof]


def attest(auth: Any, secret: model.Secret, delivery: Delivery) -> Proof:
    """The proof of a delivery, `auth` and `secret` as `proving.verify` has them. Raises `TheirsAlone`; `Unproved` for a secret that proves
    nobody."""
    if auth.kind == "none":
        return Proof()
    if auth.kind not in _MAKERS:
        raise TheirsAlone("only Amazon signs in the name of SNS")
    proof = _MAKERS[auth.kind](getattr(auth, auth.kind), secret, delivery)
    given = proving.Given(delivery.body, multidict.CIMultiDict(proof.headers), proof.token or None)
    proving.verify(auth, given, (secret,), float(delivery.time))
    return proof


def _authorization(kind: str, credentials: str) -> Proof:
    return Proof({proving.AUTHORIZATION: f"{kind} {credentials}"})


def _basic(said: Any, secret: model.Secret, _delivery: Delivery) -> Proof:
    pair = f"{said.user}:{secret.reveal()}".encode("utf-8", "surrogateescape")
    return _authorization("Basic", base64.b64encode(pair).decode())


def _form(form: signing.Form, secret: model.Secret, delivery: Delivery, encoding: str = "text") -> Proof:
    [key] = signing.keys_of([secret], encoding)
    return Proof(signing.made(form, key, delivery.body, delivery.time))


def _by(form: signing.Form) -> Maker:
    return lambda _said, secret, delivery: _form(form, secret, delivery)


def _stripe(_said: Any, secret: model.Secret, delivery: Delivery) -> Proof:
    [key] = signing.keys_of([secret])
    return Proof(signing.stripe_made(key, delivery.body, delivery.time))


def _standard_webhooks(_said: Any, secret: model.Secret, delivery: Delivery) -> Proof:
    keys = signing.standard_keys([secret])
    if not keys.symmetric:
        raise TheirsAlone(f"the secret {secret.reference} is a public key: only who has its other half can sign")
    return Proof(signing.standard_webhooks_made(keys.symmetric[0], delivery.named, delivery.body, delivery.time))


def _gitlab(said: Any, secret: model.Secret, delivery: Delivery) -> Proof:
    if secret.reveal().startswith(signing.SYMMETRIC):
        return _standard_webhooks(said, secret, delivery)
    return Proof({proving.GITLAB: secret.reveal()})


_MAKERS: Final[Mapping[str, Maker]] = {
    "bearer": lambda _said, secret, _delivery: _authorization("Bearer", secret.reveal()),
    "basic": _basic,
    "header": lambda said, secret, _delivery: Proof({said.name: secret.reveal()}),
    "url_token": lambda _said, secret, _delivery: Proof(token=secret.reveal()),
    "hmac": lambda said, secret, delivery: _form(proving.hmac_form(said), secret, delivery, said.key_encoding),
    "grafana": lambda said, secret, delivery: _form(proving.grafana_form(said), secret, delivery),
    "github": _by(signing.GITHUB),
    "slack": _by(signing.SLACK),
    "sentry": _by(signing.SENTRY),
    "pagerduty": _by(signing.PAGERDUTY),
    "gitlab": _gitlab,
    "standard_webhooks": _standard_webhooks,
    "stripe": _stripe,
}
"""All kinds but `none` and `sns`."""
