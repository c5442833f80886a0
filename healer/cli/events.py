"""`healer events`: what came in, one of them in full, sending one once more, and the quarantine.

Sending once more and releasing act on the world as `send` does, and ask as it does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from healer import cli, errors
from healer.cli import client, confirming, explanation, location, send, tables, terminal, usage

KINDS = ("event", "fact", "retract", "tick", "revision")


def _as_kinds(_ctx: click.Context, _param: click.Parameter, text: str | None) -> str | None:
    """The callback of `--kind`: kinds with commas between them, as the API takes them."""
    if text is None:
        return None
    named = [one.strip() for one in text.split(",")]
    for one in named:
        if one not in KINDS:
            near = errors.nearest(one, KINDS) or f"one of: {', '.join(KINDS)}"
            raise usage.WrongUse(near, detail=f"--kind: no kind is named {usage.got(one)}")
    return ",".join(named)


@click.group(cls=cli.Lists)
def command() -> None:
    """What came in and is kept. `list` may be left out."""


@command.command("list")
@location.options
@click.option("--source", help="Of this source")
@click.option(
    "--kind", callback=_as_kinds, metavar="KIND[,KIND…]", help=f"Of these: {', '.join(KINDS)} [default: all but tick]"
)
@click.option("--since", metavar="TIME", callback=terminal.as_moment, help="Not before: a span ('2h') or a time")
@click.option("--until", metavar="TIME", callback=terminal.as_moment, help="Not after")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@location.JSON
def list_(
    where: location.Where, source: str | None, kind: str | None, since: str | None, until: str | None, limit: int, as_json: bool
) -> None:  # fmt: skip
    """The events, newest first."""
    query = {"source": source, "kind": kind, "since": since, "until": until}
    found = client.Client(where).pages(f"{client.API}/events", query, limit)
    none = "no events" if found["next"] is None else "no events so far back; say when:  --since TIME --until TIME"
    head = ("event", "when", "kind", "source", "led to", "what")
    tables.show(found, head, map(_row, found["items"]), as_json=as_json, none=none, limit=limit)


def _row(item: dict[str, Any]) -> list[tables.Cell]:
    return [
        str(item.get("id") or "?"), terminal.when(item.get("received_at")), str(item.get("kind") or ""), str(item.get("source") or ""),
        _led_to(item), str(item.get("begins") or f"({item.get('bytes') or 0} bytes)"),
    ]  # fmt: skip


def _led_to(item: dict[str, Any]) -> tables.Cell:
    if item.get("quarantined"):
        return "quarantine", "red"
    if not item.get("decided"):
        return "not decided yet", "yellow"
    runs, decisions = item.get("runs"), item.get("decisions")
    if runs:
        return f"{runs} run{'' if runs == 1 else 's'}"
    return f"{decisions} decision{'' if decisions == 1 else 's'}" if decisions else "nothing"


@command.command("show")
@click.argument("event", metavar="ID")
@location.options
@location.JSON
def show(where: location.Where, event: str, as_json: bool) -> None:
    """One event in full: what it says, and what was decided on it."""
    found = client.Client(where).get(f"{client.API}/events/{client.segment(event)}")
    if as_json:
        terminal.echo_json(found)
        return
    for line in _in_full(found if isinstance(found, dict) else {}):
        terminal.echo(line)


def _in_full(event: dict[str, Any]) -> Iterator[str]:
    name = terminal.clean(event.get("id") or "?")
    yield f"{name}  {terminal.clean(event.get('kind') or '?')} of {terminal.clean(event.get('source') or '?')}"
    yield f"  {'received':<10}  {terminal.when(event.get('received_at'))}"
    for key in ("actor", "cause", "only"):
        if event.get(key):
            yield f"  {key:<10}  {terminal.clean(event[key])}"
    if event.get("depth"):
        yield f"  {'depth':<10}  {terminal.clean(event['depth'])}"
    for key in ("event", "meta"):
        if event.get(key) is not None:
            yield f"  {key}"
            for line in json.dumps(event[key], indent=2, ensure_ascii=False).split("\n"):
                yield f"    {terminal.clean(line)}"
    if event.get("event") is None:
        yield f"  {'event':<10}  its content was trimmed"
    yield from _decisions(event)
    for letter in _objects(event.get("quarantined")):
        yield from _letter(name, letter)


def _decisions(event: dict[str, Any]) -> Iterator[str]:
    decisions = _objects(event.get("decisions"))
    if not decisions:
        yield f"  {'decided':<10}  " + ("nothing came of it" if event.get("decided") else "not yet")
    for one in decisions:
        run = f"  {terminal.short(one['run'])}" if one.get("run") else ""
        said = explanation.why(one) if one.get("reason") else ""
        yield (
            f"  {'decided':<10}  {terminal.clean(one.get('rule') or '?')}: {terminal.clean(one.get('action') or '?')}"
            + (f" {terminal.clean(one.get('outcome') or '?')}{run}" + (f": {said}" if said else ""))
        )


def _letter(event: str, letter: dict[str, Any]) -> Iterator[str]:
    state = {"held": "in quarantine", "released": "was in quarantine", "dropped": "was given up"}
    ruleset = (
        "no ruleset could"
        if letter.get("ruleset") == "*"
        else f"{terminal.clean(letter.get('ruleset') or '?')} could not"
    )
    yield (
        f"  {state.get(str(letter.get('state')), 'set aside')}: {ruleset} digest it in {terminal.clean(letter.get('tries') or '?')} tries,"
        f" {terminal.when(letter.get('at'))}"
    )
    yield f"    {terminal.clean(letter.get('error') or '')}"
    if letter.get("released"):
        yield f"    tried again as {terminal.clean(letter['released'])}"
    if letter.get("state") == "held":
        yield f"    once it is mended:  {location.again(f'healer events quarantine release {event}')}"


@command.command("resend")
@click.argument("event_ids", metavar="ID…", nargs=-1, required=True)
@location.options
@click.option("--yes", is_flag=True, help="Do not ask")
@location.JSON
def resend(where: location.Where, event_ids: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Send stored events once more, as they came.

    They may start actions: asks on a terminal when the daemon's mode is active.
    """
    asked = client.Client(where)
    if not yes:
        _confirm(asked, f"{_some(event_ids)} once more", "Send")
    sent: list[dict[str, Any]] = []
    try:
        for one in event_ids:
            answer = asked.ask("POST", f"{client.API}/events/{client.segment(one)}/resend", body=b"")
            sent.append(answer if isinstance(answer, dict) else {})
            if not as_json:
                terminal.echo(f"{terminal.clean(one)} went in once more as {terminal.clean(sent[-1].get('id') or '?')}")
    finally:
        if as_json:
            terminal.echo_json({"items": sent})


