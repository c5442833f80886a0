"""The flags for ansible-vault, of each command that reads a project."""

from __future__ import annotations

import getpass
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from healer import cli

if TYPE_CHECKING:
    from healer import vault


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--vault-password-file`, `--vault-id`, `--ask-vault-pass`, as ansible-rulebook has them."""
    for made in (
        click.option("--ask-vault-pass", is_flag=True, help="Ask for the vault password"),
        click.option(
            "--vault-id",
            multiple=True,
            metavar="LABEL@FILE",
            help="A file with a vault password; a program is run for it; LABEL@prompt asks",
        ),
        click.option(
            "--vault-password-file",
            metavar="FILE",
            help="A file with the vault password [default: $EDA_VAULT_PASSWORD_FILE]",
        ),
    ):
        command = made(command)
    return command


def opened(vault_password_file: str | None, vault_id: Sequence[str], *, ask_vault_pass: bool) -> vault.Vault:
    """What the flags open. Raises `vault.VaultError`."""
    from healer import vault

    return vault.read(vault_password_file, vault_id, cli.environment(), _ask, ask_one=ask_vault_pass)


def _ask(prompt: str) -> str:
    """What somebody enters at the terminal, unseen. Raises `vault.NoTerminal`."""
    from healer import vault

    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)  # it would read what is seen, or no terminal at all
        try:
            return getpass.getpass(prompt)
        except getpass.GetPassWarning:
            raise vault.NoTerminal from None
