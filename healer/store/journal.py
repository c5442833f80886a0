"""The journal: rows, and T1, the transaction that accepts them.

`Append` is what `intake` submits. All appends of one batch become one INSERT with many rows, since the GIL is taken again
after each statement. A row with a delivery id that is known is not inserted: its position is the old one.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import orjson

from healer import model, telemetry

if TYPE_CHECKING:
    from healer.store.transaction import Transaction

ROWS_PER_STATEMENT: Final = 500
INLINE_MAX: Final = 16_384
"""Bodies and outputs up to this many bytes stand in the database, larger ones in files."""


class Row:
    """One journal row, on its way in or read back. `data` is the parsed body where somebody has it; `raw` the request that held this
    row alone, on its way in."""

    __slots__ = (
        "actor", "at_us", "body", "body_hash", "cause", "conflict", "data", "delivery", "depth", "digest", "duplicate", "kind", "meta",
        "ordinal", "raw", "raw_hash", "repeat", "seq", "source",
    )  # fmt: skip

    def __init__(
        self,
        kind: model.JournalKind,
        source: str,
        body: bytes | None,
        *,
        data: Any = None,
        actor: str = "",
        meta: str | None = None,
        depth: int = 0,
        cause: int | None = None,
        ordinal: int | None = None,
        body_hash: str | None = None,
        raw_hash: str | None = None,
        raw: bytes | None = None,
        delivery: str = "",
        digest: str = "",
    ) -> None:
        self.kind = kind
        self.source = source
        self.body = body
        self.data = data
        self.actor = actor
        self.meta = meta
        self.depth = depth
        self.cause = cause
        self.ordinal = ordinal
        self.body_hash = body_hash
        self.raw_hash = raw_hash
        self.raw = raw
        self.repeat: str | None = None
        self.delivery = delivery
        self.digest = digest
        self.seq = 0
        self.at_us = 0
        self.duplicate = False
        self.conflict = False
        """Whether its delivery's id came before with other bytes."""


@dataclasses.dataclass(slots=True)
class Blob:
    """Content on its way in: `data` None when it already lies in the file of its hash."""

    hash: str
    size: int
    data: bytes | None


class Append:
    """T1: accept rows. The result is the same rows with `seq` and `at_us` (of the old row where `duplicate`).

    An id of a delivery stands at the first row and is that of all: if it came before, none of them is taken.
    """

    __slots__ = ("blobs", "rows")

    def __init__(self, rows: Sequence[Row], blobs: Sequence[Blob] = ()) -> None:
        self.rows = rows
        self.blobs = blobs

    @property
    def weight(self) -> int:
        """How many rows it brings to a batch."""
        return len(self.rows)

    def apply(self, tx: Transaction) -> Sequence[Row]:
        """Alone, outside a merged batch (after its batch failed)."""
        append_all(tx, [self])
        return self.rows


class Told:
    """Where the events of a delivery stand (`positions`), of which the other one of a pair had brought some, or all: its id counts all the
    same, and who repeats it is told these. The result is whether other bytes came under the id before."""

    weight = 1

    def __init__(self, source: str, delivery: str, digest: str, actor: str, positions: Sequence[int]) -> None:
        self.source = source
        self.delivery = delivery
        self.digest = digest
        self.actor = actor
        self.positions = positions

    def apply(self, tx: Transaction) -> bool:
        """Keep it, unless the id is another's."""
        before = tx.all("delivery_find", self.source, self.delivery)
        if before and before[0][3] != self.digest:
            _conflict(tx, self.actor, self.source, self.delivery, before[0][2], self.digest)
            return True
        text = orjson.dumps(self.positions).decode()
        tx.run("delivery_told", self.source, self.delivery, self.positions[0], self.digest, tx.now_us, text)
        return False


def append_all(tx: Transaction, units: Sequence[Append]) -> None:
    """Insert the rows of all units, in order, in as few statements as can be."""
    fresh: list[Row] = []
    blobs = {blob.hash: blob for unit in units for blob in unit.blobs}
    tx.run_many("blob_insert", [(blob.hash, blob.size, blob.data, tx.now_us) for blob in blobs.values()])
    known = _known_deliveries(tx, [row for unit in units for row in unit.rows if row.delivery])
    named: list[tuple[Any, ...]] = []
    for unit in units:
        if len(unit.rows) > 1 and _known_whole(tx, unit.rows, known):
            continue
        for row in unit.rows:
            row.duplicate = row.conflict = False
            if row.delivery and _known_delivery(tx, row, known):
                continue
            tx.last_seq += 1
            row.seq, row.at_us = tx.last_seq, tx.now_us
            if row.delivery:
                known[row.source, row.delivery] = row.seq, row.digest, tx.now_us, None
                named.append((row.source, row.delivery, row.seq, row.digest, tx.now_us))
            fresh.append(row)
    tx.run_many("delivery_insert", named)
    insert(tx, fresh)


