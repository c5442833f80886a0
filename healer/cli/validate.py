"""`healer validate`: reads a project as the daemon would, and shows every mistake at once."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Sequence
from typing import Any, Final

import click

from healer import cli, errors
from healer.cli import controlling, terminal, usage, vaulting

ORDER: Final = {"error": 0, "warning": 1, "hint": 2}


@click.command(cls=usage.Command)
@click.argument(
    "folder",
    metavar="[DIR]",
    required=False,
    type=click.Path(exists=True, file_okay=False, path_type=pathlib.Path),
)
@click.option(
    "--project",
    "named",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=pathlib.Path),
    help="The same as DIR",
)
@click.option("--strict", is_flag=True, help="Warnings count as errors")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@controlling.options
@vaulting.options
def command(
    folder: pathlib.Path | None,
    named: pathlib.Path | None,
    strict: bool,
    as_json: bool,
    vault_password_file: str | None,
    vault_id: tuple[str, ...],
    ask_vault_pass: bool,
    controller_url: str | None,
    controller_token: str | None,
) -> int:
    """Show every mistake in the project DIR [default: .], with file:line:column."""
    from healer import project

    if folder and named and folder.resolve() != named.resolve():
        raise usage.WrongUse(detail=f"--project and DIR name two folders: {named} and {folder}")
    folder = folder or named or pathlib.Path()
    begun = time.monotonic()
    opened = vaulting.opened(vault_password_file, vault_id, ask_vault_pass=ask_vault_pass)
    environ = {**cli.environment(), **controlling.variables(controller_url, controller_token)}
    loaded = project.load(folder, environ, {}, opened if opened.keys else None)
    took_s = time.monotonic() - begun
    missing = [] if loaded.revision is None else project.unreadable(loaded.revision, folder, environ, "hint")
    diagnostics = sorted([*loaded.diagnostics, *missing], key=_order)
    bad = [one for one in diagnostics if one.severity == "error" or (strict and one.severity == "warning")]
    ok = loaded.revision is not None and not bad
    if as_json:
        counted = counts(loaded.revision, folder) if loaded.revision is not None else None
        terminal.echo_json({"ok": ok, "counts": counted, "diagnostics": [one.as_json() for one in diagnostics]})
        return errors.EXIT_OK if ok else errors.EXIT_FOUND
    for one in diagnostics:
        for line in str(one).splitlines():
            terminal.echo(terminal.clean(line))
    if ok:
        terminal.echo(f"ok: {', '.join(_amounts(counts(loaded.revision, folder)))} ({took_s:.1f} s)")
        return errors.EXIT_OK
    terminal.note(_verdict(diagnostics, strict))
    return errors.EXIT_FOUND


def _order(one: errors.Diagnostic) -> tuple[Any, ...]:
    """Errors first, then by place; how many more of a file there are stands after those that are shown."""
    return ORDER[one.severity], one.place.file, bool(one.more), one.place.line, one.place.column


def counts(revision: Any, folder: pathlib.Path) -> dict[str, int]:
    """How much of everything there is; what the daemon makes itself (the catalog's events) does not count."""
    own = [one for one in revision.activations if not one.hidden]
    rulesets = [ruleset for activation in own for ruleset in activation.rulesets]
    return {
        "rulebooks": len({one.file for one in own}),
        "rules": sum(len(ruleset.rules) for ruleset in rulesets),
        "actions": len(revision.catalog.entries),
        "controllers": len(revision.controllers),
        "tests": _tests(folder),
    }


def _tests(folder: pathlib.Path) -> int:
    """The files in rulebooks/ that hold tests: a mapping with `tests:`, which is no rulebook."""
    found = 0
    for path in sorted((folder / "rulebooks").rglob("*.y*ml")):
        if path.suffix in (".yml", ".yaml") and path.is_file():
            with path.open("rb") as file:
                found += any(line.startswith(b"tests:") for line in file)
    return found


def _amounts(counted: dict[str, int]) -> list[str]:
    words = {"rulebooks": "rulebook", "rules": "rule", "actions": "action", "controllers": "controller"}
    amounts = [f"{counted[many]} {one if counted[many] == 1 else many}" for many, one in words.items()]
    return [*amounts, f"{counted['tests']} tests' file{'' if counted['tests'] == 1 else 's'}"]


def _verdict(diagnostics: Sequence[errors.Diagnostic], strict: bool) -> str:
    amounts = []
    for severity in ("error", "warning"):
        amount = sum(one.more or 1 for one in diagnostics if one.severity == severity)
        if amount or severity == "error":
            amounts.append(f"{amount} {severity}{'' if amount == 1 else 's'}")
    return f"error[configuration]: {', '.join(amounts)}" + (" (--strict: warnings count)" if strict else "")
