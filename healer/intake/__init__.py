"""Intake: events become journal rows; who delivered them is told only after the commit.

Used by `web` (requests), `supervise` (sources) and the daemon (ticks). It bounds what is on its way and what waits to be decided,
keeps large bodies as blobs first, and counts what a redundant pair of senders delivers twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from healer import errors, model, store, telemetry
from healer.intake import digests, pairs
from healer.store import journal, letters

BYTES_IN_FLIGHT_MAX: Final = 64 << 20
_UNREAD: Final = "unread\x1f"
"""Before the digest of a part that could not be read: ids that senders give are printable."""

Data = Sequence[tuple[Mapping[str, Any], bytes | None]]
"""Events, each with its JSON where somebody has it."""

__all__ = ["OVERLOADED", "Accepted", "Busy", "Intake", "SeenAgain"]


class Busy(errors.Unavailable):
    """not now: too much is on its way to the disk"""

    code = "busy"


OVERLOADED: Final = (errors.BacklogFull, Busy)
"""What says that more comes than is done: it may come again a little later."""


@dataclasses.dataclass(slots=True)
class Accepted:
    """What came of a delivery: ids are `e-` + position, of the old row where it was a duplicate. `conflict`: its id was another's.
    `quarantined`: so many parts of it could not be read."""

    accepted: int
    duplicates: int
    ids: list[str]
    positions: list[int]
    conflict: bool = False
    quarantined: int = 0


@dataclasses.dataclass(slots=True)
class _Taken:
    """What holds for all events of a delivery; the fields are `Intake.take`'s arguments."""

    source: str
    actor: str
    delivery: str
    deliveries: Sequence[str]
    meta: Mapping[str, Any] | None
    raw: bytes | None
    kind: model.JournalKind
    repeats: Sequence[str]
    unread: Sequence[tuple[Any, str]]
    depth: int
    whole: bool
    digest: str

    def aside(self) -> Iterator[journal.Row]:
        """Rows for the quarantine: rules are never given them. Where the delivery has no id, each is known by its content: it starts
        nothing, so that a second one says nothing new."""
        for value, why in self.unread:
            body = {"payload": value}
            meta = letters.meta_of_unread(why, dict(self.meta or {}))
            row = journal.Row(self.kind, self.source, orjson.dumps(body), data=body, actor=self.actor, meta=meta)
            if not self.delivery:
                row.digest = digests.of_rows((row,))
                row.delivery = f"{_UNREAD}{row.digest}"
            yield row


class SeenAgain:
    """The other one of a redundant pair said the same: the alert was heard of, nothing is journaled."""

    weight = 1

    def __init__(self, source: str, key: str) -> None:
        self.source = source
        self.key = key

    def apply(self, tx: Any) -> None:
        """Move the alert's last word."""
        tx.run("alert_touch", tx.now_us, self.source, self.key)


