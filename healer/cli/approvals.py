"""`healer approvals`: what waits for a person's word, and saying it. Who you are says a key, or `principals` of the user of this host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from healer import cli
from healer.cli import client, explanation, location, tables, terminal


@click.group(cls=cli.Lists)
def command() -> None:
    """What waits for a person's word. `list` may be left out."""


@command.command("list")
@location.options
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@location.JSON
def list_(where: location.Where, limit: int, as_json: bool) -> None:
    """The open requests."""
    found = client.Client(where).pages(f"{client.API}/approvals", {}, limit)
    if as_json:
        terminal.echo_json(found)
        return
    if not found["items"]:
        terminal.note("nothing waits for a person")
        return
    head = ("request", "run", "action", "on", "rule", "why", "needs", "until")
    for line in tables.lines(head, [_row(item) for item in found["items"]], width=terminal.width()):
        terminal.echo(line)
    if found["next"] is not None:
        terminal.note(f"there are more:  --limit {limit * 4}")


def _row(item: dict[str, Any]) -> list[tables.Cell]:
    until = terminal.when(item["expires"]) if item.get("expires") else "a person decides"
    return [
        str(item.get("id") or "?"), terminal.short(item.get("run")), str(item.get("action") or ""), ", ".join(item.get("targets") or ()),
        str(item.get("rule") or ""), str(item.get("reason") or ""), _needs(item), until,
    ]  # fmt: skip


def _needs(item: dict[str, Any], *, roles: bool = False) -> str:
    """Any threshold of each approval: `0 of 1 on call or 0 of 2 two of us, and 0 of 1 admins`; with whose `roles` count."""
    found: dict[Any, list[str]] = {}
    for one in item.get("needs") or ():
        if isinstance(one, dict):
            whose = f" ({', '.join(map(str, one.get('roles') or ()))})" if roles else ""
            said = f"{one.get('have', 0)} of {one.get('want', 1)} {one.get('name')}{whose}"
            found.setdefault(one.get("approval"), []).append(said)
    return ", and ".join(" or ".join(any_of) for any_of in found.values())


@command.command("show")
@click.argument("request", metavar="REQUEST")
@location.options
@location.JSON
def show(where: location.Where, request: str, as_json: bool) -> None:
    """Exactly what would run, on what, and what people said. REQUEST is its id or its run's."""
    found = client.Client(where).get(f"{client.API}/approvals/{client.segment(request)}")
    if as_json:
        terminal.echo_json(found)
        return
    for line in _in_full(found if isinstance(found, dict) else {}):
        terminal.echo(line)


def _in_full(item: dict[str, Any]) -> Iterator[str]:
    state, reason = terminal.clean(item.get("state") or "?"), terminal.clean(item.get("reason") or "")
    yield f"{terminal.clean(item.get('id') or '?')}  {state}  ({reason})"
    for name in ("run", "rule", "action", "controller", "requester", "author", "digest"):
        if item.get(name):
            yield f"  {name:<10}  {terminal.clean(item[name])}"
    yield f"  {'on':<10}  {terminal.clean(', '.join(item.get('targets') or ())) or '(no target)'}"
    if item.get("parameters"):
        yield f"  {'parameters':<10}  {terminal.one_line_json(item['parameters'])}"
    yield f"  {'needs':<10}  {terminal.clean(_needs(item, roles=True))}"
    if item.get("exclude"):
        yield f"  {'but not':<10}  {terminal.clean(', '.join(map(str, item['exclude'])))}"
    if item.get("expires"):
        yield f"  {'expires':<10}  {terminal.when(item['expires'])}"
    yield from explanation.plan_lines(item.get("plan"))
    for one in item.get("reviews") or ():
        word = "approves" if one.get("approves") else "rejects"
        reason = f": {terminal.clean(one['reason'])}" if one.get("reason") else ""
        roles = f" ({terminal.clean(', '.join(one['roles']))})" if one.get("roles") else ""
        yield f"  {terminal.when(one.get('at'))}  {terminal.clean(one.get('person') or '?')}{roles} {word}{reason}"


@command.command("approve")
@click.argument("request", metavar="REQUEST")
@click.option("--reason", metavar="TEXT", default="", help="Kept in the audit")
@location.options
@location.JSON
def approve(where: location.Where, request: str, reason: str, as_json: bool) -> None:
    """Say yes to exactly what `show` shows."""
    _say(where, request, "approve", reason, as_json)


@command.command("reject")
@click.argument("request", metavar="REQUEST")
@click.option("--reason", metavar="TEXT", default="", help="Kept in the audit")
@location.options
@location.JSON
def reject(where: location.Where, request: str, reason: str, as_json: bool) -> None:
    """Say no."""
    _say(where, request, "reject", reason, as_json)


def _say(where: location.Where, request: str, word: str, reason: str, as_json: bool) -> None:
    body = json.dumps({"reason": reason}).encode()
    done = client.Client(where).ask("POST", f"{client.API}/approvals/{client.segment(request)}/{word}", body=body)
    if as_json:
        terminal.echo_json(done)
        return
    answer = done if isinstance(done, dict) else {}
    run, state = terminal.short(answer.get("run")), str(answer.get("state") or "?")
    if answer.get("stood"):
        terminal.echo(f"{run}: your first word stands; the request is {terminal.clean(state)}")
    elif state == "open":
        terminal.echo(f"{run}: noted; more people are wanted:  {location.again(f'healer approvals show {run}')}")
    else:
        terminal.echo(f"{run}: {terminal.clean(state)}")
