"""Tickets of signed links: only what was signed is read, in one spelling, until its time is over."""

from __future__ import annotations

import base64
import string

import hypothesis
import pytest
from hypothesis import strategies

from healer import model, tickets

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
TICKET = tickets.Ticket("a-0123456789ab", "ana", 2_000_000)
ALPHABET = string.ascii_letters + string.digits + "-_"


def refused(text: str, key: bytes = KEY) -> bool:
    with pytest.raises(tickets.NoTicket) as caught:
        tickets.read(key, text, 0)
    return bool(caught.value.status == 404)


def test_what_was_signed_is_read() -> None:
    text = tickets.sign(KEY, TICKET)
    assert tickets.read(KEY, text, 1_999_999) == TICKET
    assert tickets.sign(KEY, TICKET) == text
    assert set(text) <= set(ALPHABET)
    assert len(text) <= 200


def test_the_format_stays_what_it_is() -> None:
    """Links that were sent go on working."""
    assert (
        tickets.sign(KEY, TICKET)
        == "WyJhLTAxMjM0NTY3ODlhYiIsImFuYSIsMjAwMDAwMF1xZ3ZvAlFrurJb0Cpb0421TyzIx7xbfMintu3tfBzs7Q"
    )
    raw = base64.urlsafe_b64decode(tickets.sign(KEY, TICKET) + "==")
    assert raw[:-32] == b'["a-0123456789ab","ana",2000000]'
    to = tickets.address("slack", "T02AB/U7ANA")
    addressed = tickets.Ticket("a-0123456789ab", "ana", 2_000_000, to)
    raw = base64.urlsafe_b64decode(tickets.sign(KEY, addressed) + "==")
    assert raw[:-32] == b'["a-0123456789ab","ana",2000000,"897f69e2bb7681b0"]'
    assert tickets.read(KEY, tickets.sign(KEY, addressed), 0) == addressed


def test_an_address_is_of_one_kind_and_one_identity() -> None:
    named = [tickets.address(kind, one) for kind in ("slack", "email") for one in ("T02AB/U7ANA", "T02AB/U8BO")]
    assert len({*named, tickets.address("", "")}) == 5
    assert tickets.address("slack", "") == ""


def test_changed_at_any_character_it_is_refused() -> None:
    text = tickets.sign(KEY, TICKET)
    for at, char in enumerate(text):
        for other in ALPHABET:
            if other != char:
                assert refused(text[:at] + other + text[at + 1 :])


def test_changed_at_any_bit_it_is_refused() -> None:
    raw = base64.urlsafe_b64decode(tickets.sign(KEY, TICKET) + "==")
    for at in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[at // 8] ^= 1 << at % 8
        assert refused(base64.urlsafe_b64encode(changed).decode().rstrip("="))


def test_cut_at_any_length_and_longer_it_is_refused() -> None:
    text = tickets.sign(KEY, TICKET)
    for length in range(len(text)):
        assert refused(text[:length])
        assert refused(text[length + 1 :])
    for more in ("=", "==", "A", "AAAA", "\n", " ", text):
        assert refused(text + more)
        assert refused(more + text)


@pytest.mark.parametrize("text", ["", "a", "ü" * 40, "\ud800", "A" * 513, "A" * 100_000, "%2e%2e", "/" * 60])
def test_what_is_none_is_refused(text: str) -> None:
    assert refused(text)


def test_another_key_reads_nothing() -> None:
    assert refused(tickets.sign(OTHER, TICKET))


@pytest.mark.parametrize("key", [b"", b"short", bytes(33)])
def test_a_key_has_its_length(key: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        tickets.sign(key, TICKET)


def test_its_time_ends_to_the_microsecond() -> None:
    text = tickets.sign(KEY, TICKET)
    assert tickets.read(KEY, text, 1_999_999)
    for now_us in (2_000_000, 2_000_001, 1 << 60):
        with pytest.raises(tickets.TicketOver) as caught:
            tickets.read(KEY, text, now_us)
        assert caught.value.status == 410
        assert "1970-01-01T00:00:02" in caught.value.message


def test_it_ends_with_its_request_and_after_a_week_at_the_latest() -> None:
    assert tickets.ends(5, 1) == 5
    assert tickets.ends(None, 1) == tickets.LIFE_US + 1
    assert tickets.ends(1 << 62, 1) == tickets.LIFE_US + 1


def test_who_comes_by_it_is_a_person() -> None:
    text = tickets.sign(KEY, TICKET)
    actor = tickets.actor(text)
    assert actor.startswith("link:")
    assert actor != tickets.actor(tickets.sign(KEY, tickets.Ticket("a-0123456789ab", "bo", 2_000_000)))
    assert text[:8] not in actor
    assert model.person_of(model.acting_for(actor, "ana")) == "ana"


@hypothesis.given(strategies.text(max_size=40), strategies.text(max_size=40), strategies.integers(0, 2**53))
def test_no_two_tickets_have_one_text(approval: str, person: str, expires_us: int) -> None:
    ticket = tickets.Ticket(approval, person, expires_us)
    try:
        text = tickets.sign(KEY, ticket)
    except TypeError:  # halves of surrogate pairs are no text
        return
    if len(text) <= tickets.TEXT_MAX and expires_us:
        assert tickets.read(KEY, text, expires_us - 1) == ticket
