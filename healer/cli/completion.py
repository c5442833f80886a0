"""`healer completion`: the script with which a shell completes the commands, their options, and the names that they take."""

from __future__ import annotations

from typing import Final

import click
from click import shell_completion

from healer import cli
from healer.cli import terminal, usage

SHELLS: Final = ("bash", "zsh", "fish")
VARIABLE: Final = "_HEALER_COMPLETE"


@click.command(cls=usage.Command)
@click.argument("shell", metavar="SHELL", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the script that has SHELL (bash, zsh or fish) complete commands, options, and names.

    Names of runs, actions, controllers, sources and so on come from the daemon that the line means, else from the files of the
    project; where neither is at hand there are none.
    """
    made = shell_completion.get_completion_class(shell)
    if made is None:  # click knows these three since 8.0
        raise usage.WrongUse(detail=f"this click completes nothing for {shell}")
    # Not `made.source()` of bash, which starts a bash to look how old it is.
    terminal.echo(shell_completion.ShellComplete.source(made(cli.cli, {}, "healer", VARIABLE)))
