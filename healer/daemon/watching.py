"""Watches what changes outside of any request: the kill switch coming and going, silences that are over, steps of the wall clock, a
full disk.

All but the last are in the audit. What the switch held is looked at again when it is lifted, also when that happened while nobody was here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from loguru import logger

from healer import store
from healer.daemon import clock, standing, switching
from healer.store import notes, pausing, silencing

LOOK_S: Final = 0.5
BY_THE_WALL: Final = ("silenced", "outside_window")
"""What waits for a time that people mean: a step of their clock moves it."""


class Watch:
    """One a daemon. `look_again()` lets runs that wait be decided again."""

    def __init__(
        self,
        opened: store.Store,
        pause: standing.PauseFile,
        time: clock.JournalClock,
        look_again: Callable[[], Awaitable[None]],
        switch: switching.Switch | None = None,
    ) -> None:
        self._store = opened
        self._pause = pause
        self._clock = time
        self._look_again = look_again
        self._switch = switch
        self._full = False

    async def run(self) -> None:
        """Until cancelled."""
        paused: bool | None = None  # what the last record says, at first
        while True:
            self._tell_space()
            now = self._pause()
            if (now is not None) != paused:
                await self._changed(now)
            elif now is None and await pausing.held_by_none(self._store.reader, self._store.writer.tx.rules):
                # It came and went between two looks, or a decision saw it that came late.
                await self._store.insist(pausing.Lifted())
                await self._look_again()
            paused = now is not None
            if self._switch is not None:
                await self._switch.look()
            await self._silences()
            if step_us := self._clock.stepped():
                logger.warning(
                    "the wall clock stepped by {:.1f} s; rules and gates go on with journal time", step_us / 1_000_000
                )
                await self._store.insist(notes.Note("clock", "daemon", step_us=step_us))
                await self._woken(BY_THE_WALL)
            await asyncio.sleep(LOOK_S)

    async def _silences(self) -> None:
        """What has come to its end by itself is in the audit as what a person ended; what it held waits for that time anyway."""
        wall_us = self._clock() + self._clock.ahead_us()
        while await self._store.reader.all("silences_over", wall_us, 1):
            await self._store.insist(silencing.Over(wall_us))

    def _tell_space(self) -> None:
        """Once, when the disk is full, and once when there is space again: what waits for it says nothing itself."""
        full = self._store.lacks_space()
        if full and not self._full:
            logger.error("the disk is full: nothing new is taken, and what has to be written waits; free some space")
        elif self._full and not full:
            logger.info("there is space on the disk again")
        self._full = full

    async def _changed(self, now: dict[str, Any] | None) -> None:
        if await switching.take_up(self._store, now) and now is None:
            await self._look_again()

    async def _woken(self, reasons: Sequence[str]) -> None:
        for reason in reasons:
            await self._store.insist(notes.Wake(reason))
        await self._look_again()
