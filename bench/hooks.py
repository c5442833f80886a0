"""Hooks: what authentication and a format cost beside plain `POST /events`, NDJSON beside plain sqlite3, and what a flood of wrong tokens
and slow bodies do to others.

Everything that is compared goes to one daemon, turn by turn in short slices; ratios are made within a round. Deliveries differ from
each other as those of senders do: equal ones would be known again and cost less.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import bars
import daemons
import deliveries
import hostile
import load
import projects

from healer.store import connection

ROUNDS: Final = 5
TURNS: Final = ("events", "alerts", "lines", "events", "alerts", "pushes")
"""Of a round, a second each: what is compared closest comes twice."""
FLOODS: Final = 4
FLOOD_CONNECTIONS: Final = 64
GOOD_CONNECTIONS: Final = 16
ELSEWHERE: Final = "127.0.0.2"
HERE: Final = "127.0.0.1"
PUSHES: Final = 4000
"""Of a slice of a second; where a daemon takes more it ends earlier."""
SETTLED_S: Final = 1.0
SCRIPT: Final = pathlib.Path(__file__).with_name("hooks.lua")
TOKEN_FILE: Final = "hook.token"
SETTINGS: Final = """\
environment: bench
mode: active
sources:
  am: {healer.webhook: {path: am, format: alertmanager, auth: {bearer: {secret: "file:hook.token"}}}}
  gh: {healer.webhook: {path: gh, format: github, auth: {github: {secret: "file:hook.token"}}}}
"""
RULEBOOK: Final = """\
- name: measured
  hosts: all
  sources:
    - healer.api: {}
    - healer.source: {name: am}
    - healer.source: {name: gh}
  rules:
    - name: never
      condition: event.kind == "never"
      action: {none: {}}
