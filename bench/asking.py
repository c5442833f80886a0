"""How fast people are answered: `explain` of an event of the past, with 1,000 rules that remember and a day of journal.

The rules are one ruleset, so that every one of them is told; a third has a throttle, a tenth joins two events.
"""

from __future__ import annotations

import json
import pathlib
import random
import time
from typing import Final

import bars
import daemons
import memory
import projects

RULES: Final = 1_000
EVENTS: Final = 86_400
"""One a second for a day."""
HOSTS: Final = 500
ARRAY: Final = 400
ASKED: Final = 30


def measure(folder: pathlib.Path, scale: float) -> list[bars.Result]:
    """Milliseconds of each answer, over the whole day."""
    projects.write(folder, [])
    (folder / "rulebooks" / "measured.yml").write_text(rulebook())
    events, chance = round(EVENTS * max(scale, 0.2)), random.Random(1)
    with daemons.running(folder) as daemon:
        for at in range(0, events, ARRAY):
            body = json.dumps([_event(at + number) for number in range(ARRAY)], separators=projects.COMPACT).encode()
            memory.send(daemon.port, body, 1)
        daemon.decided_s(300)
        took = [_explained(daemon, chance.randrange(2, events), RULES) for _ in range(ASKED)]
    note = f"{max(took):.0f} ms at most, {events:,} events, {RULES:,} rules"
    return [bars.Result("explain-past", [sorted(took)[round(len(took) * 0.95)]], note)]


def rulebook() -> str:
    """The rules."""
    made = [_rule(number) for number in range(RULES)]
    head = "- name: measured\n  hosts: all\n  sources:\n    - healer.api: {}\n  rules:\n"
    return head + "".join(
        f"    - {{name: rule {number}, {text}, action: {{none: {{}}}}}}\n" for number, text in enumerate(made)
    )


def _rule(number: int) -> str:
    host = f'event.host == "web-{number % HOSTS:04}"'
    if number % 10 == 0:
        return f"condition: {{all: ['{host} and event.kind == \"down\"', '{host} and event.kind == \"slow\"'], timeout: 5 minutes}}"
    throttle = ", throttle: {once_within: 5 minutes, group_by_attributes: [event.host]}" if number % 3 == 0 else ""
    return f"condition: '{host} and event.value > {number % 90}'{throttle}"


def _event(number: int) -> dict[str, object]:
    host = f"web-{number * 7919 % HOSTS:04}"
    kind = ("down", "slow", "ok")[number % 3]
    return {"host": host, "kind": kind, "value": number % 100, "text": "x" * 200}


def _explained(daemon: daemons.Daemon, position: int, rules: int) -> float:
    started = time.perf_counter()
    code, answer = daemon.ask(f"/api/v1/explain/e-{position}")
    took_ms = (time.perf_counter() - started) * 1000
    silent = [one for one in answer["rules"] if not one["fired"]] if code == 200 else []
    if code != 200 or len(answer["rules"]) < rules or not all(one["exact"] for one in silent):
        raise daemons.MeasureFailedError(f"e-{position}: {code}, {str(answer)[:300]}")
    return took_ms
