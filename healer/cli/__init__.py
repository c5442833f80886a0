"""The command line: one file a command, imported only when it is named, so that it starts fast."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from healer import errors

COMMANDS = {
    "audit": "look at the audit and verify it",
    "replay": "evaluate a rulebook offline on a virtual clock",
    "version": "print the version",
}


class Commands(click.Group):
    """Loads `healer/cli/<name>.py` when its command is named; that file's `command` is it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or None for a name that is not known."""
        if cmd_name not in COMMANDS:
            return None
        found: Any = importlib.import_module(f"healer.cli.{cmd_name}")
        return found.command  # type: ignore[no-any-return]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """auto-healer: an event-driven rules engine that repairs infrastructure."""


def main() -> None:
    """Run a command; an error of ours is printed as text, with its exit code."""
    try:
        cli(prog_name="healer")
    except errors.HealerError as error:
        click.echo(str(error), err=True)
        sys.exit(error.exit_code)
