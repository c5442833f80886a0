"""`healer breakers`: actions that failed so often that they are stopped, and closing one by hand."""

from __future__ import annotations

import json
from typing import Any

import click

from healer import cli
from healer.cli import client, confirming, location, tables, terminal


@click.group(cls=cli.Lists)
def command() -> None:
    """Actions that failed lately, and which of them are stopped. `list` may be left out."""


@command.command("list")
@location.options
@location.JSON
def list_(where: location.Where, as_json: bool) -> None:
    """Each action and controller that failed since its breaker was closed last."""
    found = client.page(client.Client(where).get(f"{client.API}/breakers"))
    head = ("action", "controller", "breaker", "failures", "last", "trial")
    tables.show(found, head, map(_row, found["items"]), as_json=as_json, none="no action has failed", right=(3,))


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
@confirming.YES
@location.options
@location.JSON
def close(where: location.Where, action: str, controller: str, reason: str, yes: bool, as_json: bool) -> None:
    """Let an action run again on a controller; what waited goes on."""
    what = f"{action} would run again on {controller}, and what waited would go on"
    confirming.ask(f"Let {action} run again on {controller}? What waited goes on.", what, yes=yes)
    body = json.dumps({"action": action, "controller": controller, "reason": reason}).encode()
    done = client.Client(where).ask("POST", f"{client.API}/breakers/close", body=body)
    if as_json:
        terminal.echo_json(done)
        return
    terminal.echo(f"closed: {terminal.clean(action)} on {terminal.clean(controller)}")
