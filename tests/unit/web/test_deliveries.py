"""The id of a delivery, and which headers may be kept."""

from __future__ import annotations

import types
from typing import Any

import hypothesis
import multidict
import orjson
import pytest
from hypothesis import strategies as st

from healer import errors
from healer.web import deliveries


def request(*headers: tuple[str, str]) -> Any:
    return types.SimpleNamespace(headers=multidict.CIMultiDictProxy(multidict.CIMultiDict(headers)))


def test_the_wanted_header_goes_before_all_others() -> None:
    one = request(("Idempotency-Key", "a"), ("X-Mine", "b"), ("ce-id", "c"))
    assert deliveries.named_by(one, "X-Mine") == "b"
    assert deliveries.named_by(one, "X-Other") == ""
    assert deliveries.named_by(one, None) == "a"
    assert deliveries.named_by(request(), None) == ""


def test_a_cloud_event_is_known_by_its_source_and_id() -> None:
    assert deliveries.named_by(request(("ce-id", "1"), ("ce-source", "/a")), None) == "/a#1"
    assert deliveries.named_by(request(("ce-id", "1")), None) == "#1"
    assert deliveries.named_by(request(("ce-id", "x" * 300)), None) == ""


@pytest.mark.parametrize("value", ["x" * 257, "\x7f", "a\tb", "ä", "\udcff"])
def test_an_id_that_cannot_be_kept_is_refused(value: str) -> None:
    with pytest.raises(errors.InvalidField):
        deliveries.named_by(request(("webhook-id", value)), None)


def test_two_ids_are_refused() -> None:
    with pytest.raises(errors.InvalidField, match="twice"):
        deliveries.named_by(request(("webhook-id", "1"), ("webhook-id", "2")), None)


@pytest.mark.parametrize(
    "name",
    [
        "Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-Api-Key", "X-ApiKey", "X-Hub-Signature", "X-Hub-Signature-256",
        "X-Gitlab-Token", "X-Slack-Signature", "svix-signature", "webhook-signature", "X-Auth", "X-Access-Key", "Private-Token",
        "X-Amz-Security-Token", "X-Vault-Secret", "X-Client-Credential", "X-JWT", "Ocp-Apim-Subscription-Key", "X-Password", "X-HMAC", "X-Vault-Pass",
        "X-Amz-Security",
    ],
)  # fmt: skip
def test_what_may_be_a_credential_is_not_kept(name: str) -> None:
    assert deliveries.headers_of(request((name, "s3cret"), ("X-Kind", "k"))) == {"x-kind": "k"}


def test_headers_are_kept_lower_case_and_once() -> None:
    assert deliveries.headers_of(request(("X-A", "1"), ("x-a", "2"), ("User-Agent", "u"))) == {
        "x-a": "1",
        "user-agent": "u",
    }


@hypothesis.given(
    st.lists(st.tuples(st.from_regex(r"[a-z]{1,20}", fullmatch=True), st.text(max_size=5000)), max_size=120)
)
def test_whatever_is_kept_is_bounded_and_can_be_written(headers: list[tuple[str, str]]) -> None:
    clean = [(name, value) for name, value in headers if value.isprintable()]
    kept = deliveries.headers_of(request(*clean, ("x-raw", "\udcff\udc80")))
    assert len(orjson.dumps(kept)) < 8 * deliveries.ALL_MAX
    assert len(kept) <= deliveries.HEADERS_MAX
    assert sum(len(name) + len(value) for name, value in kept.items()) <= deliveries.ALL_MAX
