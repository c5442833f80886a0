"""`simulate` of a running daemon: what an event would lead to if it came now. Nothing is written, and nothing is told to anybody.

The rules say what they would do in the memory that they have (`decide.outlook`), the gates what they would say of it on the rows of now
(`store.simulating`). Controllers are asked for plans only where somebody wants them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from healer import engine, model
from healer.decide import evaluating, outlook
from healer.dispatch import planning
from healer.explain import ahead, plans, trees
from healer.store import asking, candidates, journal, simulating

if TYPE_CHECKING:
    from healer.daemon import running
    from healer.web import services

RULES_MAX: Final = 2_000
SLICE_S: Final = 0.002
PLANS_MAX: Final = 5
"""So many plans of one event."""
PLANNED: Final = ("queued", "simulated", "awaiting_approval")


async def of(daemon: running.Daemon, wanted: services.Simulation) -> dict[str, Any]:
    """The event, what it says of an alert, and the rules: those that fire first."""
    evaluator = daemon.decider.evaluator
    row = _row(wanted, daemon.clock())
    found = await outlook.look(evaluator, evaluator.acting.quiet(), row)
    revision = evaluator.acting.revision
    unit = simulating.Simulate(found.outcome, revision.id, daemon.of_run)
    would = await simulating.simulated(daemon.store, unit) if found.outcome.results else None
    rules = [one for one in _fired(found, would, evaluator) if _is_meant(one["rule"], wanted.rule)]
    trees.add(revision, rules)
    if wanted.plans and would is not None:
        await _plan(daemon.planner, rules, would)
    silent, others = await _silent(found, wanted)
    word = found.outcome.alerts[0] if found.outcome.alerts else None
    return {
        "event": _event(row, wanted), "revision": revision.short, "mode": revision.settings.mode,
        "alert": None if word is None else {
            "key": word.key, "cycle": word.cycle, "firing": word.firing, "opens": word.opens, "full": bool(word.full),
        },
        "listening": len(found.rulesets), "rules": [*rules, *silent][:RULES_MAX], "others": others,
        "appends": [{"kind": one.kind, "to": one.source} for one in found.outcome.appends],
        "cut": found.cut or len(rules) + len(silent) > RULES_MAX,
    }  # fmt: skip


def _row(wanted: services.Simulation, now_us: int) -> journal.Row:
    row = journal.Row(
        "event", wanted.source, wanted.body, actor=wanted.actor, meta=wanted.meta, depth=wanted.depth
    )  # fmt: skip
    row.at_us = now_us
    return row


def _event(row: journal.Row, wanted: services.Simulation) -> dict[str, Any]:
    return {
        "id": wanted.event, "kind": "event", "source": row.source, "received_at": model.iso(row.at_us), "actor": row.actor,
        "event": orjson.loads(wanted.body),
    }  # fmt: skip


def _is_meant(rule: str, wanted: str) -> bool:
    return not wanted or wanted in (rule, rule.rpartition("/")[2])


def _fired(
    found: outlook.Outlook, would: simulating.Simulated | None, evaluator: evaluating.Evaluator
) -> list[dict[str, Any]]:
    """What each action would come to, in the order in which they would be decided."""
    if would is None:
        return []
    made = []
    for result, decision in zip(found.outcome.results, would.decisions, strict=True):
        if isinstance(result, asking.Ask):
            name, sizes = decision["run"], _sizes(evaluator, result)
            made.append(ahead.fired(decision, would.seq, would.runs[name], would.targets[name], sizes))
        else:
            made.append(ahead.fired(decision, would.seq, None, [], {}))
    return made


def _sizes(evaluator: evaluating.Evaluator, asked: asking.Ask) -> Mapping[str, int]:
    candidate = asked.candidate
    activation = (candidate.names or model.rule_names(candidate.rule))[0]
    groups = {group for target in asked.targets for group in target.groups}
    return evaluator.acting.sizes(activation, candidate.controller, groups)


async def _silent(found: outlook.Outlook, wanted: services.Simulation) -> tuple[list[dict[str, Any]], int]:
    """Rules that would not fire: those that the event concerns, all where the reasons are wanted; and how many are not told of."""
    told: list[dict[str, Any]] = []
    others, began = 0, time.monotonic()
    for ruleset in found.rulesets:
        seen = {one.rule.index: one.told for one in ruleset.seen}
        for rule in ruleset.compiled.rules:
            identity, what = f"{ruleset.name}/{rule.name}", seen.get(rule.index)
            if (what is not None and what["fires"]) or not _is_meant(identity, wanted.rule):
                continue
            if (
                not (wanted.why or wanted.rule)
                and not ruleset.failed
                and (what is None or what["reason"] == "no-match")
            ):
                others += 1
                continue
            if len(told) >= RULES_MAX:
                others += 1
                continue
            if what is None:
                what = {"reason": "no-match" if rule.enabled else "disabled", "taken_by": None}
            tests = engine.tests_of(rule, {"": ruleset.event}) if wanted.why else []
            told.append(ahead.silent(identity, rule, what, tests, ruleset.failed))
            if time.monotonic() - began > SLICE_S:
                await asyncio.sleep(0)
                began = time.monotonic()
    return told, others


async def _plan(planner: planning.Planner, rules: list[dict[str, Any]], would: simulating.Simulated) -> None:
    """Put the plan of each run that would go, or would ask a person, into what is told of it."""
    going = [one for one in rules if one["run"] and one["outcome"] in PLANNED and not one["would"]]
    for one in going[PLANS_MAX:]:
        one["plan"] = plans.shown("skipped", f"{PLANS_MAX} of one event are made at most")
    made = await asyncio.gather(*(_planned(planner, would.runs[one["run"]], would) for one in going[:PLANS_MAX]))
    for one, plan in zip(going, made, strict=False):
        one["plan"] = plan


async def _planned(planner: planning.Planner, run: candidates.RunRow, would: simulating.Simulated) -> dict[str, Any]:
    made = await planner.made(run, would.targets[run["id"]])
    return plans.shown(made.state, made.detail, made.content, seconds=round(made.seconds, 3))
