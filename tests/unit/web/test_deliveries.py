"""The id of a delivery, and which headers may be kept."""

from __future__ import annotations

import types
from typing import Any

import hypothesis
import multidict
import orjson
import pytest
from hypothesis import strategies as st

from healer import errors, intake
from healer.web import deliveries


def request(*headers: tuple[str, str]) -> Any:
    return types.SimpleNamespace(headers=multidict.CIMultiDictProxy(multidict.CIMultiDict(headers)))


def test_the_wanted_header_goes_before_all_others() -> None:
    one = request(("Idempotency-Key", "a"), ("X-Mine", "b"), ("ce-id", "c"))
    assert deliveries.named_by(one, "X-Mine") == "b"
    assert deliveries.named_by(one, "X-Other") == ""
    assert deliveries.named_by(one, None) == "a"
    assert deliveries.named_by(request(), None) == ""


@pytest.mark.parametrize("name", deliveries.SENDERS_HEADERS)
def test_each_senders_own_header_is_an_id_and_an_empty_one_is_none(name: str) -> None:
    assert deliveries.named_by(request((name, "1")), None) == "1"
    assert deliveries.named_by(request((name, ""), ("ce-id", "2"), ("ce-source", "s")), None) == "s#2"
    assert deliveries.named_by(request((name, "1"), ("X-Own", "2")), None, ("X-Own",)) == "2"
    assert deliveries.named_by(request((name, "1")), "X-Mine") == ""


def test_where_one_header_is_wanted_a_cloud_event_has_no_id() -> None:
    assert deliveries.named_by(request(("ce-id", "1"), ("ce-source", "/a")), "X-Mine") == ""


@pytest.mark.parametrize("value", ["x" * 256, " ", "~"])
def test_an_id_that_can_be_kept(value: str) -> None:
    assert deliveries.named_by(request(("webhook-id", value)), None) == value


def test_a_cloud_event_is_known_by_its_source_and_id() -> None:
    assert deliveries.named_by(request(("ce-id", "1"), ("ce-source", "/a")), None) == "/a#1"
    assert deliveries.named_by(request(("ce-id", "1")), None) == "#1"
    assert deliveries.named_by(request(("ce-id", "x" * 300)), None) == ""


@pytest.mark.parametrize("value", ["x" * 257, "\x7f", "a\tb", "ä", "\udcff"])
def test_an_id_that_cannot_be_kept_is_refused(value: str) -> None:
    with pytest.raises(errors.InvalidField, match="webhook-id: 1 to 256 printable") as raised:
        deliveries.named_by(request(("webhook-id", value)), None)
    assert raised.value.fields["field"] == "webhook-id"


def test_two_ids_are_refused() -> None:
    with pytest.raises(errors.InvalidField, match=r"webhook-id: .*twice"):
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


def test_what_is_too_long_is_cut_and_what_is_too_much_left_out() -> None:
    assert deliveries.headers_of(request(("X-Long", "v" * 2000))) == {"x-long": "v" * 1024}
    many = deliveries.headers_of(request(*[(f"X-{number:02}", "v") for number in range(60)]))
    assert list(many) == [f"x-{number:02}" for number in range(50)]
    names = [f"x-{number}" for number in range(9)]
    full = deliveries.headers_of(request(*[(name, "v" * 1020) for name in names], ("x-b", "")))
    assert list(full) == names[:8]  # 8 × (3 + 1020) is within 8 KiB; one more is not, and nothing after it


def test_as_much_as_there_is_room_for_is_kept() -> None:
    full = [(f"x-{number}", "v" * 1021) for number in range(8)]
    assert len(deliveries.headers_of(request(*full))) == 8
    assert len(deliveries.headers_of(request(*full[:7], ("x-10", "v" * 1021)))) == 7


def test_what_is_no_text_is_replaced_and_zero_bytes_are_dropped() -> None:
    assert deliveries.headers_of(request(("x-raw", "a\udcffb\0c"))) == {"x-raw": "a\ufffdbc"}


def test_a_callers_key_is_its_own() -> None:
    assert deliveries.of_caller(request(("Idempotency-Key", "k")), "key:ana") == "key:ana\x1fk"
    assert deliveries.of_caller(request(("X-GitHub-Delivery", "1")), "key:ana") == ""
    assert deliveries.of_caller(request(), "key:ana") == ""


def test_an_empty_key_is_refused() -> None:
    with pytest.raises(
        errors.InvalidField, match="Idempotency-Key: 1 to 256 printable ASCII characters are wanted, got none"
    ):
        deliveries.of_caller(request(("Idempotency-Key", "")), "key:ana")


def test_a_key_of_another_request_is_told_with_what_came_first() -> None:
    deliveries.checked(intake.Accepted(1, 0, ["e-7"], [7]), "key:ana\x1fk")
    with pytest.raises(
        deliveries.KeyReused, match="the Idempotency-Key 'k' came before with another body, as e-7"
    ) as raised:
        deliveries.checked(intake.Accepted(0, 2, ["e-7", "e-8"], [7, 8], conflict=True), "key:ana\x1fk")
    assert "new key" in raised.value.try_


@pytest.mark.parametrize(
    ("secrets", "kept"),
    [((), "abcd"), (("uno",), "bcd"), (("uno", "due"), "cd"), (("uno", "due", "tre"), "d"), (("tre",), "abd")],
)
def test_what_repeats_any_of_the_secrets_is_left_out(secrets: tuple[str, ...], kept: str) -> None:
    texts = {"a": "it is uno", "b": "due of it", "c": "tre", "d": "quattro"}
    said = request(*((f"x-{name}", text) for name, text in texts.items()))
    assert deliveries.headers_of(said, secrets=secrets) == {f"x-{name}": texts[name] for name in kept}
