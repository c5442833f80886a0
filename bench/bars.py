"""What is measured, and what each measure has to reach: the one list that the measuring, the report and its test share.

It imports nothing of this folder, so that a test can load it alone.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from typing import Final, Literal

Sense = Literal["at least", "at most", "reported"]
Verdict = Literal["met", "missed", "reported"]


@dataclasses.dataclass(frozen=True, slots=True)
class Bar:
    """One line of the table. `limit` is in `unit` (× for ratios); None where the limit comes out of the run itself, or none is set."""

    name: str
    what: str
    unit: str
    sense: Sense = "reported"
    limit: float | None = None


@dataclasses.dataclass(slots=True)
class Result:
    """What was measured of a bar: its samples in the bar's unit, in the order they were taken; the median counts."""

    name: str
    samples: Sequence[float]
    note: str = ""
    limit: float | None = None
    """Goes before the bar's own."""

    @property
    def got(self) -> float:
        """The median; NaN where the measure failed."""
        return statistics.median(self.samples) if self.samples else float("nan")


def judge(bar: Bar, result: Result | None) -> Verdict:
    """What became of the bar. A measure that failed or was not taken is a miss where something has to be reached."""
    if bar.sense == "reported":
        return "reported"
    limit = limit_of(bar, result)
    if result is None or not result.samples or limit is None:
        return "missed"
    return "met" if (result.got >= limit if bar.sense == "at least" else result.got <= limit) else "missed"


def limit_of(bar: Bar, result: Result | None) -> float | None:
    """The limit that holds for this result."""
    return bar.limit if result is None or result.limit is None else result.limit


