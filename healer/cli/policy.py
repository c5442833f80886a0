"""`healer policy show`: which values of the gates hold for a run, and where each comes from; which values ship. Offline."""

from __future__ import annotations

import pathlib

import click

from healer import cli, errors
from healer.cli import tables, terminal, trusting, usage, vaulting


@click.group(cls=usage.Group)
def command() -> None:
    """Which values of the gates hold for a run, and where each comes from."""


def _labels(_ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """The callback of `--label`: `name=value`."""
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise usage.WrongUse(
                "--label env=prod", detail=f"{param.opts[0]}: NAME=VALUE is wanted, got {usage.got(text)}"
            )
        found[name] = value
    return found


@command.command("show", cls=usage.Command)
@click.argument(
    "folder",
    metavar="[DIR]",
    default=pathlib.Path(),
    type=click.Path(exists=True, file_okay=False, path_type=pathlib.Path),
)
@click.option("--defaults", is_flag=True, help="The shipped defaults, as healer.yaml takes them; no project is read")
@click.option("--for", "action", metavar="ACTION", help="An action of the catalog, or run_playbook and the like")
@click.option("--target", metavar="TARGET", help="On this target, like web01")
@click.option(
    "--rule", metavar="RULE", help="Asked for by this rule: activation/ruleset/rule, or its name where only one has it"
)
@click.option("--source", metavar="NAME", help="By an event of this source")
@click.option(
    "--label",
    "labels",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_labels,
    help="A label of its alert; may be given again",
)
@click.option(
    "--severity",
    type=click.Choice(["critical", "error", "warning", "info", "unknown"]),
    help="Of its alert; else unknown",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@trusting.option
@vaulting.options
def show(
    folder: pathlib.Path, defaults: bool, action: str | None, target: str | None, rule: str | None, source: str | None,
    labels: dict[str, str], severity: str | None, as_json: bool, distrusted: bool, vault_password_file: str | None,
    vault_id: tuple[str, ...], ask_vault_pass: bool,
) -> None:  # fmt: skip
    """Show which values of the gates hold for a run in the project DIR [default: .], each with where it comes from."""
    from healer.explain import values

    if defaults == (action is not None):
        raise usage.WrongUse(
            "healer policy show --for ACTION or healer policy show --defaults",
            detail="one of --for and --defaults is wanted",
        )
    if defaults:
        text = "\n".join(values.defaults())
        if as_json:
            from healer import config

            terminal.echo_json(config.read_text(text, "defaults").value)
        else:
            terminal.echo(text)
        return
    environ = cli.environment()
    why = trusting.reason(environ, distrusted)
    trusting.passwords([folder], vault_password_file, vault_id, environ, why)
    opened = vaulting.opened(vault_password_file, vault_id, ask_vault_pass=ask_vault_pass)
    loaded = trusting.load(folder, environ, opened if opened.keys else None, why)
    if loaded.revision is None:
        raise errors.ConfigurationError([one for one in loaded.diagnostics if one.severity == "error"])
    asked = values.Asked(action or "", target or "", rule or "", source or "", severity or "unknown", labels)
    found = values.of(loaded.revision, asked)
    if as_json:
        terminal.echo_json(found.as_json())
        return
    about = f" on {found.target}" if found.target else ""
    about += f", by the rule {found.rule}" if found.rule else ""
    terminal.echo(terminal.clean(f"{found.action}{about}, by the controller {found.controller}:"))
    rows: list[list[tables.Cell]] = [
        [f"  {one.gate}", one.as_json()["written"], one.origin, one.place] for one in found.values
    ]
    for line in tables.lines(("  gate", "value", "from", "where"), rows, width=terminal.width()):
        terminal.echo(line)
