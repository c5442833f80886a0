"""What people ask of runs and locks, from the store to the child that has to end.

`web` calls it, and the daemon wires it. Each wish is written down first (`store.people`); what then has to be stopped is the
dispatcher's to stop, and what waited is looked at again.
"""

from __future__ import annotations

from typing import Any

from loguru import logger

from healer import dispatch, store
from healer.store import finishing, people, reads


class Wishes:
    """One a daemon."""

    def __init__(self, opened: store.Store, dispatcher: dispatch.Dispatcher) -> None:
        self._store = opened
        self._dispatcher = dispatcher

    async def cancel(self, run: str, *, actor: str, reason: str = "") -> dict[str, Any]:
        """End a run, or keep it from starting: `id`, its `state` now, and whether it is still to end (`ending`, `asked_before` by whom).

        Raises `errors.NotFound`, `people.RunEnded`; `people.RunUnknown` where its controller knows of nothing that runs.
        """
        try:
            asked: people.Asked = await self._store.submit(people.Cancel(run, actor=actor, reason=reason))
        except people.RunUnknown:
            asked = await self._cancel_unknown(run, actor, reason)
        for token in asked.tokens if asked.state != "unknown" else ():
            self._dispatcher.end(token)
        self._dispatcher.wake()
        if not asked.before:
            logger.bind(run=run, actor=actor, state=asked.state).info(
                "{} cancels {}: {}", actor, run, reason or "no reason given"
            )
        return {
            "id": run,
            "state": asked.state,
            "ending": asked.state != "cancelled",
            "asked_before": asked.before or None,
        }

    async def _cancel_unknown(self, run: str, actor: str, reason: str) -> people.Asked:
        """One that goes on though it was called unknown can be ended as any other. Raises `people.RunUnknown`."""
        looked = await self._dispatcher.look(run)
        if looked is None or looked.found.state != "running":
            raise people.RunUnknown(f"healer runs resolve {run[:8]} --as failed --reason TEXT", run=run)
        asked: people.Asked = await self._store.submit(people.Cancel(run, actor=actor, reason=reason, runs_on=True))
        self._dispatcher.end_unknown(looked)
        return asked

    async def resolve(self, run: str, state: people.Word, *, actor: str, reason: str) -> dict[str, Any]:
        """Say how an unknown run ended: `id`, its `state` now, and what its controller `found` (null: it knows no more than before).

        Raises `errors.NotFound`, `people.NotUnknown`, `people.StillRunning`.
        """
        row = await reads.run(self._store.reader, run)
        if row["state"] != "unknown":
            raise people.not_unknown(run, row["state"])
        looked = await self._dispatcher.look(run)
        if looked is not None and looked.found.state == "running":
            detail = f" ({looked.found.detail})" if looked.found.detail else ""
            raise people.StillRunning(f"healer runs cancel {run[:8]}", run=run, detail=detail)
        end = await self._dispatcher.end_of(looked) if looked is not None else None
        if looked is not None and end is not None:
            asked = finishing.Asked(actor, reason)
            done: people.Asked | None = await self._store.submit(
                people.Settle(looked.token, run, looked.number, *end, asked)
            )
            if done is None:
                raise people.not_unknown(run, (await reads.run(self._store.reader, run))["state"])
        else:
            never = looked is not None and looked.found.state == "absent"
            done = await self._store.submit(people.Resolve(run, state, actor=actor, reason=reason, never=never))
        if looked is not None:
            await self._dispatcher.forget(looked.token)
        self._dispatcher.wake()
        found = None if end is None else {"state": end[0].state, "summary": end[0].summary}
        logger.bind(run=run, actor=actor, state=done.state).info(
            "{} resolves {}, which is {}: {}", actor, run, done.state, reason
        )
        return {"id": run, "state": done.state, "found": found}

    async def release(self, target: str, *, actor: str, reason: str, run: str = "") -> dict[str, Any]:
        """Let go of a lock: its whole name as `target`, the `run` that held it, and the `state` of that. `run`: only if that holds it.

        Raises `errors.NotFound`, `errors.Ambiguous`, `people.LockInUse`.
        """
        held: people.Held = await self._store.submit(people.Release(target, actor=actor, reason=reason, run=run))
        self._dispatcher.wake()
        logger.bind(run=held.run, actor=actor, target=held.target).info(
            "{} lets go of {}, which {} held: {}", actor, held.target, held.run, reason
        )
        return {"target": held.target, "run": held.run, "state": held.state}
