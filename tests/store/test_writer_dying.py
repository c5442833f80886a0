"""Whoever asks a writer that dies in this very moment is told so; nobody waits for ever."""

from __future__ import annotations

import asyncio
import pathlib
from typing import Any

import pytest

from healer import errors, store
from healer.store import notes


class Dies:
    """The queue of a writer that fails, and looks through it, between the look of whoever submits and what they put in."""

    def __init__(self, writer: Any) -> None:
        self.writer, self.queue = writer, writer._queue

    def put(self, item: Any) -> None:
        """For one item only."""
        self.writer._queue = self.queue
        self.writer._dead = OSError("the disk is gone")
        self.writer._fail_queued()
        self.queue.put(item)

    def get(self, **_: Any) -> Any:
        """As the thread does, should it come by."""
        raise AssertionError


async def test_what_comes_as_it_dies_is_answered(tmp_path: pathlib.Path) -> None:
    fatal: list[Exception] = []
    opened = store.Store.open(tmp_path, lambda: 1, loop=None, environment="test", on_fatal=fatal.append)
    writer = opened.writer
    writer._loop = asyncio.get_running_loop()
    writer._queue = Dies(writer)  # type: ignore[assignment]
    with pytest.raises(errors.StoreError, match="the disk is gone"):
        async with asyncio.timeout(30):
            await writer.submit(notes.Note("start", "daemon"))
    assert fatal
    await opened.close()
