"""Messages that look otherwise from now on, or are to be elsewhere: clicks are heard that nobody heard before, or are not any more; pages
have another address; a receiver is another channel or person.

Each row has the form in which its message was told, or is about to be, and the place where it was told: so that what is open is told anew
once, and whatever ends the process in between loses nothing. Caller: `notify`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from healer.store import outbox
from healer.store.transaction import Transaction, dumps

AT_ONCE: Final = 100
"""So many messages are looked at in one transaction."""
CLOSED: Final = "-"
"""The form of what needs nobody any more: whatever changes it tells it anew, and so it is looked at no more."""


class Reshape:
    """What was told in another form is due, where it is not written that it needs nobody; of what was told before that was written, what is
    open. What is open elsewhere is told anew, by a message of its own, and left there. `looks`: receiver → the form (None: as it is) and
    the place of now. The result: whether there may be more."""

    weight = 4

    def __init__(self, looks: Mapping[str, tuple[str | None, str]], routes: outbox.Routes) -> None:
        self.looks = dict(looks)
        self.routes = routes

    def apply(self, tx: Transaction) -> bool:
        """The next ones; of what needs nobody any more it is written down alone."""
        for receiver, (_, place) in self.looks.items():
            tx.run("outbox_adopt", place, receiver)
            tx.run("outbox_apart", receiver, place)
            tx.run("outbox_hurry", tx.now_us, receiver, place)
        rows = tx.named("outbox_otherwise", dumps(self.looks), AT_ONCE)
        for row in rows:
            form, place = self.looks[row["receiver"]]
            is_elsewhere = row["place"] not in ("", place)
            if not ((row["form"] and not is_elsewhere) or _is_open(tx, row)):
                tx.run("outbox_form", CLOSED, row["id"])
            elif is_elsewhere:
                _move(tx, row, self.routes)
            else:
                tx.run("outbox_touch_form", form, tx.now_us, tx.now_us, tx.now_us, row["id"])
        refused = tx.named("outbox_refused", dumps(self.looks), AT_ONCE)
        for row in refused:
            if self.routes.still(row["rung"], row["receiver"], row["news"]) and _is_open(tx, row):
                tx.run("outbox_revive", tx.now_us, tx.now_us, row["id"])
            tx.run("outbox_placed", row["id"])
        return AT_ONCE in (len(rows), len(refused))


class Move:
    """A message that somebody can do something with again stands where its receiver was before: it is told where they are."""

    weight = 1

    def __init__(self, message: int, place: str, routes: outbox.Routes) -> None:
        self.message = message
        self.place = place
        self.routes = routes

    def apply(self, tx: Transaction) -> None:
        """Unless it was done meanwhile."""
        for row in tx.named("outbox_one", self.message):
            if row["state"] == "sent" and not row["leaving"] and row["place"] not in ("", self.place):
                _move(tx, row, self.routes)


def _move(tx: Transaction, row: Mapping[str, Any], routes: outbox.Routes) -> None:
    hears = routes.still(row["rung"], row["receiver"], row["news"])
    if hears:
        (message,) = tx.one("outbox_move", tx.now_us, tx.now_us, row["id"])
        tx.run("outbox_move_runs", message, row["id"])
    tx.run("outbox_leave", tx.now_us, tx.now_us, int(hears), row["id"])


def _is_open(tx: Transaction, row: Mapping[str, Any]) -> bool:
    """Whether somebody may still do something with it: decide a request, or look after what was not done."""
    wanting = outbox.wanting(tx, row)
    return wanting == "needs_approval" or (bool(wanting) and row["answered_us"] is None)


class Unsure:
    """A message is about to be changed: until its channel says yes nobody knows what it shows, whatever ends the call."""

    weight = 1

    def __init__(self, message: int) -> None:
        self.message = message

    def apply(self, tx: Transaction) -> None:
        """Write it down."""
        tx.run("outbox_unsure", self.message)
