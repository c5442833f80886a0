"""Joins by seed, most of them with a window; beside `generating`, for the same use."""

from __future__ import annotations

import random
from typing import Any

import generating


def windows(seed: int) -> generating.Case:
    """Joins of two to four patterns that read each other, most with a window, and plain rules that take what they join."""
    draw = random.Random(seed)
    rules = [_window_rule(draw) for _ in range(draw.choice([1, 1, 2, 3]))]
    if draw.random() < 0.4:
        rules.insert(draw.randint(0, len(rules)), {"condition": f"{_simple(draw)} and {_simple(draw)}"})
    steps: list[dict[str, Any]] = []
    for number in range(draw.randint(5, 14)):
        kind = draw.random()
        if kind < 0.7:
            body = {key: draw.choice([1, 1, 2, 3]) for key in "abc" if draw.random() < 0.5}
            steps.append({"event": {"n": number, **body}})
        elif kind < 0.78:
            steps.append({"retract": draw.choice([{"a": 1}, {"n": draw.randint(0, 9)}, {"b": 1, "c": 1}, {"b": 2}])})
        else:
            steps.append({"advance_ms": draw.choice([500, 1000, 1500, 2000, 3000])})
    return generating.Case(generating.book(rules, multiple=draw.random() < 0.5), steps)


def _window_rule(draw: random.Random) -> dict[str, Any]:
    names: list[str] = []
    texts = []
    for number in range(draw.choice([2, 3, 3, 4])):
        text = _simple(draw)
        if names and draw.random() < 0.5:
            other, key = draw.choice(names), draw.choice("abc")
            text = draw.choice([
                f"event.{draw.choice('abc')} == events.{other}.{key}", f"event.{draw.choice('abc')} != events.{other}.{key}",
                f"{text} and event.{draw.choice('abc')} > events.{other}.{key} - 1",
            ])  # fmt: skip
        named = draw.random() < 0.5
        names.append("xyzw"[number] if named else f"m_{number}")
        texts.append(f"events.{names[-1]} << {text}" if named else text)
    timeout = {"timeout": f"{draw.randint(1, 4)} seconds"} if draw.random() < 0.7 else {}
    return {"condition": {"all": texts, **timeout}}


def _simple(draw: random.Random) -> str:
    return f"event.{draw.choice('abc')} {draw.choice(['== 1', '== 2', '> 0', 'is defined', 'in [1,2]', '!= 2'])}"


KINDS = {**generating.KINDS, "windows": windows}
"""All kinds of cases."""
