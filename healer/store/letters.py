"""Dead letters, and stored events that go in once more: what people decide on them, each with its audit record.

A row that was decided is never decided anew: whatever goes in again is a row of its own at the tail. `Release` makes one that the
ruleset alone hears which could not digest the event; `Resend` one that everybody hears. Callers: `web`; `decide` reads `released`.
"""

from __future__ import annotations

import dataclasses
import shlex
from typing import Any, Final

import orjson

from healer import errors, telemetry
from healer.store import cycles, journal
from healer.store.transaction import Transaction, dumps, loads

TRIES: Final = 3
"""How often a row is tried before it is set aside."""
EVERY_RULESET: Final = "*"
"""In the place of a ruleset: nobody heard of the row at all."""
KEY: Final = "healer"
"""In the meta of a row: what is ours, and no part of the event's `meta`."""
_UNREAD: Final = f'{{"{KEY}":{{"unread":'


class NotAnEvent(errors.RequestError):
    """{event} is a row of the kind {got}, and only events are sent again"""

    code = "not-an-event"
    status = 422


class Unread(errors.RequestError):
    """{event} is a part of a delivery that could not be read; rules are never given it"""

    code = "not-tried-again"
    status = 422


class NotTriedAgain(errors.RequestError):
    """{event} is a tick of the daemon's own, which is not tried again: the next one does what it should have done"""

    code = "not-tried-again"
    status = 422


class BodyGone(errors.RequestError):
    """the content of {event} was trimmed, so nothing is there that could go in again"""

    code = "body-gone"
    status = 410


class NotHeld(errors.RequestError):
    """{event} is not in quarantine{where}"""

    code = "not-in-quarantine"
    status = 404


@dataclasses.dataclass(frozen=True, slots=True)
class Released:
    """Of a row that tries an event of the quarantine again: which ruleset hears it (`*`: all), and the cycle that its alert had.

    `cycle` None: the row's word of its alert is taken as any other.
    """

    ruleset: str
    cycle: int | None

    @property
    def alone(self) -> bool:
        """Whether one ruleset hears it, to which the alert is what it was then."""
        return self.ruleset != EVERY_RULESET


def released(row: journal.Row) -> Released | None:
    """What a row says of itself that was released from quarantine; None for every other."""
    return noted(row.ordinal, row.meta)


def noted(ordinal: int | None, meta: str | None) -> Released | None:
    """As `released`, of a row's columns."""
    if ordinal is None or ordinal >= 0:
        return None
    held = loads(meta or "{}").get(KEY) or {}
    return Released(str(held.get("only", EVERY_RULESET)), held.get("cycle"))


def unread(meta: str | None) -> str:
    """Of a row's meta: why this part of a delivery could not be read, '' where it is an event. Asked of every row, so it is quick."""
    if meta is None or not meta.startswith(_UNREAD):
        return ""
    return str(loads(meta)[KEY]["unread"])


def meta_of_unread(why: str, meta: dict[str, Any]) -> str:
    """The meta of a row that is a part of a delivery which could not be read."""
    return orjson.dumps({KEY: {"unread": why}, **meta}).decode()


def brought(meta: str | None) -> dict[str, Any]:
    """What a row's meta says of its event: all but what is ours."""
    made: dict[str, Any] = loads(meta) if meta else {}
    made.pop(KEY, None)
    return made


class Resend:
    """An event goes in once more, as it came: same source, body and meta, from outside (depth 0). The result is its position.

    `row` has its body (`Store.row_of`). Raises `NotAnEvent`, `Unread`, `BodyGone`, `errors.NotFound`.
    """

    weight = 1

    def __init__(self, row: journal.Row, actor: str) -> None:
        self.row = row
        self.actor = actor

    def apply(self, tx: Transaction) -> int:
        """The new row, and the record that names both."""
        old = self.row
        if old.kind != "event":
            raise NotAnEvent(event=f"e-{old.seq}", got=old.kind)
        if unread(old.meta):
            raise Unread("have its sender deliver it again", event=f"e-{old.seq}")
        meta = brought(old.meta)
        made = _copy(tx, old, self.actor, dumps(meta) if meta else None)
        tx.audit("resent", actor=self.actor, event=old.seq, made=made.seq, source=old.source)
        telemetry.count("events_resent")
        return made.seq


