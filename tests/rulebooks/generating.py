"""Rulebooks and steps by seed, for comparing engines: expressions, joins, facts, rules with a clock, and rules about absence.

Each case says what it is made of: (operator, type of what it looks at, where the test stands); the table of docs/conformance.md counts it.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from typing import Any

Feature = tuple[str, str, str]

VALUES: dict[str, list[Any]] = {
    "text": ["a", "b", "ab", "1", "", "Ab"], "integer": [0, 1, 2, -1], "double": [1.0, 1.5, 0.0], "boolean": [True, False],
    "null": [None], "list": [[1, "a"], [1.0], ["b", None], [[1]], [{"x": 1}, {"y": 2}]], "map": [{"x": 1}, {"x": "a", "y": None}],
}  # fmt: skip
FIELDS = ("a", "b", "c")
LITERALS = ['"a"', '"ab"', '"1"', "1", "2", "1.5", "1.0", "true", "false", "-1"]
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
CONTEXTS = ("alone", "not", "and", "or", "not and", "not or", "any")
OPERATORS = (
    *COMPARISONS, "in", "not in", "contains", "not contains", "is defined", "is not defined", "match", "not match", "search", "not search",
    "regex", "ignorecase", "select", "not select", "selectattr", "not selectattr", "truth", "+", "-", "two fields",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Case:
    """A rulebook of one ruleset, steps, and what it is made of."""

    rulebook: list[dict[str, Any]]
    steps: list[dict[str, Any]]
    features: frozenset[Feature] = frozenset()
    each: bool = False
    """Every step meets a session of its own."""
    tick_ms: int = 500
    """The steps in which the peer's clock moves."""

    def as_json(self) -> dict[str, Any]:
        """For the peer."""
        return {"rulebook": self.rulebook, "steps": self.steps, "each": self.each, "tick_ms": self.tick_ms}


def book(rules: list[dict[str, Any]], *, multiple: bool = False) -> list[dict[str, Any]]:
    """A rulebook; rules are named r0, r1, …"""
    named = [{"name": f"r{number}", "action": {"none": {}}, **rule} for number, rule in enumerate(rules)]
    ruleset = {"name": "s", "hosts": "all", "sources": [{"ansible.eda.range": {"limit": 1}}], "rules": named}
    return [ruleset | ({"match_multiple_rules": True} if multiple else {})]


# --- expressions --------------------------------------------------------------------------------------------------------------


def expressions(seed: int) -> Case:
    """Six conditions on single events, all asked of each event."""
    draw = random.Random(seed)
    features: set[Feature] = set()
    rules, made = [], []
    for _ in range(6):
        operator, context = draw.choice(OPERATORS), draw.choice(CONTEXTS)
        made.append((operator, context))
        rules.append({"condition": _in_context(draw, operator, context)})
    steps = []
    for _ in range(3):
        body, kinds = _event(draw)
        steps.append({"event": body})
        features |= {(operator, kinds.get("a", "missing"), context) for operator, context in made}
    return Case(book(rules, multiple=True), steps, frozenset(features), each=True)


def _event(draw: random.Random) -> tuple[dict[str, Any], dict[str, str]]:
    """Fields of random types, and the types; `d` is always there."""
    body: dict[str, Any] = {"d": 1}
    kinds = {}
    for field in FIELDS:
        kind = draw.choice([*VALUES, "missing"])
        if kind != "missing":
            kinds[field] = kind
            body[field] = draw.choice(VALUES[kind])
    return body, kinds


def _in_context(draw: random.Random, operator: str, context: str) -> Any:
    test, other = _test(draw, operator), _test(draw, draw.choice(OPERATORS[:6]), draw.choice(FIELDS[1:]))
    if context == "alone":
        # Alone, absence is asked of the memory; that has cases of its own.
        return f"{test} and event.d == 1" if operator == "is not defined" else test
    if context == "any":
        return {"any": [f"({test}) and event.d == 1", other]}
    if context == "not":
        return f"not ({test}) and event.d == 1"
    joined = f"{test} {context.removeprefix('not ')} {other}"
    return f"not ({joined}) and event.d == 1" if context.startswith("not ") else joined


