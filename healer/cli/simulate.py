"""`healer simulate`: what an event would lead to if it came now. Nothing is sent, started or written."""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import click

from healer.cli import client, explanation, forms, location, markdown, send, terminal, usage

EVENT_ID: Final = re.compile(r"e-[0-9]{1,18}")
PLAN_S: Final = 360.0
"""How long plans are waited for: a few, each of which may take its two minutes."""


@click.command(cls=usage.Command)
@click.argument("event", metavar="EVENT", required=False)
@location.options
@click.option("--latest", is_flag=True, help="The newest event")
@click.option(
    "--source", metavar="NAME", help="As this source would deliver it [default: the daemon's API, or the only one]"
)
@click.option("--rule", help="Only this rule: activation/ruleset/rule, or its last part")
@click.option("--why", is_flag=True, help="Each rule with its conditions and what they see, and every gate")
@click.option(
    "--plan", is_flag=True, help="Ask the controllers what they would do (--check of a playbook); takes a while"
)
@forms.options
def command(
    where: location.Where, event: str | None, latest: bool, source: str | None, rule: str | None, why: bool, plan: bool, form: str
) -> None:  # fmt: skip
    """Which rules would fire for an event now, on what, and which gate would stop what. Nothing takes effect.

    EVENT is a file with one JSON object, as its source delivers it (- is standard input), or the id of a stored event (e-12).
    """
    if (event is None) == (not latest):
        given = "none was given" if event is None else "got both"
        raise usage.WrongUse(" or ".join(map(location.again, ("healer simulate event.json", "healer simulate --latest"))),
                             detail=f"a file, the ID of an event, or --latest is wanted, {given}")  # fmt: skip
    asked = {"source": source, "rule": rule, "why": why or None, "plan": plan or None}
    body = _body(event, {name: value for name, value in asked.items() if value is not None})
    found = client.Client(where, PLAN_S if plan else client.TIMEOUT_S).ask("POST", f"{client.API}/simulate", body=body)
    if form == forms.JSON:
        terminal.echo_json(found)
        return
    told = found if isinstance(found, dict) else {}
    for line in as_markdown(told, why=why) if form == forms.MARKDOWN else in_full(told, why=why):
        terminal.echo(line)


def _body(event: str | None, asked: Mapping[str, Any]) -> bytes:
    """The request. The bytes of a file go as they are: the daemon reads strictly."""
    if event is None or (EVENT_ID.fullmatch(event) and not pathlib.Path(event).exists()):
        return json.dumps({"id": event or "latest", **asked}).encode()
    file = pathlib.Path(event)
    if event != "-" and not file.is_file():
        raise usage.WrongUse(
            "a file, - for standard input, or an ID like e-12", detail=f"there is no file {usage.got(event)}"
        )
    name = "standard input" if event == "-" else event
    given = send.read(send.bytes_of(file), name)
    if given.count != 1:
        raise usage.WrongUse(detail=f"one event is simulated at a time, {name} has {given.count}")
    (document,) = given.lines or given.elements or (given.document,)
    rest = json.dumps(asked).encode()
    return b'{"event":' + document + (b"," + rest[1:] if asked else b"}")


def in_full(found: Mapping[str, Any], *, why: bool = False) -> Iterator[str]:
    """Each event with its rules as lines."""
    for number, item in enumerate(_items(found)):
        if number:
            yield ""
        yield from _head(item)
        for rule in _rules(item):
            yield ""
            yield from explanation.ahead_lines(rule, in_full=why)
        yield from _tail(item)
    yield from _more(found)


def as_markdown(found: Mapping[str, Any], *, why: bool = False) -> Iterator[str]:
    """The same for a comment."""
    for item in _items(found):
        yield from markdown.document("What would happen, by healer", _head(item), _parts(item, why), _tail(item))
        yield ""
    yield from _more(found)


def _items(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for one in found.get("items") or () if isinstance(one, Mapping)]


def _more(found: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(more := found.get("more"), int) and more:
        yield f"{more} more events of the body were not looked at"
    for why in unread if isinstance(unread := found.get("unread"), list) else ():
        yield f"a part of the body cannot be read and would be held in quarantine: {terminal.clean(why)}"


def _rules(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [rule for rule in item.get("rules") or () if isinstance(rule, Mapping)]


def _parts(item: Mapping[str, Any], why: bool) -> Iterator[markdown.Part]:
    """What each rule would make of it."""
    for rule in _rules(item):
        lines = list(explanation.ahead_lines(rule, in_full=why, conditions=False))
        yield markdown.Part(lines, bool(rule.get("fired")), explanation.branches(rule) if why else ())


def _head(item: Mapping[str, Any]) -> Iterator[str]:
    event = item.get("event")
    yield from explanation.event_lines(event if isinstance(event, Mapping) else {}, what="simulated")
    mode, revision = (terminal.clean(item.get(name) or "?") for name in ("mode", "revision"))
    yield f"  nothing is started or written · mode {mode} · revision {revision}"
    if isinstance(alert := item.get("alert"), Mapping):
        yield f"  {_alert(alert)}"
    if not item.get("listening"):
        yield "  no rule listens to its source"
    elif not any(rule.get("fired") for rule in _rules(item)):
        yield "  no rule would fire"


def _tail(item: Mapping[str, Any]) -> Iterator[str]:
    for one in item.get("appends") or ():
        yield f"  then a row ({terminal.clean(one.get('kind'))}) for {terminal.clean(one.get('to'))}, whose rules are not looked at"
    if others := item.get("others"):
        yield ""
        yield f"{others} other rule{'' if others == 1 else 's'} listen{'s' if others == 1 else ''}, and would not fire: --why says why"
    if item.get("cut"):
        yield "There is more: not all that the event would lead to was looked at"


def _alert(alert: Mapping[str, Any]) -> str:
    key, cycle = terminal.clean(alert.get("key") or "?"), alert.get("cycle")
    if alert.get("full"):
        return f"alert {key}: not followed, since too many are open"
    if alert.get("opens"):
        return f"alert {key}: would open, for the {_ordinal(cycle)} time"
    return f"alert {key}: {'fires already' if alert.get('firing') else 'would be resolved'} (cycle {cycle})"


def _ordinal(number: Any) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")
