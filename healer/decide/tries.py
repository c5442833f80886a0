"""A row that a ruleset could not digest is tried three times, each on the memory of before it; then the pair is set aside.

A ruleset that fails may have changed half of what it remembers (a window that it opened, an event that it took). So its memory is
made anew for each try, as a start would find it at the row before: from the last snapshot and what came since. In the end it stands
as if it had not heard of the row, which is what a later replay makes of it too; only time passes. The other rulesets, which have
heard the row, go on undisturbed. A ruleset that events leave nothing behind in is simply asked again. Caller: the decider.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Any, Final

from loguru import logger

from healer import engine, store, telemetry
from healer.decide import alerts, evaluating, recovery
from healer.store import deciding, journal, letters

KEPT_ROWS: Final = 10_000
"""Up to so many rows a memory that was made for an earlier try is gone on from."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Memory:
    """What a ruleset remembered behind a row. `of`: under which rules."""

    of: evaluating.Evaluator
    position: int
    state: dict[str, Any]


class Tries:
    """`rules_of` gives the rules of a revision, for rows since the last snapshot that another one decided."""

    def __init__(self, opened: store.Store, rules_of: recovery.RulesOf | None) -> None:
        self._store = opened
        self._rules_of = rules_of
        self._memories: dict[str, _Memory] = {}

    @staticmethod
    def changed(evaluator: evaluating.Evaluator, row: journal.Row, outcome: deciding.Outcome) -> list[str]:
        """The rulesets of the failed try whose memory has to be made anew; all that was decided before is to be committed first."""
        return [
            name for name, _ in outcome.quarantined if evaluator.running[name].session.remembers or row.kind != "event"
        ]

    async def again(self, evaluator: evaluating.Evaluator, row: journal.Row, outcome: deciding.Outcome) -> None:
        """Try the row again for the rulesets that failed; `quarantined` is then what failed to the end.

        The journal is committed as decided up to the row before.
        """
        failed, outcome.quarantined = outcome.quarantined, []
        changed = self.changed(evaluator, row, deciding.Outcome(row.seq, row.at_us, quarantined=failed))
        states = await self._remembered(evaluator, changed, row.seq - 1)
        for name, error in failed:
            for _ in range(letters.TRIES - 1):
                error = await self._try(evaluator, name, row, outcome, states)  # noqa: PLW2901 - that of the last try
                if not error:
                    break
            else:
                await self._put_back(evaluator, name, states)
                evaluator.pass_by(name, row, outcome)
                outcome.quarantined.append((name, error))
                telemetry.count("events_quarantined")
            if name in states:
                state = await _taken(evaluator.running[name])
                self._memories[name] = _Memory(evaluator, row.seq, state)

    async def _try(
        self, evaluator: evaluating.Evaluator, name: str, row: journal.Row, outcome: deciding.Outcome,
        states: dict[str, dict[str, Any] | None],
    ) -> str:  # fmt: skip
        telemetry.count("rows_tried_again")
        await self._put_back(evaluator, name, states)
        (fresh,) = await self._store.rows_at([row.seq])  # what the rules see of the row may be changed half too
        return evaluator.again(name, fresh, outcome)

    @staticmethod
    async def _put_back(
        evaluator: evaluating.Evaluator, name: str, states: dict[str, dict[str, Any] | None]
    ) -> None:  # fmt: skip
        if name in states:
            one = evaluator.running[name]
            one.session = engine.Session(one.session.compiled)
            if (state := states[name]) is not None:
                await recovery.in_slices(one.session.restore_steps(state))

    async def _remembered(
        self, evaluator: evaluating.Evaluator, names: Collection[str], position: int
    ) -> dict[str, dict[str, Any] | None]:
        """Ruleset → what it remembers at a position; None: nothing is known of that, it begins anew."""
        self._memories = {name: one for name, one in self._memories.items() if one.of is evaluator}
        near = {
            name: one for name in names if (one := self._memories.get(name)) and position - one.position <= KEPT_ROWS
        }
        found: dict[str, dict[str, Any] | None] = {}
        for name, one in near.items():
            made = evaluator.alone([name])
            await recovery.in_slices(made.running[name].session.restore_steps(one.state))
            made.alerts = alerts.Alerts()
            if position > one.position:
                made.alerts.become(await self._store.reader.all("alerts_state"))
                await recovery.replay(self._store, made, one.position, position, _no_rules)
            found[name] = await _taken(made.running[name])
        far = set(names) - set(near)
        if far:
            whole = await recovery.rebuilt(self._store, evaluator, far, position, self._rules_of)
            for name in far:
                known = whole.running.get(name) if whole is not None else None
                found[name] = None if known is None else await _taken(known)
                if known is None:
                    logger.bind(ruleset=name).error("{} begins anew: what it remembered cannot be told any more", name)
        return found

    async def everything(self, evaluator: evaluating.Evaluator, position: int) -> None:
        """A commit failed: all memory since is void, and stands again as it was behind a committed row, that of alerts too."""
        self._memories.clear()
        whole = await recovery.rebuilt(self._store, evaluator, evaluator.running, position, self._rules_of)
        for name, one in evaluator.running.items():
            known = whole.running.get(name) if whole is not None else None
            one.session = known.session if known is not None else engine.Session(one.session.compiled)
        evaluator.ended = dict(whole.ended) if whole is not None else {}
        evaluator.alerts.become(await self._store.reader.all("alerts_state"))


async def _taken(one: evaluating.Running) -> dict[str, Any]:
    """What a ruleset remembers, with the bodies."""
    return await recovery.in_slices(one.session.snapshot_steps(bodies=True))


async def _no_rules(_: str) -> evaluating.Evaluator | None:
    """Between two tries of the same rules no others held."""
    return None
