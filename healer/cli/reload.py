"""`healer reload`: the daemon takes all files of the project again, or none of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from healer.cli import client, location, terminal, usage

TIMEOUT_S = 300.0


@click.command(cls=usage.Command)
@location.options
@location.JSON
def command(where: location.Where, as_json: bool) -> None:
    """Take the files of the project again: all of them, or (with every mistake named) none."""
    done = client.Client(where, TIMEOUT_S).ask("POST", f"{client.API}/reload", body=b"")
    if as_json:
        terminal.echo_json(done)
        return
    answer = done if isinstance(done, dict) else {}
    terminal.echo(f"reloaded: revision {terminal.clean(answer.get('short') or answer.get('revision') or '?')}")
    for line in changes(answer.get("changed")):
        terminal.echo(f"  {line}")
    for line in warnings(answer.get("diagnostics")):
        terminal.echo(line)


def warnings(diagnostics: Any) -> Iterator[str]:
    """A line for each thing that was not a mistake and is to be known."""
    for one in diagnostics if isinstance(diagnostics, list) else ():
        if isinstance(one, Mapping):
            place = ":".join(str(one[part]) for part in ("file", "line", "column") if one.get(part))
            told = f"{place}: {one.get('severity', 'warning')}[{one.get('code', '?')}]: {one.get('message', '')}"
            yield terminal.clean(told)


def changes(changed: Any) -> Iterator[str]:
    """A line for each kind of thing that changed."""
    if not isinstance(changed, Mapping):
        return
    for what, which in changed.items():
        if isinstance(which, Mapping):
            text = " · ".join(f"{_named(names)} {how}" for how, names in which.items() if names)
        else:
            text = _named(which)
        if text:
            yield f"{terminal.clean(what)}: {text}"


def _named(which: Any) -> str:
    if isinstance(which, list):
        shown = ", ".join(terminal.clean(one) for one in which[:10])
        return shown + (f" and {len(which) - 10} more" if len(which) > 10 else "")
    return terminal.clean(which) if which else ""
