"""`healer sources`: what delivers events and how each does; one of them in full, with what is entered at its sender's side."""

from __future__ import annotations

import datetime
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final

import click

from healer import cli
from healer.cli import client, location, tables, terminal

_PATH: Final = f"{client.API}/sources"
FIELDS_WIDTH: Final = 120
_UNITS: Final = {1.0: "second", 60.0: "minute", 3600.0: "hour", 86400.0: "day"}


@click.group(cls=cli.Lists)
def command() -> None:
    """What delivers events. `list` may be left out."""


@command.command("list")
@location.options
@location.JSON
def list_(where: location.Where, as_json: bool) -> None:
    """The sources, each with who hears it and how it does."""
    found = client.page(client.Client(where).get(_PATH))
    now = datetime.datetime.now(datetime.UTC)
    head = ("source", "type", "path", "format", "auth", "heard by", "last event", "how it does")
    if tables.show(found, head, (_row(item, now) for item in found["items"]), as_json=as_json):
        terminal.note(f"  what its sender needs:  {location.again('healer sources show')} NAME")


def _row(item: Mapping[str, Any], now: datetime.datetime) -> list[tables.Cell]:
    rulesets = _rulesets(item, 1)
    return [
        str(item.get("name") or "?"), str(item.get("type") or ""), _path(item), str(item.get("format") or ""),
        str(item.get("auth") or ""), rulesets or ("nobody", "yellow"), terminal.at(item.get("last_event"), now), _does(item),
    ]  # fmt: skip


def _path(item: Mapping[str, Any]) -> str:
    return f"/hooks/{item['path']}" if item.get("path") else ""


def _rulesets(item: Mapping[str, Any], most: int) -> str:
    """Who hears it: so many by name, and how many more."""
    named = [str(one) for one in item["rulesets"]] if isinstance(item.get("rulesets"), list) else []
    more = item.get("more_rulesets")
    left = len(named[most:]) + (more if isinstance(more, int) else 0)
    return ", ".join(named[:most]) + (f" and {left} more" if left > 0 else "")


def _does(item: Mapping[str, Any]) -> tables.Cell:
    """How it does in a few words; what needs somebody has a colour."""
    state, refused = str(item.get("state") or ""), item.get("refused")
    if item.get("silent"):
        return "SILENT", "red"
    if state == "failed":
        return f"failed: {item.get('error') or 'no reason is known'}", "red"
    if isinstance(refused, Mapping) and not _heard_since(item, refused):
        return f"refused: {refused.get('why') or '?'}", "yellow"
    if isinstance(item.get("suggested"), str):
        return f"looks like {item['suggested']}", "yellow"
    return state


def _heard_since(item: Mapping[str, Any], refused: Mapping[str, Any]) -> bool:
    """Whether an event came after the last refusal."""
    at, last = terminal.moment(refused.get("at")), terminal.moment(item.get("last_event"))
    return at is None or (last is not None and last >= at)


@command.command("show")
@click.argument("name", metavar="NAME")
@location.options
@location.JSON
def show(where: location.Where, name: str, as_json: bool) -> None:
    """One with its options, and what is entered at its sender's side. Secrets are named, never shown."""
    found = client.Client(where).get(f"{_PATH}/{client.segment(name)}")
    terminal.in_full(found, _in_full, as_json=as_json)
    if not as_json and isinstance(found, dict) and found.get("url") and not found.get("url_said"):
        terminal.note(
            "  that address is where the daemon listens; another one?  server: {public_url: URL} in healer.yaml"
        )


