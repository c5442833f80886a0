"""What `explain` asks of a running daemon: how far it has decided, and the rules of a revision."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from healer import engine, explain, project
from healer.decide import alerts, evaluating, recovery
from healer.store import notes

if TYPE_CHECKING:
    from healer.daemon import running


async def of(daemon: running.Daemon, asked: str, rule: str | None) -> dict[str, Any]:
    """Why an event or a run went as it did."""

    async def revision_of(number: int) -> project.Revision | None:
        rows = await daemon.store.reader.select("SELECT id FROM revision WHERE n = ?", [number])
        if not rows or rows[0]["id"] == daemon.revision.id:
            return daemon.revision
        return await daemon.old_revision(str(rows[0]["id"]))

    async def decided_to() -> int:
        """The decider's position, once the commit that may be under way for it can be read."""
        position = daemon.decider.position
        if daemon.decider.committed_position < position:
            await daemon.store.submit(notes.RevisionNumber(daemon.revision.id))  # the writer takes one after the other
        return position

    async def memory(seq: int, revision: project.Revision, names: Collection[str]) -> Mapping[str, engine.Session]:
        return await _as_then(daemon, seq, revision, names)

    return await explain.explain(
        daemon.store, revision_of, decided_to, asked, rule, daemon.decider.evaluator.ended, memory
    )


async def _as_then(
    daemon: running.Daemon, seq: int, revision: project.Revision, names: Collection[str]
) -> dict[str, engine.Session]:
    """Rulesets as they were just before a row, apart from those at work: what remembers nothing is as it always is."""
    known = alerts.Alerts(await daemon.store.reader.all("alerts_state"))
    evaluator = daemon.decider.evaluator

    async def rules_of(revision_id: str) -> evaluating.Evaluator | None:
        if revision_id == evaluator.acting.revision.id:
            return evaluator
        return await daemon.rules_of(revision_id, known=known)

    of = await rules_of(revision.id)
    if of is None:
        return {}
    found = {name: of.running[name].session for name in names if name in of.running}
    made = {name: engine.Session(one.compiled) for name, one in found.items() if not one.remembers}
    if remembering := found.keys() - made.keys():
        past = await recovery.past(daemon.store, remembering, seq - 1, rules_of, known)
        made |= {name: one.session for name, one in past.running.items()} if past is not None else {}
    return made
