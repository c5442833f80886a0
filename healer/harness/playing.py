"""One case from its beginning to its end: steps and expectations in the order of time, and what came of them. Caller: `harness`."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from healer import errors, explain
from healer.decide import firing
from healer.harness import acts, checking, comparing, observing, reasoning, rig, shapes, stage, suite, virtual

Verdict = Literal["passed", "failed", "error"]
WHY_MAX: Final = 5
"""Of one difference so many events are told of that a rule did not fire for."""
RULES_MAX: Final = 3
SAID_MAX: Final = 20
SAID_OF: Final = ("fired", "runs", "decisions", "approvals")
"""What rules and gates have a part in."""


@dataclasses.dataclass(slots=True)
class Said:
    """What a rule came to: its decision with the sentence of the gate, or why it did not fire, with each condition's values.

    `first` of a decision: the reason that it had then, whatever became of its run.
    """

    at_us: int
    event: str
    told: Mapping[str, Any]


@dataclasses.dataclass(slots=True)
class Result:
    """What came of a case. `error`: it could not be played to its end, and why; `told`: beside each difference what the rules came to."""

    case: suite.Case
    verdict: Verdict
    differences: list[comparing.Difference] = dataclasses.field(default_factory=list)
    told: list[list[Said]] = dataclasses.field(default_factory=list)
    error: str = ""
    error_at: errors.Place | None = None
    error_us: int = 0
    seconds: float = 0.0
    seen: observing.Seen | None = None
    """What there was at its end, where somebody asked."""
    reasons: reasoning.Reasons | None = None
    """Why each rule fired or did not, where somebody asked."""


class _Played:
    """The course of one case."""

    def __init__(self, case: suite.Case, on: rig.Rig, *, keep: bool) -> None:
        self.result = Result(case, "passed")
        self._case = case
        self._on = on
        self._keep = keep

    async def play(self) -> None:
        """To the end, or to the step that cannot be done."""
        case, on = self._case, self._on
        steps = ((one.at_us, 0, number) for number, one in enumerate(case.happenings))
        expected = ((one.to_us, 1, number) for number, one in enumerate(case.expected))
        await on.still(0)
        for at_us, kind, number in sorted((*steps, *expected)):
            if at_us > on.clock.now_us:
                await on.still(at_us)
            if kind:
                await self._compare(case.expected[number])
                continue
            one = case.happenings[number]
            try:
                await acts.do(on, one)
            except acts.Undone as undone:
                self.result.verdict, self.result.error = "failed", str(undone)
                self.result.error_at, self.result.error_us = one.place, at_us
                break
            await on.still(at_us)
        if self._keep:
            self.result.seen = await observing.look(on)

    async def _compare(self, expected: suite.Expected) -> None:
        kinds = {kind for kind in shapes.EXPECTED if getattr(expected.wanted, kind) is not None}
        if not any(comparing.differences(expected, await observing.look(self._on, kinds))):
            return
        self.result.verdict = "failed"
        seen = await observing.look(self._on)
        for one in comparing.differences(expected, seen):
            self.result.differences.append(one)
            self.result.told.append(await self._said(one, seen))

    async def _said(self, difference: comparing.Difference, seen: observing.Seen) -> list[Said]:
        """What became of the rules that are meant; of one that did not fire within its span why not, for the last events."""
        told: list[Said] = []
        until = [one for one in seen.decisions if one["at_us"] <= difference.to_us]
        for decision in until if difference.kind in SAID_OF else ():
            if not difference.rules or any(checking.meant(decision["rule"], rule) for rule in difference.rules):
                told.append(await self._decision(decision))
        asked = difference.rules or (self._rules(difference) if not until else ())
        within = [one for one in until if one["at_us"] >= difference.from_us]
        silent = [rule for rule in asked if not any(checking.meant(one["rule"], rule) for one in within)]
        events = [
            one
            for one in seen.events
            if difference.from_us <= one["at_us"] <= difference.to_us and one["kind"] == "event"
        ]
        for rule in silent:
            for event in events[-WHY_MAX:]:
                told += await self._why_not(event, rule)
        return told[-SAID_MAX:] + [_undigested(one, seen) for one in seen.quarantined]

    def _rules(self, difference: comparing.Difference) -> list[str]:
        """The rules that could have led to what is missing, where no name of a rule is given and none fired."""
        actions = {pair.wanted.get("action") for pair in difference.pairs if pair.wanted is not None}
        return [
            f"{activation.name}/{ruleset.name}/{rule.name}"
            for activation, ruleset in self._on.revision.rulesets() for rule in ruleset.rules
            if None in actions or actions & {firing.named(action) for action in rule.actions}
        ][:RULES_MAX] if actions else []  # fmt: skip

    async def _decision(self, decision: Mapping[str, Any]) -> Said:
        rows = await self._on.store.reader.all("decisions_of", decision["seq"])
        told = explain.fired(rows[decision["n"]], decision["seq"]) | {"first": decision["reason"]}
        return Said(decision["at_us"], f"e-{decision['seq']}", told)

    async def _why_not(self, event: Mapping[str, Any], rule: str) -> list[Said]:
        revision = self._on.revision

        async def of(_number: int) -> Any:
            return revision

        async def decided() -> int:
            return self._on.decider.position

        found = await explain.explain(self._on.store, of, decided, f"e-{event['seq']}", None)
        told = [one for one in found["rules"] if checking.meant(one["rule"], rule) and not one["fired"]]
        return [Said(event["at_us"], f"e-{event['seq']}", one) for one in told]


def _undigested(row: Mapping[str, Any], seen: observing.Seen) -> Said:
    """An event that a ruleset could not digest: it is in quarantine there, and no rule has heard of it."""
    at_us = next((one["at_us"] for one in seen.events if one["seq"] == row["seq"]), 0)
    told = {"rule": row["ruleset"], "fired": False, "reason": f"in quarantine, {row['error']}", "conditions": []}
    return Said(at_us, f"e-{row['seq']}", told)


def play(
    case: suite.Case,
    on: stage.Stage,
    watch: rig.Watch | None = None,
    *,
    keep: bool = False,
    clock: Callable[[], float] = time.perf_counter,
) -> Result:
    """Play a case. `keep`: what there was at its end is wanted; `watch`: of memories that are looked at while they work."""
    began = clock()
    made = rig.Rig(on, case.start_us, watch)
    played = _Played(case, made, keep=keep)
    try:
        made.run(played.play)
    except virtual.Unsettled as error:
        told = f"{error}: a rule that feeds itself, or steps without an end?"
        played.result.verdict, played.result.error, played.result.error_us = "error", told, made.ended_us
    except errors.HealerError as error:
        played.result.verdict, played.result.error, played.result.error_us = "error", error.message, made.ended_us
    played.result.seconds = clock() - began
    return played.result
