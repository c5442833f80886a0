"""`healer approvals`: what waits for a person's word, and saying it. Who you are says a key, or `principals` of the user of this host."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import click

from healer import cli, errors
from healer.cli import client, confirming, explanation, location, tables, terminal, watching

BUNDLE: Final = "b-"
MANY_MAX: Final = 1000
TARGETS_SHOWN: Final = 3


@click.group(cls=cli.Lists)
def command() -> None:
    """What waits for a person's word. `list` may be left out."""


@command.command("list")
@location.options
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@watching.OPTION
@location.JSON
def list_(where: location.Where, limit: int, watch: float | None, as_json: bool) -> None:
    """The open requests."""
    head = ("request", "run", "action", "on", "rule", "why", "needs", "until")

    def look() -> None:
        found = client.Client(where).pages(f"{client.API}/approvals", {}, limit)
        rows = map(_row, bundles(found["items"]))
        tables.show(found, head, rows, as_json=as_json, none="nothing waits for a person", limit=limit)

    watching.repeat(watch, look, as_json=as_json)


def bundles(items: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Requests that are alike together: the same rule and action, asked for the same reason of the same people."""
    found: dict[str, list[dict[str, Any]]] = {}
    for item in items:
        found.setdefault(str(item.get("bundle") or item.get("id")), []).append(item)
    return list(found.values())


def _row(alike: list[dict[str, Any]]) -> list[tables.Cell]:
    item = min(alike, key=lambda one: str(one.get("expires") or "~"))
    until = terminal.when(item["expires"]) if item.get("expires") else "a person decides"
    many = len(alike) > 1
    return [
        str((item.get("bundle") if many else item.get("id")) or "?"),
        f"{len(alike)} runs" if many else terminal.short(item.get("run")), _actions(item), _targets(alike),
        str(item.get("rule") or ""), str(item.get("reason") or ""), _needs(item), until,
    ]  # fmt: skip


def _actions(item: dict[str, Any]) -> str:
    """Its action, and those of the steps behind it."""
    return ", then ".join(str(one.get("action") or "?") for one in (item, *(item.get("steps") or ())))


def _targets(alike: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(str(name) for item in alike for name in item.get("targets") or ()))
    more = f" and {len(names) - TARGETS_SHOWN} more" if len(names) > TARGETS_SHOWN else ""
    return ", ".join(names[:TARGETS_SHOWN]) + more


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
    """Exactly what would run, on what, and what people said. REQUEST is its id or its run's, or that of many alike (b-…)."""
    asked = client.Client(where)
    if not request.startswith(BUNDLE):
        found = asked.get(f"{client.API}/approvals/{client.segment(request)}")
        terminal.in_full(found, _in_full, as_json=as_json)
        return
    items = [asked.get(f"{client.API}/approvals/{client.segment(one)}") for one in _chosen(asked, (request,), ())]
    terminal.in_full({"items": items, "next": None}, _each_in_full, as_json=as_json)


def _each_in_full(page: dict[str, Any]) -> Iterator[str]:
    for number, item in enumerate(page["items"]):
        yield from ("",) if number else ()
        yield from _in_full(item if isinstance(item, dict) else {})


def _in_full(item: dict[str, Any]) -> Iterator[str]:
    state, reason = terminal.clean(item.get("state") or "?"), terminal.clean(item.get("reason") or "")
    yield f"{terminal.clean(item.get('id') or '?')}  {state}  ({reason})"
    for name in ("run", "bundle", "rule", "action", "controller", "requester", "author", "digest"):
        if item.get(name):
            yield f"  {name:<10}  {terminal.clean(item[name])}"
    yield f"  {'on':<10}  {terminal.clean(', '.join(item.get('targets') or ())) or '(no target)'}"
    if item.get("parameters"):
        yield f"  {'parameters':<10}  {terminal.one_line_json(item['parameters'])}"
    for one in item.get("steps") or ():
        yield f"  {'then':<10}  {_what(one)}"
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


def _choosing(function: Callable[..., Any]) -> Callable[..., Any]:
    """The arguments of `approve` and `reject`."""
    for option in (
        location.JSON,
        location.options,
        click.option("--yes", is_flag=True, help="Do not ask, of many alike"),
        click.option("--on", "on", metavar="TARGET", multiple=True, help="Of many alike those on this target"),
        click.option("--reason", metavar="TEXT", default="", help="Kept in the audit"),
        click.argument("requests", metavar="REQUEST…", nargs=-1, required=True),
    ):
        function = option(function)
    return function


@command.command("approve")
@_choosing
def approve(
    where: location.Where, requests: tuple[str, ...], reason: str, on: tuple[str, ...], yes: bool, as_json: bool
) -> int:
    """Say yes to exactly what `show` shows. REQUEST may be that of many alike (b-…)."""
    return _say(where, requests, "approve", reason, on, yes=yes, as_json=as_json)


@command.command("reject")
@_choosing
def reject(
    where: location.Where, requests: tuple[str, ...], reason: str, on: tuple[str, ...], yes: bool, as_json: bool
) -> int:
    """Say no."""
    return _say(where, requests, "reject", reason, on, yes=yes, as_json=as_json)


def _say(
    where: location.Where, requests: tuple[str, ...], word: str, reason: str, on: tuple[str, ...], *, yes: bool, as_json: bool
) -> int:  # fmt: skip
    asked = client.Client(where)
    if len(requests) == 1 and not requests[0].startswith(BUNDLE) and not on:
        body = json.dumps({"reason": reason}).encode()
        done = asked.ask("POST", f"{client.API}/approvals/{client.segment(requests[0])}/{word}", body=body)
        if as_json:
            terminal.echo_json(done)
        else:
            terminal.echo(_told(done if isinstance(done, dict) else {}))
        return errors.EXIT_OK
    chosen = [*_chosen(asked, requests, on).values()]
    if not yes:
        for item in chosen:
            click.echo(_one(item), err=True)
        question = f"{word.capitalize()} {'all ' if len(chosen) > 1 else ''}{len(chosen)}?"
        confirming.ask(question, f"many would be decided at once ({word})", yes=yes)
    body = json.dumps({"requests": [item["id"] for item in chosen], "reason": reason}).encode()
    answer = asked.ask("POST", f"{client.API}/approvals/{word}", body=body)
    done = answer if isinstance(answer, dict) else {}
    refused = done.get("refused") or []
    if as_json:
        terminal.echo_json(done)
        return errors.EXIT_FOUND if refused else errors.EXIT_OK
    for item in done.get("items") or ():
        terminal.echo(_told(item))
    for item in refused:
        terminal.note(f"{terminal.clean(item.get('id') or '?')}: {terminal.clean(item.get('detail') or '?')}")
    return errors.EXIT_FOUND if refused else errors.EXIT_OK


def _chosen(asked: client.Client, requests: tuple[str, ...], on: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """The open requests that are meant by their ids, of many alike those on the targets that are named."""
    found: dict[str, dict[str, Any]] = {}
    for request in requests:
        if request.startswith(BUNDLE):
            items = asked.pages(f"{client.API}/approvals", {"bundle": request}, MANY_MAX)["items"]
        else:
            one = asked.get(f"{client.API}/approvals/{client.segment(request)}")
            items = [one] if isinstance(one, dict) else []
        found |= {str(item["id"]): item for item in items if not on or _is_on(item, on)}
    if not found:
        what = f"an open request of {', '.join(requests)}" + (f" on {', '.join(on)}" if on else "")
        raise errors.NotFound("healer approvals", what=what)
    return found


def _is_on(item: dict[str, Any], on: tuple[str, ...]) -> bool:
    """Whether a request is about one of the targets, by its whole name or the last part of it."""
    names = {str(name) for name in item.get("targets") or ()}
    return bool({*on} & (names | {name.partition(":")[2] for name in names}))


def _one(item: dict[str, Any]) -> str:
    """A line that leaves out nothing of what is about to be decided."""
    told = ", then ".join(_what(one) for one in (item, *(item.get("steps") or ())))
    return f"  {terminal.clean(item.get('id') or '?')}  {terminal.short(item.get('run'))}  {told}"


def _what(item: dict[str, Any]) -> str:
    """Its action, with all of its targets and parameters."""
    on = terminal.clean(", ".join(map(str, item.get("targets") or ()))) or "no target"
    given = f"  {terminal.one_line_json(item['parameters'], 10_000)}" if item.get("parameters") else ""
    return f"{terminal.clean(item.get('action') or '?')} on {on}{given}"


def _told(answer: dict[str, Any]) -> str:
    run, state = terminal.short(answer.get("run")), str(answer.get("state") or "?")
    if answer.get("stood"):
        return f"{run}: your first word stands; the request is {terminal.clean(state)}"
    if state == "open":
        return f"{run}: noted; more people are wanted:  {location.again(f'healer approvals show {run}')}"
    return f"{run}: {terminal.clean(state)}"
