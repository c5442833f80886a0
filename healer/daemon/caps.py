"""Caps: how many alerts may be open, runs wait for a person, events wait to be decided, facts be kept, and what was beyond.

What is beyond a cap is counted where it is refused; here that is shown in the status, and told in log and audit, at once and then once
an hour while it goes on. Of facts the decider tells, by ruleset (`memory_full`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from loguru import logger

from healer import telemetry
from healer.decide import ceilings
from healer.store import notes

if TYPE_CHECKING:
    from healer.daemon import running

LOOK_S: Final = 1.0
BEYOND: Final = {
    "alerts": ("alerts_refused",),
    "approvals": ("decisions_approvals_full", "rechecks_approvals_full"),
    "backlog": ("intake_refused_backlog",),
}
"""Cap → the counters of what was beyond it."""
SAID: Final = {
    "alerts": "alerts_max: {n} began to fire and are not followed, since {limit} are open",
    "approvals": "approvals_max: {n} times a run had to wait, since {limit} wait for a person",
    "backlog": "backlog_max: {n} deliveries were refused, since {limit} events wait to be decided",
}


class Caps:
    """One a daemon."""

    def __init__(self, daemon: running.Daemon) -> None:
        self._daemon = daemon
        self._told = ceilings.Ceilings(_counted(), ("refused",))

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Tell what has been beyond a cap since it was told last."""
        for name, grown in self._told.found(_counted(), self._daemon.clock()).items():
            limit = self._limit(name)
            logger.bind(cap=name).warning(SAID[name], n=grown["refused"], limit=limit)
            await self._daemon.store.insist(notes.Note("cap_reached", "daemon", cap=name, limit=limit, **grown))

    def _limit(self, name: str) -> int:
        # The backlog's is that of the start.
        settings = self._daemon.started_with if name == "backlog" else self._daemon.revision.settings
        return int(getattr(settings, f"{name}_max"))

    async def shown(self) -> dict[str, dict[str, int]]:
        """For the status: of each cap how much of it is used, the limit, and how often something was beyond it."""
        daemon = self._daemon
        (people,) = await daemon.store.reader.all("runs_before_people")
        used = {
            "alerts": daemon.decider.evaluator.alerts.open,
            "approvals": people["n"],
            "backlog": daemon.decider.backlog,
        }
        made = {name: {"used": count, "limit": self._limit(name), **_counted()[name]} for name, count in used.items()}
        running = daemon.decider.evaluator.running.values()
        kept = [len(one.session.facts.stored) for one in running]
        refused = sum(one.session.counters["facts_refused"] for one in running)
        made["facts"] = {"used": max(kept, default=0), "limit": daemon.revision.settings.facts_max, "refused": refused}
        return made


def _counted() -> dict[str, Any]:
    counters = telemetry.read()
    return {name: {"refused": sum(counters.get(word, 0) for word in words)} for name, words in BEYOND.items()}