class Intake:
    """The one way in. `backlog` gives how many rows wait to be decided."""

    def __init__(
        self,
        opened: store.Store,
        clock: Callable[[], int],
        backlog: Callable[[], int],
        *,
        backlog_max: int = 1_000_000,
        heard: Callable[[str, str, int], None] = lambda _source, _key, _at_us: None,
    ) -> None:
        self._store = opened
        self._clock = clock
        self._backlog = backlog
        self._backlog_max = backlog_max
        self._in_flight = 0
        self._words = pairs.Words(clock)
        self._heard = heard
        self._hearing: dict[str, list[set[str]]] = {}
        self._taking: dict[int, tuple[str, Data]] = {}
        self.stopped = False

    async def tick(self) -> None:
        """Journal a tick of the daemon's own; no limit holds it back, since it is what lets waiting runs go on."""
        await self._store.insist(journal.Append([journal.Row("tick", "healer", b"{}", data={}, actor="daemon")]))

    async def recall(self) -> None:
        """After a start: what pairs of senders said a short while ago."""
        since_us = self._clock() - pairs.WINDOW_US
        self._words.recall(reversed(await self._store.reader.all("repeats_since", since_us, pairs.WORDS_MAX - 1)))

    def admit(self) -> None:
        """Whether another row is taken now. Raises `errors.Unavailable`, `errors.BacklogFull`."""
        if self.stopped:
            raise errors.Unavailable(reason="the daemon is stopping")
        if (waiting := self._backlog()) > self._backlog_max:
            telemetry.count("intake_refused_backlog")
            raise errors.BacklogFull(backlog=waiting, limit=self._backlog_max)

    @contextlib.contextmanager
    def hearing(self, source: str) -> Iterator[set[str]]:
        """The keys of the source's alerts that somebody speaks of just now or from now on, as they come, before they are on disk."""
        spoken = {key for name, data in self._taking.values() if name == source for key in _keys(data)}
        self._hearing.setdefault(source, []).append(spoken)
        try:
            yield spoken
        finally:
            self._hearing[source] = [one for one in self._hearing[source] if one is not spoken]

    async def take(
        self,
        source: str,
        data: Data,
        *,
        actor: str,
        delivery: str = "",
        meta: Mapping[str, Any] | None = None,
        raw: bytes | None = None,
        kind: model.JournalKind = "event",
        repeats: Sequence[str] = (),
        deliveries: Sequence[str] = (),
        unread: Sequence[tuple[Any, str]] = (),
        depth: int = 0,
        whole: bool = True,
        digest: str = "",
    ) -> Accepted:
        """Journal `data`, (value, its JSON or None) each, and return after the commit.

        `delivery`: the sender's id of the whole delivery, `digest`: what its bytes are, else that of its events; `deliveries`: of each
        event, '' for none. `raw`: the request that held several events, kept once. `repeats`: for each event what identifies it between a
        redundant pair, '' for none. `unread`: what else was in the request and could not be read, with the reason: for the quarantine.
        `whole`: whether the values are the whole events; else rows are read from their JSON. Raises `errors.BacklogFull`,
        `errors.StoreError`.
        """
        self.admit()
        taken = _Taken(source, actor, delivery, deliveries, meta, raw, kind, repeats, unread, depth, whole, digest)
        if not repeats:
            return await self._take(taken, data)
        self._begin_saying(taken, source, data)
        try:
            return await self._take(taken, data)
        finally:
            del self._taking[id(taken)]

    def _begin_saying(self, of: object, source: str, data: Data) -> None:
        """Who listens to the source knows which alerts are spoken of, while they are on their way too: until the place of `of` in `_taking`
        is deleted."""
        for spoken in self._hearing.get(source, ()):
            spoken.update(_keys(data))
        self._taking[id(of)] = source, data

    async def _take(self, of: _Taken, data: Data) -> Accepted:
        text = orjson.dumps(of.meta).decode() if of.meta else None
        source, repeats = of.source, of.repeats
        rows: list[journal.Row | pairs.Position] = []
        ours: dict[str, journal.Row] = {}
        size = len(of.raw or b"")
        try:
            for at, (value, body) in enumerate(data):
                if repeats and repeats[at] and (seen := self._words.find(source, repeats[at])) is not None:
                    rows.append(seen)
                    continue
                encoded = orjson.dumps(value) if body is None else body
                size += len(encoded)
                known_as = value if of.whole else None
                said = repeats[at] or None if repeats else None
                row = journal.Row(of.kind, source, encoded, data=known_as, actor=of.actor, meta=text, depth=of.depth)
                row.repeat = said
                if of.deliveries and of.deliveries[at]:
                    row.delivery = of.deliveries[at]  # alone or in a batch it is the same, however it was written
                    row.digest = digests.alone(value, encoded, of.whole)
                rows.append(row)
                if said:
                    ours[said] = row
                    self._words.begin(source, said)
            fresh = [row for row in rows if isinstance(row, journal.Row)]
            aside = [*of.aside()] if of.unread else []
            if of.delivery and (fresh or aside):  # of the whole: it is taken whole or not at all
                first = (fresh or aside)[0]
                first.delivery, first.digest = of.delivery, of.digest or digests.of_rows(fresh or aside)
            for row in aside:
                size += len(row.body or b"")
            await self._bounded(fresh + aside, of.raw, size)
        except BaseException:
            for word in ours:
                self._words.end(source, word, None)
            raise
        for word, row in ours.items():  # what was not taken was not said
            self._words.end(source, word, None if row.conflict else row.seq, fresh=not row.duplicate)
        taken = [*fresh, *aside]
        if of.delivery and taken and taken[0].conflict:  # none of it is
            return Accepted(0, len(rows) + len(aside), [f"e-{taken[0].seq}"], [0] * len(rows), conflict=True)
        if len(fresh) == len(rows):
            made = self._accepted(fresh)
        else:
            known = [row if isinstance(row, journal.Row | int) else await _position(row) for row in rows]
            await self._seen_again(source, data, known)
            made = self._accepted(known)
            made.conflict |= await self._named(of, data, known)
            if of.delivery and not (taken and taken[0].duplicate):
                positions = [row if isinstance(row, int) else row.seq for row in known]
                made.conflict = await self._store.submit(
                    journal.Told(source, of.delivery, of.digest, of.actor, positions)
                )
        made.quarantined = sum(not row.duplicate for row in aside)
        made.duplicates += len(aside) - made.quarantined
        return made

    async def _named(self, of: _Taken, data: Data, known: Sequence[journal.Row | int]) -> bool:
        """Keep the ids of events whose words the other one of a pair had said; whether one of them was another's."""
        conflict = False
        for at, name in enumerate(of.deliveries):
            if name and isinstance(position := known[at], int):
                value, body = data[at]
                digest = digests.alone(value, orjson.dumps(value) if body is None else body, of.whole)
                told = journal.Told(of.source, name, digest, of.actor, [position])
                conflict |= await self._store.submit(told)
        return conflict

    async def _bounded(self, rows: list[journal.Row], raw: bytes | None, size: int) -> None:
        if size + self._in_flight > BYTES_IN_FLIGHT_MAX and self._in_flight:
            raise Busy
        self._in_flight += size
        try:
            await self._commit(rows, raw)
        finally:
            self._in_flight -= size

    async def take_one(self, source: str, value: Mapping[str, Any], body: bytes, actor: str) -> int:
        """The short way of `take` for one small event without a delivery id; its position. 0, and nothing is done: it has to go the long
        way, since it is large, or nothing can be taken now."""
        row = journal.Row("event", source, body, data=value, actor=actor)
        size = len(body)
        if not self._is_short(row, size):
            return 0
        self._in_flight += size
        try:
            await self._store.submit(journal.Append((row,)))
        finally:
            self._in_flight -= size
        return row.seq

    def begin(self, row: journal.Row) -> bool:
        """Whether a row can go the short way: a small event that is alone in its delivery, without an id, and whose word (`repeat`) no
        other one of a pair has said. Then it is on its way: `write` has to follow, and ends that."""
        size = _size(row)
        word = row.repeat
        if (word is not None and self._words.find(row.source, word) is not None) or not self._is_short(row, size):
            return False
        if word is not None:
            self._begin_saying(row, row.source, ((row.data, row.body),))
            self._words.begin(row.source, word)
        self._in_flight += size
        return True

    async def write(self, rows: Sequence[journal.Row]) -> list[int | Exception]:
        """Rows that have begun, as one unit of the store, which costs much less than one each: for each its position, or why it could not
        be written. One that cannot be keeps no other from it."""
        told: list[int | Exception] = []
        try:
            told = await self._written(rows)
        finally:
            for at, row in enumerate(rows):
                self._in_flight -= _size(row)
                if row.repeat is not None:
                    del self._taking[id(row)]
                    position = told[at] if told else None
                    self._words.end(row.source, row.repeat, position if isinstance(position, int) else None)
        return told

    def _is_short(self, row: journal.Row, size: int) -> bool:
        """Whether a row can be taken as it is: the long way keeps what is large in files, and says why nothing can be taken now."""
        return not (
            self.stopped
            or self._backlog() > self._backlog_max
            or self._in_flight + size > BYTES_IN_FLIGHT_MAX
            or len(row.body or b"") > journal.INLINE_MAX
            or (row.raw is not None and len(row.raw) > journal.INLINE_MAX)
        )

    async def _written(self, rows: Sequence[journal.Row]) -> list[int | Exception]:
        try:
            await self._store.submit(journal.Append(rows))
        except errors.StoreError as error:
            return [error] * len(rows)
        except Exception as error:  # which of them it is shows when each comes alone
            if len(rows) == 1:
                return [error]
            alone = (self._store.submit(journal.Append((row,))) for row in rows)
            ends = await asyncio.gather(*alone, return_exceptions=True)
            return [end if isinstance(end, Exception) else row.seq for row, end in zip(rows, ends, strict=True)]
        return [row.seq for row in rows]

    async def _commit(self, rows: list[journal.Row], raw: bytes | None) -> None:
        blobs: list[journal.Blob] = []
        if raw is not None and len(rows) == 1 and len(raw) <= journal.INLINE_MAX:
            rows[0].raw = raw
        elif raw is not None and rows:
            blobs.append(await self._store.keep(raw))
            for row in rows:
                row.raw_hash = blobs[0].hash
        for row in rows:
            if row.body is not None and len(row.body) > journal.INLINE_MAX:
                blob = await self._store.keep(row.body)
                blobs.append(blob)
                row.body, row.body_hash = None, blob.hash
        if rows:
            await self._store.submit(journal.Append(rows, blobs))

    async def _seen_again(self, source: str, data: Data, rows: Sequence[journal.Row | int]) -> None:
        for (value, _), row in zip(data, rows, strict=True):
            alert = value.get("alert") if isinstance(row, int) else None
            if isinstance(alert, Mapping) and isinstance(alert.get("key"), str):
                await self._store.submit(SeenAgain(source, alert["key"]))
                self._heard(source, alert["key"], self._clock())

    @staticmethod
    def _accepted(rows: Sequence[journal.Row | int]) -> Accepted:
        made = Accepted(0, 0, [], [])
        for row in rows:
            if isinstance(row, int):
                made.duplicates += 1
                made.positions.append(0)
                made.ids.append(f"e-{row}")
                continue
            if row.duplicate:
                made.duplicates += 1
                made.conflict |= row.conflict
            else:
                made.accepted += 1
            if not made.ids or not row.conflict:
                made.ids.append(f"e-{row.seq}")
            made.positions.append(0 if row.duplicate else row.seq)
        return made


def _size(row: journal.Row) -> int:
    return len(row.body or b"") + len(row.raw or b"")


def _keys(data: Data) -> Iterator[str]:
    """The keys of the alerts that events speak of."""
    for value, _ in data:
        alert = value.get("alert")
        if isinstance(alert, Mapping) and isinstance(key := alert.get("key"), str):
            yield key


async def _position(writing: asyncio.Future[int | None]) -> int:
    """Where the word that somebody else was writing stands now. Raises `errors.Unavailable`: it was not written, nor was ours."""
    position = await asyncio.shield(writing)
    if position is None:
        raise errors.Unavailable(reason="the same word came twice at once and could not be written")
    return position
