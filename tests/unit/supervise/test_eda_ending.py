"""How the tasks around the process of a source end."""

import asyncio

import pytest

from healer.supervise import eda


async def test_a_source_that_is_cancelled_while_its_tasks_end_is_cancelled() -> None:
    ready = asyncio.Event()

    async def ends_slowly() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await ready.wait()

    slow = asyncio.create_task(ends_slowly())
    await asyncio.sleep(0)
    ending = asyncio.create_task(eda._ended(slow))
    await asyncio.sleep(0)
    ending.cancel()
    ready.set()
    await asyncio.wait([ending])
    assert ending.cancelled()


async def test_what_a_task_of_a_source_raised_is_raised() -> None:
    async def fails() -> None:
        raise ValueError("mine")

    failed = asyncio.create_task(fails())
    await asyncio.sleep(0)
    with pytest.raises(ValueError, match="mine"):
        await eda._ended(failed)
