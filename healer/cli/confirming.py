"""Asking a person whether a change is meant: on a terminal; elsewhere `--yes` has to say it, or nothing is done.

Callers: the commands that change what cannot be taken back. A stop (`pause`) never asks, since it has to be at once; nor does what
only adds and can be undone.
"""

from __future__ import annotations

from typing import Final

import click

from healer import errors
from healer.cli import terminal


class NotConfirmed(errors.HealerError):
    """{what}, and there is no terminal to ask whether that is meant"""

    code = "not-confirmed"
    exit_code = errors.EXIT_USAGE


YES: Final = click.option("--yes", is_flag=True, help="Do not ask")


def ask(question: str, what: str, *, yes: bool) -> None:
    """Go on only where it is meant. `question`: what a person reads; `what`: what would be done, of the error.

    Raises `NotConfirmed`, `click.Abort`.
    """
    if yes:
        return
    if not terminal.can_ask():
        raise NotConfirmed("--yes", what=terminal.clean(what))
    click.confirm(terminal.clean(question), abort=True, err=True)
