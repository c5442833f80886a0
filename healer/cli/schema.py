"""`healer schema`: the JSON Schema of a project's files, so that an editor completes and checks them while one writes."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Final

import click

from healer.cli import editing, tables, terminal, usage

LISTED: Final[Mapping[str, tuple[str, str]]] = {
    "rulebook": ("rulebooks/*.yml", "rulesets: sources, and rules with conditions and actions"),
    "actions": ("actions.yaml", "what may be done: each action with what it takes"),
    "metadata": ("playbooks/*.meta.yml, scripts/*.meta.yml", "one action, beside the file that it runs"),
    "controllers": ("controllers.yaml", "the named ways to reach targets"),
    "healer": ("healer.yaml", "how the daemon runs"),
    "test": ("rulebooks/*_test.yml", "tests of rulebooks: what happens, and what has to come of it"),
}
"""Kind → which files, what they hold; written out, since what knows it (`project.SCHEMAS`, `harness.SCHEMAS`) takes long to load."""
KINDS = tuple(LISTED)
_USE = """\
healer schema --write .   writes all of them into .healer-schemas/ of a project (`healer init` does too); with the YAML language server an
editor takes one from the first line of a file, by a path from the file on:
# yaml-language-server: $schema=../.healer-schemas/rulebook.json"""


@click.command(cls=usage.Command)
@click.argument("kind", metavar="[KIND]", required=False, type=click.Choice(KINDS))
@click.option(
    "--write",
    "root",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=pathlib.Path),
    help=f"Write all of them into {editing.FOLDER}/ of the project DIR",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(kind: str | None, root: pathlib.Path | None, as_json: bool) -> None:
    """Print the JSON Schema of the files of a KIND, for editors. Without KIND: what there is.

    KIND is rulebook, actions, metadata, controllers, healer or test.
    """
    if kind is not None and root is not None:
        raise usage.WrongUse(detail="--write writes all kinds: no KIND is wanted beside it")
    if root is not None:
        written = editing.write(root)
        if as_json:
            terminal.echo_json({"written": written})
        else:
            terminal.echo(f"wrote {', '.join(written)}")
        return
    if kind is not None:
        from healer import project

        kinds = project.SCHEMAS
        if kind not in kinds:
            from healer import harness

            kinds = harness.SCHEMAS
        click.echo(editing.text(project.schema(kind, kinds)), nl=False)
        return
    if as_json:
        terminal.echo_json(
            {"items": [{"kind": name, "files": files, "about": about} for name, (files, about) in LISTED.items()]}
        )
        return
    rows = [[name, files, about] for name, (files, about) in LISTED.items()]
    for line in tables.lines(["kind", "of", "holds"], rows, width=terminal.width()):
        terminal.echo(line)
    terminal.echo()
    terminal.echo(_USE)
