"""Runs the tests of files, one case after another. Caller: `healer test`."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import json
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from loguru import logger

from healer import errors, project
from healer.harness import coverage, playing, reasoning, stage, suite, wants, watching

Wanted = Callable[[suite.Case], bool]
GARBAGE: Final = 100_000
"""So many objects more than there were before garbage is collected."""


@dataclasses.dataclass(slots=True)
class Run:
    """What came of one file: what is wrong with it, or the results of its cases."""

    suite: suite.Suite
    results: list[playing.Result]

    @property
    def ok(self) -> bool:
        """Whether all of it passed."""
        return self.suite.ok and all(one.verdict == "passed" for one in self.results)


@dataclasses.dataclass(slots=True)
class Report:
    """What came of all files."""

    runs: list[Run]
    coverage: coverage.Coverage | None = None
    wrong: Sequence[errors.Diagnostic] = ()
    """Of the project, so that no test was run."""

    @property
    def results(self) -> list[playing.Result]:
        """Of all cases."""
        return [result for run in self.runs for result in run.results]

    def count(self, verdict: playing.Verdict) -> int:
        """How many cases have it."""
        return sum(one.verdict == verdict for one in self.results)

    @property
    def broken(self) -> int:
        """How many files cannot be run."""
        return sum(not one.suite.ok for one in self.runs)

    @property
    def ok(self) -> bool:
        """Whether all passed."""
        return not self.wrong and all(one.ok for one in self.runs)


class Stages:
    """What cases have in common, kept for the next that wants it."""

    def __init__(self, revision: project.Revision) -> None:
        self._revision = revision
        self._rules: dict[tuple[str, str, str], stage.Rules] = {}
        self._stages: dict[wants.Wanted, stage.Stage] = {}

    def of(self, wanted: wants.Wanted) -> stage.Stage:
        """The stage that a case wants. Raises `stage.WrongVariables`, ValueError for an inventory that is none."""
        if wanted not in self._stages:
            key = (wanted.rulebook, wanted.variables, wanted.settings)
            if key not in self._rules:
                narrowed = stage.narrowed(
                    self._revision, wanted.rulebook, _loaded(wanted.variables), _loaded(wanted.settings)
                )  # fmt: skip
                self._rules[key] = stage.prepared(narrowed)
            hosts = _loaded(wanted.inventory) if wanted.inventory else None
            self._stages[wanted] = stage.of(self._rules[key], hosts)
        return self._stages[wanted]


def _loaded(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text) if text else {}
    return found


def run(
    root: pathlib.Path, revision: project.Revision, files: Iterable[str], wanted: Wanted = lambda _: True, *, covered: bool = False,
    why: bool = False, told: Callable[[Run], None] = lambda _: None,
) -> Report:  # fmt: skip
    """Run the tests of these files (paths from the project's folder `root`), in order. `told` hears of each file once it is done.

    `why`: the results have what each rule made of each event.
    """
    report = Report([], coverage.Coverage(revision) if covered else None)
    with _quiet(), _rarely_collecting():
        stages = Stages(revision)
        names = reasoning.rulesets(revision) if why else None
        for file in files:
            read = suite.read(root, file, revision)
            made = Run(read, [])
            if read.ok:
                made.results = [*_played(read, stages, wanted, report.coverage, names)]
            report.runs.append(made)
            told(made)
    return report


def _played(
    read: suite.Suite, stages: Stages, wanted: Wanted, covered: coverage.Coverage | None, names: frozenset[str] | None
) -> Iterator[playing.Result]:  # fmt: skip
    for case in read.cases:
        if not wanted(case):
            continue
        try:
            on = stages.of(case.wanted)
        except (ValueError, errors.HealerError) as error:
            said = str(error) if isinstance(error, errors.ConfigurationError | ValueError) else error.message
            yield playing.Result(case, "error", error=said)
            continue
        reasons = reasoning.Reasons(names, case.start_us) if names is not None else None
        listeners: list[watching.Listener] = [one for one in (covered, reasons) if one is not None]
        result = playing.play(case, on, watching.by(listeners), keep=covered is not None)
        result.reasons = reasons
        if covered is not None and result.seen is not None:
            covered.take(result.seen)
        yield result


@contextlib.contextmanager
def _rarely_collecting() -> Iterator[None]:
    """The rules stay, so that no collection of garbage need look at them; what a case leaves is collected now and then."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(GARBAGE, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What the daemon would log is no output of a test."""
    logger.disable("healer")
    try:
        yield
    finally:
        logger.enable("healer")
