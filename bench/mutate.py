"""`make mutate`: mutation testing of gates, approvals, audit and dedup; writes docs/mutation-report.md.

mutmut changes one thing at a time in a copy of the code and runs the tests that come by the changed function: a change that no test
notices has survived. The whole run ends with 1 where fewer than `WANTED` of all mutants were noticed, or fewer than
`WANTED_OF_FILE` of a file's, or where a line of `survivors.yaml` is about nothing any more. `SAMPLE=60` tries so many mutants of two
files, drawn by a seed that is printed (`SEED=n` repeats them), and writes nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import survivors

REPOSITORY: Final = pathlib.Path(__file__).resolve().parents[1]
SCRATCH: Final = REPOSITORY / "build" / "mutate"
DONE: Final = "done"
"""A file that says that an area was tried to its end."""
PAGE: Final = REPOSITORY / "docs" / "mutation-report.md"
WANTED: Final = 0.90
WANTED_OF_FILE: Final = 0.80
SECONDS_MAX: Final = 3600
"""For one area; a mutant has twice the time of its tests, and 20 s."""
FILES_SAMPLED: Final = 2
SECONDS_SAMPLED: Final = 40
"""For one file of a sample."""

AREAS: Final[dict[str, tuple[str, str]]] = {
    "gates": (
        "policy/answers policy/brakes policy/braking policy/gates policy/leaving policy/pipeline policy/reasons",
        "unit/policy/test_braking* unit/policy/test_candidate* unit/policy/test_gates* unit/policy/test_leaving* "
        "unit/policy/test_pipeline* unit/policy/test_reasons* unit/policy/test_states*",
    ),
    "limits": (
        "policy/labels policy/limits policy/selecting",
        "unit/policy/test_braking* unit/policy/test_labels* unit/policy/test_limits* unit/policy/test_selecting*",
    ),
    "windows": ("policy/calendar", "unit/policy/test_calendar*"),
    "approvals": (
        "policy/approvals store/approving store/reviewing",
        "unit/policy/test_approvals* store/test_approving*",
    ),
    "audit": ("audit/notices audit/records audit/tree audit/verify", "unit/audit/test_*"),
    "journal": ("store/journal", "store/test_journal* store/test_writer* unit/intake/test_intake*"),
    "deliveries": ("web/deliveries", "unit/web/test_deliveries* unit/web/test_ingest* unit/web/test_webhook*"),
    "alerts": (
        "decide/alerts store/cycles",
        "unit/decide/test_alerts* unit/decide/test_evaluating_released* store/test_cycles*",
    ),
}
"""Name → what is changed (below healer/), and the tests that it concerns (below tests/)."""
LEFT_OUT: Final = (
    "tests/unit/audit/test_records.py::test_every_kind_that_the_code_writes_is_known",
    "tests/unit/policy/test_gates.py::test_decisions_do_not_depend_on_the_hash_seed",
)
"""Tests that read the text of modules, where mutmut has put all mutants of a function, or that start an interpreter for each run."""
COPIED: Final = ("healer", "sources", "checks", "controllers", "tests")
SETTINGS: Final = """
[tool.mutmut]
source_paths = ["healer"]
only_mutate = {}
pytest_add_cli_args_test_selection = {}
pytest_add_cli_args = {}
also_copy = ["sources", "checks", "controllers"]
process_isolation = "forkserver"  # forks know nothing that a test has left behind, as a warm cache
timeout_multiplier = 2.0
timeout_constant = 10.0  # what fixtures take is in no estimate
use_git_change_detection = false
track_dependencies = false
"""


def main() -> int:
    """Try all mutants, or a sample; say what survived."""
    parser = argparse.ArgumentParser(description="Mutation testing; see `make mutate`.")
    parser.add_argument("--sample", type=int, default=0, help="try so many mutants of two files; writes no page")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="draws the sample")
    parser.add_argument(
        "--area",
        action="append",
        choices=list(AREAS),
        help="only this one (may be repeated); of the others the last run counts",
    )
    parser.add_argument(
        "--again", action="store_true", help="only what no test killed in the last run, with the tests of now"
    )
    given = parser.parse_args()
    if given.sample:
        return sample(given.sample, given.seed, given.area or list(AREAS))
    for area in given.area or AREAS:
        if given.again:
            again(area, SCRATCH / area)
        else:
            run(area, SCRATCH / area, AREAS[area][0].split())
    ran = [area for area in AREAS if (SCRATCH / area / DONE).exists()]
    mutants = [one for area in ran for one in survivors.of(SCRATCH / area)]
    stale = survivors.accept(mutants)
    print(survivors.table(mutants))
    if missing := [area for area in AREAS if area not in ran]:
        return fail([f"no page was written: these areas have not run: {', '.join(missing)}"])
    PAGE.write_text(survivors.page(mutants), "utf-8")
    return fail(
        [f"{score:.1%} of the mutants of {name} were noticed, {wanted:.0%} are wanted: see {PAGE.relative_to(REPOSITORY)}"
         for name, score, wanted in scores(mutants) if score < wanted]
        + [f"this line of bench/survivors.yaml is about nothing any more: {one}" for one in stale]
    )  # fmt: skip


def scores(mutants: Sequence[survivors.Mutant]) -> Iterator[tuple[str, float, float]]:
    """(name, score, what is wanted) of all, and of each file."""
    yield "all files", survivors.score(mutants), WANTED
    for file in sorted({one.file for one in mutants}):
        yield file, survivors.score([one for one in mutants if one.file == file]), WANTED_OF_FILE


def sample(count: int, seed: int, areas: Sequence[str]) -> int:
    """Some mutants of two files. What counts is what is new: it is neither accepted nor in the page."""
    draw = random.Random(seed)
    drawn = draw.sample([(area, name) for area in areas for name in AREAS[area][0].split()], FILES_SAMPLED)
    print(f"{count} mutants of {' and '.join(name for _, name in drawn)}; SEED={seed} draws the same", flush=True)
    folders = [SCRATCH / "sample" / str(number) for number in range(FILES_SAMPLED)]
    for (area, name), folder in zip(drawn, folders, strict=True):
        run(area, folder, [name], lambda names: draw.sample(names, min(len(names), count // FILES_SAMPLED)))
    mutants = [one for folder in folders for one in survivors.of(folder)]
    survivors.accept(mutants)
    known = survivors.reported(PAGE.read_text("utf-8")) if PAGE.exists() else set()
    new = [one for one in mutants if one.outcome == "survived" and not one.why and one.unnumbered not in known]
    print(survivors.table(mutants))
    for one in new:
        print(f"survived: {one.place}")
    if not mutants:
        return fail(["no mutant was tried in time: is the machine busy?"])
    part = len(new) / len(mutants)
    return fail([f"{part:.1%} of the mutants survived and are new, {1 - WANTED:.0%} may"] if part > 1 - WANTED else [])


def fail(faults: Sequence[str]) -> int:
    """The exit code; each fault in a line."""
    for fault in faults:
        print(f"error[mutants-survive]: {fault}", file=sys.stderr)
    return 1 if faults else 0


def run(
    area: str, folder: pathlib.Path, files: Sequence[str], draw: Callable[[list[str]], list[str]] | None = None
) -> None:
    """Run mutmut over files of an area, or what is drawn of their mutants, in a fresh copy; what became of them lies there."""
    mutated = [f"healer/{name}.py" for name in files]
    shutil.rmtree(folder, ignore_errors=True)
    copy(folder, mutated, AREAS[area][1].split(), COPIED)
    chosen = sorted(draw([name for file in mutated for name in survivors.names(folder, file)])) if draw else []
    mutmut(area, folder, chosen, SECONDS_SAMPLED if draw else SECONDS_MAX)


def again(area: str, folder: pathlib.Path) -> None:
    """Run what no test killed in the last run of an area, with the tests of now; all where its code is another one now."""
    files = AREAS[area][0].split()
    same = (folder / DONE).exists() and all(
        (folder / f"healer/{name}.py").read_bytes() == (REPOSITORY / f"healer/{name}.py").read_bytes() for name in files
    )
    if not same:
        run(area, folder, files)
    elif left := survivors.left(folder):
        copy(folder, [f"healer/{name}.py" for name in files], AREAS[area][1].split(), ["tests"])
        (folder / "mutants" / "mutmut-stats.json").unlink()  # the numbers in the names of parameters mean others now
        mutmut(area, folder, left)


def mutmut(area: str, folder: pathlib.Path, chosen: Sequence[str], limit_s: float = SECONDS_MAX) -> None:
    """mutmut itself; without a choice it takes all. What was tried until the limit counts."""
    print(f"── {area}: {len(chosen) or 'all'} mutants", flush=True)
    log = folder / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [pathlib.Path(sys.executable).with_name("mutmut"), "run", "--max-children", "1", *chosen],
            cwd=folder, env=os.environ | {"CI": "true"}, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        code = process.wait(limit_s)
    except subprocess.TimeoutExpired:
        print(f"   not all of them: {limit_s:.0f} s are over", flush=True)
        return
    finally:  # also what it began: its server of forks, and a mutant that does not end
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if code:
        tail = log.read_text("utf-8", "replace").replace("\r", "\n")[-3000:]
        raise SystemExit(f"{tail}\nerror[mutmut-failed]: mutmut ended with {code} at {area}; its output: {log}")
    (folder / DONE).touch()


def copy(folder: pathlib.Path, mutated: Sequence[str], tests: Sequence[str], what: Sequence[str]) -> None:
    """The code and its tests as they are now, with mutmut's settings for an area."""
    for name in what:
        shutil.rmtree(folder / name, ignore_errors=True)
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    arguments = [word for test in LEFT_OUT for word in ("--deselect", test)]
    found = [str(path.relative_to(folder)) for name in tests for path in sorted(folder.glob(f"tests/{name}.py"))]
    options = ["-p", "no:cacheprovider", "--hypothesis-profile", "mutate", *arguments]
    settings = SETTINGS.format(*map(json.dumps, (mutated, found, options)))
    text = (REPOSITORY / "pyproject.toml").read_text("utf-8")
    (folder / "pyproject.toml").write_text(text + settings, "utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