def plain(units: Sequence[object]) -> list[Row]:
    """All rows of the units where they are appends of small events from outside and nothing is to be written with them; else none."""
    rows: list[Row] = []
    for unit in units:
        if type(unit) is not Append or unit.blobs:
            return []
        for row in unit.rows:
            if (
                row.delivery
                or row.depth
                or row.cause is not None
                or row.raw_hash is not None
                or row.body_hash is not None
            ):
                return []
            rows.append(row)
    return rows if len(rows) <= ROWS_PER_STATEMENT else []


def insert_guarded(tx: Transaction, rows: list[Row]) -> bool:
    """Insert plain rows as a transaction of their own; False when the data directory has another owner."""
    now_us, seq = tx.now_us, tx.last_seq
    values: list[Any] = [tx.part, now_us]
    for row in rows:
        seq += 1
        row.seq, row.at_us, row.duplicate = seq, now_us, False
        values += (seq, row.kind, row.source, row.body, row.meta, row.actor, row.raw, row.repeat)
    values.append(tx.epoch)
    if tx.connection.execute(_guarded_statement(len(rows)), values).rowcount != len(rows):
        return False
    tx.last_seq = seq
    tx.appended += rows
    return True


def _values(part: int, rows: Sequence[Row]) -> list[Any]:
    values: list[Any] = []
    for row in rows:
        values += (
            row.seq, part, row.kind, row.source, row.at_us, row.depth, row.cause, row.ordinal, row.body, row.body_hash,
            row.raw_hash, row.meta, row.actor, row.raw, row.repeat,
        )  # fmt: skip
    return values


def insert(tx: Transaction, rows: Sequence[Row]) -> None:
    """The multi-row INSERT itself; rows have their `seq` and `at_us`."""
    for at in range(0, len(rows), ROWS_PER_STATEMENT):
        piece = rows[at : at + ROWS_PER_STATEMENT]
        tx.connection.execute(_statement(len(piece)), _values(tx.part, piece))
    tx.appended += rows


_COLUMNS: Final = (
    "seq, part, kind, source, at_us, depth, cause, ordinal, body, body_hash, raw_hash, meta, actor, raw, repeat"
)
_ROW: Final = "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"


@functools.cache
def _statement(rows: int) -> str:
    return f"INSERT INTO journal ({_COLUMNS}) VALUES {','.join([_ROW] * rows)}"


@functools.cache
def _guarded_statement(rows: int) -> str:
    columns = "column1, ?, column2, column3, ?, 0, NULL, NULL, column4, NULL, NULL, column5, column6, column7, column8"
    values = ",".join(["(?,?,?,?,?,?,?,?)"] * rows)
    guard = "(SELECT epoch FROM instance) = ?"
    return f"INSERT INTO journal ({_COLUMNS}) SELECT {columns} FROM (VALUES {values}) WHERE {guard}"


_Deliveries = dict[tuple[str, str], tuple[int, str, int, str | None]]
"""(position, digest, time, positions as JSON) by source and id."""


def _known_deliveries(tx: Transaction, rows: Sequence[Row]) -> _Deliveries:
    """What came before under the ids of the rows."""
    found = tx.all_many("delivery_find", [(row.source, row.delivery) for row in rows])
    return {(source, name): tuple(before) for source, name, *before in found}


def _known_whole(tx: Transaction, rows: Sequence[Row], known: _Deliveries) -> bool:
    """Whether the id of a delivery of several rows, which stands at its first, came before: then none of them is taken."""
    first = rows[0]
    if not first.delivery or any(row.delivery for row in rows[1:]) or not _known_delivery(tx, first, known):
        return False
    start, at_us, told = first.seq, first.at_us, known[first.source, first.delivery][3]
    positions = [start + number for number in range(len(rows))] if told is None else orjson.loads(told)
    if first.conflict or len(positions) > len(
        rows
    ):  # which of them these are nobody knows: its first row stands for all
        positions = []
    for number, row in enumerate(rows):
        row.duplicate, row.conflict, row.at_us = True, first.conflict, at_us
        row.seq = positions[number] if number < len(positions) else start
    return True


def _known_delivery(tx: Transaction, row: Row, known: _Deliveries) -> bool:
    """Whether the id came before; then the row gets the old position, and other bytes under it are recorded."""
    before = known.get((row.source, row.delivery))
    if before is None:
        return False
    row.seq, digest, row.at_us, _ = before
    row.duplicate = True
    telemetry.count("deliveries_duplicate")
    row.conflict = digest != row.digest
    if row.conflict:
        _conflict(tx, row.actor, row.source, row.delivery, row.seq, row.digest)
    return True


def _conflict(tx: Transaction, actor: str, source: str, delivery: str, seq: int, digest: str) -> None:
    telemetry.count("deliveries_conflict")
    tx.audit("delivery_conflict", actor=actor, source=source, delivery=delivery, event=seq, digest=digest)
