"""`healer validate`: reads a project as the daemon would, and shows every mistake at once, and what is worth knowing beside."""

from __future__ import annotations

import dataclasses
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from healer import cli, errors
from healer.cli import chosen, controlling, terminal, trusting, usage, vaulting

ORDER: Final = {"error": 0, "warning": 1, "hint": 2}
COLOURS: Final = {"error": "red", "warning": "yellow", "hint": "cyan"}
FORMATS: Final = ("text", "json", "github", "gitlab", "sarif")


@dataclasses.dataclass(slots=True)
class Checked:
    """A project that was looked at. `told`: what is shown of it, sorted; `elsewhere`: how many errors are in files not asked about."""

    folder: pathlib.Path
    told: list[errors.Diagnostic]
    counts: dict[str, int] | None
    elsewhere: int = 0


@click.command(cls=usage.Command)
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(exists=True, path_type=pathlib.Path))
@click.option(
    "--project",
    "named",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=pathlib.Path),
    help="The project that the files are of",
)
@click.option("--strict", is_flag=True, help="Warnings count as errors")
@click.option("--format", "form", type=click.Choice(FORMATS), help="How it is printed  [default: text]")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json")
@trusting.option
@click.option(
    "--ansible/--no-ansible", "asked", default=None, help="Ansible's syntax check of playbooks  [default: where it is]"
)
@controlling.options
@vaulting.options
def command(
    paths: tuple[pathlib.Path, ...],
    named: pathlib.Path | None,
    strict: bool,
    form: str | None,
    as_json: bool,
    distrusted: bool,
    asked: bool | None,
    vault_password_file: str | None,
    vault_id: tuple[str, ...],
    ask_vault_pass: bool,
    controller_url: str | None,
    controller_token: str | None,
) -> int:
    """Show every mistake in a project, with file:line:column, and what is worth knowing beside.

    PATH is a project [default: .], or a file or folder of one: then only what is told of that is shown, and the project is read whole.
    """
    if as_json and form not in (None, "json"):
        raise usage.WrongUse(detail=f"--json and --format {form} ask for two formats")
    begun = time.monotonic()
    environ = {**cli.environment(), **controlling.variables(controller_url, controller_token)}
    why, meant = trusting.reason(environ, distrusted), chosen.of(paths, named)
    trusting.passwords([one.folder for one in meant], vault_password_file, vault_id, environ, why)
    opened = vaulting.opened(vault_password_file, vault_id, ask_vault_pass=ask_vault_pass)
    machine = _machine(asked, environ, opened)
    found = [_checked(one, machine, why) for one in meant]
    took_s = time.monotonic() - begun
    told = [one for checked in found for one in checked.told]
    ok = not any(one.severity == "error" or (strict and one.severity == "warning") for one in told)
    _print(found, "json" if as_json else form or "text", environ, ok=ok, took_s=took_s)
    if not ok and not as_json and form != "json":
        terminal.note(_verdict(found, strict))
    return errors.EXIT_OK if ok else errors.EXIT_FOUND


def _machine(asked: bool | None, environ: Mapping[str, str], opened: Any) -> Any:
    """What looks at playbooks, where it is wanted. Raises `errors.MissingExtra` where it is asked for, and is not there."""
    from healer.lint import syntax

    program = None if asked is False else syntax.asking.program(environ)
    if asked and program is None:
        raise errors.MissingExtra(
            what="--ansible", package="ansible-core", try_="pip install 'auto-healer[ansible]', or leave out --ansible"
        )
    return syntax.Machine(program, environ, opened)


def _checked(one: chosen.Chosen, machine: Any, why: str) -> Checked:
    """One project looked at. `why`: the reason why none of its code may run, '' where it may."""
    from healer.project import loading

    with trusting.under(why), loading.without_collecting():  # until what was read is let go of
        return _looked_at(one, machine, why)


def _looked_at(one: chosen.Chosen, machine: Any, why: str) -> Checked:
    from healer import lint, plugins, project
    from healer.lint import syntax, untrusted
    from healer.project import mistakes

    environ = machine.environ
    draft = project.draft_of(one.folder, environ, {}, machine.opened if machine.opened.keys else None)
    missing = [] if draft.failed else project.unreadable(draft.revision, one.folder, environ, "hint")
    if machine.program is not None:
        missing += syntax.withheld(draft) if why else syntax.told(draft, machine)
    tests = _tests(one.folder)
    if tests and all(
        each.severity != "error" or each.code == plugins.ProjectCode.code for each in draft.diagnostics
    ):  # what tests name is not known before
        missing += _of_tests(tests, one.folder, draft.revision)
    found = lint.lint(draft, missing)
    found = untrusted.once(found, why) if why else found
    failed = any(each.severity == "error" for each in found)
    shown = [each for each in found if one.has(each)]
    elsewhere = sum(each.severity == "error" for each in found) - sum(each.severity == "error" for each in shown)
    counted = None if failed else counts(draft.revision, len(tests))
    return Checked(one.folder, sorted(mistakes.bounded(shown), key=_order), counted, elsewhere)


