"""Asking controllers whether they are usable (`plugins.Controller.check`), as people want it. Nothing takes effect.

Caller: the API. What was said is remembered for as long as the controller is the same. One question at a time to each; whoever asks
meanwhile gets its answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

from healer import errors, model, plugins, quoting
from healer.web import services

LIMIT_S = 20.0
"""So long a controller has for its answer; the command line waits for half a minute."""
GRACE_S = 2.0
"""So long it may take to stop when it is told to."""
AT_ONCE: Final = 8
DETAIL_MAX: Final = 2_000


class _Silent(Exception):
    """the controller gave no answer in time"""


class Checks:
    """`controllers()`: those of now; `masked`: a text without secrets; `clock`: microseconds."""

    def __init__(
        self, controllers: Callable[[], Mapping[str, plugins.Controller]], masked: Callable[[str], str], clock: Callable[[], int]
    ) -> None:  # fmt: skip
        self._controllers = controllers
        self._masked = masked
        self._clock = clock
        self._places = asyncio.Semaphore(AT_ONCE)
        self._said: dict[str, tuple[plugins.Controller, services.Check]] = {}
        self._under_way: dict[str, tuple[plugins.Controller, asyncio.Task[services.Check]]] = {}
        self._asked: set[asyncio.Task[model.Health]] = set()

    def last(self, controller: str) -> services.Check | None:
        """What the controller of that name said last."""
        held, said = self._said.get(controller, (None, None))
        return said if held is not None and held is self._controllers().get(controller) else None

    async def check(self, controller: str) -> services.Check:
        """Ask it. Raises `errors.NotFound` for one that a reload has just taken away."""
        held = self._controllers().get(controller)
        if held is None:
            raise errors.NotFound("healer controllers", what=f"the controller {controller[:200]!r}")
        asked, task = self._under_way.get(controller, (None, None))
        if task is None or asked is not held:
            task = asyncio.create_task(self._ask(controller, held), name=f"check {controller}")
            self._under_way[controller] = held, task
        try:
            return await asyncio.shield(task)
        finally:
            if task.done() and self._under_way.get(controller) == (held, task):
                del self._under_way[controller]

    async def stop(self) -> None:
        """Ask no more."""
        tasks = [*self._asked, *(task for _, task in self._under_way.values())]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=GRACE_S)

    async def _ask(self, name: str, controller: plugins.Controller) -> services.Check:
        began = time.monotonic()
        ok, try_ = False, ""
        try:
            async with self._places:
                health = await self._within(controller)
            ok, detail = bool(health.ok), str(health.detail)
        except _Silent:
            detail = f"it did not answer within {LIMIT_S:g} s"
        except errors.HealerError as error:
            detail, try_ = error.message, self._shown(error.try_)
        except Exception as error:  # noqa: BLE001 - a controller is a stranger's code: whatever it raises is what came of it
            detail = plugins.raised(error)
        detail = " ".join(self._shown(detail).split())[:DETAIL_MAX]
        said = services.Check(ok, detail, self._clock(), round(time.monotonic() - began, 3), try_)
        self._said[name] = controller, said
        return said

    def _shown(self, text: str) -> str:
        """Without secrets that are known, and without what looks like one: an address may be quoted that was written in a wrong place."""
        return quoting.printed(self._masked(text))

    async def _within(self, controller: plugins.Controller) -> model.Health:
        """Its answer. Raises `_Silent`, and whatever it raises. One that does not stop when it is told to is left alone."""
        asking = asyncio.create_task(_health(controller), name="asking a controller")
        self._asked.add(asking)
        asking.add_done_callback(self._over)
        try:
            await asyncio.wait([asking], timeout=LIMIT_S)
        finally:
            if not asking.done():
                asking.cancel()
                await asyncio.wait([asking], timeout=GRACE_S)
        if not asking.done() or asking.cancelled():
            raise _Silent
        return asking.result()

    def _over(self, asking: asyncio.Task[model.Health]) -> None:
        self._asked.discard(asking)
        if not asking.cancelled():
            asking.exception()  # also of one that nobody waits for any more


async def _health(controller: plugins.Controller) -> model.Health:
    return await plugins.within(controller.check)