"""


def measure(folder: pathlib.Path, scale: float) -> list[bars.Result]:
    """All of them. Raises `daemons.MeasureFailedError`."""
    made: list[bars.Result] = []
    with daemons.running(write(folder / "hooks")) as daemon:
        sender = Sender(daemon, folder)
        made += _compared(sender, ROUNDS if scale >= 1 else 1)
        made += _flooded(sender, FLOODS if scale >= 1 else 1)
        twice = daemon.status()["counters"].get("events_duplicate", 0)
        if twice:
            raise daemons.MeasureFailedError(f"{twice} events were known already: that is not what was to be measured")
    with hostile.many_files(), daemons.running(write(folder / "slow")) as daemon:
        time.sleep(SETTLED_S)
        held = hostile.slowly(daemon, "/hooks/gh")
    note = f"{hostile.SLOW:,} connections, half of them with a byte a second; answers: {_answers(held.answers)}"
    return [*made, bars.Result("slow-memory", [held.above_mb], note), bars.Result("slow-closed", [held.closed_s])]


def write(folder: pathlib.Path) -> pathlib.Path:
    """A project with `POST /events`, and the hooks `am` (Alertmanager, a token) and `gh` (GitHub, a signature); no rule matches."""
    projects.write(folder, projects.QUIET)
    (folder / "healer.yaml").write_text(SETTINGS)
    (folder / "rulebooks" / "measured.yml").write_text(RULEBOOK)
    token = folder / TOKEN_FILE
    token.write_text(deliveries.TOKEN + "\n")
    token.chmod(0o600)
    return folder


class Sender:
    """wrk with requests of ours; no number comes twice."""

    def __init__(self, daemon: daemons.Daemon, folder: pathlib.Path) -> None:
        self.daemon = daemon
        self._file = folder / "requests"
        self._number = 0

    def events(self, seconds: int) -> load.Load:
        """Plain ones."""
        return load.run(self.daemon, seconds)

    def alerts(self, seconds: int, connections: int = load.CONNECTIONS) -> load.Load:
        """Of Alertmanager."""
        self._number += 1 << 32
        return self._run(deliveries.alert(), 1, seconds, connections, deliveries.MARK)

    def pushes(self, _seconds: int) -> load.Load:
        """Of GitHub, for a second."""
        self._number += PUSHES
        return self._run(deliveries.push(self._number, PUSHES), PUSHES, 1, load.CONNECTIONS)

    def lines(self, seconds: int) -> load.Load:
        """NDJSON; the rate is that of requests."""
        return self._run(deliveries.lines(), 1, seconds, load.CONNECTIONS)

    def _run(self, requests: bytes, count: int, seconds: int, connections: int, mark: str = "") -> load.Load:
        wrk = shutil.which("wrk")
        if wrk is None:
            raise daemons.MeasureFailedError("wrk is not installed; on Debian: apt-get install wrk")
        self._file.write_bytes(requests)
        environ = os.environ | {
            "BENCH_REQUESTS": str(self._file), "BENCH_LENGTH": str(len(requests) // count), "BENCH_MARK": mark,
            "BENCH_FROM": str(self._number),
        }  # fmt: skip
        done = subprocess.run(
            [wrk, f"-t{load.THREADS}", f"-c{connections}", f"-d{seconds}s", "-s", str(SCRIPT), f"http://127.0.0.1:{self.daemon.port}"],
            env=environ, capture_output=True, text=True, check=False, timeout=seconds + 60,
        )  # fmt: skip
        line = next((line for line in done.stdout.splitlines() if line.startswith("RESULT ")), None)
        seen = json.loads(line.removeprefix("RESULT ")) if line else collections.Counter(broken=1)
        if seen["broken"] or seen["refused"]:
            raise daemons.MeasureFailedError(f"wrk: {done.stdout[-500:]} {done.stderr[-500:]} {self.daemon.said()}")
        return load.Load(
            seen["requests"] / seen["duration_us"] * 1e6, seen["p50_us"] / 1e3, seen["p99_us"] / 1e3, seen["refused"]
        )


# --- compared with plain posts, and with plain sqlite3 --------------------------------------------------------------------


def _compared(sender: Sender, rounds: int) -> list[bars.Result]:
    kinds: dict[str, Callable[[int], load.Load]] = {
        "events": sender.events, "alerts": sender.alerts, "lines": sender.lines, "pushes": sender.pushes,
    }  # fmt: skip
    for send in kinds.values():
        send(1)
    loads: dict[str, list[load.Load]] = collections.defaultdict(list)
    raw: list[float] = []
    for number in range(rounds):
        slices: dict[str, list[load.Load]] = collections.defaultdict(list)
        turn = number % len(TURNS)
        for name in TURNS[turn:] + TURNS[:turn]:
            sender.daemon.decided_s()
            slices[name].append(kinds[name](1))
        sender.daemon.decided_s()
        raw.append(_raw(sender.daemon.folder / f"raw-{number}.db", 1.0))
        for name, some in slices.items():
            loads[name].append(load.together(some))
    return _ratios(loads, raw)


def _ratios(loads: Mapping[str, list[load.Load]], raw: list[float]) -> list[bars.Result]:
    plain = [one.rate for one in loads["events"]]
    alerts = [one.rate for one in loads["alerts"]]
    pushes = [one.rate for one in loads["pushes"]]
    lines = [one.rate * deliveries.LINES for one in loads["lines"]]
    told = f"{_middle(lines)} events/s"
    return [
        bars.Result("hook-alertmanager", _over(alerts, plain), f"{_told(loads['alerts'])}; plain {_told(loads['events'])}"),
        bars.Result("hook-github", pushes, _told(loads["pushes"])),
        bars.Result("hook-github-ratio", _over(pushes, plain)),
        bars.Result("ndjson-raw", _over(lines, raw), f"{told}; sqlite3 {_middle(raw)} rows/s"),
        bars.Result("ndjson-single", _over(lines, plain), f"{told}; single posts {_middle(plain)} events/s"),
    ]  # fmt: skip


def _raw(path: pathlib.Path, seconds: float) -> float:
    """Rows a second by hand, into the same table: one INSERT of `deliveries.LINES` rows a transaction."""
    opened = connection.open_writer(str(path))
    columns = "seq, part, kind, source, at_us, depth, cause, ordinal, body, body_hash, raw_hash, meta, actor"
    marks = ",".join(["(?,0,'event','healer.api',?,0,NULL,NULL,?,NULL,NULL,?,?)"] * deliveries.LINES)
    statement = f"INSERT INTO journal ({columns}) VALUES {marks}"
    body = projects.body("cold")
    started = time.perf_counter()
    number = 0
    while time.perf_counter() - started < seconds:
        values: list[Any] = []
        for _ in range(deliveries.LINES):
            number += 1
            values += (number, time.time_ns() // 1000, body, None, "key:admin")
        opened.execute("BEGIN IMMEDIATE")
        opened.execute(statement, values)
        opened.execute("COMMIT")
    rate = number / (time.perf_counter() - started)
    opened.close()
    return rate


# --- a flood --------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(slots=True)
class _Flooded:
    """Rates of good senders during floods, relative to those without; and how the floods went."""

    ratios: list[float] = dataclasses.field(default_factory=list)
    p99_ms: list[float] = dataclasses.field(default_factory=list)
    rates: list[float] = dataclasses.field(default_factory=list)
    seen: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)

    def result(self, name: str, calm_ms: float) -> bars.Result:
        """As a bar."""
        note = (
            f"p99 {statistics.median(self.p99_ms):.1f} ms, without {calm_ms:.1f} ms; "
            f"the flood had {_middle(self.rates)} answers/s: {_answers(self.seen)}"
        )
        return bars.Result(name, self.ratios, note)


def _flooded(sender: Sender, rounds: int) -> list[bars.Result]:
    found = {ELSEWHERE: _Flooded(), HERE: _Flooded()}
    calm_ms = []
    for number in range(rounds):
        sender.daemon.decided_s()
        calm = sender.alerts(2, GOOD_CONNECTIONS)
        calm_ms.append(calm.p99_ms)
        for address, seconds in ((ELSEWHERE, 2), (HERE, 1)) if number % 2 else ((HERE, 1), (ELSEWHERE, 2)):
            sender.daemon.decided_s()
            with hostile.flooding(sender.daemon, address, FLOOD_CONNECTIONS) as flood:
                seen = sender.alerts(seconds, GOOD_CONNECTIONS)
            one = found[address]
            one.ratios.append(seen.rate / calm.rate)
            one.p99_ms.append(seen.p99_ms)
            one.rates.append(flood.rate())
            one.seen.update(flood.seen)
    middle = statistics.median(calm_ms)
    return [found[ELSEWHERE].result("flood", middle), found[HERE].result("flood-same", middle)]


# --- words ----------------------------------------------------------------------------------------------------------------


def _over(mine: list[float], others: list[float]) -> list[float]:
    return [one / other for one, other in zip(mine, others, strict=True)]


def _middle(rates: list[float]) -> str:
    return f"{statistics.median(rates):,.0f}"


def _told(seen: list[load.Load]) -> str:
    middle = sorted(seen, key=lambda one: one.rate)[len(seen) // 2]
    return f"{middle.rate:,.0f} requests/s, p50 {middle.p50_ms:.1f} ms, p99 {middle.p99_ms:.1f} ms"


def _answers(seen: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} × {status}" for status, count in sorted(seen.items())) or "none"
