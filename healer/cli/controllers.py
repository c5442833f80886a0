"""`healer controllers`: how targets are reached, one of them in full, and asking whether that works now."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import click

from healer import cli, errors
from healer.cli import client, location, tables, terminal

AT_ONCE: Final = 8
_PATH: Final = f"{client.API}/controllers"


@click.group(cls=cli.Lists)
def command() -> None:
    """How targets are reached. `list` may be left out."""


@command.command("list")
@location.options
@location.JSON
def list_(where: location.Where, as_json: bool) -> None:
    """The controllers, each with what its last check said."""
    found = client.page(client.Client(where).get(_PATH))
    head = ("controller", "type", "kinds", "inventory", "runs", "tags", "last check")
    if tables.show(found, head, map(_row, found["items"]), as_json=as_json):
        terminal.note(f"  whether they work:  {location.again('healer controllers check')}")


def _row(item: dict[str, Any]) -> list[tables.Cell]:
    default = " (default)" if item.get("default") else ""
    return [
        f"{item.get('name') or '?'}{default}", str(item.get("type") or ""), _words(item.get("kinds")), _inventory(item),
        f"{item.get('running') or 0} of {item.get('concurrency') or '?'}", _words(item.get("tags")), _said(item.get("health")),
    ]  # fmt: skip


def _words(given: Any) -> str:
    return " ".join(map(str, given)) if isinstance(given, list) else ""


def _inventory(item: Mapping[str, Any]) -> str:
    if not item.get("inventory"):
        return "none"
    count = item.get("hosts")
    more = " and what Ansible finds" if item.get("hosts_partial") else ""
    if _listed(item).get("heard"):
        more = ", as Ansible lists them"
    return f"{item['inventory']}: {count} host{'' if count == 1 else 's'}{more}"


def _listed(item: Mapping[str, Any]) -> Mapping[str, Any]:
    return listed if isinstance(listed := item.get("hosts_listed"), Mapping) else {}


def _listing(item: Mapping[str, Any]) -> Iterator[str]:
    """When Ansible listed its hosts last, and what is wrong with them."""
    listed = _listed(item)
    if listed.get("heard"):
        yield f"  {'':<10}  Ansible listed them {terminal.when(listed['heard'])}"
    yield from _doubts(listed, "them")
    for one in listed.get("left_out") or ():
        yield f"  {'':<10}  {terminal.clean(one)}"


def _doubts(listed: Mapping[str, Any], them: str) -> Iterator[str]:
    """What is wrong with the list of its hosts."""
    if listed.get("error"):
        yield f"  {'':<10}  {terminal.paint(f'Ansible could not list {them}', 'red')}: {terminal.clean(listed['error'])}"
    if isinstance(dried := listed.get("dried"), Mapping):
        since = f"Ansible lists no host any more but those of files, since {terminal.when(dried.get('at'))}"
        yield f"  {'':<10}  {terminal.paint(since, 'yellow')}; {terminal.clean(dried.get('from'))} beside them before"


def _said(health: Any) -> tables.Cell:
    if not isinstance(health, Mapping):
        return "not asked yet"
    return ("ok", "green") if health.get("ok") else (str(health.get("detail") or "not usable"), "red")


@command.command("show")
@click.argument("name", metavar="NAME")
@location.options
@location.JSON
def show(where: location.Where, name: str, as_json: bool) -> None:
    """One with its options, and what its last check said."""
    found = client.Client(where).get(f"{_PATH}/{client.segment(name)}")
    terminal.in_full(found, _in_full, as_json=as_json)


def _in_full(item: dict[str, Any]) -> Iterator[str]:
    default = ", the default" if item.get("default") else ""
    yield terminal.clean(f"{item.get('name') or '?'}  {item.get('type') or '?'}{default}")
    bound = item["bound_to"] if isinstance(item.get("bound_to"), Mapping) else {}
    rows = {
        "where": item.get("place"), "tags": _words(item.get("tags")), "runs": _words(item.get("kinds")),
        "reaches": _words(item.get("target_kinds")), "inventory": _inventory(item),
        "targets": ", ".join(_bound(bound.get("targets"))), "actions": _words(bound.get("actions")),
        "at work": f"{item.get('running') or 0} of {item.get('concurrency') or '?'}",
    }  # fmt: skip
    for label, value in rows.items():
        if value:
            yield f"  {label:<10}  {terminal.clean(value)}"
        if label == "inventory":
            yield from _listing(item)
    options = item.get("options")
    for key, value in options.items() if isinstance(options, Mapping) else ():
        yield f"  {'option':<10}  {terminal.clean(key)}: {terminal.one_line_json(value)}"
    yield from _health_lines("check", item.get("health"))


def _bound(targets: Any) -> Iterator[str]:
    for one in targets if isinstance(targets, list) else ():
        if isinstance(one, Mapping):
            count = one.get("hosts")
            yield f"{one.get('target')}" + ("" if count is None else f" ({count} host{'' if count == 1 else 's'})")


def _health_lines(label: str, health: Any) -> Iterator[str]:
    if not isinstance(health, Mapping):
        yield f"  {label:<10}  not asked yet"
        return
    word = terminal.paint("ok", "green") if health.get("ok") else terminal.paint("not usable", "red")
    at = f" {terminal.when(health['at'])}" if health.get("at") else ""
    yield f"  {label:<10}  {word}{at}: {terminal.clean(health.get('detail') or '')}".rstrip(": ")
    if health.get("try"):
        yield f"  {'':<10}  try  {terminal.clean(health['try'])}"


@command.command("check")
@click.argument("name", metavar="[NAME]", required=False)
@location.options
@location.JSON
def check(where: location.Where, name: str | None, as_json: bool) -> int:
    """Ask a controller, or all, whether it is usable now: its tools, its credentials, whom it reaches. Nothing takes effect."""
    asked = client.Client(where)
    names = [name] if name is not None else [str(one.get("name")) for one in client.page(asked.get(_PATH))["items"]]
    done = _checked(asked, names)
    if as_json:
        terminal.echo_json({"items": done})
    else:
        for one in done:
            for line in _health_lines(terminal.clean(one.get("name") or "?"), one.get("health")):
                terminal.echo(line.removeprefix("  "))
            for line in _doubts(_listed(one), "its hosts"):
                terminal.echo(line.removeprefix("  "))
    fine = all(isinstance(one.get("health"), Mapping) and one["health"].get("ok") for one in done)
    return errors.EXIT_OK if fine else errors.EXIT_FOUND


def _checked(asked: client.Client, names: Sequence[str]) -> list[dict[str, Any]]:
    """The answers, in this order; one that is slow does not hold the others."""

    context = click.get_current_context()

    def ask(name: str) -> dict[str, Any]:
        click.globals.push_context(context)  # which is a thread's own: what is advised names the daemon
        try:
            answer = asked.ask("POST", f"{_PATH}/{client.segment(name)}/check")
        finally:
            click.globals.pop_context()
        return answer if isinstance(answer, dict) else {}

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(ask, names))
