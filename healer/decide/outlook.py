"""What an event would lead to if it came now: the rules that it would fire, in the memory that they have, and what these would ask for.

Nothing is taken: not by the rules, not by the alerts, and nobody is told. What the gates would say is the store's (`store.simulating`).
Caller: the daemon's `simulate`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from typing import Final

from healer import engine, telemetry
from healer.decide import acting, evaluating
from healer.engine import looking
from healer.store import asking, deciding, journal

SLICE_S: Final = 0.002
ACTIONS_MAX: Final = 50
"""So many actions are looked at: the gates are asked of all in one transaction."""


@dataclasses.dataclass(slots=True)
class Ruleset:
    """What one ruleset that listens would do. `failed`: why it could not digest the event."""

    name: str
    compiled: engine.Compiled
    event: dict[str, object]
    seen: list[looking.Seen] = dataclasses.field(default_factory=list)
    failed: str = ""


@dataclasses.dataclass(slots=True)
class Outlook:
    """Of one event. `outcome` is what would be committed; `cut`: the event would ask for more than is looked at."""

    outcome: deciding.Outcome
    rulesets: list[Ruleset]
    cut: bool = False

    @property
    def asks(self) -> list[asking.Ask]:
        """The questions for the gates."""
        return [one for one in self.outcome.results if isinstance(one, asking.Ask)]


async def look(evaluator: evaluating.Evaluator, actor: acting.Actor, row: journal.Row) -> Outlook:
    """`actor`: a quiet one of the evaluator's. Others go on between the rulesets."""
    heard = evaluator.would_hear(row)
    made = Outlook(deciding.Outcome(row.seq, row.at_us), [])
    if heard is None:
        return made
    if heard.word is not None:
        made.outcome.alerts = [heard.word]
    began = time.monotonic()
    for one, event in heard.listeners:
        made.rulesets.append(Ruleset(one.name, one.session.compiled, event))
        if one.name in heard.reached:
            with telemetry.uncounted():
                _ruleset(evaluator, actor, row, heard, one, made)
        if time.monotonic() - began > SLICE_S:
            await asyncio.sleep(0)
            began = time.monotonic()
    made.cut = made.cut or len(made.outcome.results) > ACTIONS_MAX
    del made.outcome.results[ACTIONS_MAX:]
    return made


def _ruleset(
    evaluator: evaluating.Evaluator, actor: acting.Actor, row: journal.Row, heard: evaluating.Heard, one: evaluating.Running,
    made: Outlook,
) -> None:  # fmt: skip
    told = made.rulesets[-1]
    outcome = deciding.Outcome(row.seq, row.at_us)
    try:
        told.seen = one.session.look(told.event, row.at_us / 1_000_000, row.seq)
        for seen in told.seen:
            for ordinal, match in enumerate(seen.fires):
                if len(made.outcome.results) + len(outcome.results) > ACTIONS_MAX:
                    break
                actor.act(evaluator.fired(one, row, match, heard.word, ordinal), outcome)
            made.cut = made.cut or seen.cut
    except Exception as error:  # as the decider: one ruleset's poison is told, and stops no other
        told.failed = evaluating.told(error)
        return
    made.outcome.results += outcome.results
    made.outcome.appends += outcome.appends
