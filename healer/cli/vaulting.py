"""The flags for ansible-vault, of each command that reads a project."""

from __future__ import annotations

import getpass
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
            help="A file with a vault password; a program is run for it",
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

    ask = (lambda: getpass.getpass("Vault password: ")) if ask_vault_pass else None
    return vault.read(vault_password_file, vault_id, cli.environment(), ask)
