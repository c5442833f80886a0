"""`healer actions`: what the catalog has, one of it in full, and starting it by hand, through the same gates as any event."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import click

from healer import cli, errors, units
from healer.cli import client, explanation, location, send, tables, terminal, usage

_PATH: Final = f"{client.API}/actions"
DECIDED_S: Final = 10
"""So long it is waited for the decision, where nobody says how long."""
FINE: Final = ("queued", "running", "verifying", "succeeded", "simulated", "deferred", "awaiting_approval", "planned")
"""Of a run in these nothing has gone wrong."""


@click.group(cls=cli.Lists)
def command() -> None:
    """What may be done: the actions of the catalog. `list` may be left out."""


@command.command("list")
@location.options
@location.JSON
def list_(where: location.Where, as_json: bool) -> None:
    """The actions, by name."""
    found = client.page(client.Client(where).get(_PATH))
    head = ("action", "kind", "target", "by", "impact", "events", "where", "what")
    none = "no action is declared: see actions.yaml, or a .meta.yml beside a file of playbooks/ or scripts/"
    tables.show(found, head, map(_row, found["items"]), as_json=as_json, none=none)


def _row(item: dict[str, Any]) -> list[tables.Cell]:
    return [
        str(item.get("name") or "?"), str(item.get("kind") or ""), "" if item.get("target") == "none" else "one or more",
        str(item.get("controller") or ""), _impact(item), _words(item.get("events")), str(item.get("place") or ""),
        str(item.get("description") or ""),
    ]  # fmt: skip


def _impact(item: Mapping[str, Any]) -> str:
    return str(item.get("impact") or "") + ("" if item.get("impact_declared", True) else " (undeclared)")


def _words(given: Any) -> str:
    return " ".join(map(str, given)) if isinstance(given, list) else ""


@command.command("show")
@click.argument("name", metavar="NAME")
@location.options
@location.JSON
def show(where: location.Where, name: str, as_json: bool) -> None:
    """One in full: its parameters, where it stands, the gates that hold for it."""
    found = client.Client(where).get(f"{_PATH}/{client.segment(name)}")
    terminal.in_full(found, _in_full, as_json=as_json)


def _in_full(item: dict[str, Any]) -> Iterator[str]:
    yield terminal.clean(f"{item.get('name') or '?'}  {item.get('description') or ''}".rstrip())
    subject = item.get("subject")
    said = subject if isinstance(subject, str) else terminal.one_line_json(subject)
    by = "the default one" if item.get("chosen") == "default" else "as the action says"
    rows = {
        "where": item.get("place"), "runs": f"{item.get('kind')} {said}",
        "target": "none" if item.get("target") == "none" else "one or more", "by": f"{item.get('controller')} ({by})",
        "impact": _impact(item), "idempotent": "yes" if item.get("idempotent") else "no", "tags": _words(item.get("tags")),
        "events": _words(item.get("events")), "dry run": "always" if item.get("dry_run") else "",
    }  # fmt: skip
    yield from (f"  {label:<10}  {terminal.clean(value)}" for label, value in rows.items() if value)
    yield from _parameter_lines(item)
    for key in ("verify", "escalate", "retries"):
        if item.get(key):
            yield f"  {key:<10}  {terminal.one_line_json(item[key])}"
    yield from _gate_lines(item.get("gates"))


def _parameter_lines(item: Mapping[str, Any]) -> Iterator[str]:
    schemas = item["parameters"] if isinstance(item.get("parameters"), Mapping) else {}
    required, of_events = item.get("required") or (), item.get("payload_parameters") or ()
    for name, schema in schemas.items():
        needed = isinstance(schema, Mapping) and name in required and "default" not in schema
        words = ["required" if needed else "", "" if name in of_events else "not by events"]
        more = f" ({', '.join(filter(None, words))})" if any(words) else ""
        yield f"  {'parameter':<10}  {terminal.clean(name)}{more}: {terminal.one_line_json(schema)}"


def _gate_lines(gates: Any) -> Iterator[str]:
    rows: list[list[tables.Cell]] = [
        [f"    {one.get('gate')}", str(one.get("written") or ""), str(one.get("from") or ""), str(one.get("place") or "")]
        for one in (gates if isinstance(gates, list) else ()) if isinstance(one, Mapping)
    ]  # fmt: skip
    if rows:
        yield "  gates"
        yield from tables.lines(("    gate", "value", "from", "where"), rows, width=terminal.width())[1:]


# --- by hand --------------------------------------------------------------------------------------------------------------


@command.command("run")
@click.argument("name", metavar="NAME")
@location.options
@click.option(
    "--target", "targets", metavar="TARGET", multiple=True, help="On this, like web01 or group:web; may be given again"
)
@click.option("--param", "given", metavar="NAME=VALUE", multiple=True, help="A parameter; may be given again")
@click.option("--params", metavar="JSON", help="All parameters, as a JSON object")
@click.option("--controller", metavar="NAME", help="By another controller than its own")
@click.option("--dry-run", is_flag=True, help="Ask every gate, and touch nothing")
@click.option("--reason", metavar="TEXT", help="Why; kept with the run and in the audit")
@click.option("--wait", metavar="SPAN", help="Wait so long for its end, like 30s [default: for the decision alone]")
@click.option("--yes", is_flag=True, help="Do not ask")
@location.JSON
def run(
    where: location.Where, name: str, targets: tuple[str, ...], given: tuple[str, ...], params: str | None, controller: str | None,
    dry_run: bool, reason: str | None, wait: str | None, yes: bool, as_json: bool,
) -> int:  # fmt: skip
    """Start an action by hand. It goes the way of every event: each gate is asked, and the run is yours.

    Asks on a terminal when the daemon's mode is active.
    """
    wait_s = _wait_s(wait)
    asked = client.Client(where, client.TIMEOUT_S + wait_s)
    body: dict[str, Any] = {"parameters": _parameters(asked, name, given, params), "dry_run": dry_run}
    if targets:
        body["target"] = targets[0] if len(targets) == 1 else list(targets)
    body |= {key: value for key, value in (("controller_override", controller), ("reason", reason)) if value}
    if not (yes or dry_run):
        with contextlib.suppress(client.NotAllowed):  # who may start it need not be one who may look at it
            asked.get(f"{_PATH}/{client.segment(name)}")
        status = asked.get(f"{client.API}/status")
        on = f" on {', '.join(targets)}" if targets else ""
        send.confirm(
            status if isinstance(status, dict) else {},
            terminal.clean(f"{name}{on}"),
            "Run it",
            "takes effect if its gates say yes",
        )
    until = None if wait_s else "planned" if dry_run else "decided"
    query = {"wait": f"{wait_s or DECIDED_S:g}s", "until": until}
    path = f"{_PATH}/{client.segment(name)}/run"
    answer = asked.ask("POST", path, query, body=json.dumps(body).encode())
    done = answer if isinstance(answer, dict) else {}
    runs = [one for one in done.get("results") or () if isinstance(one, dict)]
    if as_json:
        terminal.echo_json(answer)
    else:
        _tell(done, runs)
    fine = all(explanation.would_be(one) in FINE and not explanation.plan_refused(one) for one in runs)
    return errors.EXIT_OK if fine else errors.EXIT_FOUND


def _wait_s(text: str | None) -> float:
    try:
        return 0.0 if text is None else units.duration_s(text)
    except ValueError as error:
        raise usage.WrongUse("--wait 30s", detail=f"--wait: {error}") from error


def _parameters(asked: client.Client, name: str, given: tuple[str, ...], whole: str | None) -> dict[str, Any]:
    """The parameters as the daemon takes them. A value is read as its schema says: a text as it is, else as JSON."""
    if given and whole is not None:
        raise usage.WrongUse("--param NAME=VALUE", detail="one of --param and --params is wanted, got both")
    if whole is not None:
        try:
            found = json.loads(whole, object_pairs_hook=_once)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise usage.WrongUse(
                """--params '{"service": "nginx"}'""",
                detail=f"--params: a JSON object is wanted, got {usage.got(whole)}",
            )
        return found
    pairs = [_pair(one) for one in given]
    if not pairs:
        return {}
    action = asked.get(f"{_PATH}/{client.segment(name)}")
    schemas = action.get("parameters") if isinstance(action, dict) else None
    return {key: _value(text, schemas.get(key) if isinstance(schemas, dict) else None) for key, text in pairs}


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise usage.WrongUse("--param service=nginx", detail=f"--param: NAME=VALUE is wanted, got {usage.got(text)}")
    return name, value


def _value(text: str, schema: Any) -> Any:
    kind = schema.get("type") if isinstance(schema, dict) else None
    if kind == "string":
        return text
    try:
        return json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return text


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, of which each key counts."""
    made = dict(pairs)
    if len(made) < len(pairs):
        twice = next(key for at, (key, _) in enumerate(pairs) if key in dict(pairs[:at]))
        raise usage.WrongUse(
            "one of them has to go", detail=f"the JSON has the key {usage.got(twice)} twice in one object"
        )
    return made


def _tell(done: dict[str, Any], runs: list[dict[str, Any]]) -> None:
    event = terminal.clean((done.get("ids") or ["?"])[0])
    if done.get("duplicates"):
        terminal.note(f"known already, as {event}: nothing was started anew")
    for one in runs:
        why = explanation.why(one)
        shown = terminal.paint(terminal.clean(explanation.state(one)), terminal.COLOURS.get(str(one.get("state"))))
        on = terminal.clean(", ".join(map(str, one.get("targets") or ())))
        terminal.echo(
            f"{terminal.short(one.get('id'))}  {shown}{f' on {on}' if on else ''} by {terminal.clean(one.get('controller') or '?')}"
            + (f": {why}" if why else "")
        )
        if step := explanation.next_step(one):
            terminal.echo(f"  next  {step}")
    if not runs:
        terminal.echo(
            f"{event}  accepted; it is not decided yet"
            if done.get("pending")
            else f"{event}  accepted; nothing came of it"
        )
    see = f"healer runs show {terminal.short(runs[0].get('id'))}" if runs else f"healer explain {event}"
    terminal.note(f"  how it goes on:  {location.again(see)}" if runs else f"  why:  {location.again(see)}")
