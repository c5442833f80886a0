"""Looks at what nothing else would tell of, as it is no event: sources that are silent for too long, and heard again; a storm that is over.

The audit tells of it, and with it the log and messages.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from loguru import logger

from healer import project, telemetry
from healer.policy import brakes
from healer.store import notes, seeing

if TYPE_CHECKING:
    from healer.daemon import running

LOOK_S: Final = 5.0


class Quiet:
    """One a daemon."""

    def __init__(self, daemon: running.Daemon) -> None:
        self._daemon = daemon
        self._silent: set[str] = set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Tell what has changed since the last look. A source that is there no more is not told of."""
        found = {one.key: one for one in self._daemon.supervisor.status()}
        silent = {key for key, one in found.items() if one.silent}
        for key in sorted(silent - self._silent):
            telemetry.count("sources_silent")
            last_us = found[key].last_event_us
            await self._daemon.store.insist(notes.Note("source_silent", "daemon", source=key, last_us=last_us))
        for key in sorted((self._silent - silent) & found.keys()):
            logger.bind(source=key).info("{} is heard again", key)
            await self._daemon.store.insist(notes.Note("source_heard", "daemon", source=key))
        self._silent = silent
        await self._calm()

    async def _calm(self) -> None:
        """Tell that the storm is over."""
        store, limit = self._daemon.store, project.storm_of(self._daemon.revision.settings)
        rows = [] if limit is None else await store.reader.all("storm_find")
        if limit is None or not rows:
            return
        is_calm = self._daemon.clock() >= brakes.Storm(**rows[0]).calm_us(limit)
        if is_calm and (await store.reader.all("storm_untold"))[0]["untold"]:
            await store.insist(seeing.Calm(limit))