class Release:
    """What could not be digested is tried again. `ruleset`: '' for all that hold the event. The result is [(ruleset, new position)].

    `row` has its body. Raises `NotHeld`, `NotTriedAgain`, `Unread`, `BodyGone`, `errors.NotFound`.
    """

    weight = 2

    def __init__(self, row: journal.Row, ruleset: str, *, actor: str, reason: str) -> None:
        self.row = row
        self.ruleset = ruleset
        self.actor = actor
        self.reason = reason

    def apply(self, tx: Transaction) -> list[tuple[str, int]]:
        """A row for each ruleset, at the tail, with the held one as its cause."""
        old, made = self.row, []
        for ruleset in _held(tx, old.seq, self.ruleset):
            if old.kind == "tick":
                raise NotTriedAgain(f"healer events quarantine drop e-{old.seq}", event=f"e-{old.seq}")
            if unread(old.meta):
                raise Unread(f"healer events quarantine drop e-{old.seq}", event=f"e-{old.seq}")
            row = self._again(tx, ruleset)
            tx.must(
                "quarantine_end", "released", tx.now_us, row.seq, old.seq, ruleset, what=f"e-{old.seq}", old="held", new="released",
            )  # fmt: skip
            tx.audit(
                "quarantine_released", actor=self.actor, event=old.seq, ruleset=ruleset, made=row.seq, reason=self.reason or None
            )  # fmt: skip
            telemetry.count("events_released")
            made.append((ruleset, row.seq))
        return made

    def _again(self, tx: Transaction, ruleset: str) -> journal.Row:
        old = self.row
        ours: dict[str, Any] = {"only": ruleset}
        if ruleset != EVERY_RULESET and (cycle := _cycle(tx, old)) is not None:
            ours["cycle"] = cycle
        ordinal = tx.one("released_before", old.seq)[0] - 1
        meta = dumps(brought(old.meta) | {KEY: ours})
        return _copy(tx, old, self.actor, meta, depth=old.depth, cause=old.seq, ordinal=ordinal)


class Drop:
    """What could not be digested is forgotten for good. `ruleset`: '' for all that hold the event. The result: those. Raises `NotHeld`."""

    weight = 1

    def __init__(self, seq: int, ruleset: str, *, actor: str, reason: str) -> None:
        self.seq = seq
        self.ruleset = ruleset
        self.actor = actor
        self.reason = reason

    def apply(self, tx: Transaction) -> list[str]:
        """held → dropped."""
        names = _held(tx, self.seq, self.ruleset)
        for name in names:
            tx.must(
                "quarantine_end", "dropped", tx.now_us, None, self.seq, name, what=f"e-{self.seq}", old="held", new="dropped",
            )  # fmt: skip
            tx.audit(
                "quarantine_dropped", actor=self.actor, event=self.seq, ruleset=name, reason=self.reason or None
            )  # fmt: skip
            telemetry.count("events_dropped")
        return names


def _held(tx: Transaction, seq: int, ruleset: str) -> list[str]:
    names = [row[0] for row in tx.all("quarantine_held", seq)]
    wanted = [name for name in names if not ruleset or name == ruleset]
    if not wanted:
        try_ = f"--ruleset {shlex.quote(names[0])}" if names else "healer events quarantine"
        raise NotHeld(try_, event=f"e-{seq}", where=f" for {ruleset[:200]!r}" if ruleset else "")
    return wanted


def _copy(tx: Transaction, old: journal.Row, actor: str, meta: str | None, **more: Any) -> journal.Row:
    """The row once more, at the tail."""
    kept = tx.named("journal_one", old.seq)
    if not kept:
        raise errors.NotFound(what=f"the event e-{old.seq}")
    if old.body is None:
        raise BodyGone(event=f"e-{old.seq}")
    row = journal.Row(
        old.kind, old.source, None if old.body_hash else old.body, data=loads(old.body), actor=actor, meta=meta,
        body_hash=old.body_hash, raw_hash=old.raw_hash, raw=kept[0]["raw"], **more,
    )  # fmt: skip
    tx.last_seq += 1
    row.seq, row.at_us = tx.last_seq, tx.now_us
    journal.insert(tx, [row])
    return row


def _cycle(tx: Transaction, row: journal.Row) -> int | None:
    """The cycle that the row's alert had when it was decided; None for one that speaks of none."""
    if row.kind != "event":
        return None
    known = released(row)
    if known is not None and known.alone:
        return known.cycle
    body = loads(row.body) if row.body else None
    said = cycles.lifecycle(body.get("alert")) if isinstance(body, dict) else None
    if said is None:
        return None
    today = tx.one("alert_cycle", row.source, said[0])
    names = ("source", "key", "seq", "cycle")
    openings = [dict(zip(names, one, strict=True)) for one in tx.all("openings_of", row.source, said[0])]
    return cycles.Openings(openings).cycle(row.source, said[0], row.seq, today[0] if today else 0)
