"""`healer replay`: the engine alone, offline, on a virtual clock; no action runs and no gate is asked."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from typing import Any, Final

import click

from healer import errors
from healer.cli import progressing, usage

FILE: Final = click.Path(exists=True, dir_okay=False, path_type=pathlib.Path)
LINE_BYTES_MAX: Final = 16 << 20


class WrongFile(errors.ConfigurationError):
    """{count}

    In the rulebook or the variables, which need no project.
    """


class WrongSteps(errors.HealerError):
    """{where}: {detail}"""

    code = "steps"
    exit_code = errors.EXIT_USAGE


@click.command(cls=usage.Command)
@click.argument("rulebook", type=FILE)
@click.option(
    "--steps",
    "steps_file",
    required=True,
    type=FILE,
    metavar="FILE",
    help="A JSON object a line: event, fact, retract or advance_s",
)
@click.option("--vars", "vars_file", type=FILE, metavar="FILE", help="YAML or JSON: the variables of the rulebook")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a firing.")
def command(rulebook: pathlib.Path, steps_file: pathlib.Path, vars_file: pathlib.Path | None, as_json: bool) -> None:
    """Show which rules of RULEBOOK fire for the steps of a file."""
    from healer import testing
    from healer.testing import steps

    variables = _variables(vars_file)
    try:
        with progressing.of(steps_file.stat().st_size, "bytes", as_json=as_json) as tell:
            firings = testing.replay(rulebook, steps_of(steps_file, tell), variables)
    except steps.WrongStep as error:
        where, detail = f"{steps_file}:{error.fields['line']}", f"{error.fields['field']}: {error.fields['detail']}"
        raise WrongSteps(error.try_, where=where, detail=detail) from error
    except errors.ConfigurationError as error:
        raise WrongFile(error.diagnostics) from error
    for firing in firings:
        if as_json:
            click.echo(json.dumps(firing.as_json(), separators=(",", ":")))
        else:
            click.echo(ascii(f"step {firing.step} at {firing.at:g} s: {firing.ruleset}/{firing.rule}")[1:-1])


def steps_of(path: pathlib.Path, tell: progressing.Tell = lambda _done: None) -> Iterator[dict[str, Any]]:
    """The steps of a file, read as strictly as the daemon reads; `tell` hears how far that is, in bytes.

    Raises `WrongSteps` with the line of what is no step.
    """
    from healer.intake import strict

    done = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            done += len(line)
            tell(done)
            if len(line) > LINE_BYTES_MAX:
                raise _wrong(path, number, f"longer than {LINE_BYTES_MAX} bytes")
            text = line.removeprefix(b"\xef\xbb\xbf" if number == 1 else b"").rstrip()
            if not text:
                raise _wrong(path, number, "an empty line")
            try:
                yield strict.parse(text, level=0, nodes_max=LINE_BYTES_MAX, string_max=LINE_BYTES_MAX)
            except errors.RequestError as error:
                detail = f"not JSON: {error.fields['detail']}" if isinstance(error, errors.NotJson) else error.message
                raise _wrong(path, number, detail, error.code) from error


def _wrong(path: pathlib.Path, number: int, detail: str, code: str = WrongSteps.code) -> WrongSteps:
    error = WrongSteps('one JSON object a line, such as {"event": {}}', where=f"{path}:{number}", detail=detail)
    error.__dict__["code"] = code  # of the mistake in the line: the one that the daemon gives for it
    return error


def _variables(path: pathlib.Path | None) -> dict[str, Any] | None:
    from healer import config, wording

    if path is None:
        return None
    document = config.read_file(path, str(path))
    if not document.ok:
        raise WrongFile(document.diagnostics)
    if document.value is None:
        return {}
    if not isinstance(document.value, dict):
        got = wording.shown(document.value)
        raise WrongSteps(where=path, detail=f"a mapping of variables is wanted, got {got}")
    return document.value
