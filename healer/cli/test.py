"""`healer test`: tests of rulebooks as code. Nothing of the world is touched: controllers are faked, and time is virtual."""

from __future__ import annotations

import fnmatch
import os
import pathlib
import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from healer import cli, errors
from healer.cli import forms, tables, terminal, testing, trusting, usage

if TYPE_CHECKING:
    from healer import harness, project
    from healer.harness import playing

_OUTPUT: Final = pathlib.Path("-")
MISSING_MAX: Final = 50
"""So many places that were not covered are shown; `--json` has all."""


class NoTests(errors.HealerError):
    """{what}"""

    code = "no-tests"


class WrongProject(errors.HealerError):
    """{count} in the project itself, so that nothing of it is tested"""

    code = "configuration"

    def __init__(self, wrong: Sequence[errors.Diagnostic], count: int) -> None:
        super().__init__("healer validate", count=f"{count} error{'' if count == 1 else 's'}")
        self.wrong = tuple(wrong)


@click.command(cls=usage.Command)
@click.argument("given", metavar="[PATH]...", nargs=-1)
@click.option(
    "--project",
    "named",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=pathlib.Path),
    help="The project [default: the current folder, or the one above that has PATH]",
)
@click.option("--run", "pattern", metavar="PATTERN", help="Only tests with this in their name; * and ? stand for any")
@click.option("--coverage", is_flag=True, help="Show what of the rules no test has seen")
@click.option(
    "--fail-under",
    metavar="PERCENT",
    type=usage.Real(0, 100),
    help="Fail where less is covered (with --coverage)",
)
@click.option("--why", is_flag=True, help="Show of each event what each rule made of it, and what its condition saw")
@click.option(
    "--junit", metavar="FILE", type=click.Path(dir_okay=False, path_type=pathlib.Path), help="Write JUnit XML"
)
@forms.options
@trusting.option
def command(
    given: Sequence[str],
    named: pathlib.Path | None,
    pattern: str | None,
    coverage: bool,
    fail_under: float | None,
    why: bool,
    junit: pathlib.Path | None,
    distrusted: bool,
    form: str,
) -> int:
    """Run tests of rulebooks: files with tests:, by habit disk_test.yml beside disk.yml. PATH is a file or a folder of them.

    The engine, the gates and the store are those of the daemon; controllers are faked, time is virtual, nothing is sent or started.
    """
    from healer import harness

    as_json, quiet = form == forms.JSON, form != forms.TEXT or junit == _OUTPUT
    if junit == _OUTPUT and form != forms.TEXT:
        raise usage.WrongUse(detail=f"--format {form} and --junit - both go to standard output")
    paths = [_path(text) for text in given]
    root = named or _root(paths)
    files = _files(root, paths)
    try:
        revision = _revision(root, distrusted)
    except WrongProject as error:
        return _refused(error, junit, as_json)
    if os.environ.get("NO_COLOR"):
        click.get_current_context().color = False
    covered = coverage or fail_under is not None
    began = time.monotonic()
    report = harness.run(
        root, revision, files, _wanted(pattern), covered=covered, why=why, told=_quiet if quiet else _tell
    )
    took_s = time.monotonic() - began
    if pattern is not None and not report.results and not report.broken:
        raise usage.WrongUse(
            "healer test --json  lists them all", detail=f"--run: no test has {usage.got(pattern)} in its name"
        )
    under = fail_under is not None and report.coverage is not None and report.coverage.percent < fail_under
    if junit is not None:
        _write(junit, report)
    if as_json:
        terminal.echo_json(_json(report, under))
    elif form == forms.MARKDOWN:
        for line in testing.as_markdown(report, _sum(report)):
            click.echo(line)
    elif junit == _OUTPUT:
        pass
    else:
        if report.coverage is not None:
            _show(report.coverage)
        _totals(report, took_s)
        if under and report.coverage is not None:
            terminal.note(f"error[coverage]: {report.coverage.percent:.1f} % is covered, --fail-under {fail_under:g}")
    return errors.EXIT_OK if report.ok and not under else errors.EXIT_FOUND


