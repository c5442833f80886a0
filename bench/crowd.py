"""Five hundred runs at once in one daemon, half of them over ssh: how late its loop is, and what a stop leaves. Caller: `fleet.py`."""

from __future__ import annotations

import contextlib
import getpass
import json
import pathlib
import statistics
import time
from collections.abc import Sequence
from typing import Final

import daemons
import lines
import projects
import ssh_site

from healer.child import shim

RUNS: Final = 500
ADDRESSES: Final = 50
"""Of the hosts: seven jobs at a time share a connection."""
SLEEP_S: Final = 20
LAG_FILE: Final = "lag.txt"
RULEBOOK: Final = """\
- name: fleet
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - name: near
      condition: event.kind == "near"
      action: {run_action: {name: near}}
    - name: far
      condition: event.kind == "far"
      action: {run_action: {name: far, target: "{{ event.host }}"}}
"""
ACTIONS: Final = """\
actions:
  near: {script: stay.sh, controller: here, target: none, impact: low, description: sleeps here}
  far: {script: stay.sh, controller: fleet, impact: low, description: sleeps there}
"""
SETTINGS: Final = """\
environment: bench
mode: active
storm: none
defaults:
  run_action:
    {rate_limit: none, breaker: none, blast_radius: none, cooldown: none, verify: none, concurrency: {daemon: 1000, controller: 1000}}
"""


def measure(site: ssh_site.Site) -> list[lines.Line]:
    """Half of them here, half over ssh, all asleep at once; how late the daemon's loop is meanwhile, and what a stop leaves."""
    folder = site.folder / "project"
    _write(site, folder)
    with daemons.running(folder, "lag", ["--mode", "active"]) as daemon:
        events = [{"kind": "far", "host": f"h{n:03}"} for n in range(RUNS // 2)] + [
            {"kind": "near", "n": n} for n in range(RUNS // 2)
        ]
        before = _lags(folder)
        for event in events:
            code, answer = daemon.ask("/events", "POST", json.dumps(event).encode())
            if code not in (200, 202):
                raise daemons.MeasureFailedError(f"/events answered {code}: {answer}")
        most = _most_at_once(daemon)
        begun = sorted(_lags(folder)[len(before) :])
        _until_idle(daemon)
        lags = sorted(_lags(folder)[len(before) :])
        ended = _states(daemon)
        for event in events:
            daemon.ask("/events", "POST", json.dumps({**event, "again": True}).encode())
        _most_at_once(daemon)
    left = _left(site, folder)
    if ended != {"succeeded": RUNS}:
        raise daemons.MeasureFailedError(f"of {RUNS} runs: {ended}")
    if not lags or most < RUNS:
        raise daemons.MeasureFailedError(f"only {most} runs of {RUNS} were under way at once")
    note = (
        f"while they began {_p99(begun):.1f} ms; median {statistics.median(lags):.1f} ms, "
        f"the worst {lags[-1]:.0f} ms, of {len(lags):,} looks; {most} at once"
    )
    return [
        lines.Line(f"{RUNS} runs at once, half over ssh: the loop's lag, p99", _p99(lags), "ms", 50, "≤", note),
        lines.Line(f"processes of {RUNS} runs that a stop leaves, here and on the target", left, "", 0, "≤", "stopped in their midst"),
    ]  # fmt: skip


def _p99(found: Sequence[float]) -> float:
    return found[int(len(found) * 0.99)]


def _write(site: ssh_site.Site, folder: pathlib.Path) -> None:
    projects.write(folder, projects.QUIET)
    (folder / "scripts").mkdir(exist_ok=True)
    (folder / "scripts" / "stay.sh").write_text(f"#!/bin/sh\nsleep {SLEEP_S}\n")
    (folder / "rulebooks" / "fleet.yml").write_text(RULEBOOK)
    (folder / "actions.yaml").write_text(ACTIONS)
    (folder / "healer.yaml").write_text(SETTINGS + f"drain: {1} second\n")
    (folder / "known_hosts").write_text(site.server.known())
    (folder / "id").write_text(site.key.read_text())
    (folder / "id").chmod(0o600)
    hosts = "".join(f"h{n:03} ansible_host=127.0.1.{n % ADDRESSES + 1}\n" for n in range(RUNS // 2))
    (folder / "inventory").mkdir(exist_ok=True)
    (folder / "inventory" / "hosts").write_text("[all]\n" + hosts)
    (folder / "controllers.yaml").write_text(
        "default: here\ncontrollers:\n  here: {type: local}\n"
        f"  fleet: {{type: ssh, inventory: inventory/, user: {getpass.getuser()}, port: {site.server.port},"
        f" key: {{secret: 'file:{folder / 'id'}'}}, known_hosts: known_hosts}}\n"
    )


def _states(daemon: daemons.Daemon) -> dict[str, int]:
    found: dict[str, int] = {}
    after = ""
    while True:
        code, answer = daemon.ask(f"/runs?limit=100{after}")
        if code != 200:
            raise daemons.MeasureFailedError(f"/runs answered {code}: {answer}")
        for one in answer["items"]:
            found[one["state"]] = found.get(one["state"], 0) + 1
        if not answer.get("next"):
            return found
        after = f"&after={answer['next']}"


def _most_at_once(daemon: daemons.Daemon) -> int:
    most, end = 0, time.perf_counter() + 60
    while time.perf_counter() < end and most < RUNS:
        most = max(most, daemon.status()["runs"].get("running", 0))
        time.sleep(0.1)
    return most


def _until_idle(daemon: daemons.Daemon) -> None:
    end = time.perf_counter() + 120
    while sum(daemon.status()["runs"].values()):
        if time.perf_counter() > end:
            raise daemons.MeasureFailedError(f"runs do not end: {daemon.status()['runs']}")
        time.sleep(0.2)


def _lags(folder: pathlib.Path) -> list[float]:
    path = folder / LAG_FILE
    return [float(line) for line in path.read_text().split()] if path.exists() else []


def _left(site: ssh_site.Site, folder: pathlib.Path) -> int:
    """Processes of actions that live, by what stands in their environment."""
    found = 0
    for process in shim.processes():
        with contextlib.suppress(OSError):
            known = pathlib.Path(f"/proc/{process.pid}/environ").read_bytes()
            found += b"HEALER_TOKEN=" in known and (
                str(folder).encode() in known or str(site.server.temporary).encode() in known
            )
    return found
