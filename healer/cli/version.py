"""`healer version`."""

from __future__ import annotations

import click

import healer


@click.command()
def command() -> None:
    """Print the version."""
    click.echo(f"healer {healer.__version__}")
