"""Which rulebooks a rule had ended (`shutdown`) when a row came: that of the past stays true after what brought them back.

Caller: `explain`. What the decider knows is of today, and only until a reload or a start; the decisions are there for longer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from healer import project, store

ACTION: Final = "shutdown"
_SQL: Final = "SELECT DISTINCT rule FROM decision WHERE seq > ? AND seq < ? AND action = ?"


async def before(
    opened: store.Store, revision: project.Revision | None, seq: int, today: Mapping[str, int]
) -> frozenset[str]:
    """The activations that had ended before the row `seq`. `revision`: the one that it was decided under.

    `today`: activation → the row at which a rule ended it, of those that nothing has brought back.
    """
    found = {activation for activation, at in today.items() if seq > at}
    ending = _ending(revision) if revision is not None else {}
    if ending:
        rows = await opened.reader.all("journal_last_revision", seq)  # such a row brings back what had ended
        since = rows[0]["seq"] if rows else 0
        told = await opened.reader.select(_SQL, [since, seq, ACTION])
        found |= {ending[one["rule"]] for one in told if one["rule"] in ending}
    return frozenset(found)


def _ending(revision: project.Revision) -> dict[str, str]:
    """Rule → its activation, of the rules that can end it: few projects have one, so that few decisions have to be read."""
    return {
        f"{activation.name}/{ruleset.name}/{rule.name}": activation.name
        for activation, ruleset in revision.rulesets()
        for rule in ruleset.rules
        if any(action.name == ACTION for action in rule.actions)
    }
