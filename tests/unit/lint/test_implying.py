"""One condition after another: each claim against what the engine really does, on conditions by seed and a grid of events."""

from __future__ import annotations

import itertools
import json
import random
import re
from typing import Any

import pytest

from healer import config, rulebook, testing
from healer.engine import leaves, normal
from healer.lint import implying, reach

PATHS = ("event.a", "event.b", "event.a.b", 'event.a["b"]', "event.a[0]", "event.a[-1]", 'event["a"].b', "event.a.b.c")
OPERATORS = ("==", "!=", "<", ">", "<=", ">=")
LITERALS = (
    "1", "2", "1.0", "1.5", "0", "-1", '"x"', '"xy"', '""', "true", "false", "null", '"1"', "[1, 2]", "9007199254740993", "9007199254740992",
)  # fmt: skip
ITEMS = ("1", "2", "1.0", '"x"', '"xy"', "true", "null", "0", "false")
NOT_THERE = object()
VALUES: tuple[Any, ...] = (
    NOT_THERE, None, 0, 1, 2, 1.5, -1, "x", "xy", "", "1", "z", True, False, [], [1], [1, 2], [None], ["x", 1], {}, {"b": 1}, {"b": None},
    {"b": "x"}, {"b": 2}, {"b": True}, {"b": [1]}, {"b": {"c": 1}}, {"b": {"c": None}}, [{"b": 1}], [{"b": 2}, {"b": "x"}], [{"b": None}],
    9007199254740992, 9007199254740993, 0.5, 1e300, float("inf"), -100, "x\0",
)  # fmt: skip
EVENTS = [
    {name: value for name, value in (("a", one), ("b", other)) if value is not NOT_THERE}
    for one, other in itertools.product(VALUES, VALUES)
]


def one_test(draw: random.Random) -> str:
    path = draw.choice(PATHS[:2] if draw.random() < 0.75 else PATHS)
    negated = draw.choice(("", "not "))
    return draw.choices(
        (
            f"{path} {draw.choice(OPERATORS)} {draw.choice(LITERALS)}",
            f"{draw.choice(LITERALS)} {draw.choice(OPERATORS)} {path}",
            f"{path} is {negated}defined",
            f"{path} {negated}in [{', '.join(draw.sample(ITEMS, draw.randint(1, 3)))}]",
            f"{path} {negated}contains {draw.choice(ITEMS)}",
            f'{path} is {negated}{draw.choice(("match", "search"))}("{draw.choice(("x", "^x", "x$", "1", ".*"))}")',
            f'{path} is {negated}select("{draw.choice(OPERATORS)}", {draw.choice(("1", "2"))})',
            path,
            f"{path} {draw.choice(OPERATORS)} {draw.choice(PATHS)}",
            f"{path} {draw.choice('+-')} 1 {draw.choice(OPERATORS)} 1",
        ),
        (40, 6, 8, 10, 6, 6, 6, 6, 6, 4),
    )[0]


def condition(draw: random.Random, depth: int = 0) -> str:
    kind = 0 if depth > 2 else draw.random()
    if kind < 0.45:
        return one_test(draw)
    if kind < 0.7:
        return f"({condition(draw, depth + 1)}) and ({condition(draw, depth + 1)})"
    if kind < 0.88:
        return f"({condition(draw, depth + 1)}) or ({condition(draw, depth + 1)})"
    return f"not ({condition(draw, depth + 1)})"


def pair(draw: random.Random) -> tuple[str, str]:
    """Two conditions, often such that one follows from the other."""
    first = condition(draw)
    second = condition(draw)
    if draw.random() < 0.4:
        second = first.replace("==", draw.choice(("==", ">=", "!="))).replace("1", draw.choice("12"))
    if draw.random() < 0.3:
        first = f"({first}) and ({condition(draw, 1)})"
    return (f"({first}) or ({condition(draw, 1)})" if draw.random() < 0.2 else first), second


def read(texts: list[str]) -> list[normal.Normal] | None:
    rules = "".join(
        f"    - {{name: r{n}, condition: {json.dumps(text)}, action: {{none: {{}}}}}}\n" for n, text in enumerate(texts)
    )
    document = config.read_text(f"- name: s\n  hosts: all\n  sources: []\n  rules:\n{rules}", "a.yml")
    rulesets = rulebook.parse(document, {})
    if not document.ok:
        return None
    return [normal.normal(rule.condition.patterns[0].test) for rule in rulesets[0].rules]


@pytest.mark.parametrize("seed", range(8))
def test_what_is_said_to_follow_follows(seed: int) -> None:
    draw, tally, claims, impossible = random.Random(seed), leaves.Tally(), 0, 0
    for _ in range(60):
        first, second = pair(draw)
        if (known := read([first, second])) is None:
            continue
        meets, follows = (leaves.condition(one, tally) for one in known)
        branches = implying.branches(known[0])
        if reach.never(known[0]) is not None:
            assert [event for event in EVENTS if meets(event)] == [], f"{first} is said never to hold"
        if not branches:
            impossible += 1
            assert [event for event in EVENTS if meets(event)] == [], f"{first} is said to hold for no event"
        elif all(implying.holds(known[1], one) for one in branches):
            claims += 1
            assert [event for event in EVENTS if meets(event) and not follows(event)] == [], f"{first} -> {second}"
    assert claims > 5
    assert impossible


