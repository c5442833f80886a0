"""`simulate` of one event on a daemon with 1,000 rules that remember: how long it takes until the answer is there.

The event completes a join, so that its other half is looked for among all that wait, and asks for an action, so that all gates are asked.
"""

from __future__ import annotations

import json
import pathlib
import time
from typing import Final

import bars
import daemons
import projects

RULES: Final = 1_000
JOINS: Final = 9
"""So that all which waits has its place in memory."""
THROTTLES: Final = 200
WAITING: Final = 100_000
BATCH: Final = 1_000
ROUNDS: Final = 5
REQUESTS: Final = 100
ACTION: Final = "actions: {note: {command: ['true'], impact: low, target: none}}\n"


def measure(folder: pathlib.Path, scale: float) -> list[bars.Result]:
    """p99 of each round."""
    projects.write(folder, [])
    (folder / "actions.yaml").write_text(ACTION)
    (folder / "rulebooks" / "measured.yml").write_text(_rulebook())
    waiting, rounds = (WAITING, ROUNDS) if scale >= 1 else (round(WAITING * scale), 1)
    with daemons.running(folder) as daemon:
        for start in range(0, waiting, BATCH):
            halves = [{"half": "a", "host": f"web-{number:06}"} for number in range(start, start + BATCH)]
            code, answer = daemon.ask("/events", "POST", json.dumps(halves).encode())
            if code != 202:
                raise daemons.MeasureFailedError(f"/events answered {code}: {answer}")
        daemon.decided_s(300)
        plain = [_p99_ms(daemon, waiting, why=False) for _ in range(rounds)]
        why = [_p99_ms(daemon, waiting, why=True) for _ in range(rounds)]
    return [bars.Result("simulate", plain), bars.Result("simulate-why", why)]


def _rulebook() -> str:
    """Joins by host, throttles by host, and rules that an equality finds."""
    head = "- name: measured\n  hosts: all\n  sources:\n    - healer.api: {}\n  rules:\n"
    halves = "all: ['events.a << event.half == \"a\"', 'event.half == \"b {number}\" and event.host == events.a.host']"
    rules = [
        f"{{name: join {number}, condition: {{{halves.format(number=number)}}}, action: {{run_action: {{name: note}}}}}}"
        for number in range(JOINS)
    ]
    rules += [
        f"{{name: throttle {number}, condition: 'event.check == \"check {number}\"', action: {{none: {{}}}}, "
        "throttle: {once_within: 1 hour, group_by_attributes: [event.host]}}"
        for number in range(THROTTLES)
    ]
    rules += [
        f"{{name: rule {number}, condition: '{condition}', action: {{none: {{}}}}}}"
        for number, condition in enumerate(projects.many(RULES - JOINS - THROTTLES))
    ]
    return head + "".join(f"    - {rule}\n" for rule in rules)


def _p99_ms(daemon: daemons.Daemon, waiting: int, *, why: bool) -> float:
    took = []
    for number in range(REQUESTS):
        event = {"half": f"b {number % JOINS}", "host": f"web-{number * 37 % waiting:06}", "check": "check 7"}
        body = json.dumps({"event": event, "why": why}).encode()
        started = time.perf_counter()
        code, answer = daemon.ask("/api/v1/simulate", "POST", body)
        took.append((time.perf_counter() - started) * 1e3)
        fired = [rule for rule in answer["items"][0]["rules"] if rule["fired"]] if code == 200 else []
        if len(fired) != 1 or not fired[0]["queued"]:
            raise daemons.MeasureFailedError(f"/simulate answered {code}: {str(answer)[:300]}")
    return sorted(took)[REQUESTS * 99 // 100 - 1]
