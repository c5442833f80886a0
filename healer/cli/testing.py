"""What came of tests as Markdown, for a comment on a pull request. Caller: `test`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from healer.cli import explanation, markdown

if TYPE_CHECKING:
    from healer import harness
    from healer.harness import playing


def as_markdown(report: harness.Report, sum_: str) -> Iterator[str]:
    """The lines: what is to be mended first, what each rule made of each event (`--why`) folded away behind it."""
    tail: list[str] = []
    if report.coverage is not None:
        missing = [f"{place}: {what}" for place, what in report.coverage.missing()]
        tail = [f"coverage {report.coverage.percent:.1f} %", *missing]
    yield from markdown.document("Tests of rulebooks, by healer", [sum_], _parts(report), tail)


def _parts(report: harness.Report) -> Iterator[markdown.Part]:
    from healer.harness import telling

    for run in report.runs:
        if not run.suite.ok:
            yield markdown.Part([f"MISTAKES {run.suite.file}", *map(str, run.suite.diagnostics)], True)
    for run in report.runs:
        for result in run.results:
            if result.verdict != "passed":
                word = "FAIL" if result.verdict == "failed" else "ERROR"
                yield markdown.Part([f"{word} {run.suite.file}: {result.case.name}", *telling.lines(result)], True)
    for run in report.runs:
        for result in run.results:
            yield from _why(result)


def _why(result: playing.Result) -> Iterator[markdown.Part]:
    """What each rule made of each event of a test."""
    from healer.harness import telling

    for one in result.reasons.found if result.reasons is not None else ():
        word = "fired" if one.told["fired"] else f"did not fire: {one.told['reason']}"
        words = (result.case.name, telling.moment(one.at_us), one.event, f"{one.told['rule']}: {word}")
        yield markdown.Part(["  ".join(filter(None, words))], False, explanation.branches(one.told))