def _test(draw: random.Random, operator: str, field: str = "a") -> str:
    path, literal = f"event.{field}", draw.choice(LITERALS)
    if operator in COMPARISONS:
        null = operator in ("==", "!=") and draw.random() < 0.15
        return f"{path} {operator} {'null' if null else literal}"
    if operator in ("in", "not in"):
        return f"{path} {operator} [{literal}, {draw.choice(LITERALS)}]"
    if operator in ("contains", "not contains"):
        return f"{path} {operator} {literal}"
    if operator in ("is defined", "is not defined"):
        return f"{path}{draw.choice(['', '.x', '[0]'])} {operator}"
    return _other_test(draw, operator, path, literal)


def _other_test(draw: random.Random, operator: str, path: str, literal: str) -> str:
    is_, name = ("is not", operator[4:]) if operator.startswith("not ") else ("is", operator)
    if name in ("match", "search", "regex"):
        return f'{path} {is_} {name}("{draw.choice(["a", "b", "[0-9]", "^a.*"])}")'
    if name == "ignorecase":
        return f'{path} is search("AB", ignorecase=true)'
    if name == "select":
        return f'{path} {is_} select("{draw.choice(["==", "!=", ">", "<="])}", {literal})'
    if name == "selectattr":
        return f'{path} {is_} selectattr("x", "{draw.choice(["==", "!=", ">"])}", {literal})'
    if name == "truth":
        return path
    if name == "two fields":
        return f"{path} {draw.choice(['==', '!='])} event.b"
    return f"{path} {name} 1 {draw.choice(['==', '>', '!='])} 2"


# --- joins and facts ----------------------------------------------------------------------------------------------------------


def joins(seed: int, facts_share: float = 0.0) -> Case:
    """Up to three rules of up to three patterns, with names and values across events."""
    draw = random.Random(seed)
    rules = [{"condition": _several(draw)} for _ in range(draw.randint(1, 3))]
    steps: list[dict[str, Any]] = []
    for number in range(draw.randint(4, 10)):
        body: dict[str, Any] = {
            key: draw.randint(1, 3) for key, share in (("i", 0.7), ("j", 0.5)) if draw.random() < share
        }
        kept = [body for step in steps for kind, body in step.items() if kind in ("event", "fact")]
        if facts_share and kept and draw.random() < facts_share / 2:
            steps.append({"retract": {"n": draw.choice(kept)["n"]}, "partial": True})
        else:
            steps.append({"fact" if draw.random() < facts_share else "event": {**body, "n": number}})
    return Case(book(rules, multiple=draw.random() < 0.4), steps)


def facts(seed: int) -> Case:
    """The same with facts that come and go; a retraction takes events that wait as well."""
    return joins(seed, 0.3)


def _several(draw: random.Random) -> Any:
    kind = draw.random()
    if kind < 0.25:
        return _pattern(draw, bound=False)
    if kind < 0.35:
        return {"any": [_pattern(draw, bound=False) for _ in range(2)]}
    bound = draw.random() < 0.5
    patterns = [_pattern(draw, bound=bound and number > 0) for number in range(draw.randint(2, 3))]
    return {"all": ["events.first << " + patterns[0], *patterns[1:]] if bound else patterns}


def _pattern(draw: random.Random, *, bound: bool) -> str:
    field = draw.choice("ij")
    kinds = [f"== {draw.randint(1, 2)}", f"> {draw.randint(0, 2)}", "is defined"]
    tests = [f"event.{field} {draw.choice(kinds)}"]
    if bound and draw.random() < 0.6:
        more = draw.choice(["", "", " + 1"])
        tests.append(
            f"event.{draw.choice('ij')} {draw.choice(['==', '>', '!='])} events.first.{draw.choice('ij')}{more}"
        )
    return " and ".join(tests)


# --- time ---------------------------------------------------------------------------------------------------------------------


