"""Children that end with the daemon: what a plan runs, which takes no effect. They leave nothing at work where they are cut off."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
from collections.abc import Callable

from healer.child import jobs, starting


async def run(
    folder: pathlib.Path, prepare: Callable[[], jobs.Spec], hear: jobs.Output
) -> tuple[jobs.Spec, jobs.Status]:
    """What `prepare` says, in a thread, and how its child ended, in a folder that is made. Raises what `prepare` does, and OSError."""
    jobs.make(folder)
    preparing = asyncio.create_task(asyncio.to_thread(_written, folder, prepare))
    try:
        spec = await asyncio.shield(preparing)
    except asyncio.CancelledError:
        await asyncio.wait([preparing])  # a thread writes on, and the folder is to be removed
        raise
    begun = asyncio.create_task(asyncio.to_thread(starting.start, folder))
    try:
        status = await jobs.Follower(folder, hear, await asyncio.shield(begun)).wait()
    except asyncio.CancelledError:
        await asyncio.wait([begun])  # a shim that is only just being started has to be ended too
        if begun.exception() is None:
            await jobs.Follower(folder, lambda *_: None, begun.result()).stop(jobs.KILL_AFTER_S)
        raise
    return spec, status


def _written(folder: pathlib.Path, prepare: Callable[[], jobs.Spec]) -> jobs.Spec:
    spec = prepare()
    jobs.write(folder, dataclasses.replace(spec, env={**spec.env, "HEALER_PLAN": "1"}, tied=True))
    return spec
