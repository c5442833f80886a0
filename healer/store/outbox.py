"""What people are told, in rows: the audit is followed record by record, and what tells something becomes a message for each who hears it.

The place up to which it was followed and the messages are written in one transaction, so that a crash neither loses nor doubles one. All
that needs somebody may join what waits or stands open already, so that a storm is a few messages. Callers: `notify`, `web`, `retain`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

from healer.audit import notices
from healer.store import approving
from healer.store.transaction import Transaction, dumps, loads

REQUESTS_MAX: Final = 10_000
RECORDS: Final = 500
"""So many records are followed in one transaction."""
MEMBERS_MAX: Final = 20
"""So many requests stand in one message: more make another one. Of a digest so many are named."""
BURST_US: Final = 300_000_000
"""After a message of its own the next of the same class and rule wait so long, and come as one."""
ANSWERED: Final = ("needs_approval", "failed", "unknown", "not_done")
"""Classes that somebody has to answer."""
GOES_ON: Final = ("planned", "queued", "running", "verifying")
"""Of a run: what an attempt came to is not its end."""
LASTING: Final = ("breaker_open", "paused", "source_silent", "storm")
"""Classes of what ends: a message of these stays open until then."""
QUIET: Final = ("decision", "approval_asked", "plan")
"""Records of a run that do not hurry a message which waits for more of its like: they are what it waits for."""
IN_PLACE: Final = ("succeeded", "not_done", "deferred", "failed", "unknown")
"""Classes that the message which asked for a run tells in its place, where its channel can change it."""
FAILED: Final = ("failed", "unknown")
"""Those of them that somebody has to look after: the message has to be answered then, also where its requests were."""
_NEVER: Final = 1 << 62
LISTED: Final = ("succeeded", "deferred")
"""Classes that are told as a list, however few they are."""


class Routes(Protocol):
    """Who is told of what (`notify.routing`)."""

    @property
    def is_empty(self) -> bool:
        """Whether nobody is told of anything."""
        ...

    @property
    def after_us(self) -> int:
        """How long a message may stay unanswered."""
        ...

    def of(self, news: str) -> Iterator[tuple[str, int]]:
        """(receiver, how long to wait) of a class."""
        ...

    def still(self, rung: int, receiver: str, news: str) -> bool:
        """Whether a receiver hears of a class, at once (rung 0) or of what others left unanswered."""
        ...

    def changes(self, receiver: str) -> bool:
        """Whether a message to a receiver can be changed once it was sent."""
        ...

    def next_of(self, rung: int, receiver: str, news: str) -> tuple[str, int] | None:
        """Whom a message goes to that nobody answers, and the rung of that."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Thing:
    """What a record tells: its class, and what it is about. `joins`: whether more of the subject come into a message that was sent."""

    news: str
    subject: str
    member: dict[str, Any]
    joins: bool = False


class Follow:
    """Messages of the next records. The result: whether there are more of them."""

    weight = 4

    def __init__(self, routes: Routes) -> None:
        self.routes = routes

    def apply(self, tx: Transaction) -> bool:
        """From where it ended last; the first time from now on, also after a time in which nobody heard anything."""
        found = tx.one("followed")
        if self.routes.is_empty:
            if found is not None:
                tx.run("followed_forget")
            return False
        if found is None:
            tx.run("followed_set", tx.records)
            return False
        rows = tx.all("records_after", found[0], RECORDS)
        for seq, text in rows:
            self._follow(tx, seq, loads(text))
        if rows:
            tx.run("followed_set", rows[-1][0] + 1)
        return len(rows) == RECORDS

    def _follow(self, tx: Transaction, seq: int, record: Mapping[str, Any]) -> None:
        soon = tx.now_us if record["kind"] not in QUIET else _NEVER
        now = tx.now_us, tx.now_us, soon
        if (run := record.get("run")) is not None:
            tx.run("outbox_touch_run", *now, run)
        if record["kind"] == "breaker_closed":
            tx.run("outbox_touch_subject", *now, _breaker(record))
        elif record["kind"] == "resume":
            tx.run("outbox_touch_subject", *now, f"paused/{record.get('scope', '')}")
        elif record["kind"] == "source_heard":
            tx.run("outbox_touch_subject", *now, f"source_silent/{record.get('source')}")
        elif record["kind"] == "storm_over":
            tx.run("outbox_touch_subject", *now, "storm")
        thing = _thing(tx, seq, record)
        if thing is None:
            return
        for receiver, wait_us in self.routes.of(thing.news):
            _tell(tx, receiver, thing, wait_us, self.routes)


