"""`healer silence`: leave alerts or runs alone for a time."""

from __future__ import annotations

import json
from typing import Any

import click

from healer import cli
from healer.cli import client, confirming, location, tables, terminal


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
    head = ("silence", "state", "matchers", "from", "until", "who", "comment")
    tables.show(found, head, map(_row, found["items"]), as_json=as_json, none="no silences")


def _row(item: dict[str, Any]) -> list[tables.Cell]:
    return [
        str(item.get("id") or "?"), str(item.get("state") or ""), " ".join(map(str, item.get("matchers") or ())),
        terminal.when(item.get("from")), terminal.when(item.get("ended") or item.get("until")), str(item.get("who") or ""),
        str(item.get("comment") or ""),
    ]  # fmt: skip


@command.command("end")
@click.argument("silence", metavar="ID")
@confirming.YES
@location.options
@location.JSON
def end(where: location.Where, silence: str, yes: bool, as_json: bool) -> None:
    """End a silence before its time; what it held is looked at."""
    confirming.ask(f"End {silence}? What it holds is looked at.", f"what {silence} holds would go on", yes=yes)
    done = client.Client(where).ask("POST", f"{client.API}/silences/{client.segment(silence)}/end")
    if as_json:
        terminal.echo_json(done)
        return
    answer = done if isinstance(done, dict) else {}
    name = terminal.clean(answer.get("id") or silence)
    terminal.echo(f"ended {name}" if answer.get("ended") else f"{name} had ended already")
