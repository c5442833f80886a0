"""`/ui/decide/<ticket>`: a signed link by which one person decides one request, from an e-mail or a message.

Looking changes nothing (scanners of mail follow every link), and shows that one request alone: there is no session. The word is said as
the ticket's person with the roles that they have by then, through the same review as everywhere, and it uses the ticket up in the same
transaction.
"""

from __future__ import annotations

import dataclasses
import http
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from healer import access, errors, tickets
from healer.store import reviewing, ticketing
from healer.web import approvals
from healer.web.ui import forms, requests, texts, views

PATH = tickets.PATH


class NobodyAnyMore(errors.RequestError):
    """this link was made for {person}, who is not in healer.yaml any more"""

    code = "nobody-any-more"
    status = 403


class OtherAddress(errors.RequestError):
    """this link was sent to an address that healer.yaml does not name for {person} any more"""

    code = "other-address"
    status = 403


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    """What a link says, and whom its person acts as now."""

    text: str
    ticket: tickets.Ticket
    caller: access.Principal


async def show(view: views.View, _form: forms.Form) -> web.StreamResponse:
    """The request with its form; once it is decided, or the link was used, what came of it."""
    link = await _link(view)
    await approvals.unit(view.services, link.caller, link.ticket.approval, "approve", "")  # may they see it at all
    return await _page(view, link)


async def decide(view: views.View, form: forms.Form) -> web.StreamResponse:
    """Their word. 409 with what came of it where it is decided already."""
    link = await _link(view)
    forms.check_token(form, view.kept.token_for(f"ticket {link.text}"))
    word, reason = requests.word_of(form)
    approval, caller = link.ticket.approval, link.caller
    try:
        async with view.services.attempts.noted(caller.actor, [approval], word):
            review = await approvals.unit(view.services, caller, approval, word, reason, form.one("digest"))
            await view.services.store.submit(ticketing.Use(link.text, link.ticket, review))
    except (ticketing.TicketUsed, reviewing.ApprovalEnded) as error:
        return await _page(view, link, f"{error.message[0].upper()}{error.message[1:]}.")
    await view.services.look_again()
    return view.seen_other(PATH + link.text)


async def _link(view: views.View) -> Link:
    """Raises `tickets.NoTicket`, `tickets.TicketOver`, `NobodyAnyMore`, `OtherAddress`."""
    text = view.request.match_info["ticket"]
    key = await ticketing.known_key(view.services.store.reader)
    if key is None:
        raise tickets.NoTicket
    ticket = tickets.read(key, text, view.services.clock())
    directory = view.services.gate.keys.directory
    caller = directory.of_person(tickets.actor(text), ticket.person)
    if caller is None:
        raise NobodyAnyMore(person=ticket.person)
    known = directory.people[ticket.person]
    if ticket.to not in ("", *(tickets.address(kind, getattr(known, kind)) for kind in access.IDENTITIES)):
        raise OtherAddress("decide it by: healer approvals", person=ticket.person)
    return Link(text, ticket, caller)


async def _page(view: views.View, link: Link, refused: str = "") -> web.Response:
    """`refused`: why a word came to nothing."""
    item = await approvals.in_full(view.services, link.ticket.approval)
    used_us = await ticketing.used_us(view.services.store.reader, link.text)
    said = " ".join(one for one in (refused, _said(item, used_us is not None)) if one)
    token = "" if said else view.kept.token_for(f"ticket {link.text}")
    status = http.HTTPStatus.CONFLICT if refused else http.HTTPStatus.OK
    bar, person = await approvals.barred(view.services, link.caller, item["id"]), link.ticket.person
    return await requests.page(view, item, token=token, may="", bar=bar, person=person, status=status, said=said)


def _said(item: Mapping[str, Any], used: bool) -> str:
    """What came of it; '' where the word can still be said."""
    words = ", ".join(
        f"{one['person']} {'approved' if one['approves'] else 'rejected'} it at {texts.when(one['at'])}"
        for one in texts.mappings(item.get("reviews"))
    )
    if item["state"] != "open":
        return f"The request is {item['state']}{f': {words}' if words else ''}."
    return (
        f"This link was used: {words or 'its word is noted'}. The request is still open: more people are wanted."
        if used
        else ""
    )