def _thing(tx: Transaction, seq: int, record: Mapping[str, Any]) -> Thing | None:
    news = notices.news(record)
    if not news:
        return None
    run, kind = record.get("run"), record["kind"]
    member = {"seq": seq, **({"run": run} if run is not None else {})}
    if news == "needs_approval":
        rows = tx.named("approval_shown", record["approval"])
        if not rows:
            return None
        return Thing(
            news, f"bundle/{approving.bundle_of(rows[0])}", {**member, "approval": record["approval"]}, joins=True
        )
    if kind in ("decision", "transition", "outcome"):
        standing = tx.one("run_standing", run)
        is_check = record.get("purpose") is not None
        if standing is None or is_check or (news not in LISTED[1:] and standing[0] in GOES_ON):
            return None
        return Thing(news, f"digest/{news}" if news in LISTED else f"{news}/{standing[2]}", member)
    if news == "breaker_open":
        return Thing(news, _breaker(record), member, joins=True)
    if news == "storm":
        return Thing(news, news, member, joins=True)
    if news == "paused":
        return Thing(news, f"paused/{record.get('scope', '')}", member, joins=True)
    return Thing(news, f"{news}/{record.get('source', '')}", member, joins=news in LASTING)


def _breaker(record: Mapping[str, Any]) -> str:
    return f"breaker/{record.get('action')}/{record.get('controller')}"


def _tell(tx: Transaction, receiver: str, thing: Thing, wait_us: int, routes: Routes) -> None:
    """A message of its own, or one more in a message that waits or stands open. A request that is told already is not told again."""
    subject, now_us, run = thing.subject, tx.now_us, thing.member.get("run")
    if thing.news == "needs_approval" and _asks(tx, receiver, thing.member):
        return
    if thing.news in IN_PLACE and run is not None and routes.changes(receiver):
        (asked,) = tx.one("outbox_tells", run, receiver, "needs_approval")
        if asked is not None:
            if thing.news in FAILED:
                until_us = _unanswered(tx, receiver, thing.news, 0, routes)
                tx.run("outbox_failed_in_place", now_us, asked, until_us, until_us, run)
            return
    if not thing.joins and wait_us == 0:
        (last_us,) = tx.one("outbox_latest", receiver, subject, now_us - BURST_US)
        if last_us is not None:
            subject, wait_us = f"more/{subject}", max(0, last_us + BURST_US - now_us)
    is_list = wait_us > 0 and not thing.joins
    found = tx.one("outbox_joinable", receiver, subject) if thing.joins or is_list else None
    if found is not None and (found[2] < MEMBERS_MAX if thing.joins else found[4] == "waiting"):
        message, members, count, due_us, state = found
        kept = [*loads(members), thing.member][-MEMBERS_MAX:]
        due_us = due_us if state == "waiting" else min(due_us or _NEVER, now_us + wait_us)
        tx.run(
            "outbox_join",
            dumps(kept),
            count + 1,
            due_us,
            _unanswered(tx, receiver, thing.news, 0, routes),
            now_us,
            message,
        )
    else:
        message = put(tx, receiver, thing, subject, now_us + wait_us, is_open=thing.joins or is_list, routes=routes)
    if not is_list and run is not None:
        tx.run("outbox_run_insert", run, message)


def _asks(tx: Transaction, receiver: str, member: Mapping[str, Any]) -> bool:
    """Whether a receiver is told of a request."""
    return bool(tx.one("outbox_asks", member["run"], receiver, member["approval"])[0])


def put(
    tx: Transaction, receiver: str, thing: Thing, subject: str, due_us: int, *, is_open: bool, routes: Routes, rung: int = 0
) -> int:  # fmt: skip
    """A new message; its number."""
    (message,) = tx.one(
        "outbox_insert", receiver, thing.news, subject, dumps([thing.member]), 1, int(is_open), due_us, tx.now_us, tx.now_us,
        _unanswered(tx, receiver, thing.news, rung, routes), rung,
    )  # fmt: skip
    return int(message)


def _unanswered(tx: Transaction, receiver: str, news: str, rung: int, routes: Routes) -> int | None:
    """From when on a message is for the next receiver; None: there is none."""
    answered = news in ANSWERED and routes.next_of(rung, receiver, news) is not None
    return tx.now_us + routes.after_us if answered else None


class Escalate:
    """What nobody has answered in its time goes to the next receiver. The result: how many did."""

    weight = 2

    def __init__(self, routes: Routes) -> None:
        self.routes = routes

    def apply(self, tx: Transaction) -> int:
        """All that are due now; what needs nobody any more is let be."""
        passed = 0
        for row in tx.named("outbox_unanswered", tx.now_us, RECORDS):
            news = wanting(tx, row)
            following = self.routes.next_of(row["rung"], row["receiver"], news) if news else None
            if following is None:
                tx.run("outbox_settle", tx.now_us, row["id"])
                continue
            while following is not None and not self._pass_on(tx, row, news, *following):
                following = self.routes.next_of(following[1], row["receiver"], news)
            tx.run("outbox_passed_on", None, tx.now_us, tx.now_us, row["id"])
            passed += following is not None
        return passed

    def _pass_on(self, tx: Transaction, row: Mapping[str, Any], news: str, receiver: str, rung: int) -> bool:
        """Into a message of its own, or into one that the receiver has of some of it. False: it has all of it already."""
        members = loads(row["members"])
        named = {dumps(one) for one in members}
        for held, text, count in tx.all("outbox_copies", receiver, row["news"], row["subject"]):
            if (there := {dumps(one) for one in loads(text)}) <= named:
                if there == named and count == row["count"]:
                    return False
                message = held
                break
        else:
            thing = Thing(row["news"], row["subject"], members[0])
            message = put(tx, receiver, thing, row["subject"], tx.now_us, is_open=False, routes=self.routes, rung=rung)
        until_us = _unanswered(tx, receiver, news, rung, self.routes)
        tx.run("outbox_join", dumps(members), row["count"], tx.now_us, until_us, tx.now_us, message)
        for run in {one["run"] for one in members if "run" in one}:
            tx.run("outbox_run_insert", run, message)
        return True