def _some(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} events"


def _confirm(asked: client.Client, what: str, verb: str) -> None:
    status = asked.get(f"{client.API}/status")
    send.confirm(status if isinstance(status, dict) else {}, what, verb)


# --- the quarantine -------------------------------------------------------------------------------------------------------------


@command.group("quarantine", cls=cli.Lists)
def quarantine() -> None:
    """Events that no try could digest, and what is to become of them. `list` may be left out."""


@quarantine.command("list")
@location.options
@click.option("--source", help="Of this source")
@click.option("--ruleset", metavar="RULESET", help="activation/ruleset; '*': those that nobody heard")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@location.JSON
def held(where: location.Where, source: str | None, ruleset: str | None, limit: int, as_json: bool) -> None:
    """What is in quarantine, the newest event first."""
    found = client.Client(where).pages(f"{client.API}/quarantine", {"source": source, "ruleset": ruleset}, limit)
    head = ("event", "ruleset", "source", "tries", "since", "error")
    none = "nothing is in quarantine"
    tables.show(found, head, map(_held, found["items"]), as_json=as_json, none=none, limit=limit, right=(3,))


def _held(item: dict[str, Any]) -> list[tables.Cell]:
    names = [str(item.get(name) or "?") for name in ("event", "ruleset", "source", "tries")]
    return [*names, terminal.when(item.get("since")), str(item.get("error") or "")]


@quarantine.command("release")
@click.argument("event", metavar="EVENT")
@location.options
@click.option("--ruleset", metavar="RULESET", help="For this one only [default: for all that hold it]")
@click.option("--reason", metavar="TEXT", help="Why; it stands in the audit")
@click.option("--yes", is_flag=True, help="Do not ask")
@location.JSON
def release(
    where: location.Where, event: str, ruleset: str | None, reason: str | None, yes: bool, as_json: bool
) -> None:
    """Have EVENT tried again by what could not digest it.

    It may start actions: asks on a terminal when the daemon's mode is active.
    """
    asked = client.Client(where)
    if not yes:
        _confirm(asked, f"{event} out of quarantine", "Release")
    told = _decide(asked, "release", event, ruleset, reason)
    if as_json:
        terminal.echo_json(told)
        return
    for one in _objects(told.get("released")):
        again, name = terminal.clean(one.get("id") or "?"), terminal.clean(one.get("ruleset") or "?")
        terminal.echo(f"{terminal.clean(event)} is tried again as {again}, by {'all' if name == '*' else name}")
        terminal.note(f"  what came of it:  {location.again(f'healer explain {again}')}")


@quarantine.command("drop")
@click.argument("event", metavar="EVENT")
@location.options
@click.option("--ruleset", metavar="RULESET", help="For this one only [default: for all that hold it]")
@click.option("--reason", metavar="TEXT", help="Why; it stands in the audit")
@confirming.YES
@location.JSON
def drop(where: location.Where, event: str, ruleset: str | None, reason: str | None, yes: bool, as_json: bool) -> None:
    """Give EVENT up for good: it is not tried again."""
    confirming.ask(f"Give {event} up for good?", f"{event} would be given up for good", yes=yes)
    told = _decide(client.Client(where), "drop", event, ruleset, reason)
    if as_json:
        terminal.echo_json(told)
        return
    names = told.get("dropped")
    shown = (
        ", ".join("all" if name == "*" else terminal.clean(name) for name in names) if isinstance(names, list) else "?"
    )
    terminal.echo(f"{terminal.clean(event)} is given up, for {shown}")


def _decide(asked: client.Client, what: str, event: str, ruleset: str | None, reason: str | None) -> dict[str, Any]:
    body = json.dumps({"event": event, "ruleset": ruleset or "", "reason": reason or ""}).encode()
    told = asked.ask("POST", f"{client.API}/quarantine/{what}", body=body)
    return told if isinstance(told, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
