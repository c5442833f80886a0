"""`healer replay`: the engine alone, offline, on a virtual clock; no action runs and no gate is asked."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import click

from healer import config, errors, testing


@click.command()
@click.argument("rulebook", type=click.Path(exists=True, dir_okay=False, path_type=pathlib.Path))
@click.option(
    "--steps", "steps_file", required=True, type=click.Path(exists=True, dir_okay=False, path_type=pathlib.Path)
)
@click.option("--vars", "vars_file", type=click.Path(exists=True, dir_okay=False, path_type=pathlib.Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a firing.")
def command(rulebook: pathlib.Path, steps_file: pathlib.Path, vars_file: pathlib.Path | None, as_json: bool) -> None:
    """Show which rules of RULEBOOK fire for the steps of a file (a JSON object a line)."""
    for firing in testing.replay(rulebook, _steps(steps_file), _variables(vars_file)):
        shown = firing.as_json()
        line = f"step {firing.step} at {firing.at:g} s: {firing.ruleset}/{firing.rule}"
        click.echo(json.dumps(shown, separators=(",", ":")) if as_json else line)


def _steps(path: pathlib.Path) -> list[dict[str, Any]]:
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        try:
            step = json.loads(line)
        except ValueError as error:
            raise errors.InvalidField(field=f"{path}:{number + 1}", detail=f"not JSON: {error}") from error
        found.append(step)
    return found


def _variables(path: pathlib.Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    document = config.read_file(path, str(path))
    if not document.ok:
        raise errors.ConfigurationError(document.diagnostics)
    if not isinstance(document.value, dict):
        raise errors.InvalidField(field=str(path), detail="a mapping of variables is wanted")
    return document.value
