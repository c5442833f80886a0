"""`make bench`: measures everything in at most ten minutes, prints a table, writes docs/benchmarks.md.

`--quick` takes a tenth of the length and writes nothing; `--only NAME` takes some of the measures. It ends with 1 when a bar
was missed. Measure on a machine that does nothing else: the load that it had before stands in the page.
"""

from __future__ import annotations

import argparse
import datetime
import pathlib
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Final

import acting
import asking
import bars
import children
import commands
import durable
import hooks
import language
import machine
import matching
import memory
import reloading
import report
import rulebooktests
import simulating
import starting
import telling
import validating
import writing

REPOSITORY: Final = pathlib.Path(__file__).resolve().parents[1]
PAGE: Final = REPOSITORY / "docs" / "benchmarks.md"
SCRATCH: Final = REPOSITORY / ".healer"
"""On the disk of the repository: a /tmp in memory would make every sync free."""
QUICK: Final = 0.1

Measure = Callable[[pathlib.Path, float], list[bars.Result]]
MEASURES: Final[dict[str, tuple[Measure, tuple[str, ...]]]] = {
    "start": (starting.measure, ("ready", "ready-rss", "version")),
    "commands": (commands.measure, ("commands",)),
    "requests": (
        durable.measure,
        (
            "durable-ratio", "durable-p99", "firing-ratio", "firing-p99", "firing-backlog", "all-firing-ratio", "all-firing-p99",
            "all-firing-backlog", "batching-ratio", "batching-most", "batching-1ms",
        ),
    ),
    "hooks": (
        hooks.measure,
        (
            "hook-alertmanager", "hook-github", "hook-github-ratio", "ndjson-raw", "ndjson-single", "flood", "flood-same", "slow-memory",
            "slow-closed",
        ),
    ),
    "reload": (reloading.measure, ("reload-p99", "reload-time")),
    "memory": (memory.measure, ("memory", "memory-rate")),
    "writer": (writing.measure, ("writer-1", "writer-16", "writer-64", "writer-128", "writer-batching", "writer-raw")),
    "language": (
        language.measure,
        (
            "engine-10", "engine-10000", "scan-none", "scan-ten", "scan-growth", "rulesets-200", "join", "join-100000", "throttle-100000",
        ),
    ),
    "load": (matching.measure_load, ("load-5000", "memory-5000")),
    "shim": (children.measure_shim, ("shim-exec", "shim-whole")),
    "acting": (acting.measure, ("decisions", "effect-p99", "crash-ready")),
    "asking": (asking.measure, ("explain-past",)),
    "simulate": (simulating.measure, ("simulate", "simulate-why")),
    "telling": (telling.measure, ("click", "clicks-at-once")),
    "tests": (rulebooktests.measure, ("tests-1000",)),
    "validate": (validating.measure, ("validate-5000",)),
    "ansible": (children.measure_ansible, ("ansible",)),
}  # fmt: skip


def main() -> int:
    """The exit code: 1 when something was missed."""
    options = _options()
    names: list[str] = options.only or list(MEASURES)
    SCRATCH.mkdir(mode=0o700, exist_ok=True)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=SCRATCH))
    started, now = time.perf_counter(), datetime.datetime.now(datetime.UTC)
    results: dict[str, bars.Result] = {}
    try:
        described = machine.describe(scratch)
        for name in names:
            results |= _measured(name, scratch / name, QUICK if options.quick else 1.0)
            shutil.rmtree(scratch / name, ignore_errors=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    wanted = {bar for name in names for bar in MEASURES[name][1]}
    report.show(results, wanted=wanted)
    if not options.quick and not options.only:
        PAGE.write_text(report.page(results, described, now, time.perf_counter() - started), encoding="utf-8")
        print(f"wrote {PAGE.relative_to(REPOSITORY)}")
    missed = [
        bar.name for bar in bars.BARS if bar.name in wanted and bars.judge(bar, results.get(bar.name)) == "missed"
    ]
    if missed:
        print(f"missed: {', '.join(missed)}")
    return 1 if missed else 0


def _measured(name: str, folder: pathlib.Path, scale: float) -> dict[str, bars.Result]:
    """One measure; where it fails its bars have no samples, and the reason as their note."""
    measure, expected = MEASURES[name]
    started = time.perf_counter()
    print(f"{name} …", flush=True)
    try:
        found = {result.name: result for result in measure(folder, scale)}
    except Exception as error:  # noqa: BLE001 - outermost: what fails is a miss, and the other measures go on
        reason = f"failed: {type(error).__name__}: {error}".replace("\n", " ").replace(f"{REPOSITORY}/", "")
        print(f"  {reason}", file=sys.stderr)
        return {bar: bars.Result(bar, [], reason) for bar in expected}
    for result in found.values():
        print(f"  {result.name}: {report.number(result.got)}  {result.note}")
    print(f"  ({time.perf_counter() - started:.0f} s)", flush=True)
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run.py", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the length; docs/benchmarks.md is left alone")
    parser.add_argument(
        "--only", action="append", choices=MEASURES, metavar="NAME", help=f"some of: {' '.join(MEASURES)}"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
