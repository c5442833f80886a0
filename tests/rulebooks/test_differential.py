"""Our engine and ansible-rulebook's own fire the same for the same: random rulebooks and steps, by seed.

CASES=n runs n cases of each kind, from FIRST_SEED on; by default 12. `make differential` runs 1,250 and has CONFORMANCE, the table, written.
Where the two disagree on the order alone that is counted; anything else fails with the seed. docs/rulebooks.md says where we differ
on purpose.
"""

from __future__ import annotations

import collections
import functools
import json
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import generating  # conftest.py has put it where it is found, and the next
import pytest
import windowing

from healer import engine, testing

CASES = int(os.environ.get("CASES", "12"))
FIRST = int(os.environ.get("FIRST_SEED", "0"))
ORDERS_MIN = 0.98
TABLE = os.environ.get("CONFORMANCE", "")


class Ours:
    """A case on our engine: sessions of one ruleset, time in milliseconds."""

    def __init__(self, compiled: Any) -> None:
        self.session = engine.Session(compiled)
        self.session.advance(0)
        self.now_ms = 0

    def step(self, step: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What a step fires, as the peer's program says it."""
        body = json.loads(json.dumps(step))
        now = self.now_ms / 1000
        if "event" in body:
            found = self.session.post(body["event"], now)
        elif "fact" in body:
            found = self.session.assert_fact(body["fact"], now)
        elif "retract" in body:
            found = self.session.retract_fact(
                body["retract"], body.get("partial", True), body.get("exclude_keys", []), now
            )
        else:
            self.now_ms += body["advance_ms"]
            found = self.session.advance(self.now_ms / 1000)
            return [_shown(match) | {"at": round(match.at * 1000)} for match in found]
        return [_shown(match) for match in found]

    @property
    def broken(self) -> int:
        """How often the peer would have raised."""
        return self.session.counters["comparisons_broken"]


def _shown(match: engine.Match) -> dict[str, Any]:
    return {"rule": match.rule.name, "matches": match.matches}


def each_alone(case: Any) -> dict[str, Any]:
    """The rules of a case, each compiled without the others."""
    (ruleset,) = case.rulebook
    return {rule["name"]: testing.load([{**ruleset, "rules": [rule]}])[0] for rule in ruleset["rules"]}


def raises(rules: Mapping[str, Any], step: Mapping[str, Any]) -> list[str]:
    """The rules of which we know that the peer raises: the index spares us to look at some."""
    found = []
    for name, compiled in rules.items():
        ours = Ours(compiled)
        ours.step(step)
        if ours.broken:
            found.append(name)
    return found


def asked(case: Any) -> Any:
    """A case as the peer's program takes it."""
    if not case.each:
        return case.as_json()
    rules = each_alone(case)
    return {**case.as_json(), "steps": [{**step, "raises": raises(rules, step)} for step in case.steps]}


def ordered(fired: Sequence[Mapping[str, Any]]) -> list[str]:
    """Firings as texts that can be compared."""
    return [json.dumps(one, sort_keys=True) for one in fired]


AGREED: dict[str, tuple[int, ...]] = {}
"""Kind → cases, steps, steps that fired, those in the same order, those with several firings, those in the same order."""


@functools.lru_cache
def cases(kind: str) -> list[Any]:
    """The cases of a kind."""
    return [windowing.KINDS[kind](seed) for seed in range(FIRST, FIRST + CASES)]


@pytest.mark.parametrize("kind", sorted(windowing.KINDS))
def test_the_same_fires(kind: str, peer: Callable[..., list[dict[str, Any]]]) -> None:
    """All sets of firings; of the orders 98 in a hundred, of the steps that fired anything."""
    orders, of_several = collections.Counter[bool](), collections.Counter[bool]()
    wrong = []
    for seed, (case, answer) in enumerate(
        zip(cases(kind), peer([asked(case) for case in cases(kind)]), strict=True), FIRST
    ):
        assert "refused" not in answer, (seed, answer, case.rulebook)
        (compiled,) = testing.load(case.rulebook)
        ours = Ours(compiled)
        for number, (step, wanted) in enumerate(zip(case.steps, answer["steps"], strict=True)):
            ours = Ours(compiled) if case.each else ours
            raised = {one["raised"] for one in wanted if "raised" in one}
            want = ordered([one for one in wanted if "rule" in one])
            got = ordered([one for one in ours.step(step) if one["rule"] not in raised])
            if sorted(want) != sorted(got):
                wrong.append((seed, number, step, want, got, [rule["condition"] for rule in case.rulebook[0]["rules"]]))
            elif want:
                orders[want == got] += 1
                of_several[want == got] += len(want) > 1
    assert not wrong, f"{len(wrong)} steps, the first: {wrong[0]}"
    assert orders[False] <= max(1, (1 - ORDERS_MIN) * orders.total()), orders
    if TABLE:
        counted = (orders.total(), orders[True], of_several.total(), of_several[True])
        AGREED[kind] = (len(cases(kind)), sum(len(case.steps) for case in cases(kind)), *counted)


def test_every_operator_meets_every_type_in_every_context() -> None:
    """None is left out in the cases of `make differential`; docs/conformance.md has the numbers."""
    counted = collections.Counter(feature for seed in range(1_250) for feature in generating.expressions(seed).features)
    kinds = (*generating.VALUES, "missing")
    missing = [
        (operator, kind, context)
        for operator in generating.OPERATORS
        for kind in kinds
        for context in generating.CONTEXTS
        if not counted[operator, kind, context]
    ]
    assert missing == []
    if TABLE:
        pathlib.Path(TABLE).write_text(_table(counted, kinds), encoding="utf-8")


def _table(counted: Mapping[tuple[str, str, str], int], kinds: Sequence[str]) -> str:
    lines = [
        "# Conformance", "",
        "What `make differential` saw: random rulebooks and steps, the same on this engine and on ansible-rulebook's own (1.3.2, drools_jpy 0.4.1),",
        "every step's firings compared. Sets agree in every step; of the orders at least 98 in a hundred have to.", "",
        "| kind | cases | steps | steps that fired | in the same order | with several firings | in the same order |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    for kind, (of_kind, steps, fired, same, several, alike) in sorted(AGREED.items()):
        share = f"{100 * alike / several:.1f} %" if several else "–"
        lines.append(
            f"| {kind} | {of_kind:,} | {steps:,} | {fired:,} | {100 * same / fired:.1f} % | {several:,} | {share} |"
        )
    lines += ["", "Expressions: how many cases have an operator on a value of a type in a context.", ""]
    for context in generating.CONTEXTS:
        lines += [f"## {context}", "", f"| operator | {' | '.join(kinds)} |", "| --- |" + " ---: |" * len(kinds)]
        lines += [
            f"| `{operator}` | " + " | ".join(str(counted[operator, kind, context]) for kind in kinds) + " |"
            for operator in generating.OPERATORS
        ]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"
