"""What is delivered by hand: proofs are as senders make them (`test_proving_vectors`), and what cannot be made says why."""

from __future__ import annotations

from typing import Any

import pytest

from healer import model
from healer.sources import _proof
from healer.web import attesting, proving

REF = {"secret": "env:A"}
DELIVERY = attesting.Delivery(b"{}", "1790000000", "msg_1")


def attest(said: dict[str, Any], secret: str = "s3cret") -> attesting.Proof:
    return attesting.attest(_proof.Auth.model_validate(said), model.Secret("env:A", secret), DELIVERY)


def test_an_open_hook_needs_nothing() -> None:
    assert attest({"none": True}) == attesting.Proof()


def test_every_kind_can_be_made_but_that_of_amazon() -> None:
    assert {*attesting._MAKERS} == {*_proof.KINDS} - {"none", "sns"}


@pytest.mark.parametrize(("said", "secret", "why"), [
    ({"sns": {"topics": ["arn:aws:sns:eu-west-1:123456789012:a"]}}, "x", "only Amazon signs in the name of SNS"),
    ({"standard_webhooks": REF}, "whpk_" + "A" * 43 + "=", "the secret env:A is a public key: only who has its other half can sign"),
    ({"standard_webhooks": REF}, "s3cret", "the secret env:A is no key: whsec_… or whpk_… is wanted"),
    ({"gitlab": REF}, "whsec_AAAA", "the secret env:A has 3 bytes, at least 24 are wanted"),
    ({"bearer": REF}, "a b", "the secret env:A has a character that nobody can send there, or too many"),
    ({"header": {"name": "X-T", "token": REF}}, "a\r\nHost: b", "X-T has a character that is not printable ASCII"),
    ({"url_token": REF}, "a/b", "the secret env:A has a character that nobody can send there, or too many"),
    ({"hmac": {"header": "X-S", "key": REF, "key_encoding": "base64"}}, "§", "the secret env:A is not written in base64, which its key has to be"),
    ({"github": REF}, "", "the secret env:A is empty: everything is refused"),
    ({"bearer": REF}, "", "the secret env:A is empty: everything is refused"),
])  # fmt: skip
def test_what_proves_nobody_is_not_made_and_says_why(said: dict[str, Any], secret: str, why: str) -> None:
    with pytest.raises(proving.Unproved) as caught:
        attest(said, secret)
    assert caught.value.reason == why


def test_nothing_of_it_is_printed() -> None:
    assert "s3cret" not in repr(attest({"bearer": REF})) + repr(attest({"url_token": REF}))
