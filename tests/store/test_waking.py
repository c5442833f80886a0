"""Whoever follows the audit is woken behind each commit that has records, however far the writer is ahead."""

from __future__ import annotations

import asyncio
import pathlib
import threading
from typing import Any

from healer import store
from healer.store import notes


class Slow:
    """Writes a record and waits in the midst of its transaction."""

    weight = 1

    def __init__(self) -> None:
        self.begun, self.goes_on = threading.Event(), threading.Event()

    def apply(self, tx: Any) -> int:
        """The record's number."""
        made: int = tx.audit("stop", actor="daemon")
        self.begun.set()
        assert self.goes_on.wait(20)
        return made


async def test_a_commit_that_was_under_way_wakes_too(tmp_path: pathlib.Path) -> None:
    opened = store.Store.open(tmp_path, lambda: 1, loop=asyncio.get_running_loop(), environment="test")
    woken: list[int] = []
    opened.writer.on_records = lambda: woken.append(1)
    committed = threading.Event()
    first, slow = notes.Note("start", "daemon"), Slow()
    plain = first.apply

    def apply(tx: Any) -> int:
        committed.set()
        return plain(tx)

    first.apply = apply  # type: ignore[method-assign]
    one = opened.writer.submit(first)
    assert committed.wait(20)
    two = opened.writer.submit(slow)
    assert slow.begun.wait(20)  # the loop has heard of none yet
    await one
    assert woken == [1]
    slow.goes_on.set()
    await two
    assert woken == [1, 1]
    await opened.writer.submit(notes.Wake())
    assert woken == [1, 1]
    await opened.close()
