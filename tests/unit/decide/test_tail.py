"""The tail: what was just committed in order and without a gap, bounded, the rest read from the store."""

from __future__ import annotations

import asyncio
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer.decide import tail
from healer.store import journal


def row(seq: int, size: int = 2) -> journal.Row:
    made = journal.Row("event", "s", b"x" * size)
    made.seq = seq
    return made


class Shelf:
    """A store that has all rows and counts who reads them."""

    def __init__(self, last: int = 0) -> None:
        self.last = last
        self.reads: list[tuple[int, int]] = []

    async def rows_after(self, after: int, limit: int) -> list[journal.Row]:
        self.reads.append((after, limit))
        return [row(seq) for seq in range(after + 1, min(after + limit, self.last) + 1)]


def seqs(rows: list[journal.Row]) -> list[int]:
    return [one.seq for one in rows]


async def test_what_was_fed_is_given_in_order_without_a_read() -> None:
    shelf: Any = Shelf(5)
    end = tail.Tail(shelf, 0)
    end.feed([row(1), row(2)])
    end.feed([row(3), row(4), row(5)])
    assert seqs(await end.after(0, 2)) == [1, 2]
    assert seqs(await end.after(2, 500)) == [3, 4, 5]
    assert await end.after(5, 500) == []
    assert shelf.reads == []


async def test_what_was_there_before_is_read() -> None:
    shelf: Any = Shelf(4)
    end = tail.Tail(shelf, 0)
    end.committed = 2
    assert seqs(await end.after(0, 2)) == [1, 2]
    end.feed([row(3), row(4)])
    assert seqs(await end.after(2, 500)) == [3, 4]
    assert shelf.reads == [(0, 2)]


async def test_a_gap_is_read_from_the_store() -> None:
    shelf: Any = Shelf(9)
    end = tail.Tail(shelf, 0)
    end.feed([row(1)])
    end.feed([row(5), row(6)])
    assert seqs(await end.after(0, 500)) == [1]
    assert seqs(await end.after(1, 3)) == [2, 3, 4]
    assert seqs(await end.after(4, 500)) == [5, 6]
    assert shelf.reads == [(1, 3)]


@pytest.mark.parametrize(("rows_max", "bytes_max", "kept"), [(3, 1 << 20, 3), (100, 10, 5), (100, 1, 0)])
async def test_it_is_bounded_and_loses_nothing(
    monkeypatch: pytest.MonkeyPatch, rows_max: int, bytes_max: int, kept: int
) -> None:
    monkeypatch.setattr(tail, "ROWS_MAX", rows_max)
    monkeypatch.setattr(tail, "BYTES_MAX", bytes_max)
    shelf: Any = Shelf(20)
    end = tail.Tail(shelf, 0)
    for seq in range(1, 21):
        end.feed([row(seq)])
    assert (len(end._rows), end.committed) == (kept, 20)
    position, got = 0, []
    while rows := await end.after(position, 4):
        got += seqs(rows)
        position = got[-1]
    assert got == list(range(1, 21))
    assert end._bytes == 0


async def test_a_row_whose_content_nobody_has_in_memory_is_read() -> None:
    shelf: Any = Shelf(4)
    end = tail.Tail(shelf, 0)
    in_a_file, parsed = (journal.Row("event", "s", None, data=data, body_hash="h") for data in (None, {"a": 1}))
    parsed.seq, in_a_file.seq = 1, 2
    end.feed([parsed, in_a_file, row(3)])
    end.feed([row(4)])
    assert await end.after(0, 500) == [parsed]
    read = await end.after(1, 500)
    assert (seqs(read), [one.body for one in read]) == ([2, 3, 4], [b"xx"] * 3)
    assert shelf.reads == [(1, 500)]
    assert await end.after(4, 500) == []


async def test_who_waits_is_woken_by_a_row_or_on_purpose() -> None:
    end = tail.Tail(Shelf(), 0)  # type: ignore[arg-type]
    waiting = asyncio.create_task(end.wait(0))
    await asyncio.sleep(0)
    assert not waiting.done()
    end.feed([row(1)])
    await waiting
    await end.wait(0)  # there is a row behind 0: at once
    waiting = asyncio.create_task(end.wait(1))
    await asyncio.sleep(0)
    end.wake()
    await waiting


@hypothesis.given(st.data())
async def test_any_feeding_and_reading_gives_every_row_once(data: st.DataObject) -> None:
    patch = pytest.MonkeyPatch()
    patch.setattr(tail, "ROWS_MAX", data.draw(st.integers(1, 5)))
    shelf: Any = Shelf()
    end = tail.Tail(shelf, 0)
    got: list[int] = []
    for _ in range(data.draw(st.integers(0, 20))):
        if data.draw(st.booleans()):
            count = data.draw(st.integers(1, 4))
            rows = [row(shelf.last + n) for n in range(1, count + 1)]
            shelf.last += count
            end.feed(rows)
        else:
            got += seqs(await end.after(got[-1] if got else 0, data.draw(st.integers(1, 6))))
    while rows := await end.after(got[-1] if got else 0, 3):
        got += seqs(rows)
    assert got == list(range(1, shelf.last + 1))
    patch.undo()
