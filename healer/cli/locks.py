"""`healer locks`: what runs have locked, and letting go of it."""

from __future__ import annotations

import json
from typing import Any

import click

from healer import cli
from healer.cli import client, confirming, location, tables, terminal


@click.group(cls=cli.Lists)
def command() -> None:
    """What runs have locked: targets, and the locks of rulebooks. `list` may be left out."""


@command.command("list")
@location.options
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@location.JSON
def list_(where: location.Where, limit: int, as_json: bool) -> None:
    """The locks, by name, each with the run that has it."""
    found = client.Client(where).pages(f"{client.API}/locks", {}, limit)
    head = ("lock", "run", "attempt", "state", "since", "until")
    tables.show(found, head, map(_row, found["items"]), as_json=as_json, none="no locks", limit=limit, right=(2,))


def _row(item: dict[str, Any]) -> list[tables.Cell]:
    ends = terminal.when(item["until"]) if item.get("until") else "a person resolves it"
    if item.get("again"):
        ends = f"done again at {terminal.when(item['again'])}"
    which, state = str(item.get("target") or "?"), tables.state(item.get("state") or "?")
    return [
        which,
        terminal.short(item.get("run")),
        str(item.get("attempt") or ""),
        state,
        terminal.when(item.get("since")),
        ends,
    ]


@command.command("release")
@click.argument("target", metavar="TARGET")
@click.option("--reason", metavar="TEXT", required=True, help="Why that is safe; kept in the audit")
@confirming.YES
@location.options
@location.JSON
def release(where: location.Where, target: str, reason: str, yes: bool, as_json: bool) -> None:
    """Let go of a lock whose run is unknown; what waits for it goes on. TARGET may be the last part of its name."""
    what = f"the lock of {target} would be let go of, and what waits for it would go on"
    confirming.ask(f"Let go of the lock of {target}? What waits for it goes on.", what, yes=yes)
    body = json.dumps({"target": target, "reason": reason}).encode()
    done = client.Client(where).ask("POST", f"{client.API}/locks/release", body=body)
    if as_json:
        terminal.echo_json(done)
        return
    answer = done if isinstance(done, dict) else {}
    run, state = terminal.short(answer.get("run")), terminal.clean(answer.get("state") or "?")
    terminal.echo(f"released {terminal.clean(answer.get('target') or target)}, which {run} ({state}) had")