def _order(one: errors.Diagnostic) -> tuple[Any, ...]:
    """Errors first, then by place; how many more of a file there are stands after those that are shown."""
    return ORDER[one.severity], one.place.file, bool(one.more), one.place.line, one.place.column


# --- how it is printed ----------------------------------------------------------------------------------------------------------


def _print(found: Sequence[Checked], form: str, environ: Mapping[str, str], *, ok: bool, took_s: float) -> None:
    from healer.lint import reports, sarif

    told = [one for checked in found for one in _named(checked, checked.folder.as_posix() if len(found) > 1 else "")]
    if form in ("text", "json"):
        counted = _sum([checked.counts for checked in found])
        if form == "json":
            terminal.echo_json({"ok": ok, "counts": counted, "diagnostics": [one.as_json() for one in told]})
            return
        for one in told:
            for number, line in enumerate(str(one).splitlines()):
                terminal.echo(_painted(one, terminal.clean(line), environ) if not number else terminal.clean(line))
        if ok:
            elsewhere = sum(checked.elsewhere for checked in found)
            others = (
                f"nothing in these files, {elsewhere} error{'' if elsewhere == 1 else 's'} in others of the project"
            )
            terminal.echo(f"ok: {', '.join(_amounts(counted)) if counted else others} ({took_s:.1f} s)")
        return
    told = [one for checked in found for one in _named(checked, chosen.prefix(checked.folder, environ))]
    if form == "gitlab":
        terminal.echo_json(reports.gitlab(told))
    elif form == "sarif":
        terminal.echo_json(sarif.log(told))
    else:
        for line in reports.github(told):
            terminal.echo(terminal.clean(line))


def _named(checked: Checked, prefix: str) -> list[errors.Diagnostic]:
    """What is told of a project, with its files as they are named from elsewhere; what is of no file of it stays."""
    if not prefix:
        return checked.told
    made = []
    for one in checked.told:
        there = (checked.folder / one.place.file).exists() if one.place.file and "\0" not in one.place.file else False
        place = dataclasses.replace(one.place, file=f"{prefix}/{one.place.file}") if there else one.place
        made.append(dataclasses.replace(one, place=place))
    return made


def _painted(one: errors.Diagnostic, line: str, environ: Mapping[str, str]) -> str:
    """The first line with its severity in colour, on a terminal that takes any (https://no-color.org)."""
    word = f"{one.severity}[{one.code}]"
    if environ.get("NO_COLOR") or not terminal.is_terminal():
        return line
    return line.replace(word, terminal.paint(word, COLOURS[one.severity]), 1)


def counts(revision: Any, tests: int) -> dict[str, int]:
    """How much of everything there is; what the daemon makes itself (the catalog's events) does not count."""
    own = [one for one in revision.activations if not one.hidden]
    rulesets = [ruleset for activation in own for ruleset in activation.rulesets]
    return {
        "rulebooks": len({one.file for one in own}),
        "rules": sum(len(ruleset.rules) for ruleset in rulesets),
        "actions": len(revision.catalog.entries),
        "controllers": len(revision.controllers),
        "tests": tests,
    }


def _tests(folder: pathlib.Path) -> list[str]:
    """The files in rulebooks/ that hold tests, by path from the project on."""
    from healer.project import suites

    root = folder / suites.FOLDER
    return [path.relative_to(folder).as_posix() for path in sorted(root.rglob("*.y*ml")) if suites.is_suite(path)]


def _of_tests(files: Sequence[str], folder: pathlib.Path, revision: Any) -> list[errors.Diagnostic]:
    """What `healer test` would refuse of them."""
    from healer.harness import suite

    return [one for file in files for one in suite.read(folder, file, revision).diagnostics]


def _sum(found: Sequence[dict[str, int] | None]) -> dict[str, int] | None:
    """Of all projects together; None where one of them cannot be counted."""
    known = [one for one in found if one is not None]
    return {key: sum(one[key] for one in known) for key in known[0]} if known and len(known) == len(found) else None


def _amounts(counted: dict[str, int]) -> list[str]:
    words = {"rulebooks": "rulebook", "rules": "rule", "actions": "action", "controllers": "controller"}
    amounts = [f"{counted[many]} {one if counted[many] == 1 else many}" for many, one in words.items()]
    return [*amounts, f"{counted['tests']} tests' file{'' if counted['tests'] == 1 else 's'}"]


def _verdict(found: Sequence[Checked], strict: bool) -> str:
    amounts = []
    for severity in ("error", "warning"):
        amount = sum(one.more or 1 for checked in found for one in checked.told if one.severity == severity)
        if amount or severity == "error":
            amounts.append(f"{amount} {severity}{'' if amount == 1 else 's'}")
    elsewhere = sum(one.elsewhere for one in found)
    more = f"; {elsewhere} more in other files of the project" if elsewhere else ""
    return f"error[configuration]: {', '.join(amounts)}{more}" + (" (--strict: warnings count)" if strict else "")
