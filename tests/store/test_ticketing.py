"""Tickets in the store: one key, made once and in no record; a ticket is used with its word, and with no other."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from healer import store, tickets
from healer.store import reviewing, ticketing

KEY = bytes(32)
TICKET = tickets.Ticket("a-1", "ana", 9_000_000)


class Word:
    """Stands for a review: it says what a test wants, or refuses."""

    weight = 1

    def __init__(self, refusal: Exception | None = None) -> None:
        self.refusal = refusal
        self.said = 0

    def apply(self, tx: Any) -> reviewing.Reviewed:
        if self.refusal is not None:
            raise self.refusal
        self.said += 1
        tx.audit("review", actor="link:x = ana", approval="a-1")
        return reviewing.Reviewed("a-1", "r-1", "approved")


class Clock:
    """Turned by hand."""

    now_us = 5_000_000

    def __call__(self) -> int:
        return self.now_us


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["disk", "memory"])
def kept(request: pytest.FixtureRequest, tmp_path: pathlib.Path, clock: Clock) -> Any:
    """An open store that does everything inline."""
    made = store.Store.open(tmp_path if request.param == "disk" else None, clock, loop=None, environment="test")
    yield made
    made.writer.close()


def use(kept: Any, word: Any, text: str = "", ticket: tickets.Ticket = TICKET) -> Any:
    return kept.writer.now(ticketing.Use(text or tickets.sign(KEY, ticket), ticket, word))


def records(kept: Any) -> list[dict[str, Any]]:
    return [json.loads(record) for _, record, _ in kept.writer.tx.all("audit_chunk", 0, 100)]


def test_the_key_is_made_once_and_told_to_nobody(kept: Any) -> None:
    first = bytes(range(32))
    assert kept.writer.now(ticketing.MakeKey(first)) == first
    assert kept.writer.now(ticketing.MakeKey(bytes(32))) == first
    assert records(kept) == []


async def test_there_is_no_key_before_one_is_asked_for(tmp_path: pathlib.Path, clock: Clock) -> None:
    import asyncio

    opened = store.Store.open(tmp_path, clock, loop=asyncio.get_running_loop())
    assert await ticketing.known_key(opened.reader) is None
    made = await asyncio.gather(*(ticketing.key(opened) for _ in range(5)))
    assert len(set(made)) == 1
    assert len(made[0]) == tickets.KEY_BYTES
    await opened.close()
    again = store.Store.open(tmp_path, clock, loop=asyncio.get_running_loop())
    assert await ticketing.key(again) == await ticketing.known_key(again.reader) == made[0]
    await again.close()


async def test_a_ticket_is_used_with_its_word(kept: Any) -> None:
    word, text = Word(), tickets.sign(KEY, TICKET)
    assert use(kept, word).state == "approved"
    with pytest.raises(ticketing.TicketUsed, match="1970-01-01T00:00:05"):
        use(kept, word)
    assert word.said == 1
    assert len(records(kept)) == 1
    assert await ticketing.used_us(kept.reader, text) == 5_000_000
    assert await ticketing.used_us(kept.reader, text + "x") is None
    await kept.reader.close()


def test_a_word_that_is_refused_leaves_its_ticket(kept: Any) -> None:
    with pytest.raises(reviewing.MayNotApprove):
        use(kept, Word(reviewing.MayNotApprove(actor="ana", reason="you asked for it")))
    assert use(kept, Word()).state == "approved"


def test_a_ticket_that_is_over_says_nothing(kept: Any, clock: Clock) -> None:
    word = Word()
    clock.now_us = TICKET.expires_us
    with pytest.raises(tickets.TicketOver):
        use(kept, word)
    assert word.said == 0


def test_those_that_are_over_go_with_the_next(kept: Any, clock: Clock) -> None:
    use(kept, Word())
    clock.now_us = TICKET.expires_us + 1
    later = tickets.Ticket("a-2", "ana", 20_000_000)
    use(kept, Word(), ticket=later)
    left = [row[0] for row in kept.writer.tx.connection.execute("SELECT approval FROM ticket_used")]
    assert left == ["a-2"]
