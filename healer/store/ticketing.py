"""Tickets in the store: the key that they are signed with, and which of them were used.

Callers: notifiers ask for the `key` to sign; `web` submits `Use`, so that the word and the end of its ticket are one transaction.
"""

from __future__ import annotations

import secrets

from healer import errors, model, store, tickets
from healer.store import reader, reviewing
from healer.store.transaction import Transaction


class TicketUsed(errors.RequestError):
    """this link was used at {at}: it holds for one word"""

    code = "ticket-used"
    status = 409


async def key(opened: store.Store) -> bytes:
    """The key, made where there is none yet. Nobody shows it, and nothing but `healer.tickets` gets it."""
    found = await known_key(opened.reader)
    return bytes(await opened.submit(MakeKey(secrets.token_bytes(tickets.KEY_BYTES)))) if found is None else found


async def known_key(read: reader.Reader) -> bytes | None:
    """The key; None where nothing was ever signed, so that no link can be one of ours."""
    rows = await read.all("ticket_key")
    return bytes(rows[0]["key"]) if rows else None


async def used_us(read: reader.Reader, text: str) -> int | None:
    """When a ticket was used; None where it was not."""
    rows = await read.all("ticket_find", tickets.digest(text))
    return int(rows[0]["used_us"]) if rows else None


class MakeKey:
    """Keep this key, unless there is one. The one that holds."""

    weight = 1

    def __init__(self, made: bytes) -> None:
        self.made = made

    def apply(self, tx: Transaction) -> bytes:
        """No audit record: there is nothing of it that may be told."""
        tx.run("ticket_key_insert", self.made, tx.now_us)
        return bytes(tx.one("ticket_key")[0])


class Use:
    """The word of a ticket's person, and the end of the ticket: both, or where the word is refused neither.

    Raises `TicketUsed`, `tickets.TicketOver`, and what `reviewing.Review` raises.
    """

    weight = 3

    def __init__(self, text: str, ticket: tickets.Ticket, review: reviewing.Review) -> None:
        self.digest = tickets.digest(text)
        self.ticket = ticket
        self.review = review

    def apply(self, tx: Transaction) -> reviewing.Reviewed:
        """What the word came to. Those that are over go on the way."""
        ticket = self.ticket
        if tx.now_us >= ticket.expires_us:
            raise tickets.TicketOver("healer approvals", until=model.iso(ticket.expires_us))
        tx.run("tickets_forget", tx.now_us)
        if not tx.run("ticket_use", self.digest, ticket.approval, ticket.person, tx.now_us, ticket.expires_us):
            raise TicketUsed("healer approvals", at=model.iso(tx.one("ticket_find", self.digest)[0]))
        return self.review.apply(tx)
