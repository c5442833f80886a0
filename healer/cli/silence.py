"""`healer silence`: leave alerts or runs alone for a time."""

from __future__ import annotations

import json
from typing import Any

import click

from healer import cli
from healer.cli import client, location, tables, terminal


@click.group(cls=cli.Lists)
def command() -> None:
    """Leave alerts or runs alone for a time. `list` may be left out."""


@command.command("add")
@click.argument("matchers", nargs=-1, required=True, metavar="MATCHER…")
@click.option(
    "--for",
    "for_",
    metavar="SPAN",
    required=True,
    callback=terminal.as_span,
    help="How long, like 2h: an end is a must",
)
@click.option("--in", "in_", metavar="SPAN", callback=terminal.as_span, help="It begins after that")
@click.option("--comment", metavar="TEXT", required=True, help="Why; shown with each run that it holds")
@location.options
@location.JSON
def add(
    where: location.Where, matchers: tuple[str, ...], for_: float, in_: float | None, comment: str, as_json: bool
) -> None:  # fmt: skip
    """Silence what all MATCHERs hold for: alertname=NodeDown, env=~"prod|stage", rule=web/restart, target=web01, action=…"""
    asked: dict[str, Any] = {"matchers": list(matchers), "for_s": for_, "comment": comment} | (
        {"in_s": in_} if in_ else {}
    )
    done = client.Client(where).ask("POST", f"{client.API}/silences", body=json.dumps(asked).encode())
    if as_json:
        terminal.echo_json(done)
        return
    answer = done if isinstance(done, dict) else {}
    name = terminal.clean(answer.get("id") or "?")
    terminal.echo(
        f"silenced until {terminal.when(answer.get('until'))}: {name}  (end it: {location.again(f'healer silence end {name}')})"
    )


@command.command("list")
@location.options
@location.JSON
def list_(where: location.Where, as_json: bool) -> None:
    """All silences, the newest first."""
    found = client.page(client.Client(where).get(f"{client.API}/silences"))
    if as_json:
        terminal.echo_json(found)
        return
    if not found["items"]:
        terminal.note("no silences")
        return
    head = ("silence", "state", "matchers", "from", "until", "who", "comment")
    for line in tables.lines(head, [_row(item) for item in found["items"]], width=terminal.width()):
        terminal.echo(line)


def _row(item: dict[str, Any]) -> list[tables.Cell]:
    return [
        str(item.get("id") or "?"), str(item.get("state") or ""), " ".join(map(str, item.get("matchers") or ())),
        terminal.when(item.get("from")), terminal.when(item.get("ended") or item.get("until")), str(item.get("who") or ""),
        str(item.get("comment") or ""),
    ]  # fmt: skip


@command.command("end")
@click.argument("silence", metavar="ID")
@location.options
@location.JSON
def end(where: location.Where, silence: str, as_json: bool) -> None:
    """End a silence before its time; what it held is looked at."""
    done = client.Client(where).ask("POST", f"{client.API}/silences/{client.segment(silence)}/end")
    if as_json:
        terminal.echo_json(done)
        return
    answer = done if isinstance(done, dict) else {}
    name = terminal.clean(answer.get("id") or silence)
    terminal.echo(f"ended {name}" if answer.get("ended") else f"{name} had ended already")
