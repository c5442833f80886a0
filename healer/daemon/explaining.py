"""What `explain` asks of a running daemon: how far it has decided, and the rules of a revision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from healer import explain, project
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

    return await explain.explain(daemon.store, revision_of, decided_to, asked, rule, daemon.decider.evaluator.ended)
