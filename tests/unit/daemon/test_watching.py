"""What is watched outside of any request is told once, when it comes and when it goes."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import Awaitable, Callable, Iterator

import pytest
from loguru import logger

from healer import store
from healer.daemon import clock, standing, watching


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """Lines of the log."""
    found: list[str] = []
    number = logger.add(found.append, format="{level} {message}")
    yield found
    logger.remove(number)


async def test_a_full_disk_is_told_once_and_so_is_its_end(
    tmp_path: pathlib.Path, heard: list[str], monkeypatch: pytest.MonkeyPatch,
    wait_for_async: Callable[..., Awaitable[None]],
) -> None:  # fmt: skip
    looks = iter([False, True, True, True, False, False])
    kept = store.Store.open(None, lambda: 1, loop=None)
    monkeypatch.setattr(kept, "lacks_space", lambda: next(looks, False))
    monkeypatch.setattr(watching, "LOOK_S", 0)

    async def nothing() -> None:
        return

    watch = watching.Watch(kept, standing.PauseFile(tmp_path), clock.JournalClock(), nothing)
    running = asyncio.create_task(watch.run())
    await wait_for_async(lambda: len(heard) == 2)
    running.cancel()
    assert [line.split(":")[0].strip() for line in heard] == [
        "ERROR the disk is full",
        "INFO there is space on the disk again",
    ]
    await kept.close()