ABSENCE = re.compile(r"(not |\()*event\S+ is not defined\)*")
"""It takes no throttle."""
THROTTLES = (
    {}, {}, {}, {"throttle": {"once_within": "1 hour", "group_by_attributes": ["event.b"]}},
    {"throttle": {"once_after": "1 hour", "group_by_attributes": ["event.b"]}},
    {"throttle": {"accumulate_within": "1 hour", "threshold": 2, "group_by_attributes": ["event.b"]}},
)  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_a_rule_that_is_said_to_be_shadowed_never_fires(linted: Any, seed: int) -> None:
    draw, books = random.Random(seed), []
    while len(books) < 25:
        texts = [*pair(draw)[::-1], condition(draw)]
        if read(texts) is not None:
            rules = [
                {
                    "name": f"r{n}",
                    "condition": one,
                    "action": {"none": {}},
                    **({} if ABSENCE.fullmatch(one) else draw.choice(THROTTLES)),
                }
                for n, one in enumerate(texts)
            ]
            books.append({"name": f"s{len(books)}", "hosts": "all", "sources": [{"healer.api": {}}], "rules": rules})
    text = json.dumps(books, indent=1)
    told = [one for one in linted(text) if one.code in ("shadowed", "unreachable")]
    assert any(one.code == "shadowed" for one in told)
    lines = text.splitlines()
    names = {
        (_above(lines, one.place.line, '  "name": "s'), _above(lines, one.place.line, '    "name": "r')) for one in told
    }
    events = draw.sample(EVENTS, 250)
    for ruleset in {one for one, _ in names}:
        (book,) = [one for one in books if one["name"] == ruleset]
        steps = [*({"event": event} for event in events), {"advance_s": 7200}]
        fired = {(one.ruleset, one.rule) for one in testing.replay([book], steps)}
        assert not fired & names, book


FEW = [
    {},
    *({name: value} for name in "ijk" for value in (1, 2, 3)),
    *({"i": i, "j": j, "k": k} for i in (1, 2) for j in (1, 2) for k in (1, 2)),
]


def small(draw: random.Random) -> str:
    """A condition that many of a few events meet."""
    one = f"event.{draw.choice('ijk')} {draw.choice(('==', '==', '>=', '<', '!='))} {draw.randint(1, 2)}"
    return f"{one} {draw.choice(('and', 'or'))} {small(draw)}" if draw.random() < 0.25 else one


def several(draw: random.Random, before: list[Any]) -> Any:
    """A condition, often of several, often of those of one before it in another order."""
    lists = [one[kind] for one in before if isinstance(one, dict) for kind in one if kind != "timeout"]
    if draw.random() < 0.25:
        return small(draw)
    listed = (
        [*draw.choice(lists)] if lists and draw.random() < 0.5 else [small(draw) for _ in range(draw.randint(1, 3))]
    )
    draw.shuffle(listed)
    kind = draw.choice(("any", "all"))
    return {kind: listed, **({"timeout": "10 seconds"} if kind == "all" and draw.random() < 0.2 else {})}


@pytest.mark.parametrize("seed", range(6))
def test_a_rule_of_several_conditions_that_is_said_to_be_shadowed_never_fires(linted: Any, seed: int) -> None:
    draw, books = random.Random(seed), []
    for number in range(40):
        made: list[Any] = []
        for _ in range(3):
            made.append(several(draw, made))
        rules = [{"name": f"r{n}", "condition": one, "action": {"none": {}}} for n, one in enumerate(made)]
        books.append({"name": f"s{number}", "hosts": "all", "sources": [{"healer.api": {}}], "rules": rules})
    text = json.dumps(books, indent=1)
    lines = text.splitlines()
    names = {
        (_above(lines, one.place.line, '  "name": "s'), _above(lines, one.place.line, '    "name": "r'))
        for one in linted(text) if one.code in ("shadowed", "unreachable")
    }  # fmt: skip
    assert len(names) > 5
    for ruleset in {one for one, _ in names}:
        (book,) = [one for one in books if one["name"] == ruleset]
        steps = [
            one for _ in range(150) for one in ({"event": draw.choice(FEW)}, {"advance_s": draw.choice((0, 1, 6))})
        ]
        fired = {(one.ruleset, one.rule) for one in testing.replay([book], steps)}
        assert not fired & names, book


def _above(lines: list[str], number: int, start: str) -> str:
    """The value of the last line before that starts so."""
    found = next(line for line in reversed(lines[:number]) if line.startswith(start))
    return str(json.loads(found.strip().rstrip(",").split(": ", 1)[1]))