def wanting(tx: Transaction, row: Mapping[str, Any]) -> str:
    """The class of what of a message still needs somebody, '' for nothing: one of its requests waits for a word; one of its runs was not
    done after all, and its alert still fires."""
    members = loads(row["members"])
    if row["news"] != "needs_approval":
        return str(row["news"]) if any(_undone(tx, member["run"]) for member in members) else ""
    for member in members:
        found = tx.one("approval_find", member["approval"])
        if found is not None and found[2] == "open":
            return "needs_approval"
    return next((news for member in members if (news := _undone(tx, member["run"])) in FAILED), "")


def _undone(tx: Transaction, run: str) -> str:
    """The class of what a run did not do that its alert still asks for; '' for nothing."""
    found = tx.one("run_standing", run)
    news = undone(found[0], found[1]) if found is not None else ""
    return news if news and tx.one("run_still_fires", run, run)[0] else ""


def undone(state: str, reason: str) -> str:
    """The class of what a run that stands so did not do; '' for nothing that somebody has to look after."""
    news = notices.news({"kind": "transition", "state": state, "reason": reason})
    return news if news in ANSWERED else ""


class Sent:
    """A message is with its channel, under a reference. `version`: that which was shown, so that what changed since is sent too. `form`,
    `place`: how it looks and where that is (`reshaping`)."""

    weight = 1

    def __init__(
        self, message: int, reference: str, shown: str, version: int, *, stays_open: bool, form: str = "", place: str = ""
    ) -> None:  # fmt: skip
        self.parameters = (reference, shown, form, place), int(stays_open), version, message

    def apply(self, tx: Transaction) -> None:
        """Write it down."""
        told, stays_open, version, message = self.parameters
        tx.run("outbox_sent", *told, tx.now_us, tx.now_us, stays_open, version, message)


class Later:
    """It could not be delivered (at `place`), and is tried again."""

    weight = 1

    def __init__(self, message: int, error: str, due_us: int, place: str | None = None) -> None:
        self.due_us = due_us
        self.parameters = error, due_us, place, message

    def apply(self, tx: Transaction) -> None:
        """Write it down."""
        error, due_us, place, message = self.parameters
        tx.run("outbox_later", error, due_us, place, tx.now_us, tx.now_us, message)


class End:
    """It is not delivered. `passes_on`: its channel refuses it, so that what needs somebody is for the next receiver; else there is nothing
    to tell any more. `place`: where it was refused, None for nowhere."""

    weight = 1

    def __init__(
        self, message: int, state: str, error: str, *, passes_on: bool = False, place: str | None = None
    ) -> None:
        self.parameters = state, error, place, passes_on, message

    def apply(self, tx: Transaction) -> None:
        """Write it down."""
        state, error, place, passes_on, message = self.parameters
        tx.run("outbox_end", state, error, place, tx.now_us, int(passes_on), tx.now_us, message)


class Retell:
    """Others hear now: each request that waits for a person is told to all who hear of such and were not told. The result: how many."""

    weight = 4

    def __init__(self, routes: Routes) -> None:
        self.routes = routes

    def apply(self, tx: Transaction) -> int:
        """Those that are open, in the order in which they were asked; what is not followed yet is first, else it would be told again."""
        follow = Follow(self.routes)
        while follow.apply(tx):
            pass
        told = 0
        for row in tx.named("approvals_open", "", REQUESTS_MAX):
            member = {"seq": tx.records, "run": row["run"], "approval": row["id"]}
            thing = Thing("needs_approval", f"bundle/{approving.bundle_of(row)}", member, joins=True)
            for receiver, wait_us in self.routes.of(thing.news):
                if not _asks(tx, receiver, member):
                    _tell(tx, receiver, thing, wait_us, self.routes)
                    told += 1
        return told


class Again:
    """A person has it tried now: one that was given up, or waits for its next try. The result: whether there was one."""

    weight = 1

    def __init__(self, message: int) -> None:
        self.message = message

    def apply(self, tx: Transaction) -> bool:
        """Of one that was sent there is nothing to try."""
        return tx.run("outbox_again", tx.now_us, tx.now_us, self.message) > 0


class Drop:
    """A person gives up one that is not delivered yet. The result: whether there was one."""

    weight = 1

    def __init__(self, message: int, actor: str) -> None:
        self.message = message
        self.actor = actor

    def apply(self, tx: Transaction) -> bool:
        """Of one that was sent there is nothing to give up."""
        return tx.run("outbox_drop", f"given up by {self.actor}", tx.now_us, self.message) > 0