def _refused(error: WrongProject, junit: pathlib.Path | None, as_json: bool) -> int:
    """What is said where the project cannot be read, for whoever reads it: people, programs, a report of CI."""
    from healer import harness

    report = harness.Report([], wrong=error.wrong)
    if junit is not None:
        _write(junit, report)
    if as_json:
        terminal.echo_json(_json(report, False))
        return errors.EXIT_FOUND
    for one in error.wrong:
        for line in str(one).splitlines():
            terminal.echo(terminal.clean(line))
    raise error


def _write(junit: pathlib.Path, report: harness.Report) -> None:
    """The report as JUnit XML; `-` is standard output."""
    from healer.harness import junit as xml
    from healer.harness import telling

    made = xml.written(report, lambda result: "\n".join(telling.lines(result)), terminal.clean_lines)
    if junit == _OUTPUT:
        click.echo(made, nl=False)
    else:
        junit.write_bytes(made)


def _path(text: str) -> pathlib.Path:
    """A file or folder that is there."""
    if not text or not os.path.lexists(text.replace("\0", "")):
        raise usage.Unreadable(
            "healer test  runs all of rulebooks/", detail=f"PATH: there is no file or folder {usage.got(text)}"
        )
    return pathlib.Path(text)


def _root(paths: Sequence[pathlib.Path]) -> pathlib.Path:
    """The folder around `rulebooks/` of the first path, else the current one."""
    for path in paths[:1]:
        for folder in (path.absolute(), *path.absolute().parents):
            if folder.name == "rulebooks":
                return folder.parent
            if (folder / "rulebooks").is_dir():
                return folder
    return pathlib.Path()


def _files(root: pathlib.Path, paths: Sequence[pathlib.Path]) -> list[str]:
    """The files of tests that are meant, from the project's folder on."""
    from healer.harness import suite

    root = root.resolve()
    found: dict[str, None] = {}
    for path in paths:
        whole = path.resolve()
        within = [] if not whole.is_relative_to(root) else [*suite.files(root, None if whole == root else whole)]
        if not within:
            where = (
                "lies in no rulebooks/ of the project"
                if not whole.is_relative_to(root / suite.FOLDER)
                else "holds no tests:"
            )
            raise usage.WrongUse(
                "a file with tests: at its top, or a folder of rulebooks/",
                detail=f"PATH: {usage.got(str(path))} {where}",
            )
        found |= dict.fromkeys(within)
    if not paths:
        found = dict.fromkeys(suite.files(root))
    if not found:
        raise NoTests(
            "write rulebooks/NAME_test.yml:  healer schema test, and docs/testing.md",
            what="no file of rulebooks/ holds tests:",
        )
    return sorted(found)


def _revision(root: pathlib.Path, distrusted: bool) -> project.Revision:
    """The project as its files say it: what the environment sets is not asked, so that a test says the same everywhere."""
    loaded = trusting.load(root, {}, None, trusting.reason(cli.environment(), distrusted))
    if loaded.revision is None:
        raise WrongProject([one for one in loaded.diagnostics if one.severity == "error"], loaded.errors)
    return loaded.revision


def _wanted(pattern: str | None) -> Any:
    if pattern is None:
        return lambda _case: True
    pattern = pattern.replace("[", "[[]")  # a class is none here
    whole = pattern if set(pattern) & {"*", "?"} else f"*{pattern}*"
    return lambda case: fnmatch.fnmatchcase(case.name.lower(), whole.lower())


def _quiet(_run: harness.Run) -> None:
    """Nothing is told before all is done."""


