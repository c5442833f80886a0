"""What the daemon has to do with others outside of itself: its sources, what fires at their senders, and who is told that it lives.

All three stand in `supervise`; here they are given what they need of a running daemon, and are shown in its status.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from loguru import logger

from healer import plugins, supervise
from healer.store import outside
from healer.web import queries

if TYPE_CHECKING:
    from healer.daemon import running

LOOK_S: Final = 0.02


class Outside:
    """One a daemon, made once its workers are."""

    def __init__(self, daemon: running.Daemon) -> None:
        self._daemon = daemon
        world = supervise.reconciling.World(
            daemon.store, daemon.intake, daemon.secrets, daemon.clock, lambda: daemon.clock() + daemon.clock.ahead_us(), self._decided,
            daemon.decider.evaluator.alerts.heard, daemon.decider.look_at, _log, daemon.base,
        )  # fmt: skip
        self._reconciling = supervise.reconciling.Reconciling(world)
        self.heart = supervise.beating.Heart(
            _works(daemon), lambda: daemon.revision.settings.heartbeat, self._address, daemon.clock, _log
        )

    def supervisor(self, emit_for: Callable[[str], plugins.Emit]) -> supervise.Supervisor:
        """What keeps sources alive, and asks their senders."""
        daemon = self._daemon
        builder = supervise.Builder(lambda: daemon.files, daemon.base, daemon.secrets, os.environ, _log)
        return supervise.Supervisor(
            builder.build, emit_for, lambda: daemon.clock() / 1_000_000, _log, self._reconciling
        )

    async def _decided(self, limit_s: float) -> bool:
        """Wait until what is journaled by now is decided; whether it is."""
        decider = self._daemon.decider
        mark, ends = decider.tail.committed, asyncio.get_running_loop().time() + limit_s
        while decider.committed_position < mark:
            if asyncio.get_running_loop().time() > ends:
                return False
            await asyncio.sleep(LOOK_S)
        return True

    def _address(self, reference: plugins.SecretRef) -> str:
        return self._daemon.secrets.resolve(reference.secret).reveal()

    # --- what is shown ----------------------------------------------------------------------------------------------------

    def beats(self) -> dict[str, Any] | None:
        """The heartbeat, for the status; None where there is none."""
        wanted, beats = self._daemon.revision.settings.heartbeat, self.heart.beats
        if wanted is None:
            return None
        return {"every_s": wanted.every, "last": _iso(beats.last_us), "why": self._daemon.masked(beats.why) or None}

    def asked(self, source: str) -> dict[str, Any] | None:
        """The last look at a source's sender, for the status; None of one that is not asked."""
        found = self._reconciling.status(source)
        if found is None:
            return None
        last, well_us = found
        if last is None:
            return {"at": None, "well": None, "why": None, "note": None, "theirs": None, "closed": None, "opened": None}
        return {
            "at": _iso(last.at_us), "well": _iso(well_us), "why": self._daemon.masked(last.why) or None, "note": last.note or None,
            "theirs": last.theirs, "closed": last.closed, "opened": last.opened,
        }  # fmt: skip


def _works(daemon: running.Daemon) -> supervise.beating.Works:
    decider, dispatcher = daemon.decider, daemon.dispatcher

    def trouble() -> str:
        state = daemon.shown_state()
        if daemon.failed:
            return "the store or a worker has failed"
        if state == "disk-full":
            return "the disk is full"
        return "" if state in ("ok", "paused") else f"the daemon is {state}"

    return supervise.beating.Works(
        trouble, lambda: daemon.store.submit(outside.Pulse()), supervise.beating.Loop(lambda: decider.turns, decider.tail.wake),
        supervise.beating.Loop(lambda: dispatcher.turns, dispatcher.wake), lambda: decider.position, lambda: decider.backlog,
    )  # fmt: skip


def _iso(at_us: int | None) -> str | None:
    return None if at_us is None else queries.iso(at_us)


def _log(level: str, message: str) -> None:
    logger.log(level, "{}", message)
