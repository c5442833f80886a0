"""`healer schema`: the JSON Schema of a project's files, so that an editor completes and checks them while one writes."""

from __future__ import annotations

import json

import click

from healer.cli import tables, terminal, usage

KINDS = ("rulebook", "actions", "metadata", "controllers", "healer", "test")
_USE = """\
healer schema rulebook > rulebook.json   writes one; with the YAML language server an editor takes it from the first line of a file:
# yaml-language-server: $schema=../rulebook.json   (a path from the file on)"""


@click.command(cls=usage.Command)
@click.argument("kind", metavar="[KIND]", required=False, type=click.Choice(KINDS))
def command(kind: str | None) -> None:
    """Print the JSON Schema of the files of a KIND, for editors. Without KIND: what there is.

    KIND is rulebook, actions, metadata, controllers, healer or test.
    """
    from healer import harness, project

    kinds = {**project.SCHEMAS, **harness.SCHEMAS}
    if kind is not None:
        click.echo(json.dumps(project.schema(kind, kinds), indent=2, ensure_ascii=True))
        return
    rows = [[name, one.files, one.about] for name, one in kinds.items()]
    for line in tables.lines(["kind", "of", "holds"], rows, width=terminal.width()):
        terminal.echo(line)
    terminal.echo()
    terminal.echo(_USE)