BARS: Final = (
    Bar("durable-ratio", "durable `POST /events`, no rule matches: requests/s ÷ baseline", "×", "at least", 0.85),
    Bar("durable-p99", "the same: p99 ÷ baseline's", "×"),
    Bar("firing-ratio", "10 rules, 1 % of events fire `none`: requests/s ÷ baseline", "×", "at least", 0.65),
    Bar("firing-p99", "the same: p99 ÷ baseline's", "×", "at most", 2.5),
    Bar("firing-backlog", "the same: until all is decided after the last answer", "s", "at most", 1.0),
    Bar("all-firing-ratio", "10 rules, every event fires `none`: requests/s ÷ baseline", "×"),
    Bar("all-firing-p99", "the same: p99 ÷ baseline's", "×"),
    Bar("all-firing-backlog", "the same: until all is decided after the last answer", "s"),
    Bar(
        "batching-ratio",
        "durable `POST /events` ÷ the same with the batch cap set to 1: requests/s",
        "×",
        "at least",
        8.0,
    ),
    Bar("batching-most", "baseline ÷ the same: what commits that cost nothing would reach on this machine", "×"),
    Bar(
        "batching-1ms",
        "as batching-ratio, on a disk whose sync takes 1 ms more (a cloud's)",
        "×",
        "at least",
        8.0,
    ),
    Bar(
        "hook-alertmanager",
        "a webhook with a token, one alert of Alertmanager, durable: requests/s ÷ `POST /events`",
        "×",
        "at least",
        0.6,
    ),
    Bar("hook-github", "a webhook with a signature, GitHub's push of 8 kB, durable", "requests/s"),
    Bar("hook-github-ratio", "the same ÷ `POST /events`", "×"),
    Bar(
        "ndjson-raw",
        "`POST /events` with 50 events as NDJSON: events/s ÷ rows/s of plain sqlite3, 50 a transaction",
        "×",
        "at least",
        0.5,
    ),
    Bar("ndjson-single", "the same ÷ events/s of single posts", "×", "at least", 4.0),
    Bar(
        "flood",
        "a webhook's good senders while 64 connections of another address flood it with wrong tokens: requests/s ÷ without",
        "×",
        "at least",
        0.9,
    ),
    Bar("flood-same", "the same, the flood coming from the address of the good senders", "×"),
    Bar("slow-memory", "1,000 connections whose bodies never end: resident memory above idle", "MB", "at most", 64.0),
    Bar("slow-closed", "the same: until each of them is closed", "s", "at most", 12.0),
    Bar("reload-p99", "p99 while 5,000 changed rules are reloaded in a loop ÷ p99 without", "×", "at most", 3.0),
    Bar("reload-time", "one of these reloads, under that load", "s"),
    Bar("ready", "daemon: from its start to 200 of `/readyz`", "s", "at most", 1.5),
    Bar("ready-rss", "daemon: resident memory once ready", "MB", "at most", 150.0),
    Bar("version", "`healer version`", "s", "at most", 0.2),
    Bar("commands", "each command: from its start to the end of its help (of all the slowest)", "s", "at most", 0.25),
    Bar(
        "memory",
        "resident memory after 1,000,000 events (bar: that after 100,000 + 10 % + 5 MB)",
        "MB",
        "at most",
    ),
    Bar("memory-rate", "the same: events/s, 500 a request, journaled and decided", "events/s"),
    Bar("writer-1", "writer alone, 1 waiting", "appends/s"),
    Bar("writer-16", "writer alone, 16 waiting", "appends/s"),
    Bar("writer-64", "writer alone, 64 waiting", "appends/s"),
    Bar("writer-128", "writer alone, 128 waiting", "appends/s"),
    Bar(
        "writer-batching",
        "writer alone, 64 waiting: appends/s ÷ the same with the batch cap set to 1",
        "×",
        "at least",
        8.0,
    ),
    Bar("writer-raw", "the same rows by plain sqlite3, 100 a transaction, no event loop", "rows/s"),
    Bar(
        "engine-10",
        "300 bytes parsed and matched with 10 rules `type == x and severity > 3`, half of them firing ÷ parsed (orjson)",
        "×",
        "at most",
        3.0,
    ),
    Bar("engine-10000", "the same with 10,000 rules ÷ with 10", "×", "at most", 1.5),
    Bar(
        "scan-none",
        "1,000 rules that no equality finds (`>`, `search`, `in`, `is defined`, 20 paths), an event that matches none",
        "µs",
        "at most",
        60.0,
    ),
    Bar("scan-ten", "the same with `match_multiple_rules`, ten matching", "µs", "at most", 60.0),
    Bar("scan-growth", "4,000 such rules ÷ 1,000", "×", "at most", 4.0),
    Bar(
        "rulesets-200",
        "200 rulesets of 25 rules on one source ÷ one ruleset of 5,000",
        "×",
        "at most",
        3.0,
    ),
    Bar("join", "two events joined by host, one other half waiting", "µs"),
    Bar("join-100000", "the same with 100,000 halves waiting ÷ with one", "×", "at most", 1.3),
    Bar("throttle-100000", "`once_within` over 100,000 hosts", "µs"),
    Bar(
        "load-5000",
        "a project of 5,000 rules, from its files to sessions, with places and all diagnostics",
        "s",
        "at most",
        1.5,
    ),
    Bar("memory-5000", "what 5,000 rules add to an idle daemon with ten", "MB", "at most", 50.0),
    Bar("shim-exec", "controller `local`: from the call to the child's exec, above a bare spawn", "ms"),
    Bar("shim-whole", "controller `local`: `/bin/true` as a whole, above a bare run", "ms"),
    Bar("decisions", "matches that become runs, all gates asked: decisions committed", "/s", "at least", 3_000.0),
    Bar(
        "effect-p99", "an event each 10 ms: from its acceptance to the exec of its command, p99", "ms", "at most", 50.0
    ),
    Bar("crash-ready", "start after kill -9 with 1,000,000 events journaled and 1,000 open runs", "s", "at most", 3.0),
    Bar(
        "explain-past",
        "`explain` of events of a day of journal (86,400), 1,000 rules that remember: p95 of 30",
        "ms",
        "at most",
        300.0,
    ),
    Bar(
        "simulate",
        "one event simulated: 1,000 rules, 100,000 halves waiting in each of 9 joins, all gates asked, p99",
        "ms",
        "at most",
        100.0,
    ),
    Bar("simulate-why", "the same with each condition of every rule, p99", "ms", "at most", 100.0),
    Bar(
        "click",
        "a click in Slack (Socket Mode, a Slack on loopback): until its message is changed in place, p99",
        "ms",
        "at most",
        300.0,
    ),
    Bar(
        "clicks-at-once",
        "a hundred people click on one request at once: how often it is decided",
        "times",
        "at most",
        1.0,
    ),
    Bar(
        "tests-1000",
        "`healer test`: 1,000 cases of 20 rulebooks of five rules, from the start of the process to its end, on one core",
        "s",
        "at most",
        5.0,
    ),
    Bar(
        "validate-5000",
        "`healer validate`: 5,000 rules in 200 rulebooks, from the start of the process to its end",
        "s",
        "at most",
        3.0,
    ),
    Bar("ansible", "controller `ansible`: a playbook, above bare `ansible-playbook`", "ms", "at most", 100.0),
)
