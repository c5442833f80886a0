"""Beside ansible-rulebook's own engine, in one run: `ruleset.post(name, event)` as it calls it, against `Session.post`.

`make bench-peer` runs it (Java 17) and writes docs/benchmarks-peer.md. Nothing of either is durable here: matching alone is compared.
"""

from __future__ import annotations

import argparse
import datetime
import json
import logging
import os
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import machine

from healer import engine, testing

REPOSITORY: Final = pathlib.Path(__file__).resolve().parents[1]
PAGE: Final = REPOSITORY / "docs" / "benchmarks-peer.md"
HOMES: Final = "/usr/lib/jvm"
REPEATS: Final = 3
ENOUGH_S: Final = 1.0

Post = Callable[[dict[str, Any]], Any]
Setup = Callable[[Post], Sequence[dict[str, Any]]]
"""Lets in what waits, and gives the events that are measured; they lead to the same each time."""


class Line(NamedTuple):
    """What is compared: the rules, the events, and how many times faster ours has to be."""

    what: str
    rules: list[dict[str, Any]]
    setup: Setup
    wanted: float


def typed(count: int) -> list[dict[str, Any]]:
    """`type == x and severity > 3`."""
    return [{"condition": f'event.type == "kind {number}" and event.severity > 3'} for number in range(count)]


def plain(count: int) -> Setup:
    """Events of each type; one in a hundred is severe enough."""
    events = [
        {"type": f"kind {number * 7919 % count}", "severity": 5 if number % 100 == 0 else 1, "host": f"h{number}"}
        for number in range(1000)
    ]
    return lambda _: events


def halves(waiting: int) -> Setup:
    """Two events of a host that join, while so many of other hosts wait."""
    pairs = [{"type": kind, "host": f"h{number}"} for number in range(500) for kind in ("down", "up")]

    def setup(post: Post) -> Sequence[dict[str, Any]]:
        for number in range(waiting):
            post({"type": "down", "host": f"waiting {number}"})
        return pairs

    return setup


def hosts(count: int) -> Setup:
    """Each host again and again."""
    return lambda _: [{"type": "x", "host": f"host {number}"} for number in range(count)]


JOIN: Final = [
    {
        "condition": {
            "all": ['events.down << event.type == "down"', 'event.type == "up" and event.host == events.down.host']
        }
    }
]
THROTTLE: Final = [
    {"condition": 'event.type == "x"', "throttle": {"once_within": "1 hour", "group_by_attributes": ["event.host"]}}
]
LINES: Final = (
    Line("10 rules", typed(10), plain(10), 8),
    Line("1,000 rules", typed(1000), plain(1000), 12),
    Line("5,000 rules", typed(5000), plain(5000), 25),
    Line("join by host, 1 half waiting", JOIN, halves(1), 5),
    Line("join by host, 1,000 halves waiting", JOIN, halves(1000), 5),
    Line("join by host, 100,000 halves waiting", JOIN, halves(100_000), 5),
    Line("`once_within` over 100,000 hosts", THROTTLE, hosts(100_000), 5),
)


def book(line: Line, name: str) -> list[dict[str, Any]]:
    """The rulebook of a line."""
    rules = [{"name": f"r{number}", "action": {"none": {}}, **rule} for number, rule in enumerate(line.rules)]
    return [{"name": name, "hosts": "all", "sources": [{"ansible.eda.range": {"limit": 1}}], "rules": rules}]


def ours(line: Line, name: str) -> Post:
    """A session of ours."""
    session = engine.Session(testing.load(book(line, name))[0])
    return lambda event: session.post(event, 0.0)


def theirs(line: Line, name: str) -> Post:
    """A session of theirs, made as the peer makes it."""
    from ansible_rulebook.json_generator import visit_ruleset
    from ansible_rulebook.rules_parser import parse_rule_sets
    from drools import ruleset
    from drools.rule import Rule

    (parsed,) = parse_rule_sets(book(line, name), {})
    text = json.dumps(visit_ruleset(parsed, {})["RuleSet"])
    session = ruleset.Ruleset(name=name, serialized_ruleset=text)
    for number in range(len(line.rules)):
        session.add_rule(Rule(f"r{number}", lambda _: None))
    session.start_session()
    return lambda event: ruleset.post(name, event)


def rate(make: Callable[[Line, str], Post], line: Line, name: str) -> float:
    """Events a second."""
    post = make(line, name)
    events = line.setup(post)
    for event in events[:200]:
        post(event)
    events = events[: len(events) - len(events) % 2]
    count, started = 0, time.perf_counter()
    while (took_s := time.perf_counter() - started) < ENOUGH_S:
        for event in events:
            post(event)
        count += len(events)
    return count / took_s


def main() -> int:
    """The exit code: 1 when something was missed."""
    argparse.ArgumentParser(prog="bench/peer.py", description=__doc__).parse_args()
    _with_java()
    logging.root.setLevel(logging.ERROR)
    os.environ.setdefault("DROOLS_JPY_JVM_LOG", "logFile=System.err,defaultLogLevel=off")
    os.environ.setdefault("DROOLS_JPY_JVM_MAXMEM", "4G")
    rows, missed = [], []
    for number, line in enumerate(LINES):
        found = [(rate(ours, line, f"o{number}-{n}"), rate(theirs, line, f"t{number}-{n}")) for n in range(REPEATS)]
        ratio = statistics.median(one / other for one, other in found)
        mine, other = (statistics.median(pair[n] for pair in found) for n in (0, 1))
        verdict = "met" if ratio >= line.wanted else "**missed**"
        rows.append(f"| {line.what} | {mine:,.0f} | {other:,.0f} | {ratio:.1f} × | ≥ {line.wanted} × | {verdict} |")
        print(rows[-1], flush=True)
        if verdict != "met":
            missed.append(line.what)
    with tempfile.TemporaryDirectory() as scratch:
        described = machine.describe(pathlib.Path(scratch))
    PAGE.write_text(_page(rows, described), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(REPOSITORY)}", *(["missed: " + ", ".join(missed)] if missed else []), sep="\n")
    return 1 if missed else 0


def _page(rows: Sequence[str], described: Any) -> str:
    lines = [
        "# Beside ansible-rulebook's engine", "",
        f"Written by `make bench-peer` on {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC; the median of {REPEATS} runs of",
        "both, one after the other, in one process.",
        "Theirs is `ruleset.post(name, event)` of drools_jpy 0.4.1 as ansible-rulebook 1.3.2 calls it (Java 17), ours",
        "`Session.post`; both get a dictionary.",
        "",
        *[f"- {key}: {value}" for key, value in dict(described).items()], "",
        "| what | ours, events/s | theirs, events/s | ratio | wanted | |", "| --- | --- | --- | --- | --- | --- |", *rows,
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _with_java() -> None:
    """Start again with Java's library on the path, which has to be there before the process begins."""
    if "LD_LIBRARY_PATH" in os.environ and "JAVA_HOME" in os.environ:
        return
    homes = [home for home in sorted(pathlib.Path(HOMES).glob("*17*")) if (home / "lib/server/libjvm.so").is_file()]
    if not homes:
        sys.exit("error[java-missing]: no Java 17 is here\n  try  apt-get install openjdk-17-jre-headless")
    environ = {**os.environ, "JAVA_HOME": str(homes[0]), "LD_LIBRARY_PATH": str(homes[0] / "lib/server")}
    os.execve(sys.executable, [sys.executable, *sys.argv], environ)


if __name__ == "__main__":
    sys.exit(main())
