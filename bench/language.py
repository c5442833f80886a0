"""The rule language: what an event costs however many rules, rulesets and waiting events there are. All in one process, without I/O."""

from __future__ import annotations

import pathlib
import random
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import bars
import orjson
import projects

from healer import engine, testing
from healer.decide import evaluating, routing

ROUNDS: Final = 5
EVENTS: Final = 50_000
KINDS: Final = 1_000
"""So many different events."""
PATHS: Final = 20
SCANNED: Final = 1_000
GROWN: Final = 4
RULESETS: Final = 200
WAITING: Final = 100_000
HOSTS: Final = 100_000


def measure(_folder: pathlib.Path, scale: float) -> list[bars.Result]:
    """Each as the median of a few rounds; what is divided was measured in the same round."""
    rounds, events = (ROUNDS, EVENTS) if scale >= 1 else (1, round(EVENTS * scale))
    made = {
        name: [] for name in (
            "engine-10", "engine-10000", "scan-none", "scan-ten", "scan-growth", "rulesets-200", "join", "join-100000", "throttle-100000",
        )
    }  # fmt: skip
    ten, many = _typed(10), _typed(10_000)
    scans = {count: (_scanned(count, 0), _scanned(count, 10)) for count in (SCANNED, GROWN * SCANNED)}
    split, whole = _rulesets(RULESETS), _rulesets(1)
    few, full = _joined(1), _joined(WAITING)
    throttled = _throttled()
    for _ in range(rounds):
        parsed_us = _us(lambda: _parse(ten[1]), events, KINDS)
        with_ten_us, with_many_us = (_us(lambda pair=pair: _posted(*pair), events, KINDS) for pair in (ten, many))
        made["engine-10"].append(with_ten_us / parsed_us)
        made["engine-10000"].append(with_many_us / with_ten_us)
        none_us, ten_us = (_us(one, events // 10, KINDS) for one in scans[SCANNED])
        made["scan-none"].append(none_us)
        made["scan-ten"].append(ten_us)
        made["scan-growth"].append(_us(scans[GROWN * SCANNED][0], events // 10, KINDS) / none_us)
        made["rulesets-200"].append(_us(split, events, KINDS) / _us(whole, events, KINDS))
        few_us = _us(few, events // 2, KINDS)
        made["join"].append(few_us)
        made["join-100000"].append(_us(full, events // 2, KINDS) / few_us)
        made["throttle-100000"].append(
            _us(throttled, HOSTS if scale >= 1 else HOSTS // 10, HOSTS if scale >= 1 else HOSTS // 10)
        )
    notes = {
        "engine-10": f"{1e6 / with_ten_us:,.0f} events/s parsed and matched, {1e6 / with_many_us:,.0f} with 10,000 rules"
    }
    return [bars.Result(name, samples, notes.get(name, "")) for name, samples in made.items()]


def _us(play: Callable[[], Any], events: int, each: int) -> float:
    """Microseconds an event; `play` lets `each` events in."""
    times = max(1, events // each)
    took = []
    for _ in range(times):
        started = time.perf_counter()
        play()
        took.append((time.perf_counter() - started) / each)
    return statistics.median(took) * 1e6


def _loaded(conditions: Sequence[Any], *, multiple: bool = False, sets: int = 1) -> list[engine.Compiled]:
    """The conditions as rules, spread over rulesets."""
    rules = [{"name": f"r{number}", "condition": one, "action": {"none": {}}} for number, one in enumerate(conditions)]
    share = len(rules) // sets
    return testing.load(
        [
            {
                "name": f"s{number}", "hosts": "all", "sources": [], "match_multiple_rules": multiple,
                "rules": rules[number * share : (number + 1) * share],
            } for number in range(sets)
        ]
    )  # fmt: skip


# --- rules that an equality finds ---------------------------------------------------------------------------------------------


def _typed(count: int) -> tuple[engine.Session, list[bytes]]:
    """`type == x and severity > 3`; each event has the type of a rule, and one in two is severe enough."""
    (compiled,) = _loaded([f'event.type == "kind {number}" and event.severity > 3' for number in range(count)])
    bodies = []
    for number in range(KINDS):
        event = {
            **projects.event("any", number),
            "type": f"kind {number * 7919 % count}",
            "severity": number % 2 * 5,
            "text": "",
        }
        event["text"] = "x" * (projects.BODY_BYTES - len(orjson.dumps(event)))
        bodies.append(orjson.dumps(event))
    return engine.Session(compiled), bodies


def _parse(bodies: Sequence[bytes]) -> None:
    loads = orjson.loads
    for body in bodies:
        loads(body)


def _posted(session: engine.Session, bodies: Sequence[bytes]) -> None:
    loads, post = orjson.loads, session.post
    for body in bodies:
        post(loads(body), 0.0)


# --- rules that none finds ----------------------------------------------------------------------------------------------------


def _scanned(count: int, matching: int) -> Callable[[], None]:
    """`>`, `search`, `in` and `is defined` over twenty paths; of the rules `matching` hold for every event."""
    conditions = [_unindexed(number) for number in range(count - matching)]
    conditions += [f"event.p0 > -{number}" for number in range(1, matching + 1)]
    session = engine.Session(_loaded(conditions, multiple=matching > 0)[0])
    draw = random.Random(1)
    events = [_wide(draw) for _ in range(KINDS)]
    if any(len(session.post(event, 0.0)) != matching for event in events[:10]):
        raise AssertionError("other rules match than should")

    def play() -> None:
        for event in events:
            session.post(event, 0.0)

    return play


def _unindexed(number: int) -> str:
    path = number % PATHS
    return (
        f"event.p{path} > {1000 + number}",
        f'event.p{path} is search("needle {number}")',
        f'event.p{path} in ["a{number}", "b{number}"]',
        f"event.p{path} is defined and event.p0 > {number}",
    )[path % 4]


def _wide(draw: random.Random) -> dict[str, Any]:
    """Of each four paths one is a number, one a text, one a word, and one is not there."""
    event: dict[str, Any] = {}
    for path in range(0, PATHS, 4):
        event |= {
            f"p{path}": draw.randint(0, 999),
            f"p{path + 1}": f"nothing of the kind {draw.randint(0, 99)}",
            f"p{path + 2}": f"c{draw.randint(0, 9)}",
        }
    return event


# --- many rulesets on one source ----------------------------------------------------------------------------------------------


def _rulesets(count: int) -> Callable[[], None]:
    """5,000 rules in so many rulesets that listen to one source."""
    made = _loaded([f'event.host == "web-{number:04}" and event.value > 50' for number in range(5_000)], sets=count)
    route = routing.Route([evaluating.Running("bench", one) for one in made])
    for _ in route.index_in_slices():
        pass
    events = [projects.event("any", number * 7) for number in range(KINDS)]

    def play() -> None:
        for event in events:
            for one in route.reached_by(event):
                one.session.post(event, 0.0)

    return play


# --- rules that remember ------------------------------------------------------------------------------------------------------


def _joined(waiting: int) -> Callable[[], None]:
    """Two events of a host join, while so many halves of other hosts wait."""
    halves = ['events.down << event.type == "down"', 'event.type == "up" and event.host == events.down.host']
    session = engine.Session(_loaded([{"all": halves}])[0])
    for number in range(waiting):
        session.post({"type": "down", "host": f"waiting {number}"}, 0.0)
    pairs = [
        ({"type": "down", "host": f"h{number}"}, {"type": "up", "host": f"h{number}"}) for number in range(KINDS // 2)
    ]

    def play() -> None:
        for down, up in pairs:
            session.post(down, 0.0)
            if len(session.post(up, 0.0)) != 1:
                raise AssertionError("the halves do not join")

    return play


def _throttled() -> Callable[[], None]:
    """`once_within` by host, each host again and again."""
    throttle = {"once_within": "1 hour", "group_by_attributes": ["event.host"]}
    rule = {"name": "r", "condition": 'event.type == "x"', "throttle": throttle, "action": {"none": {}}}
    (compiled,) = testing.load([{"name": "s", "hosts": "all", "sources": [], "rules": [rule]}])
    session = engine.Session(compiled)
    events = [{"type": "x", "host": f"host {number}"} for number in range(HOSTS)]

    def play() -> None:
        for event in events:
            session.post(event, 0.0)

    return play
