"""`healer version`. It imports nothing that it does not print."""

from __future__ import annotations

import json
import platform

import click

import healer
from healer.cli import usage


@click.command(cls=usage.Command)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """Print the version."""
    if as_json:
        click.echo(json.dumps({"version": healer.__version__, "python": platform.python_version()}))
    else:
        click.echo(f"healer {healer.__version__}")
