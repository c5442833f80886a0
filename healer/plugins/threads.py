"""Threads for what may never come back: a look at a file system that is gone hangs in the kernel, and nothing can end it.

The loop's own pool of threads is for the daemon's work; one that hangs there for each look would stop all of it. Callers: checks.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from healer.plugins import contracts

T = TypeVar("T")

HANGS_S: Final = 10.0
"""After so long nobody else begins to look at the same."""
LIMIT_S: Final = 60.0
AT_ONCE_MAX: Final = 64

_under_way: dict[int, tuple[str, float]] = {}


async def apart(subject: str, work: Callable[[], T]) -> T:
    """What `work` gives, done in a thread that neither holds up others nor the end of the process.

    Raises `Blind` where it is not back after a minute, an earlier one with the same subject hangs, or too many are under way.
    """
    now = time.monotonic()
    if any(one == subject and began < now - HANGS_S for one, began in _under_way.values()):
        raise contracts.Blind(f"an earlier look at {subject} has not come back")
    if len(_under_way) >= AT_ONCE_MAX:
        raise contracts.Blind(f"{AT_ONCE_MAX} looks are under way, and do not come back")
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()
    number = id(done)
    _under_way[number] = subject, now

    def settle(result: Any, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    def run() -> None:
        result: Any = None
        failed: BaseException | None = None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            failed = error
        _under_way.pop(number, None)
        if not loop.is_closed():
            try:
                loop.call_soon_threadsafe(settle, result, failed)
            except RuntimeError:  # it was closed in this very moment: nobody waits any more
                return

    threading.Thread(target=run, name=f"look {subject}"[:60], daemon=True).start()
    try:
        async with asyncio.timeout(LIMIT_S):
            return await done
    except TimeoutError:
        if done.done() and not done.cancelled():
            return done.result()  # its own error, or what came as the time was over
        raise contracts.Blind(f"a look at {subject} has not come back after {LIMIT_S:g} s") from None
