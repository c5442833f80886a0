"""Retain: keeps the data directory from growing for ever. Small deletions, one at a time, so that no commit waits long for them.

Nothing is deleted that something still refers to: the journal is trimmed below the oldest row that a snapshot, an open run or an
undecided row needs; content goes when no row names it; a run stays while its alert fires, an alert while a run names it. The audit is
kept whole, and with it the revisions that it names.
"""

from __future__ import annotations

import asyncio
import pathlib
import shutil
from collections.abc import Callable
from typing import Any, Final

from loguru import logger

from healer import errors, model, store, telemetry
from healer.store import trimming

EVERY_S: Final = 60.0
PAUSE_S: Final = 0.05
US: Final = 1_000_000


class Retainer:
    """One a daemon. `retention` has `journal`, `runs`, `alerts`, `output` in seconds.

    `forget` hears which alerts went: (source, key, cycle) of each.
    """

    def __init__(
        self, opened: store.Store, retention: Any, clock: Callable[[], int], forget: Callable[[list[tuple[str, str, int]]], None]
    ) -> None:  # fmt: skip
        self._store = opened
        self._retention = retention
        self._clock = clock
        self._forget_alerts = forget

    async def run(self) -> None:
        """Until cancelled: a round each minute."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                removed = await self.once()
            except errors.StoreFull as error:  # others tell it; the next round may find space
                logger.warning("nothing was trimmed: {}", error)
                continue
            if removed:
                logger.bind(**removed).info(
                    "trimmed: {}", ", ".join(f"{count} {what}" for what, count in removed.items())
                )

    async def once(self) -> dict[str, int]:
        """One round; how much of each went."""
        now_us = self._clock()
        removed: dict[str, int] = {}
        for what, unit in (
            ("events", trimming.TrimJournal(now_us - round(self._retention.journal * US))),
            ("deliveries", trimming.TrimDeliveries(now_us - trimming.DELIVERIES_US)),
            ("budgets", trimming.TrimSpent()),
            ("outputs", trimming.TrimOutputs(now_us - round(self._retention.output * US))),
            ("messages", trimming.TrimMessages(now_us - round(self._retention.output * US))),
            ("plans", trimming.TrimPlans(now_us - round(self._retention.output * US))),
            ("runs", trimming.TrimRuns(now_us - round(self._retention.runs * US))),
        ):
            while count := await self._store.submit(unit):
                removed[what] = removed.get(what, 0) + count
                telemetry.count(f"trimmed_{what}", count)
                if count < unit.at_most:
                    break
                await asyncio.sleep(PAUSE_S)
        if alerts := await self._alerts(now_us - round(self._retention.alerts * US)):
            removed["alerts"] = alerts
        if files := await self._contents():
            removed["contents"] = files
        return removed

    async def _alerts(self, before_us: int) -> int:
        gone = 0
        while names := await self._store.submit(trimming.TrimAlerts(before_us)):
            self._forget_alerts(names)
            gone += len(names)
            if len(names) < trimming.TrimAlerts.at_most:
                break
            await asyncio.sleep(PAUSE_S)
        return gone

    async def _contents(self) -> int:
        """Content that no row names any more: the rows first, then the files."""
        gone = 0
        while names := await self._store.submit(trimming.TrimBlobs()):
            await asyncio.to_thread(self._forget, names)
            gone += len(names)
            if len(names) < trimming.TrimBlobs.at_most:
                break
            await asyncio.sleep(PAUSE_S)
        return gone

    def _forget(self, names: list[str]) -> None:
        for name in names:
            self._store.blobs.forget(name)


async def forget_work(data_dir: pathlib.Path, tokens: set[str]) -> int:
    """At a start: job folders of attempts that have ended (a crash came between the outcome and the clean-up).

    Only real folders that are named as attempts are, in a real folder: whatever else lies there is not ours to delete.
    """
    folder = data_dir / "work"
    if folder.is_symlink() or not folder.is_dir():
        return 0
    gone = [path for path in sorted(folder.iterdir()) if path.name not in tokens and _is_job(path)]
    for path in gone:
        await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
    return len(gone)


def _is_job(path: pathlib.Path) -> bool:
    return model.TOKEN.fullmatch(path.name) is not None and path.is_dir() and not path.is_symlink()
