"""An intake over a store, whose clock and backlog a test sets."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from healer import intake, store
from healer.store import journal

S = 1_000_000


class Kit:
    """An intake over a store in memory, or on disk with a folder; its clock and backlog are set by hand."""

    def __init__(self, folder: pathlib.Path | None = None, **more: Any) -> None:
        self.now_us = 100 * S
        self.backlog = 0
        self.short = False
        self.heard: list[tuple[str, str, int]] = []
        self.store = store.Store.open(folder, lambda: self.now_us, loop=None)
        self.intake = intake.Intake(
            self.store, lambda: self.now_us, lambda: self.backlog, heard=lambda *told: self.heard.append(told), **more
        )

    async def take(self, *data: Any, **more: Any) -> intake.Accepted:
        """The short way at first where it is one event and the kit goes that way, as hooks do."""
        if self.short and len(data) == 1 and not more.keys() - {"repeats", "source"}:
            source, repeat = more.get("source", "am"), *more.get("repeats", [""])
            [seq] = await self.short_way(self.row(data[0], source=source, repeat=repeat))
            if isinstance(seq, Exception):
                raise seq
            if seq:
                return intake.Accepted(1, 0, [f"e-{seq}"], [seq])
        return await self.intake.take(
            more.pop("source", "am"), [(one, None) for one in data], actor=more.pop("actor", "key:ci"), **more
        )

    def rows(self, sql: str = "SELECT seq, kind, source, body, actor FROM journal ORDER BY seq") -> list[Any]:
        return list(self.store.writer.tx.connection.execute(sql))

    def state(self) -> Any:
        """(bytes in flight, words that are being written, what is being said)"""
        return self.intake._in_flight, self.intake._words._writing, self.intake._taking

    async def short_way(self, *rows: journal.Row) -> list[int | Exception]:
        """What came of rows that came together; 0: it has to go the long way."""
        begun = [row for row in rows if self.intake.begin(row)]
        told = dict(zip(map(id, begun), await self.intake.write(begun) if begun else [], strict=True))
        return [told.get(id(row), 0) for row in rows]

    @staticmethod
    def row(value: Any, body: bytes | None = None, *, source: str = "am", repeat: str = "", **more: Any) -> journal.Row:
        encoded = orjson.dumps(value) if body is None else body
        made = journal.Row("event", source, encoded, data=value, actor="key:ci", **more)
        made.repeat = repeat or None
        return made


@pytest.fixture(params=["", "the short way"])
def kit(request: pytest.FixtureRequest) -> Iterator[Kit]:
    made = Kit()
    made.short = bool(request.param)
    yield made
    made.store.writer.close()


@pytest.fixture
def make_kit() -> Callable[..., Kit]:
    """Makes one of other kinds; who asks ends its store."""
    return Kit