def _in_full(item: dict[str, Any]) -> Iterator[str]:
    shared = ", shared by healer.yaml" if item.get("shared") and item.get("options") else ""
    yield terminal.clean(f"{item.get('name') or '?'}  {item.get('type') or '?'}{shared}")
    rows = {
        "where": item.get("place"), "path": _path(item), "format": _format(item), "auth": _auth(item),
        "heard by": _rulesets(item, 20) or "nobody", "limits": ", ".join(_limits(item)), "does": _told(item),
        "refused": _once(item.get("refused"), "why"), "greeted": _once(item.get("greeted"), "what"), "looks like": _likely(item),
    }  # fmt: skip
    for label, value in rows.items():
        if value:
            yield f"  {label:<10}  {terminal.clean(value)}"
    for address in visit if isinstance(visit := item.get("visit"), list) else ():
        yield f"  {'visit':<10}  {terminal.clean(address)}"
    options = item.get("options")
    for key, value in options.items() if isinstance(options, Mapping) else ():
        yield f"  {'option':<10}  {terminal.clean(key)}: {terminal.one_line_json(value)}"
    fields = item.get("fields")
    if isinstance(fields, list):
        told = terminal.clean(" ".join(map(str, fields)))
        lines = textwrap.wrap(told, (terminal.width() or FIELDS_WIDTH) - 14, break_on_hyphens=False)
        yield from (f"  {'' if at else 'event has':<10}  {line}" for at, line in enumerate(lines))
    yield from _sender(item)


def _format(item: Mapping[str, Any]) -> str:
    if not item.get("format"):
        return ""
    ends = "says" if item.get("resolves") else "does not say"
    return f"{item['format']}: its sender {ends} when an alert is over"


def _auth(item: Mapping[str, Any]) -> str:
    secrets = ", ".join(map(str, item["secrets"])) if isinstance(item.get("secrets"), list) else ""
    return f"{item.get('auth') or ''}{f': {secrets}' if secrets else ''}"


def _limits(item: Mapping[str, Any]) -> Iterator[str]:
    rate = item.get("rate_limit")
    if isinstance(rate, Mapping):
        within = rate.get("within_s")
        known = _UNITS.get(within) if isinstance(within, int | float) else None
        yield f"at most {rate.get('count')} deliveries per {known or _span(within)}"
    if item.get("max_quiet_s"):
        yield f"silent after {_span(item['max_quiet_s'])}"
    if item.get("alert_ttl_s"):
        yield f"an alert ends when it was not heard of for {_span(item['alert_ttl_s'])}"


def _span(seconds: Any) -> str:
    return terminal.span(float(seconds)) if isinstance(seconds, int | float) else "?"


def _told(item: Mapping[str, Any]) -> str:
    if not item.get("state") and not item.get("error"):
        return ""
    count = item.get("events") or 0
    parts = [
        str(item.get("state") or ""), "SILENT" if item.get("silent") else "",
        f"{count} event{'' if count == 1 else 's'} since the start",
        f"the last {terminal.when(item['last_event'])}" if item.get("last_event") else "",
        f"it failed with: {item['error']}" if item.get("error") else "",
    ]  # fmt: skip
    return ", ".join(part for part in parts if part)


def _once(last: Any, word: str) -> str:
    return f"{terminal.when(last.get('at'))}: {last.get(word) or '?'}" if isinstance(last, Mapping) else ""


def _likely(item: Mapping[str, Any]) -> str:
    likely = item.get("suggested")
    return f"its last delivery looks like that of {likely}: write  format: {likely}" if isinstance(likely, str) else ""


def _sender(item: Mapping[str, Any]) -> Iterator[str]:
    """What is pasted, as it stands; and what its sender has to prove itself with, where that is not what the block is written for."""
    if not item.get("url"):
        return
    yield ""
    yield "at the sender's side:"
    yield f"  {'URL':<10}  {terminal.clean(item['url'])}"
    if item.get("proof"):
        yield f"  {'proof':<10}  {terminal.clean(item['proof'])}"
    proofs = item["proofs"] if isinstance(item.get("proofs"), list) and item.get("auth") != "none" else []
    if proofs and item.get("auth") not in proofs:
        known = terminal.clean(", ".join(map(str, proofs)))
        yield f"  {'':<10}  such senders are known to prove themselves by {known}: see whether this one can"
    elif proofs and item.get("auth") != proofs[0]:
        yield f"  {'':<10}  where the block says another way ({terminal.clean(proofs[0])}), this one takes its place"
    if item.get("setup"):
        yield ""
        yield terminal.clean_lines(str(item["setup"])).rstrip("\n")
