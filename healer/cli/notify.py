"""`healer notify`: what people were told and what is still on its way, having it tried again or given up, and trying receivers."""

from __future__ import annotations

from typing import Any

import click

from healer import cli, errors
from healer.cli import client, confirming, location, tables, terminal, usage, watching

_PATH = f"{client.API}/notifications"
TIMEOUT_S = 60.0


@click.group(cls=usage.Group)
def command() -> None:
    """Messages to people, by the receivers of healer.yaml."""


@command.group("outbox", cls=cli.Lists)
def outbox() -> None:
    """What people were told, and what is on its way. `list` may be left out."""


@outbox.command("list")
@location.options
@click.option("--undelivered", is_flag=True, help="What waits for another try, or was given up")
@click.option("--receiver", metavar="NAME", default="", help="To this receiver")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@watching.OPTION
@location.JSON
def list_(
    where: location.Where, undelivered: bool, receiver: str, limit: int, watch: float | None, as_json: bool
) -> None:
    """The messages, the newest first."""
    head = ("message", "to", "tells", "of", "state", "made", "answered by")

    def look() -> None:
        query: client.Query = {"undelivered": 1} if undelivered else {}
        found = client.Client(where).pages(_PATH, {**query, "receiver": receiver or None}, limit)
        none = "nothing waits to be delivered" if undelivered else "nobody was told anything"
        tables.show(found, head, map(_row, found["items"]), as_json=as_json, none=none, limit=limit)

    watching.repeat(watch, look, as_json=as_json)


def _row(item: dict[str, Any]) -> list[tables.Cell]:
    runs = item.get("runs") or []
    count = item.get("count") or 0
    of = terminal.short(runs[0]) if len(runs) == 1 and count == 1 else f"{count} of {item.get('subject') or '?'}"
    return [
        str(item.get("id") or "?"), str(item.get("receiver") or ""), str(item.get("news") or ""), of, _state(item),
        terminal.when(item.get("made")), str(item.get("answered_by") or ""),
    ]  # fmt: skip


def _state(item: dict[str, Any]) -> tables.Cell:
    state, error = str(item.get("state") or ""), item.get("error")
    if state in ("failed", "dropped"):
        return f"{state}: {error or 'no reason is known'}", "red" if state == "failed" else None
    if item.get("tries"):
        return f"tried {item['tries']} times: {error or '?'}; again {terminal.when(item.get('due'))}", "yellow"
    return state


@outbox.command("retry")
@click.argument("message", metavar="ID")
@location.options
@location.JSON
def retry(where: location.Where, message: str, as_json: bool) -> None:
    """Have one tried again now that could not be delivered."""
    _done(where, message, "retry", "is tried again now", as_json=as_json)


@outbox.command("drop")
@click.argument("message", metavar="ID")
@confirming.YES
@location.options
@location.JSON
def drop(where: location.Where, message: str, yes: bool, as_json: bool) -> None:
    """Give up one that could not be delivered."""
    confirming.ask(f"Give up {message}? Nobody is told of it then.", f"{message} would never be delivered", yes=yes)
    _done(where, message, "drop", "is given up", as_json=as_json)


def _done(where: location.Where, message: str, what: str, said: str, *, as_json: bool) -> None:
    found = client.Client(where).ask("POST", f"{_PATH}/{client.segment(message)}/{what}")
    _tell(found, f"{terminal.clean(found.get('id') or message)} {said}", as_json=as_json)


def _tell(answer: Any, said: str, *, as_json: bool) -> None:
    if as_json:
        terminal.echo_json(answer)
    else:
        terminal.echo(said)


@command.command("answer")
@click.argument("message", metavar="ID")
@location.options
@location.JSON
def answer(where: location.Where, message: str, as_json: bool) -> None:
    """Say that you look after what a message tells: it goes to nobody else."""
    found = client.Client(where).ask("POST", f"{_PATH}/{client.segment(message)}/answer")
    who, what = terminal.clean(found.get("answered_by") or "?"), terminal.clean(found.get("id") or message)
    _tell(found, f"{who} looks after {what}", as_json=as_json)


@command.command("test")
@click.argument("receiver", metavar="RECEIVER")
@location.options
@location.JSON
def test(where: location.Where, receiver: str, as_json: bool) -> None:
    """Send a message to a receiver now."""
    found = client.Client(where).ask("POST", f"{client.API}/receivers/{client.segment(receiver)}/test")
    _tell(found, f"sent to {terminal.clean(receiver)}", as_json=as_json)


@command.command("check")
@click.argument("receiver", metavar="[RECEIVER]", required=False)
@location.options
@location.JSON
def check(where: location.Where, receiver: str | None, as_json: bool) -> int:
    """Ask whether a receiver, or each, can be reached now: its token, its channel. Nothing is sent."""
    found = client.Client(where, TIMEOUT_S).ask("POST", f"{client.API}/receivers/check", {"receiver": receiver})
    items = found.get("items") if isinstance(found, dict) else None
    every = [one for one in items if isinstance(one, dict)] if isinstance(items, list) else []
    if as_json:
        terminal.echo_json(found)
    elif not every:
        terminal.note("nobody is told anything: healer.yaml has no notifications.receivers")
    for one in () if as_json else every:
        words = "ok" if one.get("ok") else "cannot be reached"
        detail = f": {terminal.clean(one['detail'])}" if one.get("detail") else ""
        terminal.echo(
            f"{terminal.clean(one.get('receiver') or '?')} ({terminal.clean(one.get('channel') or '?')})  {words}{detail}"
        )
    return errors.EXIT_OK if all(one.get("ok") for one in every) else errors.EXIT_FOUND
