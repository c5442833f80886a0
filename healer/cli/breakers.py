"""`healer breakers`: actions that failed so often that they are stopped, and closing one by hand."""

from __future__ import annotations

import json
from typing import Any

import click

from healer import cli
from healer.cli import client, location, tables, terminal


@click.group(cls=cli.Lists)
def command() -> None:
    """Actions that failed lately, and which of them are stopped. `list` may be left out."""


@command.command("list")
@location.options
@location.JSON
def list_(where: location.Where, as_json: bool) -> None:
    """Each action and controller that failed since its breaker was closed last."""
    found = client.page(client.Client(where).get(f"{client.API}/breakers"))
    if as_json:
        terminal.echo_json(found)
        return
    if not found["items"]:
        terminal.note("no action has failed")
        return
    head = ("action", "controller", "breaker", "failures", "last", "trial")
    for line in tables.lines(head, [_row(item) for item in found["items"]], width=terminal.width(), right=(3,)):
        terminal.echo(line)


def _row(item: dict[str, Any]) -> list[tables.Cell]:
    failures = item.get("failures") or []
    colour = {"open": "red", "half-open": "yellow"}.get(str(item.get("state")))
    return [
        str(item.get("action") or "?"), str(item.get("controller") or "?"), (str(item.get("state") or ""), colour), str(len(failures)),
        terminal.when(failures[-1]) if failures else "", terminal.when(item["trial"]) if item.get("trial") else "",
    ]  # fmt: skip


@command.command("close")
@click.argument("action", metavar="ACTION")
@click.option("--controller", metavar="NAME", required=True, help="On which it failed")
@click.option("--reason", metavar="TEXT", required=True, help="Why that is safe; kept in the audit")
@location.options
@location.JSON
def close(where: location.Where, action: str, controller: str, reason: str, as_json: bool) -> None:
    """Let an action run again on a controller; what waited goes on."""
    body = json.dumps({"action": action, "controller": controller, "reason": reason}).encode()
    done = client.Client(where).ask("POST", f"{client.API}/breakers/close", body=body)
    if as_json:
        terminal.echo_json(done)
        return
    terminal.echo(f"closed: {terminal.clean(action)} on {terminal.clean(controller)}")