def _tell(run: harness.Run) -> None:
    """One line of a file that passed, else all that is wrong with it."""
    from healer.harness import telling

    for one in run.suite.diagnostics:
        for line in str(one).splitlines():
            terminal.echo(terminal.clean(line))
    file, count = terminal.clean(run.suite.file), len(run.results)
    if run.ok and count:
        terminal.echo(f"{terminal.paint('ok', 'green')}    {file}  {count} test{'' if count == 1 else 's'}")
    plain = not terminal.can_show("✓✗·")
    for result in run.results:
        if result.verdict != "passed":
            word = "FAIL" if result.verdict == "failed" else "ERROR"
            terminal.echo(f"{terminal.paint(word, 'red')}  {file}: {terminal.clean(result.case.name)}")
            for line in telling.lines(result, plain):
                terminal.echo(f"  {_coloured(terminal.clean(line))}")
        if result.reasons is not None:
            terminal.echo(f"why   {file}: {terminal.clean(result.case.name)}")
            for line in telling.why_lines(result.reasons, plain):
                terminal.echo(f"  {_coloured(terminal.clean(line))}")


def _coloured(line: str) -> str:
    """The sign of a line of a condition."""
    return _SIGN.sub(lambda found: found[1] + terminal.paint(found[2], "green" if found[2] == "✓" else "red"), line)


def _sum(report: harness.Report) -> str:
    results, files = report.results, len(report.runs)
    parts = [
        f"{count} {word}"
        for verdict, word in _VERDICTS.items()
        if (count := report.count(verdict)) or verdict == "passed"
    ]
    if report.broken:
        parts.append(f"{report.broken} file{'' if report.broken == 1 else 's'} with mistakes")
    many = f"{len(results)} test{'' if len(results) == 1 else 's'} in {files} file{'' if files == 1 else 's'}"
    return f"{many}: {', '.join(parts)}"


def _totals(report: harness.Report, took_s: float) -> None:
    text = f"{_sum(report)} ({took_s:.1f} s)"
    if report.ok:
        terminal.echo(text)
    else:
        terminal.note(text)


_SIGN: Final = re.compile(r"^( +)([✓✗])(?= )")
_VERDICTS: Final[dict[playing.Verdict, str]] = {"passed": "passed", "failed": "failed", "error": "ended with an error"}


def _show(found: harness.coverage.Coverage) -> None:
    """The table of rules, then the places that no test has seen."""
    rows = []
    for one in found.rules.values():
        held = ", ".join(f"{reason} {count}" for (_, reason), count in sorted(one.held.items()) if count)
        sides = sum(len(part.seen) for part in one.comparisons)
        rows.append(
            [
                one.name,
                str(one.fired),
                f"{sides}/{2 * len(one.comparisons)}",
                f"{one.met}/{len(one.gates)}",
                f"{100 * one.covered / one.total:.0f} %",
                held,
            ]
        )
    terminal.echo()
    for line in tables.lines(
        ["rule", "fired", "conditions", "gates", "covered", "held by"], rows, width=terminal.width(), right=(1, 2, 3, 4)
    ):
        terminal.echo(line)
    missing = found.missing()
    for place, what in missing[:MISSING_MAX]:
        terminal.echo(f"  {terminal.clean(place)}: {terminal.clean(what)}")
    if len(missing) > MISSING_MAX:
        terminal.echo(f"  and {len(missing) - MISSING_MAX} more:  --json")
    terminal.echo(f"coverage {found.percent:.1f} %")
    terminal.echo()


def _json(report: harness.Report, under: bool) -> dict[str, Any]:
    from healer.harness import telling

    made: dict[str, Any] = {
        "ok": report.ok and not under, "tests": len(report.results), "passed": report.count("passed"), "failed": report.count("failed"),
        "errors": report.count("error"), "broken_files": report.broken, "diagnostics": [one.as_json() for one in report.wrong],
        "files": [
            {
                "file": run.suite.file, "rulebook": run.suite.rulebook or None, "ok": run.ok,
                "diagnostics": [one.as_json() for one in run.suite.diagnostics], "tests": [telling.as_json(one) for one in run.results],
            }
            for run in report.runs
        ],
    }  # fmt: skip
    if report.coverage is not None:
        made["coverage"] = report.coverage.as_json()
    return made