def timed(seed: int) -> Case:
    """Throttles of all kinds among plain rules and joins, joins with a window, and events at many moments."""
    draw = random.Random(seed)
    texts = [
        "event.i == 1",
        "event.i == 2",
        "event.i > 0",
        "event.i is defined",
        "event.j == 1",
        "event.i == 1 or event.j == 1",
    ]
    draw.shuffle(texts)  # two throttles of one condition are one of the differences
    rules = [_timed_rule(draw, texts.pop()) for _ in range(draw.randint(1, 3))]
    steps: list[dict[str, Any]] = []
    groups: list[Any] = ["a", "b", None, 1, 1.0, "1", True, [1], {"x": 1}]
    for number in range(draw.randint(4, 12)):
        body: dict[str, Any] = {"n": number}
        for key, share, values in (
            ("i", 0.8, [1, 2]),
            ("j", 0.4, [1, 2]),
            ("k", 0.2, [1]),
            ("h", 0.8, groups),
            ("g", 0.8, ["a", "b"]),
        ):
            if draw.random() < share:
                body[key] = draw.choice(values)
        # A fact in a window makes the peer raise: it has no time there.
        fact = draw.random() < 0.1 and not any("timeout" in rule["condition"] for rule in rules)
        steps.append({"fact" if fact else "event": body})
        if draw.random() < 0.15:  # of a group, or of what waits
            steps.append(
                {"retract": draw.choice([{"h": draw.choice(groups)}, {"g": "a"}, {"h": "a", "g": "b"}, {"n": number}])}
            )
        if draw.random() < 0.5:
            steps.append({"advance_ms": draw.choice([1000, 2000, 3000, 5000])})
    steps.append({"advance_ms": 10_000})
    return Case(book(rules, multiple=draw.random() < 0.4), steps)


def _timed_rule(draw: random.Random, text: str) -> dict[str, Any]:
    kind = draw.choice(["once_within", "once_after", "accumulate_within", "window", "plain"])
    if kind == "plain":
        return {"condition": text}
    if kind == "window":
        other = draw.choice(["event.k == 1", "event.j == 2"])
        return {"condition": {"all": [text, other], "timeout": f"{draw.choice([2, 3, 5])} seconds"}}
    groups = draw.choice([["event.h"], ["event.h", "event.g"], [], ["h"]])
    throttle = {kind: f"{draw.choice([3, 5])} seconds", "group_by_attributes": groups}
    if kind == "accumulate_within":
        throttle["threshold"] = draw.randint(1, 3)
    return {"condition": text, "throttle": throttle}


def alone(seed: int) -> Case:
    """One `not_all` among plain rules and joins that take its events. Not beside a throttle, where the peer raises at each event; and of
    events that wait behind one of their kind no facts, which leave in another order there."""
    draw = random.Random(seed)
    timeout = f"{draw.choice([4, 6])} seconds"
    rules: list[dict[str, Any]] = [
        {
            "condition": {
                "not_all": [f"event.{name} == 1" for name in draw.sample("abcd", draw.choice([2, 2, 3]))],
                "timeout": timeout,
            }
        }
    ]
    plain = [
        "event.a == 1",
        "event.b == 1",
        "event.c == 1",
        "event.a is defined",
        "event.d == 1",
        "event.b == 1 or event.c == 1",
    ]
    rules += [{"condition": draw.choice(plain)} for _ in range(draw.randint(0, 2))]
    if draw.random() < 0.3:
        rules.append({"condition": {"all": [f"event.{name} == 1" for name in draw.sample("abcd", 2)]}})
    draw.shuffle(rules)
    steps: list[dict[str, Any]] = []
    for number in range(draw.randint(3, 10)):
        if draw.random() < 0.65:
            steps.append(
                {"event": {"n": number, **dict.fromkeys(draw.choices("abcd", k=draw.choice([1, 1, 1, 2])), 1)}}
            )
        elif draw.random() < 0.2:
            steps.append({"retract": draw.choice([{"n": draw.randint(0, 8)}, {draw.choice("abcd"): 1}])})
        else:
            steps.append({"advance_ms": draw.choice([500, 1000, 1500, 2000, 3000])})
    steps.append({"advance_ms": 9_000})
    return Case(book(rules, multiple=draw.random() < 0.4), steps)


# --- absence ------------------------------------------------------------------------------------------------------------------

ABSENT = (
    "event.{} is not defined",
    "not (event.{} is defined)",
    "not (event.{} is not defined)",
    "event.{}.x is not defined",
)


