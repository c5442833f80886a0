"""`healer replay`: the engine alone, offline, on a virtual clock; no action runs and no gate is asked."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from typing import Any, Final, NoReturn

import click

from healer import config, errors, testing

FILE: Final = click.Path(exists=True, dir_okay=False, path_type=pathlib.Path)
LINE_BYTES_MAX: Final = 16 << 20


class WrongSteps(errors.HealerError):
    """{where}: {detail}"""

    code = "steps"
    exit_code = errors.EXIT_USAGE


@click.command()
@click.argument("rulebook", type=FILE)
@click.option(
    "--steps", "steps_file", required=True, type=FILE, help="A JSON object a line: event, fact, retract or advance_s"
)
@click.option("--vars", "vars_file", type=FILE, help="YAML or JSON: the variables of the rulebook")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a firing.")
def command(rulebook: pathlib.Path, steps_file: pathlib.Path, vars_file: pathlib.Path | None, as_json: bool) -> None:
    """Show which rules of RULEBOOK fire for the steps of a file."""
    try:
        firings = testing.replay(rulebook, steps_of(steps_file), _variables(vars_file))
    except errors.InvalidField as error:
        raise WrongSteps(error.try_, where=steps_file, detail=error.message) from error
    for firing in firings:
        if as_json:
            click.echo(json.dumps(firing.as_json(), separators=(",", ":")))
        else:
            click.echo(ascii(f"step {firing.step} at {firing.at:g} s: {firing.ruleset}/{firing.rule}")[1:-1])


def steps_of(path: pathlib.Path) -> Iterator[dict[str, Any]]:
    """The steps of a file. Raises `WrongSteps` with the line of what is no step."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if len(line) > LINE_BYTES_MAX:
                _wrong(path, number, f"longer than {LINE_BYTES_MAX} bytes")
            try:
                step = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"), parse_constant=_no_constant)
            except RecursionError:
                _wrong(path, number, "nested too deep")
            except ValueError as error:
                _wrong(path, number, "an empty line" if not line.strip() else f"not JSON: {error}")
            yield step


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _wrong(path: pathlib.Path, number: int, detail: str) -> NoReturn:
    raise WrongSteps('one JSON object a line, such as {"event": {}}', where=f"{path}:{number}", detail=detail)


def _variables(path: pathlib.Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    document = config.read_file(path, str(path))
    if not document.ok:
        raise errors.ConfigurationError(document.diagnostics)
    if document.value is None:
        return {}
    if not isinstance(document.value, dict):
        got = type(document.value).__name__
        raise WrongSteps(where=path, detail=f"a mapping of variables is wanted, got {got}")
    return document.value
