"""Random worlds on a virtual clock, with crashes at every step: no invariant of the product breaks in any of them.

`SEEDS=n` (20 without it), `FIRST=n`; `--seed N` repeats one and prints what happened.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import invariants
import pytest
import simulating

SEEDS = int(os.environ.get("SEEDS") or 20)
FIRST = int(os.environ.get("FIRST") or 1)
SHOWN_MAX = 3
LOOKED_AT = 60
CRASHES = 20
WORTH = {
    "state": (
        "deferred", "awaiting_approval", "queued", "running", "verifying", "succeeded", "failed", "timed_out", "cancelled", "unknown",
        "withdrawn", "suppressed", "refused", "expired", "simulated", "rejected", "void",
    ),
    "reason": (
        "paused", "settling", "flapping", "silenced", "outside_window", "inhibited", "invalid_parameters", "unknown_target", "cooldown",
        "rate_limited", "breaker_open", "blast_radius", "storm", "chain", "chain_depth", "stale", "resolved", "escalation", "observe",
        "disabled", "verified", "not_verified", "no_fresh_sign", "rule_changed", "needs_approval", "approved",
    ),
    "kind": (
        "decision", "intent", "outcome", "transition", "cancel", "resolved", "pause", "resume", "storm", "breaker_opened", "approval_asked",
        "review", "clock",
    ),
    "act": (
        "pause", "resume", "cancel", "resolve", "release", "silence", "unsilence", "breaker", "reload", "stop", "approve", "reject",
    ),
}  # fmt: skip
"""What the worlds have to reach."""
SCRIPT = pathlib.Path(__file__).with_name("simulating.py")


def start(first: int, count: int, step: int, folder: pathlib.Path, **environment: str) -> subprocess.Popen[str]:
    """A process that simulates every `step`-th seed, and writes what it finds into a file of the folder."""
    command = [sys.executable, "-W", "error", str(SCRIPT), str(first), str(count), str(step)]
    with (folder / f"from-{first}.json").open("w") as file:
        return subprocess.Popen(command, stdout=file, text=True, env={**os.environ, **environment})


def results(processes: list[subprocess.Popen[str]], folder: pathlib.Path) -> list[dict[str, Any]]:
    """What all of them found, in the order of the seeds."""
    assert [process.wait() for process in processes] == [0] * len(processes)
    lines = [line for file in folder.glob("from-*.json") for line in file.read_text().splitlines()]
    return sorted(map(json.loads, lines), key=lambda found: found["seed"])


def test_no_invariant_breaks(
    request: pytest.FixtureRequest, told: Callable[[dict[str, Any]], str], tmp_path: pathlib.Path
) -> None:
    asked = request.config.getoption("--seed")
    if asked is not None:
        found = [simulating.judged(int(asked))]
    else:
        cores = min(os.cpu_count() or 1, 8)
        found = results([start(FIRST + core, SEEDS - core, cores, tmp_path) for core in range(cores)], tmp_path)
        assert len(found) == SEEDS
    bad = [one for one in found if one["broken"] or one["errors"]]
    names = {one["seed"]: sorted({name for name, _ in one["broken"]}) or "errors" for one in bad}
    assert not bad, f"{len(bad)} of {len(found)} seeds: {names}" + "".join(told(one) for one in bad[:SHOWN_MAX])


def test_a_seed_gives_the_same_world_each_time(tmp_path: pathlib.Path) -> None:
    """Also in another process, with other hashes of texts."""
    here = [simulating.judged(seed)["digest"] for seed in (3, 8)]
    assert here == [simulating.judged(seed)["digest"] for seed in (3, 8)]
    others = [start(seed, 1, 1, tmp_path, PYTHONHASHSEED=str(seed)) for seed in (3, 8)]
    assert here == [one["digest"] for one in results(others, tmp_path)]
    assert len(set(here)) == len(here)


def test_the_worlds_are_worth_a_look() -> None:
    """The first seeds together reach every state of a run, every gate that says no, crashes, stops, reloads and every act of a person."""
    missing = {(what, one) for what, wanted in WORTH.items() for one in wanted}
    crashes = 0
    for seed in range(1, LOOKED_AT + 1):
        seen = simulating.simulate(seed)
        missing -= {("state", new) for (new,) in seen.rows("SELECT DISTINCT new FROM change WHERE what = 'run'")}
        missing -= {
            ("reason", code) for (code,) in seen.rows("SELECT DISTINCT json_extract(record, '$.reason') FROM audit")
        }
        missing -= {("kind", kind) for (kind,) in seen.rows("SELECT DISTINCT kind FROM audit")}
        missing -= {("act", act.kind) for act in seen.crowd.acts if act.answered_us is not None and not act.error}
        crashes += seen.crashes
        seen.raw.close()
        if not missing and crashes > CRASHES:
            break
    assert missing == set()
    assert crashes > CRASHES


def test_every_checker_has_the_words_of_its_invariant() -> None:
    assert all(check.__doc__ for check in invariants.ALL.values())