def absence(seed: int) -> Case:
    """Up to four rules, at least one of them about absence, among plain ones, joins and throttles; events, facts, retractions, time."""
    draw = random.Random(seed)
    rules = [{"condition": _about_absence(draw)}]
    for _ in range(draw.randint(0, 3)):
        rules.append({"condition": _about_absence(draw) if draw.random() < 0.35 else _beside_absence(draw)})
    with_time = draw.random() < 0.4
    if with_time and draw.random() < 0.6:
        texts = [
            "event.i == 1",
            "event.i > 0",
            "event.j == 1",
            "event.a is defined",
            "event.b is defined",
            "event.a == 1",
        ]
        rules += [_short(draw, text) for text in draw.sample(texts, draw.choice([1, 1, 2]))]
    draw.shuffle(rules)
    windows = any("timeout" in rule["condition"] for rule in rules)
    steps = _steps_about_absence(draw, 0 if windows else draw.choice([0, 0.2, 0.5]), with_time)
    (ruleset,) = book(rules, multiple=draw.random() < 0.4)
    ttl = {"default_events_ttl": "2 seconds"} if with_time and draw.random() < 0.5 else {}
    return Case([ruleset | ttl], steps, tick_ms=100)


def _absent(draw: random.Random) -> str:
    return draw.choice((ABSENT[0], ABSENT[0], ABSENT[0], *ABSENT)).format(draw.choice("ab"))


def _about_absence(draw: random.Random) -> Any:
    text, kind = _absent(draw), draw.random()
    if kind < 0.5:
        return text
    if kind < 0.6:
        return {draw.choice(["all", "any"]): [text]}
    if kind < 0.7:
        return {draw.choice(["all", "any"]): draw.sample([text, _absent(draw)], 2)}
    if kind < 0.9:
        others = [_with_field(draw) for _ in range(draw.choice([1, 1, 2]))]
        return {draw.choice(["all", "any"]): draw.sample([text, *others], 1 + len(others))}
    return f" {draw.choice(['and', 'or'])} ".join(draw.sample([text, _with_field(draw)], 2))


def _beside_absence(draw: random.Random) -> Any:
    kind = draw.random()
    if kind < 0.55:
        return _with_field(draw)
    if kind < 0.65:
        return {"any": [_with_field(draw), _with_field(draw)]}
    return {"all": [_with_field(draw) for _ in range(draw.choice([2, 2, 3]))]}


def _with_field(draw: random.Random) -> str:
    return f"event.{draw.choice('ijab')} {draw.choice(['== 1', '== 2', '> 0', 'is defined'])}"


def _short(draw: random.Random, text: str) -> dict[str, Any]:
    """A throttle or a window of a second or two."""
    kind = draw.choice(["once_within", "once_after", "accumulate_within", "window"])
    if kind == "window":
        return {"condition": {"all": [text, _with_field(draw)], "timeout": "1 second"}}
    groups = draw.choice([["event.i"], ["event.j"], []])
    throttle = {kind: draw.choice(["1 second", "2 seconds"]), "group_by_attributes": groups}
    if kind == "accumulate_within":
        throttle["threshold"] = draw.randint(1, 3)
    return {"condition": text, "throttle": throttle}


def _steps_about_absence(draw: random.Random, facts_share: float, with_time: bool) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = []
    values: dict[str, list[Any]] = {"a": [1, 2, None, {"x": 1}], "b": [1, None], "i": [1, 2], "j": [1, 2]}
    shares = {"a": 0.4, "b": 0.3, "i": 0.6, "j": 0.4}
    for number in range(draw.randint(4, 10)):
        body = {key: draw.choice(values[key]) for key, share in shares.items() if draw.random() < share} | {"n": number}
        before = [body for step in steps for kind, body in step.items() if kind in ("event", "fact")]
        if with_time and draw.random() < 0.3:
            steps.append({"advance_ms": draw.choice([100, 300, 1000, 1900])})
        elif before and facts_share and draw.random() < facts_share / 2 + 0.1:
            steps.append(_retraction(draw, before))
        else:
            steps.append({"fact" if draw.random() < facts_share else "event": body})
    return steps


def _retraction(draw: random.Random, before: list[dict[str, Any]]) -> dict[str, Any]:
    """Of one fact or event by its number: of several the peer's memory gives any first, and that is what the rules fire with. By all of
    its keys only where no null came before: with one in memory the peer raises."""
    one = draw.choice(before)
    if draw.random() < 0.7 or any(None in body.values() for body in before):
        return {"retract": {"n": one["n"]}, "partial": True}
    return {"retract": one | ({"z": 1} if draw.random() < 0.2 else {}), "partial": False}


KINDS: dict[str, Callable[[int], Case]] = {
    "absence": absence, "alone": alone, "expressions": expressions, "joins": joins, "facts": facts, "timed": timed,
}  # fmt: skip
